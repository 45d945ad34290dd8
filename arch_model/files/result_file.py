"""A file of results that a command makes piece by piece: ``--csv OUT.csv``, ``--out OUT.npz``.

How a command uses it::

    question = asked("cosim", accelerator=machine.hash(), layers=file_digest(layers), seed=seed)
    with ResultFile(csv_out, question, inputs=[layers], force=force) as out:
        for number, job in enumerate(jobs):
            on_row(out.row(str(number), lambda: simulate(job)))   # simulated, or kept from the run before
        out.finish()

Opening it checks everything before any work: that the file is no input of the command, that it holds no results of
another question, that nobody else writes it, that it can be written. While work is going on the finished pieces are in
``OUT.csv.part`` (:mod:`arch_model.files.journal`); ``OUT.csv`` is there when it is whole, with the same bytes whether
the work was interrupted or not. A file that is finished is made again by the same command, and stays until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from arch_model.files.journal import Journal
from arch_model.files.question import Question, as_texts, plain, read_question, refuse_other
from arch_model.files.tables import TableWriter, write_table
from arch_model.files.writing import Source, beside_name, check_output, is_stream, make_folder, resolved, whole_file

Row = Mapping[str, Any]


class ResultFile:
    """One file of results, for one question.

    Parameters
    ----------
    path
        The file; None if the user wants none, and a pipe or ``/dev/stdout`` is written as rows come: then nothing is
        kept, and the rest works alike.
    question
        What is asked (:func:`arch_model.files.question.asked`): all that the results depend on.
    inputs
        Files that the command reads, which the output must not be.
    force
        Replace a file with other content or with results of another question. An input is never replaced, and
        finished pieces of the same question are kept all the same.

    Raises
    ------
    FastSwitchError
        On entering, if the file must not or cannot be written; later, if the disk takes no more.

    Examples
    --------
    >>> import tempfile
    >>> from arch_model.files.question import asked
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "squares.csv"
    ...     try:
    ...         with ResultFile(path, asked("square", seed=1)) as out:
    ...             out.row("2", lambda: {"n": 2, "square": 4})["square"]
    ...             raise KeyboardInterrupt
    ...     except KeyboardInterrupt:
    ...         path.exists(), out.part.name
    ...     with ResultFile(path, asked("square", seed=1)) as out:
    ...         for n in (2, 3):
    ...             _ = out.row(str(n), lambda: {"n": 3, "square": 9})
    ...         out.finish()
    ...     path.read_text().splitlines()[-3:]
    4
    (False, 'squares.csv.part')
    ['n,square', '2,4', '3,9']
    """

    def __init__(self, path: Path | None, question: Question, inputs: Iterable[Source] = (), force: bool = False):
        self.path, self.question, self._inputs, self._force = path, plain(question), list(inputs), force
        self._rows: list[Row] = []
        self._journal: Journal | None = None
        self._values: dict[str, Any] = {}
        self._stream = path is not None and is_stream(path)
        self._stack = ExitStack()
        self._live: TableWriter | None = None

    def __enter__(self) -> Self:
        if self.path is None or self._stream:
            return self
        check_result_file(self.path, self.question, self._inputs, self._force)
        make_folder(resolved(self.path).parent)
        self._journal = Journal(self.part, self.question, self._force, str(self.path)).__enter__()
        return self

    @property
    def part(self) -> Path:
        """Where finished pieces are until the file is whole."""
        return beside_name(resolved(self.path or Path("none")), "part")

    def __contains__(self, key: str) -> bool:
        return key in self._values if self._journal is None else key in self._journal

    def __len__(self) -> int:
        """Finished pieces."""
        return len(self._values) if self._journal is None else len(self._journal)

    def get(self, key: str) -> Any:
        """The finished piece of that key, or None."""
        return self._values.get(key) if self._journal is None else self._journal.get(key)

    def add(self, key: str, value: Any) -> None:
        """Keep a piece of work that was made elsewhere, such as by a worker; in any order.

        Parameters
        ----------
        key : of the piece.
        value : anything that JSON can hold.
        """
        if self._journal is None:
            self._values[key] = plain(value)
        else:
            self._journal.add(key, value)

    def keep(self, key: str, make: Callable[[], Any]) -> Any:
        """The piece of that key, made now if no earlier run has finished it; any JSON value.

        Parameters
        ----------
        key : of the piece.
        make : makes its value, which JSON can hold.
        """
        if key not in self:
            self.add(key, make())
        return self.get(key)

    def row(self, key: str, make: Callable[[], Row]) -> dict[str, Any]:
        """A row of the table, made now if no earlier run has finished it. :meth:`finish` writes rows in the order of
        these calls.

        Parameters
        ----------
        key : of the row.
        make : makes it, values by column.
        """
        row: dict[str, Any] = self.keep(key, make)
        self._rows.append(row)
        if self._stream:
            self._write_now(row)
        return row

    def finish(self, rows: Iterable[Row] | None = None, facts: Question | None = None) -> None:
        """Write the table.

        Parameters
        ----------
        rows : of the table. None: those of :meth:`row`.
        facts : what else is to stand before it, by name.
        """
        if self.path is None or self._live is not None:
            return
        write_table(self.path, {**(facts or {}), **self.question}, self._rows if rows is None else rows)
        self._remove_part()

    def finish_with(self, write: Callable[[BinaryIO], None]) -> None:
        """Write the file as ``write`` does, in whatever format."""
        if self.path is not None:
            with whole_file(self.path) as file:
                write(file)
            self._remove_part()

    def leave(self, write: Callable[[BinaryIO], None]) -> Path | None:
        """Leave what is finished of work that cannot be gone on with, as ``write`` does, for the user to look at.

        It is in :attr:`part`, which is returned; the same command begins anew and replaces it. None, and nothing is
        written, where the user wants no file or a pipe.
        """
        if self._journal is None:
            return None
        with whole_file(self.part) as file:
            write(file)
        return self.part

    def _remove_part(self) -> None:
        if self._journal is not None:
            self._journal.remove()

    def _write_now(self, row: Row) -> None:
        if self._live is None and self.path is not None:
            file = self._stack.enter_context(whole_file(self.path))
            self._live = self._stack.enter_context(TableWriter(file, self.question))
        if self._live is not None:
            self._live.write(row)
            self._live.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            self._journal.close()
        self._stack.__exit__(kind, error, trace)


def check_result_file(path: Path, question: Question, inputs: Iterable[Source], force: bool) -> None:
    """Refuse to write a file that is an input, or holds something else than results of this question.

    A file without content may be replaced.

    Parameters
    ----------
    path : the file to write.
    question : that its results will answer.
    inputs : files that the command reads.
    force : replace what it holds, whatever it is.

    Raises
    ------
    FastSwitchError
        Naming the file and what is in the way.
    """
    check_output(path, inputs)
    if force or is_stream(path) or not path.is_file() or path.stat().st_size == 0:
        return
    there = read_question(path)
    if there is not None and path.open("rb").read(2) == b"# ":  # texts, and what else is known of the results
        question = as_texts(question)
        there = {key: value for key, value in there.items() if key in question or key in ("version", "fastswitch")}
    refuse_other(str(path), there, question)
