"""What a Program costs before it is made: cycles, waits and what the machine does meanwhile.

The commands are those that :mod:`mapper.lowering` makes for the compiler, timed by the same recurrence, so the numbers
are those of the compiled Program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from arch_model.compiled import Ints, compiled, inner
from arch_model.cost.activity import TOTALS, Activity, activity_of
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.microarchitecture import PASS_OVERHEAD
from arch_model.program.isa import SLOT_BYTES
from arch_model.program.program import PORTS
from arch_model.timing.rows import (
    BEAT,
    BEATS,
    COUNT,
    CP,
    KP,
    LOAD_ACT_UNIT,
    LOAD_WGT_UNIT,
    OWNER,
    PASS_CYCLES,
    PASS_UNIT,
    PB,
    PBEAT,
    REPS,
    STORE_UNIT,
    TO_DRAM,
    TO_SB,
    TOTAL_CYCLES,
    WAIT_OUT,
    WAIT_SB,
    WAIT_WEIGHTS,
    WBEAT,
    WRITES,
    act_at,
    machine_row,
    pass_at,
    store_at,
    wgt_at,
)
from arch_model.timing.transfers import row_beats, up
from mapper.layout.persistent_buffer import Slots
from mapper.lowering.layer_rows import network_rows, placed_rows, tiling_row
from mapper.lowering.network import cycles_of, why_refused
from mapper.lowering.placement import Placement
from mapper.lowering.quick_choice import quick_tiling
from mapper.lowering.rows import (
    BEGINS,
    BESIDE,
    C_TILES,
    COLUMN_TILES,
    FINISHES,
    FORM,
    GLOBAL_POOL,
    GROUPS,
    HEIGHT,
    IN_ROWS,
    K_TILES,
    LAYER_AT,
    LENGTH,
    MEMORY,
    OUT_COLS,
    P_MEMORY,
    P_TABLE,
    PB_MEMORY,
    ROWS,
    RUNS,
    S_CHUNK,
    S_ROWS,
    S_STOP,
    TABLE_MEMORY,
    WIDTH,
    WINDOWS,
    ZSB_MEMORY,
    K,
    new_workspace,
    put_slots,
)
from mapper.lowering.tiling import Tiling
from mapper.workload.depthwise import has_tiles
from mapper.workload.fusion import Step

# Columns of the counts: those of arch_model.cost.activity.TOTALS.
_AT = {name: number for number, name in enumerate(TOTALS)}
PROG_BYTES, WGT_BYTES, ACT_BYTES, B_BYTES, OUT_BYTES = (_AT[f"{port}_bytes"] for port in PORTS)
LOAD_WORDS, KEPT_WORDS = _AT["load_words"], _AT["kept_words"]
DB_LOADED, PB_LOADED = _AT["db_tiles_loaded"], _AT["pb_tiles_loaded"]
ZSB_BYTES, TABLE_BYTES = _AT["zsb_bytes"], _AT["table_bytes"]
DB_TILES, PB_TILES, STEPS = _AT["db_tiles"], _AT["pb_tiles"], _AT["steps"]
SUMS_READ, SUMS_KEPT, PIXELS_DONE, LOOKED_UP = (
    *(_AT["sums_read"], _AT["sums_kept"], _AT["pixels_done"], _AT["pixels_looked_up"]),
)
STORE_A, STORE_B, STORE_WORDS = _AT["store_a_words"], _AT["store_b_words"], _AT["store_words"]
ARRAY_CYCLES = len(TOTALS)
"""Behind the totals: cycles of the array's passes, one after another."""


@inner
def _count_loads(w: Ints, xs: Ints, counts: Ints) -> None:
    for index in range(w[COUNT + LOAD_ACT_UNIT]):
        row = act_at(w, index)
        counts[ACT_BYTES] += w[row + BEATS] * w[BEAT]
        counts[LOAD_WORDS] += w[row + GROUPS] * w[row + IN_ROWS] * xs[w[row + OWNER], WIDTH - LAYER_AT]
    for index in range(w[COUNT + LOAD_WGT_UNIT]):
        row = wgt_at(w, index)
        size = w[row + BEATS] * w[WBEAT]
        counts[WGT_BYTES] += size
        if w[row + MEMORY] == ZSB_MEMORY:
            counts[ZSB_BYTES] += size
        elif w[row + MEMORY] == TABLE_MEMORY:
            counts[TABLE_BYTES] += size
        else:
            counts[PB_LOADED if w[row + MEMORY] == PB_MEMORY else DB_LOADED] += w[row + LENGTH] * w[row + RUNS]


@inner
def _count_passes(w: Ints, xs: Ints, counts: Ints) -> None:
    for index in range(w[COUNT + PASS_UNIT]):
        row = pass_at(w, index)
        reps, done = w[row + REPS], w[row + FINISHES]
        pixels = w[row + ROWS] * xs[w[row + OWNER], OUT_COLS - LAYER_AT]
        counts[PB_TILES if w[row + P_MEMORY] == PB_MEMORY else DB_TILES] += reps
        counts[STEPS] += reps * pixels
        counts[SUMS_READ] += (reps - w[row + BEGINS]) * pixels
        counts[SUMS_KEPT] += (reps - done) * pixels
        counts[PIXELS_DONE] += done * pixels
        if w[row + P_TABLE]:
            counts[LOOKED_UP] += done * pixels
        counts[ARRAY_CYCLES] += reps * max(w[row + PASS_CYCLES], w[KP] + PASS_OVERHEAD)


@inner
def _count_stores(w: Ints, xs: Ints, counts: Ints) -> None:
    for index in range(w[COUNT + STORE_UNIT]):
        row = store_at(w, index)
        x = xs[w[row + OWNER]]
        channels, beside, to_dram = x[K - LAYER_AT], x[BESIDE - LAYER_AT], int(w[row + WRITES] != TO_SB)
        if x[FORM - LAYER_AT] == GLOBAL_POOL:
            groups, rows, cols = up(channels, w[CP]), x[HEIGHT - LAYER_AT], x[WIDTH - LAYER_AT]
            counts[OUT_BYTES] += to_dram * groups * row_beats(1, w[CP], w[BEAT]) * w[BEAT]
            made, beside = groups, 1
        else:
            begin = w[row + S_CHUNK] * w[KP] // w[CP] * w[CP]
            groups = up(min(w[row + S_STOP] * w[KP], channels) - begin, w[CP])
            rows, cols = w[row + S_ROWS], x[OUT_COLS - LAYER_AT]
            made = groups * rows * cols
            counts[OUT_BYTES] += to_dram * groups * rows * row_beats(cols, w[CP], w[BEAT]) * w[BEAT]
            counts[STORE_A] += groups * rows * cols
        counts[STORE_WORDS] += groups * rows * cols
        if w[row + WRITES] != TO_DRAM:
            counts[KEPT_WORDS] += made
        if beside:
            counts[STORE_B] += groups * rows * cols
            counts[B_BYTES] += groups * rows * row_beats(cols, w[CP], w[BEAT]) * w[BEAT]


@compiled
def count_program(w: Ints, xs: Ints, counts: Ints) -> None:
    """What the Program in a workspace does.

    Parameters
    ----------
    w : workspace.
    xs : its layers (layers, columns), rows of :data:`~mapper.lowering.rows.LAYER`; a command's owner is one of them.
    counts : int64 (TOTALS + 1,), filled: :data:`arch_model.cost.activity.TOTALS`, and cycles of the array's passes.
    """
    counts[:] = 0
    _count_loads(w, xs, counts)
    _count_passes(w, xs, counts)
    _count_stores(w, xs, counts)
    slots = w[COUNT] + w[COUNT + 1] + w[COUNT + 2] + 2 * w[COUNT + 3] + 1
    counts[PROG_BYTES] = up(slots * SLOT_BYTES, w[PBEAT]) * w[PBEAT]


@dataclass(frozen=True, eq=False)
class ProgramCost:
    """Cycles of a Program, from start to done, and what else follows from its commands.

    Attributes
    ----------
    waits : cycles that RUN stood still, by cause (``sb``, ``weights``, ``out``).
    totals : what the machine does, by the names of :data:`arch_model.cost.activity.TOTALS`.
    array_cycles : of the array's passes, one after another.
    accelerator : that runs it.
    cycles : from start to done, both counted.
    """

    accelerator: Accelerator
    cycles: int
    waits: Mapping[str, int]
    totals: Mapping[str, int]
    array_cycles: int

    @cached_property
    def activity(self) -> Activity:
        """What the machine does, by component."""
        return activity_of(self.totals, self.accelerator)

    @property
    def dram_bytes(self) -> int:
        """Bytes on all ports."""
        return sum(self.totals[f"{port}_bytes"] for port in PORTS)


class ProgramCosts:
    """Costs of steps that run one after another in one Program, for any tilings, without making it.

    Parameters
    ----------
    steps : in order of execution. What the first reads, and operands that no step makes, are in DRAM.
    accelerator : the machine.
    slots : of each dense layer, int64 (K-tiles * windows, C-tiles), PB slots of weight tiles that are there, or -1,
        even if they are more than the PB has; None: none is.
    commands : room to begin with, in each stream.
    rows : of the steps, as :func:`~mapper.lowering.layer_rows.network_rows` gives them; None: those of a whole network.

    >>> from arch_model.spaces import get_space
    >>> from mapper.workload.fusion import steps
    >>> net, tiny = get_space("fashion").subnet("fashion-d111-w222"), Accelerator.load("tiny")
    >>> costs = ProgramCosts(steps(net.layers), tiny)
    >>> costs.cycles(costs.quick())
    45777
    """

    def __init__(
        self,
        steps: Sequence[Step],
        accelerator: Accelerator,
        slots: Sequence[Slots] | None = None,
        commands: int = 1 << 12,
        rows: tuple[Ints, int] | None = None,
    ) -> None:
        self.steps, self.a, self.slots = steps, accelerator, slots
        self.machine = machine_row(accelerator)
        self.xs, self._tensor_rows = self._in_dram = network_rows(steps, accelerator) if rows is None else rows
        self._there = np.empty(0, np.int64)
        if slots is not None and any((own >= 0).any() for own in slots):
            self._there = np.concatenate([own.reshape(-1) for own in slots])
            self.machine[PB] = max(self.machine[PB], self._there.max() + 1)
        self.make_room(commands)
        self._counts = np.zeros(len(TOTALS) + 1, np.int64)

    def place(self, placement: Placement | None) -> None:
        """From now on the costs are those with so many tensors in the SB.

        Parameters
        ----------
        placement : which, and where; None: none.
        """
        before = self._tensor_rows
        self.xs, self._tensor_rows = self._in_dram if placement is None else placed_rows(*self._in_dram, placement)
        if self._tensor_rows > before:
            self.make_room(self.commands)

    def make_room(self, commands: int) -> None:
        """A new workspace, with room for so many commands in each stream."""
        sizes = self.xs[:, [K_TILES - LAYER_AT, WINDOWS - LAYER_AT, C_TILES - LAYER_AT]]
        tiles = max(int(np.maximum(sizes, 1).prod(axis=1).max()), int(self.xs[:, COLUMN_TILES - LAYER_AT].max()))
        self.w = new_workspace(self.machine, commands, self._tensor_rows, tiles, len(self._there))
        put_slots(self.w, self._there)
        self.commands = commands

    def quick(self) -> list[Tiling]:
        """The quick choice of each step: what the compiler takes if it is told nothing.

        Raises :class:`MappingError` for a step without a legal tiling: it names layer, operand, buffer, bytes needed
        and there.
        """
        dense = iter(self.slots or ())
        slots = [next(dense, None) if has_tiles(step.layer) else None for step in self.steps]
        return [quick_tiling(step, self.a, *own) for step, *own in zip(self.steps, slots, self.xs, strict=True)]

    def cycles(self, tilings: Sequence[Tiling]) -> int:
        """Cycles from start to done, with these tilings of the steps.

        Raises :class:`MappingError` for a layer that breaks a rule of the machine.
        """
        ts = np.array([tiling_row(tiling) for tiling in tilings], np.int64)
        while (cycles := cycles_of(self.w, self.xs, ts)) == 0:
            self.make_room(4 * self.commands)
        if cycles < 0:
            raise why_refused(self.w, self.steps, tilings, self.a)
        return int(cycles)

    def cost(self, tilings: Sequence[Tiling]) -> ProgramCost:
        """All that follows from tilings. Raises as :meth:`cycles`."""
        self.cycles(tilings)
        count_program(self.w, self.xs, self._counts)
        return self.counted(self._counts)

    def counted(self, counts: Ints) -> ProgramCost:
        """The cost of the Program that lies timed in the workspace, with what :func:`count_program` found."""
        w, (*totals, work) = self.w, counts.tolist()
        waits = {"sb": int(w[WAIT_SB]), "weights": int(w[WAIT_WEIGHTS]), "out": int(w[WAIT_OUT])}
        return ProgramCost(self.a, int(w[TOTAL_CYCLES]), waits, dict(zip(TOTALS, totals, strict=True)), work)


__all__ = ["PORTS", "ProgramCost", "ProgramCosts", "count_program"]
