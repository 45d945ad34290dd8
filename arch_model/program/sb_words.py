"""Who wrote and who read which words of the SB, bank by bank: the part of the check of Programs that is the SB's.

LOAD_ACT and STORE write rows of channel groups; a PASS reads some rows of some groups. All three are *boxes*: in some
banks, equally many words from equally distant places on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import TAPS
from arch_model.program.isa import Command, Opcode
from arch_model.program.untimed_run import ACT, KEPT, RUN, Node, ProgramError


@dataclass(frozen=True)
class Box:
    """Words of the SB.

    Attributes
    ----------
    banks : which.
    start : the first word.
    count, step : how many places, and words from one to the next.
    words : at each place, at most ``step`` if there are several.
    """

    banks: slice
    start: int
    count: int
    step: int
    words: int

    @property
    def stop(self) -> int:
        """The word behind the last one."""
        return self.start + (self.count - 1) * self.step + self.words


def written(command: Command) -> tuple[Box, ...]:
    """What a LOAD_ACT, or a STORE into the SB, writes."""
    c, stores = command, command.opcode is Opcode.STORE
    rows = 1 if stores and c["pool"] else c["rows"]
    first_row, first_group = (c["first_row"], c["first_group"]) if stores else (0, 0)
    if c["pointwise"]:
        return tuple(_groups(c["sb_base"], c["group_step"], first_group, c["groups"], rows * c["row_step"]))
    return tuple(_rows(c, c["groups"], first_row, first_row + rows))


def read(command: Command, groups: int) -> tuple[Box, ...]:
    """What a PASS reads.

    Parameters
    ----------
    command : the PASS.
    groups : channel groups that a depthwise one reads; others read one a repetition, or nine.
    """
    c, taps = command, 1 if command["pointwise"] else 3
    low, high = max(0, c["y0"]), min(c["rows"], c["y0"] + c["stride"] * (c["out_rows"] - 1) + taps)
    if low >= high:
        return ()
    if not c["pointwise"]:
        return tuple(_rows(c, groups if c["depthwise"] else c["reps"], low, high))
    start, words = c["sb_base"] + low * c["row_step"], (high - low) * c["row_step"]
    count = TAPS * (c["reps"] - 1) + c["last_banks"]
    return tuple(_groups(start, c["group_step"], 0, count, words))


def _rows(c: Command, groups: int, low: int, high: int) -> Iterator[Box]:
    """Rows in windows layout: three banks for each remainder of a row's number by 3."""
    for rest in range(3):
        first = low + (rest - low) % 3
        if first < high:
            words = -(-(high - first) // 3) * c["row_step"]
            start = c["sb_base"] + first // 3 * c["row_step"]
            yield Box(slice(3 * rest, 3 * rest + 3), start, groups, c["group_step"], words)


def _groups(start: int, step: int, first: int, groups: int, words: int) -> Iterator[Box]:
    """Groups in pointwise layout: whole blocks of nine at once, others one by one."""
    group, end = first, first + groups
    while group < end:
        block, bank = divmod(group, TAPS)
        whole = (end - group) // TAPS if bank == 0 else 0
        size = TAPS * whole or min(TAPS - bank, end - group)
        yield Box(slice(bank, bank + min(size, TAPS)), start + block * step, max(whole, 1), step, words)
        group += size


class SbWords:
    """The last writer and the last reader of each word, as counts of clock components (0: nobody).

    Parameters
    ----------
    words : of a bank.
    """

    def __init__(self, words: int) -> None:
        self.words = words
        shape = TAPS, 2 * words  # views of boxes reach behind the last word
        self.loaded, self.kept, self.reader, self.skewed = (np.zeros(shape, np.int64) for _ in range(4))
        # Of words of a skewed layout: the groups that their load left from them on. Of those that a STORE wrote: their
        # group's number mod 3, plus 1, how far the next group is, and which tensor it is.
        self.left, self.phase, self.step, self.tensor = (np.zeros(2 * words, np.int64) for _ in range(4))
        self.loads = self.stores = 0  # LOAD_ACTs so far, and the number behind the last STORE into the SB

    def _checked(self, node: Node, boxes: tuple[Box, ...]) -> str:
        """The boxes' extent, in words; an error if the SB does not have it."""
        start, stop = min(box.start for box in boxes), max(box.stop for box in boxes)
        if not 0 <= start < stop <= self.words:
            raise ProgramError(f"command {node.number}: words {start}..{stop - 1} of the SB; it has {self.words}")
        return f"SB {start}..{stop - 1}"

    @staticmethod
    def _view(words: npt.NDArray[np.int64], box: Box) -> npt.NDArray[np.int64]:
        """The box's words as a view (..., places, words)."""
        if box.count == 1:
            return words[..., box.start : box.stop][..., None, :]
        part = words[..., box.start : box.start + box.count * box.step]
        return part.reshape(*part.shape[:-1], box.count, box.step)[..., : box.words]

    def _latest(self, words: npt.NDArray[np.int64], boxes: tuple[Box, ...]) -> int:
        return max(int(self._view(words[box.banks], box).max()) for box in boxes)

    def write(self, node: Node, tensor: int = 0) -> None:
        """A LOAD_ACT or a STORE into the SB: nobody else writes meanwhile, and nobody still reads what was there.

        Parameters
        ----------
        node : the command, in the order of the Program.
        tensor : that a STORE writes, by number.

        Raises
        ------
        ProgramError
            Naming the command and the words.
        """
        c, boxes = node.command, written(node.command)
        name, start = self._checked(node, boxes), node.start
        assert start is not None
        stores = c.opcode is Opcode.STORE
        if (start[KEPT] < self.stores and not stores) or (start[ACT] < self.loads and stores):
            raise ProgramError(f"command {node.number}: writes {name} while the SB's write port may be in use")
        if start[RUN] < self._latest(self.reader, boxes):
            raise ProgramError(f"command {node.number}: overwrites {name} while it may be read")
        mine, other = (self.kept, self.loaded) if stores else (self.loaded, self.kept)
        for box in boxes:
            self._view(mine[box.banks], box)[...] = node.index + 1
            self._view(other[box.banks], box)[...] = 0
            self._view(self.skewed[box.banks], box)[...] = c["skew"]
            number = np.arange(box.count)[:, None]
            self._view(self.left, box)[...] = 0 if stores else box.count - number
            self._view(self.phase, box)[...] = (c["first_group"] + number) % 3 + 1 if stores else 0
            self._view(self.step, box)[...] = box.step
            self._view(self.tensor, box)[...] = tensor
        if stores:
            self.stores = node.index + 1
        else:
            self.loads = node.index + 1

    def use(self, node: Node, groups: int) -> None:
        """What a PASS reads has been written, in the layout that it reads.

        Parameters
        ----------
        node : the PASS, in the order of the Program.
        groups : channel groups that a depthwise one may read: beyond those that are there, there are channels that
            nobody has.

        Raises
        ------
        ProgramError
            Naming the command and the words.
        """
        c, start = node.command, node.start
        boxes = read(c, self._there(c, groups) if c["depthwise"] else 0)
        if not boxes:
            return
        name = self._checked(node, boxes)
        assert start is not None
        for box in boxes:
            loaded, kept = self._view(self.loaded[box.banks], box), self._view(self.kept[box.banks], box)
            if (np.maximum(loaded, kept) == 0).any():
                raise ProgramError(f"command {node.number}: reads {name}, which nobody wrote")
            if start[ACT] < loaded.max() or start[KEPT] < kept.max():
                raise ProgramError(f"command {node.number}: reads {name} before it must be there")
            if (self._view(self.skewed[box.banks], box) != c["depthwise"]).any():
                raise ProgramError(f"command {node.number}: the words {name} are in another layout")
            self._view(self.reader[box.banks], box)[...] = node.reps_end

    def _there(self, c: Command, groups: int) -> int:
        """How many of the groups are there, from the PASS's first one on; at least one."""
        row, bank = divmod(max(0, c["y0"]), 3)
        bank, word = 3 * bank, c["sb_base"] + row * c["row_step"]
        if word >= self.words:
            return groups
        if self.left[word]:
            return min(groups, int(self.left[word]))
        found, tensor = 0, self.tensor[word]
        while found < groups and word < self.words:
            follows = self.phase[word] == (c["last_banks"] + found) % 3 + 1 and self.step[word] == c["group_step"]
            if not (follows and self.skewed[bank, word] and self.tensor[word] == tensor):
                break
            found, word = found + 1, word + c["group_step"]
        return max(1, found)
