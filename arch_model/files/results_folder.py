"""A folder of results, ``--out DIR``: what it answers, whose files are in it, who writes it now.

How a command uses it::

    question = asked("run", accelerator=machine.hash(), queries=queries, policy=policy, seed=seed)
    with ResultsFolder(out, question, FILES, inputs=[weights], force=force) as results:
        with results.journal("queries.jsonl") as finished:
            for number, query in enumerate(stream):
                rows.append(finished.keep(str(number), lambda: serve(query)))
        results.write_table("queries.csv", rows)
        results.write("stream.html", page)

``DIR/question.json`` says what was asked and which files are the command's own. The same question goes on with what is
there; another is refused, and ``--force`` then removes the old question's files, and no others. ``DIR/.lock`` is held
while a command writes. docs/reference/results.md tells users all of it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from arch_model.errors import FastSwitchError
from arch_model.files.journal import Journal
from arch_model.files.locks import Lock
from arch_model.files.question import Question, difference, plain, refuse_other
from arch_model.files.tables import write_table
from arch_model.files.writing import Source, check_output, make_folder, whole_file, write_whole, writing

QUESTION, LOCK = "question.json", ".lock"
FORMAT = 1
WHAT = "another --out"


class ResultsFolder:
    """A folder that one command fills, for one question.

    Parameters
    ----------
    folder
        Made if it is not there. Files in it that are not the command's are left alone.
    question
        What is asked (:func:`arch_model.files.question.asked`): all that the results depend on.
    files
        What the command may write there, as paths below the folder; a name that ends in ``/`` is a folder of its own.
    inputs
        Files that the command reads, which none of its outputs may be.
    force
        Replace results of another question and files in the way.
    older
        Names by which a folder of an older fastswitch is known, which has no ``question.json``.

    Raises
    ------
    FastSwitchError
        On entering, if the folder must not or cannot be written; later, if the disk takes no more.

    Examples
    --------
    >>> import tempfile
    >>> from arch_model.files.question import asked
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with ResultsFolder(Path(folder), asked("run", seed=1), ["rows.csv"]) as results:
    ...         results.write_table("rows.csv", [{"n": 1}])
    ...     with ResultsFolder(Path(folder), asked("run", seed=2), ["rows.csv"]) as results:
    ...         pass
    Traceback (most recent call last):
    arch_model.errors.FastSwitchError: folder ... holds results of another question: seed is 1 there and 2 here; ...
    """

    def __init__(
        self,
        folder: Path,
        question: Question,
        files: Sequence[str],
        inputs: Iterable[Source] = (),
        force: bool = False,
        older: Sequence[str] = (),
    ) -> None:
        self.folder, self.question, self.files = folder, plain(question), list(files)
        self._inputs, self._force, self._older = list(inputs), force, list(older)
        busy = f"folder {folder} is in use by another process; wait for it, or give {WHAT}"
        self._lock = Lock(folder / LOCK, busy)

    def __enter__(self) -> Self:
        make_folder(self.folder)
        for name in (QUESTION, LOCK, *self.files):
            check_output(self.folder / name, self._inputs)
        with writing(self.folder):
            self._lock.__enter__()
        try:
            with writing(self.folder):
                self._claim()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.close()

    def path(self, name: str) -> Path:
        """The path of one of the command's files.

        Raises
        ------
        ValueError
            The command did not declare a file of that name.
        """
        if name not in self.files and not any(own.endswith("/") and name.startswith(own) for own in self.files):
            raise ValueError(f"{name} is none of the files that the command writes")
        path = self.folder / name
        check_output(path, self._inputs)
        return path

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """A file to write; see :func:`arch_model.files.writing.whole_file`."""
        path = self.path(name)
        make_folder(path.parent)
        return whole_file(path)

    def write(self, name: str, data: bytes | str) -> None:
        """Write a file whole.

        Parameters
        ----------
        name : of the file in the folder.
        data : all of its bytes, or its text.
        """
        with self.open(name) as file:
            file.write(data.encode() if isinstance(data, str) else data)

    def write_table(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write a CSV table whole, behind the question.

        Parameters
        ----------
        name : of the file in the folder.
        rows : values by column.
        """
        write_table(self.path(name), self.question, rows)

    def journal(self, name: str) -> Journal:
        """Finished pieces of work, kept in a file of the folder. It stays, so a finished folder has nothing to redo."""
        return Journal(self.path(name), self.question, self._force)

    def _claim(self) -> None:
        """Make the folder this question's, or see that it is."""
        path = self.folder / QUESTION
        record = _read(path, self._force)
        if record is None:
            there = next((name for name in (*self._older, *self.files) if (self.folder / name).exists()), None)
            if there and not self._force:
                raise FastSwitchError(
                    f"folder {self.folder} holds {there} but no {QUESTION}: an older fastswitch wrote it, or something "
                    f"else; give {WHAT}, or --force to replace that file"
                )
            self._remove([*self._older, *self.files])
        elif difference(record["question"], self.question):
            if not self._force:
                refuse_other(f"folder {self.folder}", record["question"], self.question, WHAT)
            self._remove(record["files"])
        else:
            self._refuse_foreign(set(record["files"]))
            if set(self.files) <= set(record["files"]):
                return
            self.files += [name for name in record["files"] if name not in self.files]
        entry = {"fastswitch": "results", "format": FORMAT, "question": self.question, "files": self.files}
        write_whole(path, json.dumps(entry, indent=1) + "\n")

    def _refuse_foreign(self, own: set[str]) -> None:
        for name in self.files:
            if name not in own and (self.folder / name).exists() and not self._force:
                raise FastSwitchError(
                    f"{self.folder / name} is in the way: fastswitch did not write it; move it, give {WHAT}, or --force"
                )

    def _remove(self, names: Iterable[str]) -> None:
        """Remove the command's own files, and no other; an input among them stays, and is refused."""
        for name in names:
            path = self.folder / name
            if Path(name).is_absolute() or ".." in Path(name).parts:
                continue
            check_output(path, self._inputs)
            if path.is_dir() and not path.is_symlink():
                if name.endswith("/"):
                    shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _read(path: Path, force: bool) -> dict[str, Any] | None:
    """The record of a folder; None where there is none, and for a damaged one with ``force``."""
    try:
        record = json.loads(path.read_bytes())
        if record["format"] == FORMAT and isinstance(record["question"], dict) and isinstance(record["files"], list):
            return {"question": record["question"], "files": [str(name) for name in record["files"]]}
        why = f"is of format {record['format']}, this fastswitch reads format {FORMAT}"
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        why = f"cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})"
    if force:
        return None
    raise FastSwitchError(f"{path} {why}; restore it, give {WHAT}, or --force to begin anew")
