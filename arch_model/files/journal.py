"""What is finished of long work, one line each, so that the same command goes on behind it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from arch_model.errors import FastSwitchError
from arch_model.files.locks import Lock
from arch_model.files.question import Question, as_texts, difference, plain, read_question, refuse_other, to_line
from arch_model.files.writing import writing

KIND = "unfinished results"
FORMAT = 1
SYNC_SECONDS = 1.0
"""A line survives the death of the process at once, and a power cut after so many seconds."""


class Journal:
    """Finished pieces of work by key, on disk when :meth:`add` returns; for the question that they answer.

    The file has a line of JSON for the question, then one for each piece: ``{"key": ..., "value": ...}``. Only one
    process at a time has it open. A last line that was cut off, by a kill or a full disk, is dropped; nothing else is.

    Parameters
    ----------
    path
        The file. It is made if it is not there.
    question
        What is asked, as :func:`arch_model.files.question.asked` gives it.
    force
        Begin anew where the file holds pieces of another question; otherwise that is an error. Pieces of the same
        question are kept in any case.
    name
        What the user calls the file, for messages.

    Raises
    ------
    FastSwitchError
        If the file holds something else, is held by another process or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "squares.csv.part"
    ...     with Journal(path, {"seed": 1}) as journal:
    ...         journal.keep("2", lambda: 4)
    ...     with Journal(path, {"seed": 1}) as journal:
    ...         journal.keep("2", lambda: 1 / 0), journal.keep("3", lambda: 9), len(journal)
    4
    (4, 9, 2)
    """

    def __init__(self, path: Path, question: Question, force: bool = False, name: str = "") -> None:
        self.path, self._question, self._force = path, plain(question), force
        self._name = name or str(path)
        busy = f"{self._name} is in use by another process; wait for it, or give another place for the results"
        self._lock = Lock(path, busy)
        self._values: dict[str, Any] = {}
        self._size, self._synced = 0, 0.0

    def __enter__(self) -> Self:
        with writing(self.path):
            self._lock.__enter__()
        try:
            self._values = self._read()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str) -> Any:
        """The finished piece of that key, or None."""
        return self._values.get(key)

    def keep(self, key: str, make: Callable[[], Any]) -> Any:
        """The finished piece of that key. If there is none, it is made and kept from now on.

        Parameters
        ----------
        key : of the piece.
        make : makes its value, which JSON can hold.

        Returns
        -------
        Any
            The value as JSON knows it, the same whether it was made now or earlier.
        """
        if key not in self._values:
            self.add(key, make())
        return self._values[key]

    def add(self, key: str, value: Any) -> None:
        """Keep a piece of work.

        Parameters
        ----------
        key : of the piece.
        value : anything that JSON can hold.

        Raises
        ------
        FastSwitchError
            If the disk takes no more; pieces that were kept before stay.
        """
        line = to_line({"key": key, "value": value})
        self._append(line)
        self._values[key] = json.loads(line)["value"]

    def sync(self) -> None:
        """Put everything on the disk itself now."""
        with writing(self.path):
            os.fsync(self._lock.descriptor)
        self._synced = time.monotonic()

    def remove(self) -> None:
        """Remove the file: what it kept is elsewhere now."""
        with writing(self.path):
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others have it. A file without any piece goes."""
        if self._lock.descriptor >= 0:
            with suppress(OSError):
                if self._values:
                    os.fsync(self._lock.descriptor)
                elif os.path.samestat(os.fstat(self._lock.descriptor), os.stat(self.path)):
                    self.path.unlink()
        self._lock.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> dict[str, Any]:
        """The pieces that are there; the file ends behind the last whole one."""
        descriptor = self._lock.descriptor
        with writing(self.path), open(descriptor, "rb", closefd=False) as file:
            first = file.readline()
            there = _question_of(first)
            if there is not None and not (self._force and difference(there, self._question)):
                refuse_other(self._name, there, self._question, "another place for the results")
                self._size, values = len(first), {}
                for line in file:
                    entry = _entry(line)
                    if entry is None:
                        break
                    values[entry[0]] = entry[1]
                    self._size += len(line)
                os.ftruncate(descriptor, self._size)
                return values
        start = to_line({"fastswitch": KIND}).encode()[:-1]
        torn = not first.endswith(b"\n") and (first.startswith(start) or start.startswith(first))
        if first and there is None and not torn and not self._force:
            table = read_question(self.path)  # rows that cannot be gone on with, left by ResultFile.leave
            known = None if table is None else {key: value for key, value in table.items() if key in self._question}
            refuse_other(self._name, known, as_texts(self._question), "another place for the results")
        with writing(self.path):
            os.ftruncate(descriptor, 0)
        self._append(to_line({"fastswitch": KIND, "format": FORMAT, "question": self._question}))
        return {}

    def _append(self, line: str) -> None:
        data, descriptor = line.encode() + b"\n", self._lock.descriptor
        with writing(self.path):
            try:
                os.lseek(descriptor, self._size, os.SEEK_SET)
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                if time.monotonic() - self._synced > SYNC_SECONDS:
                    os.fsync(descriptor)
                    self._synced = time.monotonic()
            except BaseException:
                with suppress(OSError):
                    os.ftruncate(descriptor, self._size)
                raise
        self._size += len(data)


def _question_of(line: bytes) -> dict[str, Any] | None:
    """The question in a journal's first line; None if it is no such line.

    Raises FastSwitchError for a journal of a later format.
    """
    try:
        record = json.loads(line)
        if record["fastswitch"] != KIND or not line.endswith(b"\n"):
            return None
        kind, question = record["format"], record["question"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if kind != FORMAT:
        raise FastSwitchError(f"unfinished results of format {kind} are there; this fastswitch reads format {FORMAT}")
    return question if isinstance(question, dict) else None


def _entry(line: bytes) -> tuple[str, Any] | None:
    try:
        record = json.loads(line)
        return (record["key"], record["value"]) if line.endswith(b"\n") else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
