"""What one layer costs on a machine as a Program of its own: cycles, waits and what the machine does meanwhile.

The commands are those that :mod:`mapper.lowering` makes for the compiler, timed by the same recurrence, so the numbers
are those of the compiled Program.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    PASS_CYCLES,
    PASS_UNIT,
    PBEAT,
    REPS,
    STORE_UNIT,
    WAIT_OUT,
    WAIT_SB,
    WAIT_WEIGHTS,
    WBEAT,
    act_at,
    machine_row,
    pass_at,
    store_at,
    wgt_at,
)
from arch_model.timing.transfers import row_beats, up
from mapper.layout.persistent_buffer import Slots
from mapper.lowering.layer_rows import layer_row, tiling_row
from mapper.lowering.network import cycles_of, why_refused
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
from mapper.workload.fusion import Step

# Columns of the counts: those of arch_model.cost.activity.TOTALS.
_AT = {name: number for number, name in enumerate(TOTALS)}
PROG_BYTES, WGT_BYTES, ACT_BYTES, B_BYTES, OUT_BYTES = (_AT[f"{port}_bytes"] for port in PORTS)
LOAD_WORDS, DB_LOADED, PB_LOADED = _AT["load_words"], _AT["db_tiles_loaded"], _AT["pb_tiles_loaded"]
ZSB_BYTES, TABLE_BYTES = _AT["zsb_bytes"], _AT["table_bytes"]
DB_TILES, PB_TILES, STEPS = _AT["db_tiles"], _AT["pb_tiles"], _AT["steps"]
SUMS_READ, SUMS_KEPT, PIXELS_DONE, LOOKED_UP = (
    *(_AT["sums_read"], _AT["sums_kept"], _AT["pixels_done"], _AT["pixels_looked_up"]),
)
STORE_A, STORE_B, STORE_WORDS = _AT["store_a_words"], _AT["store_b_words"], _AT["store_words"]
ARRAY_CYCLES = len(TOTALS)
"""Behind the totals: cycles of the array's passes, one after another."""


@inner
def _count_loads(w: Ints, counts: Ints) -> None:
    for index in range(w[COUNT + LOAD_ACT_UNIT]):
        row = act_at(w, index)
        counts[ACT_BYTES] += w[row + BEATS] * w[BEAT]
        counts[LOAD_WORDS] += w[row + GROUPS] * w[row + IN_ROWS] * w[WIDTH]
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
def _count_work(w: Ints, counts: Ints) -> None:
    for index in range(w[COUNT + PASS_UNIT]):
        row = pass_at(w, index)
        reps, pixels, done = w[row + REPS], w[row + ROWS] * w[OUT_COLS], w[row + FINISHES]
        counts[PB_TILES if w[row + P_MEMORY] == PB_MEMORY else DB_TILES] += reps
        counts[STEPS] += reps * pixels
        counts[SUMS_READ] += (reps - w[row + BEGINS]) * pixels
        counts[SUMS_KEPT] += (reps - done) * pixels
        counts[PIXELS_DONE] += done * pixels
        if w[row + P_TABLE]:
            counts[LOOKED_UP] += done * pixels
        counts[ARRAY_CYCLES] += reps * max(w[row + PASS_CYCLES], w[KP] + PASS_OVERHEAD)
    for index in range(w[COUNT + STORE_UNIT]):
        row = store_at(w, index)
        if w[FORM] == GLOBAL_POOL:
            groups, rows, cols = up(w[K], w[CP]), w[HEIGHT], w[WIDTH]
            counts[OUT_BYTES] += groups * row_beats(1, w[CP], w[BEAT]) * w[BEAT]
        else:
            begin = w[row + S_CHUNK] * w[KP] // w[CP] * w[CP]
            groups, rows, cols = up(min(w[row + S_STOP] * w[KP], w[K]) - begin, w[CP]), w[row + S_ROWS], w[OUT_COLS]
            counts[OUT_BYTES] += groups * rows * row_beats(cols, w[CP], w[BEAT]) * w[BEAT]
            counts[STORE_A] += groups * rows * cols
        counts[STORE_WORDS] += groups * rows * cols
        if w[BESIDE] or w[FORM] == GLOBAL_POOL:
            counts[STORE_B] += groups * rows * cols
            counts[B_BYTES] += groups * rows * row_beats(cols, w[CP], w[BEAT]) * w[BEAT]


@compiled
def count_layer(w: Ints, counts: Ints) -> None:
    """What a Program of the one layer in a workspace does.

    Parameters
    ----------
    counts : int64 (TOTALS + 1,), filled: :data:`arch_model.cost.activity.TOTALS`, and cycles of the array's passes.
    """
    counts[:] = 0
    _count_loads(w, counts)
    _count_work(w, counts)
    slots = w[COUNT] + w[COUNT + 1] + w[COUNT + 2] + 2 * w[COUNT + 3] + 1
    counts[PROG_BYTES] = up(slots * SLOT_BYTES, w[PBEAT]) * w[PBEAT]


@dataclass(frozen=True, eq=False)
class LayerCost:
    """Cycles of one layer as a Program of its own, from start to done, and what else follows from its commands.

    Attributes
    ----------
    waits : cycles that RUN stood still, by cause (``sb``, ``weights``, ``out``).
    totals : what the machine does, by the names of :data:`arch_model.cost.activity.TOTALS`.
    array_cycles : of the array's passes, one after another.
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


class LayerCosts:
    """Costs of one step on one machine for any tiling.

    Parameters
    ----------
    step : a layer with the add in its STORE; its operands are in DRAM.
    accelerator : the machine.
    slots : int64 (K-tiles * windows, C-tiles), PB slots of weight tiles that are there, or -1; None: none is.

    >>> from arch_model.network.layer import Kind, Layer
    >>> layer = Layer("a", Kind.CONV, K=6, C=3, R=3, S=3, H=3, W=2, padding=1)
    >>> LayerCosts(Step(layer), Accelerator.load("tiny")).quick().dram_bytes       # 8 slots, 2 + 1 tiles
    608
    """

    def __init__(self, step: Step, accelerator: Accelerator, slots: Slots | None = None) -> None:
        self.step, self.a = step, accelerator
        self.machine, self.x = machine_row(accelerator), layer_row(step, accelerator)[None]
        self.slots = None if slots is None or (slots < 0).all() else slots.reshape(-1)
        self._room(1 << 8)
        self._counts = np.zeros(len(TOTALS) + 1, np.int64)

    def _room(self, commands: int) -> None:
        slots = 0 if self.slots is None else len(self.slots)
        tiles = max(int(np.prod(_grid(self.x[0]))), int(self.x[0, COLUMN_TILES - LAYER_AT]))
        self.w = new_workspace(self.machine, commands, self.step.layer.P, tiles, slots)
        if self.slots is not None:
            put_slots(self.w, self.slots)
        self.commands = commands

    def cycles(self, tiling: Tiling) -> int:
        """Cycles from start to done. Raises :class:`MappingError` for a layer that breaks a rule of the machine."""
        t = tiling_row(tiling)[None]
        while (cycles := cycles_of(self.w, self.x, t)) == 0:
            self._room(4 * self.commands)
        if cycles < 0:
            raise why_refused(self.w, [self.step], [tiling], self.a)
        return int(cycles)

    def cost(self, tiling: Tiling) -> LayerCost:
        """All that follows from a tiling. Raises as :meth:`cycles`."""
        cycles, w = self.cycles(tiling), self.w
        count_layer(w, self._counts)
        waits = {"sb": int(w[WAIT_SB]), "weights": int(w[WAIT_WEIGHTS]), "out": int(w[WAIT_OUT])}
        *totals, work = self._counts.tolist()
        return LayerCost(self.a, cycles, waits, dict(zip(TOTALS, totals, strict=True)), work)

    def quick(self) -> LayerCost:
        """The cost of the quick choice: what the compiler takes if it is told nothing.

        Raises :class:`MappingError` if there is no legal tiling: it names layer, operand, buffer, bytes needed and
        there.
        """
        return self.cost(quick_tiling(self.step, self.a, self.slots))


def _grid(x: Ints) -> tuple[int, int, int]:
    return int(x[K_TILES - LAYER_AT]), int(x[WINDOWS - LAYER_AT]), max(int(x[C_TILES - LAYER_AT]), 1)


def layer_cost(step: Step, accelerator: Accelerator) -> LayerCost:
    """The cost of a step by the quick choice, with nothing in the PB."""
    return LayerCosts(step, accelerator).quick()


__all__ = ["PORTS", "LayerCost", "LayerCosts", "count_layer", "layer_cost"]
