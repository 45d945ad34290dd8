"""Temporary folders that go: at the end of the block, or at the next start if the process was killed meanwhile."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from arch_model.errors import FastSwitchError

PREFIX = "fastswitch-tmp-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder among the system's temporary ones, for the body alone.

    Its owner holds a lock on it, which the system takes away when the process ends. So whoever makes the next one can
    tell those that are left over from processes that were killed, and removes them.

    Raises :class:`~arch_model.errors.FastSwitchError` if there is no place for it.

    >>> with scratch_folder() as folder:
    ...     _ = (folder / "half-done").write_text("...")
    >>> folder.exists()
    False
    """
    remove_abandoned()
    folder, lock = _make()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_abandoned() -> list[Path]:
    """Remove temporary folders of this user whose owners are gone; return them."""
    removed = []
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{PREFIX}*")):
        with suppress(OSError):  # another's, or gone meanwhile
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            lock = _locked(folder)
            if lock is None:
                continue
            try:
                shutil.rmtree(folder)
                removed.append(folder)
            finally:
                os.close(lock)
    return removed


def _make() -> tuple[Path, int]:
    """A new folder and the descriptor that holds its lock."""
    try:
        while True:
            folder = Path(tempfile.mkdtemp(prefix=PREFIX))
            with suppress(FileNotFoundError):  # another took it for abandoned before it was locked
                lock = _locked(folder)
                if lock is not None and folder.exists():
                    return folder, lock
                if lock is not None:
                    os.close(lock)
    except OSError as error:
        raise FastSwitchError(
            f"cannot make a temporary folder in {tempfile.gettempdir()}: {error.strerror}; make room there or set "
            "TMPDIR to another folder"
        ) from None


def _locked(folder: Path) -> int | None:
    """The descriptor of a folder, locked; None if another process holds its lock."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return descriptor
