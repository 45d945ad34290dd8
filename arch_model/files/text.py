"""Bytes and text of a file, within a budget, and bytes of a gzip file within a budget of what they unpack to."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from arch_model.files.wanted import Wanted

TEXT_BYTES = 64 * 2**20
"""Of a text that is read whole."""

GZIP = b"\x1f\x8b"


@contextmanager
def opened(path: str | Path, wanted: Wanted, most: int) -> Iterator[BinaryIO]:
    """Open a file to read; a device or a folder is refused, and a file of more than ``most`` bytes.

    A pipe is opened without waiting for its writer, so one that nobody writes is an empty file.

    Parameters
    ----------
    path : the file.
    wanted : what it is called in an error, and what would be right.
    most : bytes that it may have.

    Raises
    ------
    FastSwitchError
        As ``wanted`` says, also for an ``OSError`` while the file is being read.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            mode, size = os.fstat(handle).st_mode, os.fstat(handle).st_size
            if stat.S_ISDIR(mode):
                raise wanted.cannot("cannot be read (Is a directory)")
            if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
                raise wanted.cannot("cannot be read (it is a device or a socket)")
            if size > most:
                raise wanted.cannot(f"has {size} bytes, more than {most}")
            os.set_blocking(handle, True)
            yield file
    except FileNotFoundError:
        raise wanted.cannot(wanted.missing) from None
    except OSError as error:
        raise wanted.cannot(f"cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        if "embedded null" not in str(error):  # "... byte" up to Python 3.12, "... character in path" since
            raise
        raise wanted.cannot("cannot be read (its name has a null byte)") from None


def read_bytes(path: str | Path, wanted: Wanted, most: int = TEXT_BYTES) -> bytes:
    """All bytes of a file or a pipe.

    Parameters
    ----------
    path : the file.
    wanted : what it is called in an error, and what would be right.
    most : bytes that it may have.

    Raises
    ------
    FastSwitchError
        As :func:`opened`.
    """
    with opened(path, wanted, most) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise wanted.cannot(f"has more than {most} bytes")
    return data


def read_text(path: str | Path, wanted: Wanted, most: int = TEXT_BYTES) -> str:
    """A UTF-8 text, without the byte order mark that it may begin with.

    Parameters
    ----------
    path : the file.
    wanted : what it is called in an error, and what would be right.
    most : bytes that it may have.

    Raises
    ------
    FastSwitchError
        As :func:`opened`, and for bytes that are not UTF-8, the first of which is named.
    """
    return decoded(read_bytes(path, wanted, most), wanted)


def decoded(data: bytes, wanted: Wanted) -> str:
    """Bytes as the text that :func:`read_text` returns.

    Parameters
    ----------
    data : UTF-8.
    wanted : what the file is called in an error, and what would be right.

    Raises
    ------
    FastSwitchError
        A byte is not UTF-8; the line names the first one.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise wanted.wrong(f"byte {error.start} is not UTF-8") from None


def gunzipped(data: bytes, wanted: Wanted, most: int = TEXT_BYTES) -> bytes:
    """What the bytes of a gzip file unpack to, at most ``most`` bytes. All its members are read.

    Parameters
    ----------
    data : the gzip file.
    wanted : what it is called in an error, and what would be right.
    most : bytes that it may unpack to.

    Raises
    ------
    FastSwitchError
        It is not gzip, cut off, damaged or too large.

    Examples
    --------
    >>> import gzip
    >>> gunzipped(gzip.compress(b"a") + gzip.compress(b"b"), Wanted("x.gz", "a gzip file"))
    b'ab'
    >>> gunzipped(gzip.compress(bytes(10**6)), Wanted("x.gz", "a gzip file"), most=1000)
    Traceback (most recent call last):
    arch_model.errors.FastSwitchError: x.gz unpacks to more than 1000 bytes; give a gzip file
    """
    unpacked = bytearray()
    try:
        while data:
            member = zlib.decompressobj(wbits=31)
            unpacked += member.decompress(data, most + 1 - len(unpacked))
            if len(unpacked) > most:
                raise wanted.cannot(f"unpacks to more than {most} bytes")
            if not member.eof:
                raise wanted.cannot("is cut off: its gzip data has no end")
            data = member.unused_data.lstrip(b"\0")  # padding after the last member, as tapes have it
    except zlib.error as error:
        raise wanted.cannot(f"is not gzip, or damaged ({error})") from None
    return bytes(unpacked)
