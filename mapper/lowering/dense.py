"""A layer as commands of the four units: its loops, and what lives in which half of which buffer.

Loops, from the outside: spatial tiles (one LOAD_ACT each); chunks of K-tiles (one STORE each); K-tiles; windows and
C-tiles (PASS). In the order :attr:`~mapper.lowering.tiling.Order.FILTERS` the first two are exchanged. Input tiles
alternate between the halves of the SB, chunks between those of the OB's output side, groups of streamed weight tiles
between those of the DB, and ZSB tables fill one half after the other.

What the commands *say* comes from a :class:`Maker`: the compiler's writes every field, the mapper's search (``walk``)
only those that take time. So both see the same commands, in the same order, with the same tokens.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np

from arch_model.errors import MappingError
from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.layer import INPUT, Layer
from arch_model.program.isa import Memory
from mapper.layout.tensors import is_pointwise
from mapper.lowering.issue_order import Fields, Load, Pass, Store, Streams
from mapper.lowering.tiling import Order, Tiling, input_rows
from mapper.lowering.weight_tiles import LayerWeights, Piece, Run, split_runs
from mapper.workload.fusion import Step

ZSB_DRAIN_PASSES = 3
"""FEED, done with a pass, has seen RUN swap in the pass before it; the third pass after a layer's last one
therefore proves that the requantiser has read that layer's last entry: RUN has even left the pass that followed it."""


Tile = tuple[int, int, int]
"""(row, C-tile, slot)."""


class Maker(Protocol):
    """The fields of each command, tokens apart; ``tile`` and ``k_tile`` are what commands of one share."""

    def act(self, layer: Layer, low: int, rows: int, sb_base: int, groups: range) -> Fields:
        """LOAD_ACT of ``rows`` input rows from ``low`` on, these channel groups of them."""

    def weights(self, layer: str, run: Run, memory: Memory) -> Fields:
        """LOAD_WGT of a run of tiles."""

    def zsb(self, layer: Layer, entries: range, slot: int) -> Fields:
        """LOAD_WGT of a layer's ZSB entries, the first to ``slot``."""

    def table(self, layer: Layer, slot: int) -> Fields:
        """LOAD_WGT of a layer's activation table to table ``slot``."""

    def tile(self, layer: Layer, first: int, rows: int, sb_base: int) -> Fields:
        """A spatial tile: ``rows`` output rows from ``first`` on."""

    def k_tile(self, tile: Fields, k_tile: int, first: int, out_base: int, zsb: int) -> Fields:
        """A K-tile of the chunk that begins with K-tile ``first``; ``zsb``: its entry's address."""

    def piece(self, k_tile: Fields, layer: Layer, window: int, piece: Piece) -> Fields:
        """PASS over a piece."""

    def store(self, step: Step, k_tiles: range, first: int, rows: int, out_base: int) -> Fields:
        """STORE of a chunk of a spatial tile."""


@dataclass
class _Half:
    """Which half comes next, and the last user's index of each (-1: not used yet)."""

    next: int = 0
    last: tuple[int, int] = (-1, -1)

    def take(self) -> tuple[int, int]:
        """(half, its last user's index)."""
        half = self.next
        self.next = 1 - half
        return half, self.last[half]

    def used(self, half: int, by: int) -> None:
        self.last = (by, self.last[1]) if half == 0 else (self.last[0], by)


class LayerStreams:
    """The streams of layers that follow one another on one machine; :meth:`layer` appends one."""

    def __init__(self, accelerator: Accelerator, maker: Maker) -> None:
        self.a = a = accelerator
        self.make = maker
        self.half_tiles, self.tile_beats, self.out_half = a.db_half_tiles, a.tile_beats, a.out_half_words
        self.s = Streams()
        self.sb, self.db, self.out = _Half(), _Half(), _Half()
        self.row_stores: dict[str, list[int]] = {}  # by tensor and row: the STORE with which the row is complete
        self.pb_last_use = np.full(max(accelerator.pb_tiles, 1), -1, np.int64)
        self.pass_ends: list[int] = []  # accumulated repetitions, after each PASS
        self.zsb_half, self.zsb_top = 0, 0
        self.zsb_last: list[int] = [-1, -1]  # repetitions up to the last user of each half
        self.next_table = 0
        self.table_last: list[int] = [-1, -1]  # likewise of each activation table

    def layer(self, step: Step, owner: int, weights: LayerWeights, tiling: Tiling, new: Sequence[Tile] = ()) -> None:
        """Append the commands of a weight layer. ``new``: its tiles to bring to the PB, in order."""
        work = _Layer(self, step, owner, weights, tiling, new)
        tiles, chunks = range(0, step.layer.P, tiling.rows), range(0, weights.grid.kt, tiling.chunk)
        if tiling.order is Order.ROWS:
            for first in tiles:
                work.begin_tile(first)
                for chunk in chunks:
                    work.chunk(chunk)
                work.end_tile()
        else:
            for chunk in chunks:
                for first in tiles:
                    work.begin_tile(first)
                    work.chunk(chunk)
                    work.end_tile()
        self.end_layer(work.table)

    def end_layer(self, table: int) -> None:
        """A layer's last pass is there; ``table``: the activation table that it used, -1 for none."""
        self.zsb_last[self.zsb_half] = self.pass_ends[-1]
        if table >= 0:
            self.table_last[table] = self.pass_ends[-1]

    def add_pass(self, fields: Fields, owner: int, act: int, wgt: int, store: int) -> None:
        self.s.passes.append(Pass(fields, owner, act, wgt, store))
        self.pass_ends.append((self.pass_ends[-1] if self.pass_ends else 0) + fields["reps"])

    def load_tiles(self, layer: str, tiles: Sequence[Tile], owner: int, need: int) -> dict[int, int]:
        """LOAD_WGT commands of tiles to the PB, in order; returns for each slot the index of its load."""
        index = {}
        for run in split_runs(tiles, max(self.half_tiles, 1), self.tile_beats):
            index.update(dict.fromkeys(range(run.slot, run.slot + run.tiles), len(self.s.wgts)))
            last_use = int(self.pb_last_use[run.slot : run.slot + run.tiles].max())
            self.load_run(layer, run, Memory.PB, owner, need, last_use)
        return index

    def load_run(self, layer: str, run: Run, memory: Memory, owner: int, need: int, after: int) -> None:
        fields = self.make.weights(layer, run, memory)
        self.s.wgts.append(Load(fields, owner, need, run.tiles * self.tile_beats, after))

    def take_zsb(self, layer: Layer, entries: int) -> tuple[int, int]:
        """Room for a layer's ZSB table behind the one before, or in the other half: (first entry, PASS to wait for).

        The other half is free once the requantiser has left it (:data:`ZSB_DRAIN_PASSES`).
        """
        half_entries, after = self.a.zsb_half_entries, -1
        if self.zsb_top + entries > half_entries:
            self.zsb_half, self.zsb_top = 1 - self.zsb_half, 0
            after = self._drained(self.zsb_last[self.zsb_half])
            if after == len(self.pass_ends):
                raise MappingError(
                    f"layer {layer.name}: its {entries} ZSB entries need {entries * 8 * self.a.kp} bytes of "
                    f"a half of the ZSB that is still read; {self.a.name} has "
                    f"{half_entries * 8 * self.a.kp} in each half; give a larger zsb_bytes"
                )
        base = self.zsb_half * half_entries + self.zsb_top
        self.zsb_top += entries
        return base, after

    def load_table(self, layer: Layer, owner: int) -> int:
        """Bring a layer's activation table, if it has one, before its ZSB entries; returns its number or -1.

        The two are taken in turns; one is free once the requantiser has left it, like a half of the ZSB.
        """
        if layer.activation.is_clamp:
            return -1
        number, self.next_table = self.next_table, 1 - self.next_table
        after = self._drained(self.table_last[number])
        if after == len(self.pass_ends) > 0:
            raise MappingError(
                f"layer {layer.name}: its activation table would take the place of one that is still read: the layers "
                f"since its last user have fewer than {ZSB_DRAIN_PASSES} passes on {self.a.name}; give larger layers"
            )
        fields = self.make.table(layer, number)
        self.s.wgts.append(Load(fields, owner, len(self.s.passes), fields["run_beats"], after))
        return number

    def _drained(self, last: int) -> int:
        """The first PASS that proves that the requantiser has left repetition ``last``: -1 if nobody used it, the
        number of PASSes if none does."""
        return -1 if last < 0 else bisect_left(self.pass_ends, last + ZSB_DRAIN_PASSES)


@lru_cache(maxsize=1 << 12)
def ramp(count: int, up: bool, down: bool, most: int, begin: int = 1) -> tuple[int, ...]:
    """Sizes of parts of ``count`` rows, at most ``most`` each, that grow from one (``up``), shrink to one (``down``).

    ``begin``: rows of the first one, if it is more than one.

    >>> ramp(12, True, False, most=12), ramp(12, True, True, most=12), ramp(12, False, False, most=5)
    ((1, 1, 2, 4, 4), (1, 1, 2, 4, 2, 1, 1), (5, 5, 2))
    """
    sizes: list[int] = [begin] if begin > 1 else []
    done = sum(sizes)
    while done < count:
        size = min(most, count - done)
        if up:
            size = min(size, max(1, done))
        if down:
            size = min(size, -(-(count - done) // 2))
        sizes.append(size)
        done += size
    return tuple(sizes)


def quarter_of(ct: int) -> int:
    """C-tiles of a quarter of a row of ``ct``.

    >>> quarter_of(57)
    15
    """
    return -(-ct // 4)


def comes_in_quarters(layer: Layer, weights: LayerWeights, accelerator: Accelerator) -> bool:
    """Whether rows can come in quarters: all streamed, whole, more than one, of 8 C-tiles or more; and whether it may
    help: a tile comes hardly faster than the array goes over its pixels.
    """
    a, grid = accelerator, weights.grid
    several = grid.ct >= 8 and grid.rows > 1
    possible = several and grid.ct <= a.db_half_tiles and weights.streamed == grid.tiles
    return possible and 2 * a.tile_beats * a.dram.cycles_per_beat > layer.P * layer.Q


def can_weave(weights: LayerWeights, tiling: Tiling) -> bool:
    """Whether the first rows of ``tiling.weave`` K-tiles can come together: a lead, one window, several C-tiles, all of
    them streamed, whole rows in the first group.
    """
    grid = weights.grid
    streams = tiling.lead > 1 and grid.windows == 1 < grid.ct and weights.streamed == grid.tiles
    return streams and tiling.weave * grid.ct <= len(weights.groups[0])


class _Turn(NamedTuple):
    """What one PASS takes: a piece of a K-tile's row of weight tiles, with its partial sums in a place of the OB."""

    k_tile: int
    window: int
    piece: Piece
    start: bool
    finish: bool
    ob_slot: int = 0


class _Layer:
    """One weight layer while its commands are appended.

    ``tiling.lead`` > 1 brings what the first passes need in parts, each as late as its first PASS wants it: the input
    and the weights of the first row in ``lead`` parts along the channels, the other rows of the first and of the last
    group of weights in a :func:`ramp`, the ZSB table in the parts that one group of weights can finish. Other groups
    come in parts of ``tiling.part`` rows, if it is not 0; with -1 every row but the first comes in quarters.
    ``tiling.weave`` > 1 brings the first rows of so many K-tiles
    together, part by part along the channels, and they work on a part in turns.
    """

    def __init__(
        self,
        streams: LayerStreams,
        step: Step,
        owner: int,
        weights: LayerWeights,
        tiling: Tiling,
        new: Sequence[Tile],
    ) -> None:
        self.z, self.step, self.l, self.owner = streams, step, step.layer, owner
        self.source = (self.l.inputs or (INPUT,))[0]
        self.weights, self.tiling, self.grid = weights, tiling, weights.grid
        self.lead = -(-self.grid.ct // tiling.lead)  # C-tiles of a part of the first row
        self.leading, self.weave = tiling.lead > 1, tiling.weave
        self.quarter = quarter_of(self.grid.ct) if tiling.part < 0 else 0
        self.reload = tiling.order is Order.ROWS and weights.streamed > streams.a.db_half_tiles
        self.entries = self.grid.kt
        self.zsb_base, self.zsb_after = streams.take_zsb(self.l, self.entries)
        self.zsb_loads: list[int] = []  # by K-tile
        self.table = -1  # the activation table, once it is loaded
        if not self.leading:
            self._load_zsb(self.entries, len(streams.s.passes))
        self.brought = streams.load_tiles(self.l.name, new, owner, len(streams.s.passes))
        # DB
        self.half, self.loaded = 0, -1  # the group in `half`
        self.parts: list[Run] = []  # of it, still to come, the next one last
        self.part_of: list[int] = []  # by tile of the group: its load
        self.last_use = -1
        # SB
        self.tiles, self.begun = -(-self.l.P // tiling.rows), False
        self.resident: dict[int, tuple[int, int]] = {}  # tiles that stay, by first row: (half, load)

    # ------------------------------------------------------------------ input

    def begin_tile(self, first: int) -> None:
        """Take the tile of output rows from ``first`` on; its input comes unless it is there."""
        z, a, layer = self.z, self.z.a, self.l
        self.first, self.rows = first, min(self.tiling.rows, layer.P - first)
        low, count = input_rows(layer, first, self.rows)
        if self.tiles <= 2 and first in self.resident:
            self.sb_half, self.act = self.resident[first]
            self.act_parts: list[tuple[int, int]] = []
        else:
            self.sb_half, last = z.sb.take()
            groups, per_tile = a.groups(layer.C), TAPS if is_pointwise(layer) else 1
            leading = self.leading and not self.begun
            self.begun = True
            size = self.lead * per_tile if leading else groups
            # A tile may be loaded as soon as its own rows are there; those after it are still in the making.
            stored = z.row_stores[self.source][low + count - 1] if self.source in z.row_stores else -1
            self.input = low, count, last, stored
            self.act_parts = [(at, min(at + size, groups)) for at in range(0, groups, size)][::-1]
            self.act = -1
            if not leading:
                self._load_act()
        self.tile = z.make.tile(layer, first, self.rows, self.sb_half * a.sb_half_words)
        if self.reload:
            self.loaded = -1

    def _load_act(self) -> None:
        z, (low, count, last, stored) = self.z, self.input
        groups = range(*self.act_parts.pop())
        fields = z.make.act(self.l, low, count, self.sb_half * z.a.sb_half_words, groups)
        beats = len(groups) * fields["run_beats"]
        z.s.acts.append(Load(fields, self.owner, len(z.s.passes), beats, last, stored))
        self.act = len(z.s.acts) - 1

    def end_tile(self) -> None:
        self.z.sb.used(self.sb_half, len(self.z.s.passes) - 1)
        if self.tiling.order is Order.FILTERS:
            self.resident[self.first] = self.sb_half, self.act

    # ------------------------------------------------------------------ work

    def chunk(self, chunk: int) -> None:
        """The passes of a chunk of K-tiles over the tile, and its STORE."""
        z = self.z
        windows = self.grid.windows
        k_tiles = range(chunk, min(chunk + self.tiling.chunk, self.grid.kt))
        half, stored = z.out.take()
        out_base = half * z.out_half
        shared = [z.make.k_tile(self.tile, kt, k_tiles.start, out_base, self.zsb_base + kt) for kt in k_tiles]
        for turn in self._turns(k_tiles):
            piece, kt = turn.piece, turn.k_tile
            memory, slot, load = self._source(piece)
            if self.act_parts and turn.ob_slot == 0:
                self._load_act()
            if turn.finish and len(self.zsb_loads) <= kt:
                last_row = self.weights.groups[piece.group][-1][0] if piece.group >= 0 else self.grid.rows
                self._load_zsb(max(last_row // windows, kt) + 1, len(z.s.passes))
            if turn.finish or not self.leading:
                load = max(load, self.zsb_loads[kt])
            fields = z.make.piece(shared[kt - chunk], self.l, turn.window, piece)
            fields["memory"], fields["slot"], fields["ob_slot"] = memory, slot, turn.ob_slot
            fields["start"], fields["finish"] = int(turn.start), int(turn.finish)
            if turn.finish and self.table >= 0:
                fields["table"] = self.table + 1
            here = len(z.s.passes)
            z.add_pass(fields, self.owner, self.act, load, stored if turn.finish else -1)
            if piece.group < 0:
                z.pb_last_use[piece.slot : piece.slot + piece.length] = here
            else:
                z.db.used(self.half, here)
        fields = z.make.store(self.step, k_tiles, self.first, self.rows, out_base)
        here = len(z.s.passes) - 1
        z.s.stores.append(Store(fields, self.owner, here, here))
        rows_done = z.row_stores.setdefault(self.step.output, [-1] * self.l.P)
        rows_done[self.first : self.first + self.rows] = [len(z.s.stores) - 1] * self.rows
        z.out.used(half, len(z.s.stores) - 1)

    def _turns(self, k_tiles: range) -> Iterator[_Turn]:
        """What a chunk's PASSes take, in order."""
        windows = self.grid.windows
        if self.act_parts and self.weave > 1:  # the first chunk of all
            rows = [self._woven(kt) for kt in k_tiles[: self.weave]]
            for number, pieces in enumerate(zip(*rows, strict=True)):
                for i, piece in enumerate(pieces):
                    yield _Turn(k_tiles[i], 0, piece, number == 0, number == len(rows[0]) - 1, i)
            k_tiles = k_tiles[self.weave :]
        for kt in k_tiles:
            for w in range(windows):
                row: Sequence[Piece] = self.weights.rows[kt * windows + w]
                if self.weave > max(kt, 1) and not self.reload:
                    row = self._woven(kt)  # where the first tile has left them
                elif size := self.lead if self.act_parts else self.quarter:  # the first row of all, others
                    row = _cut(row, size)
                for number, piece in enumerate(row):
                    last = w == windows - 1 and number == len(row) - 1
                    yield _Turn(kt, w, piece, w == number == 0, last)

    def _woven(self, k_tile: int) -> list[Piece]:
        """The parts of a K-tile's row in the slots that they came to with those of the other woven ones."""
        cuts = range(0, self.grid.ct, self.lead)
        lengths = [min(self.lead, self.grid.ct - at) for at in cuts]
        return [
            Piece(at, length, 0, at * self.weave + k_tile * length) for at, length in zip(cuts, lengths, strict=True)
        ]

    def _load_zsb(self, end: int, need: int) -> None:
        """Load the table's entries up to ``end``."""
        z, begin = self.z, len(self.zsb_loads)
        if begin == 0:
            self.table = z.load_table(self.l, self.owner)
        entries = range(begin, min(end, self.entries))
        fields = z.make.zsb(self.l, entries, self.zsb_base + begin)
        self.zsb_loads += [len(z.s.wgts)] * len(entries)
        z.s.wgts.append(Load(fields, self.owner, need, fields["run_beats"], self.zsb_after))

    # ------------------------------------------------------------------ weights

    def _source(self, piece: Piece) -> tuple[Memory, int, int]:
        """(memory, first slot, index of the load to wait for or -1) of a piece, loaded now if it is not there."""
        z = self.z
        if piece.group < 0:
            loads = [self.brought.get(piece.slot + i, -1) for i in range(piece.length)] if self.brought else [-1]
            return Memory.PB, piece.slot, max(loads)
        base = self.half * z.half_tiles
        if piece.group != self.loaded:
            self.half, self.last_use = z.db.take()
            base = self.half * z.half_tiles
            self.loaded, self.part_of = piece.group, []
            self.parts = self._parts(piece.group)[::-1]
        last = piece.slot + piece.length
        while len(self.part_of) < last:
            part = self.parts.pop()
            self.part_of += [len(z.s.wgts)] * part.tiles
            moved = Run(part.row, part.ct, base + part.slot, part.length, part.runs)
            z.load_run(self.l.name, moved, Memory.DB, self.owner, len(z.s.passes), self.last_use)
            if not self.leading and self.parts:
                last = len(self.weights.groups[piece.group])  # the whole group at once
        return Memory.DB, base + piece.slot, self.part_of[piece.slot + piece.length - 1]

    def _parts(self, group: int) -> list[Run]:
        """The loads of a group, in order."""
        tiles, z = self.weights.groups[group], self.z
        bounds = [0, len(tiles)]
        first = group == 0 and self.first == 0
        last = group == len(self.weights.groups) - 1 and (not self.reload or self.first + self.rows == self.l.P)
        if self.leading and (first or last or self.tiling.part):
            rows = [i for i in range(len(tiles)) if i == 0 or tiles[i][0] != tiles[i - 1][0]] + [len(tiles)]
            weave = self.weave if first else 1
            at, bounds = 0, [0]
            if first and tiles[0][0] == 0 and weave == 1:
                bounds += [i for i in range(1, rows[1]) if tiles[i][1] % self.lead == 0]
            if self.quarter:
                rest = range(rows[weave] if first else 1, len(tiles))
                bounds += [*(i for i in rest if tiles[i][1] % self.quarter == 0), len(tiles)]
            else:
                for size in ramp(len(rows) - 1, first, last, self.tiling.part or len(rows), weave):
                    at += size
                    bounds.append(rows[at])
        most = max(z.half_tiles, 1)
        woven: list[Run] = []
        if first and self.weave > 1:
            woven = [Run(0, piece.ct, piece.slot, piece.length, self.weave) for piece in self._woven(0)]
            bounds = bounds[1:]
        return woven + [
            run for low, high in pairwise(bounds) for run in self.weights.runs(group, low, high, most, z.tile_beats)
        ]


def _cut(pieces: Sequence[Piece], size: int) -> list[Piece]:
    """Pieces of a row cut where a part of ``size`` C-tiles ends."""
    return [
        Piece(at, min((at // size + 1) * size, p.ct + p.length) - at, p.group, p.slot + at - p.ct)
        for p in pieces
        for at in sorted({p.ct, *range(-(-p.ct // size) * size, p.ct + p.length, size)})
    ]
