"""What a SubNet of a search space may choose: checked, spelled out in an error, drawn at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from arch_model.errors import SpaceError
from arch_model.files.shown import shown

if TYPE_CHECKING:
    import numpy as np

Number = int | float


@dataclass(frozen=True)
class Choice:
    """One choice that a SuperNet leaves open: a keyword of its ``build``.

    Parameters
    ----------
    key : the keyword, such as ``"depth"``.
    values : what each of its numbers can be.
    count : how many numbers it is a list of. None: a single number and not a list.
    first : what the first number of the list is drawn from, where two of ``values`` would be the same choice.
    each : what each number of the list is drawn from, where they differ; ``values`` are then all that occur.

    Examples
    --------
    >>> Choice("depth", (2, 3, 4), 5).legal
    '5 of 2, 3, 4'
    """

    key: str
    values: tuple[Number, ...]
    count: int | None = None
    first: tuple[Number, ...] = ()
    each: tuple[tuple[Number, ...], ...] = ()

    @property
    def legal(self) -> str:
        """What to give, for the end of an error."""
        return f"{'one' if self.count is None else self.count} of {', '.join(map(str, self.values))}"

    @property
    def combinations(self) -> int:
        """How many different values :meth:`draw` can give."""
        if self.each:
            return math.prod(map(len, self.each))
        count = self.count or 1
        return len(self.first or self.values) * int(len(self.values) ** (count - 1))

    def take(self, space: str, value: Any) -> Any:
        """``value`` as the space writes it: a tuple, or one of ``values`` if there is no ``count``.

        Raises :class:`SpaceError`, which names the space, the keyword, the value and what is legal.

        Parameters
        ----------
        space : name of the SuperNet, for the error.
        value : one of ``values``, or a sequence of ``count`` of them.

        Raises
        ------
        SpaceError
            The value is none that the space has; the line names the space, the keyword, the value and what is legal.

        Examples
        --------
        >>> Choice("depth", (2, 3, 4), 2).take("toy", [3, 4.0])
        (3, 4)
        """
        if self.count is None:
            if self.has(value):
                return self._own(value)
        elif is_list(value, self.count) and all(map(self.has, value)):
            return tuple(map(self._own, value))
        raise SpaceError(f"SubNet of {space}: {self.key} is {shown(value)}; give {self.legal}")

    def has(self, value: Any) -> bool:
        """Whether ``value`` is one of ``values``."""
        return not isinstance(value, bool) and value in self.values  # True would pass for 1

    def draw(self, rng: np.random.Generator) -> Any:
        """A legal value; each of its numbers is drawn on its own, and uniformly.

        >>> import numpy as np
        >>> Choice("depth", (2, 3, 4), 5).draw(np.random.default_rng(0))
        (4, 3, 3, 2, 2)
        """
        if self.each:
            return tuple(values[rng.integers(len(values))] for values in self.each)
        drawn = [self.values[i] for i in rng.integers(len(self.values), size=self.count or 1)]
        if self.first:
            drawn[0] = self.first[rng.integers(len(self.first))]
        return drawn[0] if self.count is None else tuple(drawn)

    def _own(self, value: Any) -> Number:
        return self.values[self.values.index(value)]


def is_list(value: Any, count: int) -> bool:
    """Whether ``value`` is a sequence, and no text, of ``count`` items.

    Parameters
    ----------
    value : anything.
    count : how many items it must have.
    """
    return isinstance(value, Sequence) and not isinstance(value, str) and len(value) == count
