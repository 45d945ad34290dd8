"""Files that appear whole or not at all: written beside their name, on disk, then renamed.

Every file that a command writes goes through :func:`whole_file`. What stood under the name before stays until the new
file is complete; a full disk, a signal or an exception leaves the old file and nothing else. What is no file of its own
(a pipe, ``/dev/stdout``, ``/dev/null``) is written as it comes.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from arch_model.errors import FastSwitchError, why_read_only
from arch_model.files.locks import Lock

Source = Path | str | None
"""A file that a command reads; None where an option was not given."""

_DESCRIPTOR = re.compile(r"/proc/(\d+)/(?:task/\d+/)?fd")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What the system says against writing ``path``, as one line; a reader that has left is none of it.

    Raises
    ------
    FastSwitchError
        For any OSError of the body but a broken pipe, which :func:`fastswitch.main` ends in silence.

    Examples
    --------
    >>> with writing(Path("out.csv")):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    arch_model.errors.FastSwitchError: cannot write out.csv: No space left on device
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FastSwitchError(f"cannot write {path}: {error.strerror or error}") from None


def make_folder(folder: Path) -> None:
    """Make a folder for results, and those above it, before the work that fills it.

    Raises
    ------
    FastSwitchError
        If nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FastSwitchError(f"cannot write to {folder}: {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise FastSwitchError(f"cannot write to {folder}: {why_read_only(folder)}")


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write, which takes the name ``path`` when the block ends without an exception.

    A symbolic link stays one: what it points to is replaced. The permissions of the file before stay.

    Parameters
    ----------
    path
        The name, in a folder that is there; or a pipe, a terminal or the like, which is written at once.

    Raises
    ------
    FastSwitchError
        If the file cannot be written, or another process is writing it now.
    IsADirectoryError
        Inside, for a folder; :func:`writing` turns it into the FastSwitchError.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "table.csv"
    ...     with whole_file(path) as file:
    ...         _ = file.write(b"name,cycles\\n")
    ...         path.exists()
    ...     path.read_bytes()
    False
    b'name,cycles\\n'
    """
    with writing(path):
        if is_stream(path):
            with _open_stream(path) as stream:
                yield stream
            return
        target = resolved(path)
        if target.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        beside = beside_name(target, "new", hidden=True)
        with Lock(beside, f"{path} is being written by another process; wait for it, or give another file") as lock:
            try:
                os.ftruncate(lock.descriptor, 0)
                with open(lock.descriptor, "wb", closefd=False) as file:
                    yield file
                with suppress(FileNotFoundError):
                    os.fchmod(lock.descriptor, stat.S_IMODE(target.stat().st_mode))
                os.fsync(lock.descriptor)
                os.replace(beside, target)
            except BaseException:
                with suppress(OSError):
                    beside.unlink()
                raise
        _sync_folder(target.parent)


def write_whole(path: Path, data: bytes | str) -> None:
    """Write a file of these bytes, or of this text in UTF-8, as :func:`whole_file` does.

    Parameters
    ----------
    path : the file.
    data : its bytes, or its text.

    Raises
    ------
    FastSwitchError
        As :func:`whole_file`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "a.txt", "µs\\n")
    ...     (Path(folder) / "a.txt").read_bytes()
    b'\\xc2\\xb5s\\n'
    """
    with whole_file(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


def write_new(path: Path, data: bytes | str, inputs: Iterable[Source] = (), force: bool = False) -> None:
    """Write a file that the command makes at once, as :func:`write_all_new`.

    Parameters
    ----------
    path : the file.
    data : its bytes, or its text.
    inputs : files that the command reads.
    force : replace what is there.

    Raises
    ------
    FastSwitchError
        As :func:`write_all_new`.
    """
    write_all_new({path: data}, inputs, force)


def write_all_new(files: Mapping[Path, bytes | str], inputs: Iterable[Source] = (), force: bool = False) -> None:
    """Write files that the command makes at once, unless that would destroy something; then none is written.

    For conversions and pictures, whose content is known when they are written: a file that has the same bytes already
    stays, an empty one is filled, any other is in the way.

    Parameters
    ----------
    files : bytes or text by path.
    inputs : files that the command reads.
    force : replace what is there.

    Raises
    ------
    FastSwitchError
        If a file is one of ``inputs``; if something else is there and ``force`` is not given; if it cannot be written.

    Examples
    --------
    >>> import contextlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
    ...     write_new(Path("a.csv"), "one")
    ...     write_new(Path("a.csv"), "one")
    ...     write_new(Path("a.csv"), "two")
    Traceback (most recent call last):
    arch_model.errors.FastSwitchError: a.csv is there and holds something else; give another file, or --force ...
    """
    check_outputs(files, inputs)
    raw = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
    for path, content in raw.items():
        if not force and not is_stream(path) and not _may_replace(path, content):
            raise FastSwitchError(
                f"{path} is there and holds something else; give another file, or --force to replace it"
            )
    for path, content in raw.items():
        if is_stream(path) or not _same(path, content):
            if not is_stream(path):
                make_folder(resolved(path).parent)
            write_whole(path, content)


def _may_replace(path: Path, content: bytes) -> bool:
    with writing(path):
        return not path.is_file() or path.stat().st_size == 0 or _same(path, content)


def _same(path: Path, content: bytes) -> bool:
    with writing(path):
        return path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content


def check_outputs(paths: Iterable[Path | None], inputs: Iterable[Source] = ()) -> None:
    """:func:`check_output` for every file that a command writes; None is an option that was not given.

    Parameters
    ----------
    paths : the files that it writes.
    inputs : the files that it reads.

    Raises
    ------
    FastSwitchError
        Also if two of them are one file.

    Examples
    --------
    >>> check_outputs([Path("a.csv"), None, Path("./a.csv")])
    Traceback (most recent call last):
    arch_model.errors.FastSwitchError: a.csv and a.csv are the same file; give two
    """
    sources, seen = list(inputs), dict[Path, Path]()
    for path in paths:
        if path is None or is_stream(path):
            continue
        check_output(path, sources)
        if resolved(path) in seen:
            raise FastSwitchError(f"{seen[resolved(path)]} and {path} are the same file; give two")
        seen[resolved(path)] = path


def check_output(path: Path, inputs: Iterable[Source]) -> None:
    """Refuse a file to write that is also read, under whatever name: a hard link and a symbolic one are the same file.

    Parameters
    ----------
    path : the file to write.
    inputs : the files that are read.

    Raises
    ------
    FastSwitchError
        Naming both.

    Examples
    --------
    >>> import contextlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
    ...     _ = Path("layers.csv").write_text("name")
    ...     os.link("layers.csv", "out.csv")
    ...     check_output(Path("out.csv"), [Path("layers.csv")])
    Traceback (most recent call last):
    arch_model.errors.FastSwitchError: out.csv is also the input layers.csv, ...; give another file to write
    """
    if is_stream(path):
        return
    target = resolved(path)
    touched = [target, beside_name(target, "part"), beside_name(target, "new", hidden=True)]
    for source in inputs:
        if source is None or not os.path.exists(source):
            continue
        for file in touched:
            if file.exists() and os.path.samefile(file, source):
                raise FastSwitchError(
                    f"{path} is also the input {source}, which would be lost; give another file to write"
                )


def is_stream(path: Path) -> bool:
    """Whether ``path`` is something to write into rather than a file to replace: a pipe, a terminal, ``/dev/stdout``.

    >>> is_stream(Path("/dev/null")), is_stream(Path("/dev/stdout")), is_stream(Path("results.csv"))
    (True, True, False)
    """
    if _descriptor(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISBLK(mode))


def resolved(path: Path) -> Path:
    """The file that a name means, behind all symbolic links; it need not be there."""
    return Path(os.path.realpath(path))


def beside_name(path: Path, suffix: str, hidden: bool = False) -> Path:
    """A name in the same folder for what is not finished.

    A name too long for one more suffix is shortened, with a digest so that no two are alike.

    Parameters
    ----------
    path : of the finished file.
    suffix : behind the name, without its dot.
    hidden : begin the name with a dot.

    Examples
    --------
    >>> beside_name(Path("a/b.csv"), "part").as_posix(), beside_name(Path("a/b.csv"), "new", hidden=True).as_posix()
    ('a/b.csv.part', 'a/.b.csv.new')
    """
    name, dot = path.name, "." if hidden else ""
    if len(os.fsencode(name)) + len(suffix) + 2 > 255:
        name = f"{name[:40]}-{sha256(os.fsencode(name)).hexdigest()[:16]}"
    return path.with_name(f"{dot}{name}.{suffix}")


def _descriptor(path: Path) -> tuple[int, int] | None:
    """Process and number of the open file that ``path`` names, as ``/dev/stdout`` and ``/dev/fd/3`` do."""
    try:
        name = os.path.abspath(path)
        for _ in range(40):
            folder, last = os.path.split(name)
            folder = os.path.realpath(folder)
            found = _DESCRIPTOR.fullmatch(folder)
            if found and last.isdecimal():
                return int(found[1]), int(last)
            name = os.path.join(folder, os.readlink(os.path.join(folder, last)))
    except (OSError, ValueError):  # the end of the links
        return None
    return None


@contextmanager
def _open_stream(path: Path) -> Iterator[BinaryIO]:
    """What is there, to write behind all that was written to it before."""
    process, number = _descriptor(path) or (0, -1)
    if process == os.getpid():
        sys.stdout.flush()
        sys.stderr.flush()
        with open(os.dup(number), "wb") as file:
            yield file
    else:
        with path.open("wb") as file:
            yield file


def _sync_folder(folder: Path) -> None:
    """Put the new name on disk; a file system that cannot does without."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
