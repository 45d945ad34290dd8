"""What a caller wants of a file, and how it says that it did not get it."""

from __future__ import annotations

from dataclasses import dataclass

from arch_model.errors import FastSwitchError
from arch_model.files.shown import plain


@dataclass(frozen=True)
class Wanted:
    """A file as the errors about it call it.

    Parameters
    ----------
    source : str
        What begins each error, such as ``"layer table a.csv"``.
    right : str
        What completes "give ...", such as ``"a CSV file of layers"``.
    error : type of FastSwitchError
        What is raised.
    missing : str
        What is said of a file that is not there.

    Examples
    --------
    >>> wanted = Wanted("layer table a.csv", "a CSV file")
    >>> str(wanted.wrong("field K is empty", line=3))
    'layer table a.csv, line 3: field K is empty; give a CSV file'
    >>> str(wanted.cannot("does not exist"))
    'layer table a.csv does not exist; give a CSV file'
    """

    source: str
    right: str
    error: type[FastSwitchError] = FastSwitchError
    missing: str = "does not exist"

    def wrong(self, what: str, line: int | None = None, right: str | None = None) -> FastSwitchError:
        """The error for something in the file, for the caller to raise.

        Parameters
        ----------
        what : is wrong.
        line : of the file, if it has lines.
        right : what would be right, where :attr:`right` says less.
        """
        where = self.source if line is None else f"{self.source}, line {line}"
        return self.error(f"{where}: {what}; give {right or self.right}")

    def cannot(self, what: str) -> FastSwitchError:
        """The error for the file as a whole."""
        return self.error(f"{self.source} {what}; give {self.right}")


def one_line(error: BaseException) -> str:
    """An exception's text in one line of at most 200 characters, or the name of its kind if it has none."""
    return plain(" ".join(str(error)[:2000].split()) or type(error).__name__, 200)
