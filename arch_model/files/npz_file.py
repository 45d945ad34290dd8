"""Arrays of NumPy's npz and npy files; what a header claims is checked before anything of it is allocated.

No object is ever made of a file's bytes (NumPy's ``allow_pickle``): arrays are booleans, numbers and texts.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from arch_model.files.shown import plain, shown
from arch_model.files.text import opened
from arch_model.files.wanted import Wanted, one_line

BYTES = 512 * 2**20
"""Of a file, and of all arrays that are taken from it."""
MEMBERS = 10_000
"""Arrays in a file."""
HEADER = 10_000
"""Characters of an array's header; NumPy writes some 100."""

Arrays = dict[str, npt.NDArray[Any]]

_MAGIC = b"\x93NUMPY"
_DAMAGE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


def read_npz(path: str | Path, wanted: Wanted, names: Collection[str] | None = None, most: int = BYTES) -> Arrays:
    """The arrays of an npz file.

    Parameters
    ----------
    path : path of the file
    wanted : what the errors say
    names : which arrays, all of which must be there; None for every one
    most : bytes of the file, and of the arrays

    Returns
    -------
    dict of array
        By name, as they were saved, each of its own memory.

    Raises
    ------
    FastSwitchError
        As ``wanted`` says: for a file that is no npz, is cut off or damaged, lacks an array, has one twice, or whose
        arrays are not of plain numbers and texts or not of the size that they claim.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "a.npz"
    ...     np.savez(file, x=np.arange(3), text=np.array("hi"))
    ...     read_npz(file, Wanted("a.npz", "an npz file"))
    {'x': array([0, 1, 2]), 'text': array('hi', dtype='<U2')}
    """
    with opened(path, wanted, most) as file:
        if file.peek(2)[:2] != b"PK":  # type: ignore[attr-defined]
            raise wanted.cannot("is not an npz file")
        with _damage(wanted), zipfile.ZipFile(file) as archive:
            members = _members(archive, wanted)
            chosen = list(members if names is None else names)
            for name in chosen:
                if name not in members:
                    raise wanted.wrong(f"it has no array {name}, but {plain(', '.join(members), 100)}")
            room = most
            arrays: Arrays = {}
            for name in chosen:
                with archive.open(members[name]) as member:
                    array = _array(member, members[name].file_size, room, wanted, f"array {plain(name)}")
                room -= array.nbytes
                arrays[name] = array
            return arrays


def read_npy(path: str | Path, wanted: Wanted, most: int = BYTES) -> npt.NDArray[Any]:
    """The array of an npy file.

    Parameters
    ----------
    path : the file.
    wanted : what it is called in an error, and what would be right.
    most : bytes that the file and the array may have.

    Raises
    ------
    FastSwitchError
        As :func:`read_npz`.
    """
    with opened(path, wanted, most) as file, _damage(wanted):
        size = file.seek(0, 2)
        file.seek(0)
        return _array(file, size, most, wanted, "the array")


@contextmanager
def _damage(wanted: Wanted) -> Iterator[None]:
    try:
        yield
    except (*_DAMAGE, struct.error) as error:
        raise wanted.cannot(f"is cut off or damaged ({one_line(error)})") from None


def _members(archive: zipfile.ZipFile, wanted: Wanted) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > MEMBERS:
        raise wanted.cannot(f"has {len(infos)} arrays, more than {MEMBERS}")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.filename.removesuffix(".npy")
        if name in members:
            raise wanted.wrong(f"array {plain(name)} is there twice")
        members[name] = info
    return members


def _array(file: IO[bytes], size: int, room: int, wanted: Wanted, what: str) -> npt.NDArray[Any]:
    """Read an array of which the file says that it has ``size`` bytes with its header."""
    shape, fortran, dtype = _header(file, wanted, what)
    if dtype.kind not in "biufcSU" or (dtype.itemsize == 0 and _count(shape)):
        raise wanted.wrong(f"{what} is of type {plain(str(dtype))}", right="numbers or texts")
    if len(shape) > 32 or not all(type(side) is int and side >= 0 for side in shape):
        raise wanted.wrong(f"{what} has the shape {shown(shape)}", right="sides of 0 or more")
    claimed = _count(shape) * dtype.itemsize
    there = size - file.tell()
    if claimed != there:
        raise wanted.wrong(f"{what} claims {shown(claimed)} bytes ({dtype}, {shown(shape)}) and has {there}")
    if claimed > room:
        raise wanted.cannot(f"has arrays of more bytes than {BYTES}")
    flat = np.empty(_count(shape), dtype)
    if claimed:
        _fill(file, flat.view(np.uint8).data)
    if file.read(1):
        raise wanted.wrong(f"{what} has more bytes than it claims")
    letters = np.dtype(np.uint32).newbyteorder(dtype.byteorder)
    if dtype.kind == "U" and claimed and flat.view(letters).max(initial=0) > 0x10FFFF:
        raise wanted.wrong(f"{what} has a text of what is no Unicode")
    return flat.reshape(shape, order="F" if fortran else "C")


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def _header(file: IO[bytes], wanted: Wanted, what: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, Fortran order and type; NumPy's own reading of a header, which is a literal, kept short."""
    start = file.read(8)
    if start[:6] != _MAGIC or len(start) < 8 or start[6] not in (1, 2, 3):
        raise wanted.wrong(f"{what} is not one of NumPy's")
    width = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    if length > HEADER:
        raise wanted.wrong(f"{what} has a header of {length} bytes, more than {HEADER}")
    text = file.read(length)
    if len(text) < length:
        raise wanted.wrong(f"{what} ends within its header")
    try:
        head = start[:6] + bytes((1, 0)) + struct.pack("<H", length) + text
        stream = io.BytesIO(head)
        np.lib.format.read_magic(stream)
        return np.lib.format.read_array_header_1_0(stream, max_header_size=HEADER)
    except Exception as error:  # a literal of another kind raises whatever Python's parser does
        raise wanted.wrong(f"{what} has a header that says nothing ({one_line(error)})") from None


def _fill(file: IO[bytes], view: memoryview) -> None:
    at = 0
    while at < len(view):
        got = file.read(min(2**20, len(view) - at))
        if not got:
            raise EOFError("an array ends early")
        view[at : at + len(got)] = got
        at += len(got)
