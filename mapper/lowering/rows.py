"""Layers, tilings and commands as rows of int64: what the compiled lowering reads and writes.

Everything lies in one workspace (:mod:`arch_model.timing.rows`): behind the recurrence's places in the header come the
layer and the tiling at work and what the buffers hold; behind the streams come tables, each where its place in the
header says. The first columns of every stream are the recurrence's; the ones named here say what a command does, in
terms of the layer's loops, and :mod:`mapper.lowering.encode` makes the fields of commands from them.
"""

from __future__ import annotations

import numpy as np

from arch_model.compiled import Ints, compiled
from arch_model.program.isa import Memory
from arch_model.timing.rows import (
    ACT_COLUMNS,
    BEGIN,
    COUNT,
    HEADER,
    LOAD_TIMES,
    MACHINE,
    ORDER,
    PASS_COLUMNS,
    PASS_TIMES,
    ROOM,
    STORE_COLUMNS,
    STORE_TIMES,
    WGT_COLUMNS,
)

# fmt: off
LAYER = (
    "k", "c", "height", "width", "kernel_rows", "kernel_cols", "stride", "padding", "out_rows", "out_cols",
    "form", "pointwise", "folded", "scale", "weighted", "k_tiles", "c_tiles", "windows", "in_groups", "entries",
    "table", "beside", "column_tiles", "source", "output", "owner",
    "input_on_chip", "output_to", "sb_room", "after_first", "after_second", "last_pass",
)
"""A layer on a machine. ``form``: how it is lowered. ``beside``: its STORE reads a second operand. ``source``,
``output``: where the rows of its tensors begin in the table of finished rows, -1 for one that is in DRAM before the
Program starts. ``input_on_chip``: STOREs wrote its input into the SB. ``output_to``: where its own STOREs write
(``TO_DRAM``, ``TO_BOTH``, ``TO_SB``). ``sb_room``: SB words of each of the two places to which it loads input, 0 for a
half of the SB. ``after_first``, ``after_second``: where the table says after which PASS the first load to each place
may begin (-1: at once; ``HALVES``: the places are the halves of the SB, and its last user says so). ``last_pass``:
where the table gets the number of its own last PASS (-1: nobody asks)."""
LAYER_AT = HEADER
(
    K, C, HEIGHT, WIDTH, KERNEL_ROWS, KERNEL_COLS, STRIDE, PADDING, OUT_ROWS, OUT_COLS,
    FORM, POINTWISE, FOLDED, SCALE, WEIGHTED, K_TILES, C_TILES, WINDOWS, IN_GROUPS, ZSB_ENTRIES,
    TABLE, BESIDE, COLUMN_TILES, SOURCE, OUTPUT, LAYER_OWNER,
    INPUT_ON_CHIP, OUTPUT_TO, SB_ROOM, AFTER_FIRST, AFTER_SECOND, LAST_PASS,
) = range(LAYER_AT, LAYER_AT + len(LAYER))

DENSE, DEPTHWISE, GLOBAL_POOL = range(3)
"""Values of ``form``."""

HALVES = -2
"""Value of ``after_first`` and ``after_second``."""

TILING = ("rows", "chunk", "filters", "prologue_parts", "prefetch_rows", "interleave", "stays")
"""A tiling (:class:`mapper.lowering.tiling.Tiling`); ``filters``: the order; ``stays``: of a depthwise layer."""
TILING_AT = LAYER_AT + len(LAYER)
T_ROWS, T_CHUNK, T_FILTERS, T_PROLOGUE, T_PREFETCH, T_INTERLEAVE, T_STAYS = range(TILING_AT, TILING_AT + len(TILING))

# What lives on from layer to layer. Of each double buffer the half that comes next, and the last user of each half (-1:
# nobody); how full the half of the ZSB is. Then whether a layer broke a rule, a stream had no room, and which layer it
# was.
BUFFERS_AT = TILING_AT + len(TILING)
(
    SB_NEXT, SB_LAST, _1, DB_NEXT, DB_LAST, _2, OUT_NEXT, OUT_LAST, _3,
    ZSB_NEXT, ZSB_LAST, _4, TABLE_NEXT, TABLE_LAST, _5, ZSB_TOP, FAILURE, FULL, FAILED_LAYER,
) = range(BUFFERS_AT, BUFFERS_AT + 19)

ZSB_STILL_READ, TABLE_STILL_READ = 1, 2
"""Values of ``FAILURE``."""

# Where tables begin. Of the Program: the PASS that used each slot of the PB last; for each row of each tensor the STORE
# with which it is complete, and last PASSes of layers; slots of the PB of all weight tiles, and of those that come now
# (0: none at all). Of the layer: pieces, where those of each row begin, streamed tiles, where those of each group
# begin; the loads of ZSB entries, of tiles of the group at work, of tiles that come to the PB (0: none); the loads of a
# group; room for other tables.
TABLES_AT = BUFFERS_AT + 19
(
    PB_LAST, ROW_DONE, ALL_SLOTS, ALL_NEW,
    PIECES, ROW_BEGIN, STREAMED, GROUP_BEGIN, ENTRY_LOAD, TILE_LOAD, BROUGHT, RUN_ROWS, SPARE,
) = range(TABLES_AT, TABLES_AT + 13)

# Of the layer at work: groups of streamed weight tiles, and how many such tiles there are; rows of the STORE that was
# timed last, and its times; the STORE plus 1 that its PASSes await; what else it keeps (dense_loads.py, depthwise.py).
LAYER_STATE = TABLES_AT + 13
(
    GROUP_COUNT, STREAMED_TILES, TIMED_ROWS, TIMED_WORD, TIMED_BEAT, TILE_CYCLES, MORE_TILE_CYCLES, AWAITED,
) = range(LAYER_STATE, LAYER_STATE + 8)
OWN_STATE = LAYER_STATE + 8
OWN_PLACES = 64
WHOLE_HEADER = OWN_STATE + OWN_PLACES

# LOAD_ACT: input rows and channel groups, the half of the SB, and the rows that lie together there (depthwise).
LOW, IN_ROWS, GROUP, GROUPS, SB_HALF, HELD_FROM, HELD_ROWS = range(LOAD_TIMES, LOAD_TIMES + 7)

# LOAD_WGT: where to (memory, slot) and what: ``runs`` runs of ``length`` tiles from C-tile ``ct`` of ``row`` on (DB,
# PB), tiles of depthwise weights from ``row`` on, entries of the ZSB from ``row`` on, an activation table. ``OF``: the
# layer.
MEMORY, SLOT, ROW, CT, LENGTH, RUNS, OF = range(LOAD_TIMES, LOAD_TIMES + 7)

# PASS: the spatial tile, the K-tile in its chunk, the window, C-tiles, weights, partial sums, ZSB entry, table, input
# rows.
(
    FIRST, ROWS, P_SB_HALF, K_TILE, CHUNK, OUT_HALF, WINDOW, P_CT, P_MEMORY, P_SLOT, OB_SLOT,
    BEGINS, FINISHES, ENTRY, P_TABLE, P_HELD_FROM, P_HELD_ROWS, COME,
) = range(PASS_TIMES, PASS_TIMES + 18)

# STORE: the chunk of K-tiles, the spatial tile, the half of the OB's output side.
S_CHUNK, S_STOP, S_FIRST, S_ROWS, S_OUT_HALF = range(STORE_TIMES, STORE_TIMES + 5)
# fmt: on

DB_MEMORY, PB_MEMORY = int(Memory.DB), int(Memory.PB)
ZSB_MEMORY, TABLE_MEMORY = int(Memory.ZSB), int(Memory.TABLE)
"""The memories of :class:`arch_model.program.isa.Memory` as plain integers, which compiled functions take."""

TILE_PLACES = 36
"""Places that tables of a layer take for each of its weight tiles and rows of them, at most."""


def new_workspace(machine: Ints, commands: int, tensor_rows: int, tiles: int, slots: int = 0) -> Ints:
    """An empty workspace.

    Parameters
    ----------
    machine : a row of :data:`arch_model.timing.rows.MACHINE`.
    commands : for how many there is room in each stream.
    tensor_rows : rows of all tensors together.
    tiles : weight tiles of the largest layer.
    slots : weight tiles of all dense layers, if some of them are or come in the PB.
    """
    sizes = [
        *(commands * columns for columns in (ACT_COLUMNS, WGT_COLUMNS, PASS_COLUMNS, STORE_COLUMNS)),
        8 * commands,
        *(int(machine[-1]) if slots else 0, tensor_rows + 1, slots, slots, TILE_PLACES * (tiles + 16)),
    ]
    begins = WHOLE_HEADER + np.concatenate([[0], np.cumsum(sizes)])
    w = np.zeros(begins[-1], np.int64)
    w[: len(MACHINE)] = machine
    w[BEGIN : BEGIN + 4], w[ROOM : ROOM + 4] = begins[:4], commands
    w[ORDER], w[PB_LAST], w[ROW_DONE] = begins[4:7]
    w[ALL_SLOTS], w[ALL_NEW] = begins[7:9] if slots else (0, 0)
    w[SPARE] = begins[9]
    return w


def put_slots(w: Ints, there: Ints, come: Ints | None = None) -> None:
    """Write the PB slots of the weight tiles of all dense layers to a workspace that has room for them.

    Parameters
    ----------
    w : workspace.
    there : where each tile is when its layer runs, -1 for those that are streamed.
    come : where each comes now, -1 for others; None: none comes.
    """
    if len(there) and w[ALL_SLOTS]:
        w[w[ALL_SLOTS] : w[ALL_SLOTS] + len(there)] = there
        w[w[ALL_NEW] : w[ALL_NEW] + len(there)] = -1 if come is None else come


@compiled
def clear(w: Ints) -> None:
    """Forget every command, and what the buffers hold."""
    for place in range(COUNT, COUNT + 4):
        w[place] = 0
    for place in range(BUFFERS_AT, TABLES_AT):
        w[place] = 0
    for last in (SB_LAST, DB_LAST, OUT_LAST, ZSB_LAST, TABLE_LAST):
        w[last] = -1
        w[last + 1] = -1
    for place in range(w[PB_LAST], w[ALL_SLOTS] if w[ALL_SLOTS] else w[SPARE]):
        w[place] = -1
