"""A file that one process at a time holds: against two writers of the same results."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from arch_model.errors import FastSwitchError


class Lock:
    """Hold a file, made if it is not there, until the block ends or the process does, however that happens.

    The kernel keeps the lock (``flock``) and drops it with its holder, so a killed command leaves nothing to clean up.
    Processes that the holder has forked do not keep it. On a file system without locks nobody is kept out.

    Parameters
    ----------
    path
        The file; its content is left alone.
    busy
        What to say if another process holds it.

    Raises
    ------
    FastSwitchError
        ``busy``. OSError if the file cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Lock(Path(folder) / "lock", "in use"), Lock(Path(folder) / "lock", "in use"):
    ...         pass
    Traceback (most recent call last):
    arch_model.errors.FastSwitchError: in use
    """

    def __init__(self, path: Path, busy: str) -> None:
        self.path, self._busy = path, busy
        self.descriptor = -1

    def __enter__(self) -> Self:
        while True:
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
            _held.add(self.descriptor)
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.close()
                raise FastSwitchError(self._busy) from None
            except OSError:
                return self  # no locks here
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self.descriptor), os.stat(self.path)):
                    return self
            self.close()  # its holder has renamed or removed it meanwhile

    def close(self) -> None:
        """Let go; the file stays."""
        if self.descriptor in _held:
            _held.discard(self.descriptor)
            os.close(self.descriptor)
        self.descriptor = -1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_held: set[int] = set()
"""Descriptors of this process's locks, which its children must not inherit: a lock lives as long as any copy."""


def _let_go() -> None:
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)
