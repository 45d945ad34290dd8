"""Many layers at once: what each costs as a Program of its own, without making the Programs.

A layer's Program follows from a few numbers: its shape, how it is cut, which of its weight tiles are cached.
Here those numbers are arrays with one entry a layer, each with its machine, so layers, cached SubGraphs and
configurations vary freely in a batch; :func:`layer_streams` makes from them the four units' streams that
``mapper/lowering/dense.py`` makes from one layer, and :mod:`arch_model.timing.closed_form` times them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.layer import Layer
from arch_model.timing.closed_form import Batch, Loads, Machines, Passes, Stores, time_batch
from arch_model.timing.reference_timing import LANE_BYTES, LOAD_ADDRESS, LOAD_GIVE, STORE_GIVE
from arch_model.timing.transfers import read_cycles, store_cycles
from mapper.cost.weight_batch import WeightGroups, group_weights
from mapper.layout.tensors import folds, tile_grid
from mapper.lowering.tiling import Order, Tiling

Ints = npt.NDArray[np.int64]

BLOCK_STEPS = 1 << 20
"""Layers times PASS commands that are worked on together: about 150 bytes each."""


@dataclass(frozen=True)
class CutLayer:
    """One layer of a batch: cut as ``tiling`` says, with the leading ``hit`` (K-tiles, C-tiles) of its weights
    in the PB.

    ``add``: its STORE reads a second operand. ``tiles_without``: spatial tiles that an empty PB would have it cut into.
    """

    layer: Layer
    tiling: Tiling
    hit: tuple[int, int] = (0, 0)
    add: bool = False
    tiles_without: int = 1
    machine: int = 0


@dataclass(frozen=True)
class LayerBatch:
    """Layers as arrays int64 (n,).

    ``machine`` is an index into ``accelerators``. K, C, H, W, R, P, Q, stride, padding are the layer's; kt,
    windows, ct its grid of weight tiles; ``rows`` and ``chunk`` its cut; ``hit_kt``, ``hit_ct`` the leading
    tiles that the PB holds; ``folded`` whether the input is a folded image.
    """

    accelerators: tuple[Accelerator, ...]
    machine: Ints
    K: Ints
    C: Ints
    H: Ints
    W: Ints
    R: Ints
    P: Ints
    Q: Ints
    stride: Ints
    padding: Ints
    kt: Ints
    windows: Ints
    ct: Ints
    rows: Ints
    chunk: Ints
    hit_kt: Ints
    hit_ct: Ints
    add: Ints
    tiles_without: Ints
    folded: Ints

    @classmethod
    def of(cls, layers: Iterable[CutLayer], accelerators: Sequence[Accelerator]) -> LayerBatch:
        """The batch of these layers, in order.

        Raises ValueError for a tiling with ``lead`` or in the order FILTERS: the Program walk takes those.
        """
        table = []
        for cut in layers:
            layer, tiling = cut.layer, cut.tiling
            if tiling.prologue_parts != 1 or tiling.order is not Order.ROWS:
                raise ValueError(f"layer {layer.name}: tiling is {tiling}; give one in the order rows and with lead 1")
            grid = tile_grid(layer, accelerators[cut.machine])
            table.append(
                (
                    *(cut.machine, layer.K, layer.C, layer.H, layer.W, layer.R, layer.P, layer.Q),
                    *(layer.stride, layer.padding, grid.kt, grid.windows, grid.ct, tiling.rows, tiling.chunk),
                    *(*cut.hit, int(cut.add), cut.tiles_without, folds(layer, accelerators[cut.machine])),
                )
            )
        columns = np.array(table, np.int64).reshape(len(table), len(fields(cls)) - 1).T
        return cls(tuple(accelerators), *columns)

    def __len__(self) -> int:
        return len(self.K)

    def take(self, index: Ints) -> LayerBatch:
        """The layers at ``index``."""
        return LayerBatch(self.accelerators, *(getattr(self, f.name)[index] for f in fields(self)[1:]))

    def of_machine(self, value: Callable[[Accelerator], int]) -> Ints:
        """A number of each layer's machine."""
        return np.array([value(a) for a in self.accelerators], np.int64)[self.machine]

    @property
    def spatial(self) -> Ints:
        """Spatial tiles."""
        return -(-self.P // self.rows)

    @property
    def streamed(self) -> Ints:
        """Weight tiles that are not in the PB."""
        hits = np.minimum(self.hit_kt, self.kt) * np.minimum(self.hit_ct, self.ct)
        streamed: Ints = (self.kt * self.ct - hits) * self.windows
        return streamed


@dataclass(frozen=True)
class LayerCosts:
    """What layers cost, int64 (n,).

    ``cycles`` from the start of a Program of that layer alone to its end; ``passes`` of a weight tile;
    ``wait_*`` cycles that RUN stood still for input, weights, an output half; bytes of DRAM by port; bytes not
    fetched thanks to the PB.
    """

    cycles: Ints
    passes: Ints
    wait_sb: Ints
    wait_weights: Ints
    wait_out: Ints
    prog_bytes: Ints
    wgt_bytes: Ints
    act_bytes: Ints
    b_bytes: Ints
    out_bytes: Ints
    pb_hit_bytes: Ints

    @property
    def dram_bytes(self) -> Ints:
        """Bytes on all ports."""
        return self.prog_bytes + self.wgt_bytes + self.act_bytes + self.b_bytes + self.out_bytes


def layer_costs(batch: LayerBatch) -> LayerCosts:
    """Cost of each layer as a Program of its own, its input in DRAM."""
    found = {f.name: np.zeros(len(batch), np.int64) for f in fields(LayerCosts)}
    for index in blocks(batch):
        part = _costs(batch.take(index))
        for name, values in found.items():
            values[index] = getattr(part, name)
    return LayerCosts(**found)


def blocks(batch: LayerBatch) -> Iterator[Ints]:
    """Indices of layers with about as many passes, the most first."""
    steps = np.maximum(batch.spatial * batch.kt * batch.windows, 1)
    order = np.argsort(-steps, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, BLOCK_STEPS // int(steps[order[start]]))
        yield order[start : start + size]
        start += size


def _costs(b: LayerBatch) -> LayerCosts:
    streams = layer_streams(b)
    timing, b, order = time_batch(streams.batch), streams.layers, streams.order
    beat, tile_bytes = b.of_machine(lambda a: a.beat_bytes), b.of_machine(lambda a: a.tile_bytes)
    half = b.of_machine(lambda a: a.db_half_tiles)
    tiles = b.kt * b.windows * b.ct
    fetched = b.streamed * np.where(b.streamed > half, b.spatial, 1)
    without = tiles * np.where(tiles > half, b.tiles_without, 1)
    out_bytes = streams.out_beats * beat
    found = (
        *(timing.cycles, tiles * b.spatial, timing.wait_sb, timing.wait_weights, timing.wait_out),
        streams.batch.prog_beats * streams.batch.machines.program_beat_bytes,
        fetched * tile_bytes + b.kt * LANE_BYTES * b.of_machine(lambda a: a.kp),
        *(streams.act_beats * beat, out_bytes * b.add, out_bytes, (without - fetched) * tile_bytes),
    )
    back = np.argsort(order)
    return LayerCosts(*(values[back] for values in found))


@dataclass(frozen=True)
class LayerStreams:
    """The streams of a batch, whose order is ``order`` (n,) of the layers asked for: ``layers``, their weights'
    groups and the beats (n,) that LOAD_ACTs and STOREs move are in that order too.
    """

    batch: Batch
    order: Ints
    layers: LayerBatch
    groups: WeightGroups
    act_beats: Ints
    out_beats: Ints


def layer_streams(b: LayerBatch, merged: bool = False) -> LayerStreams:
    """The four units' commands of each layer.

    ``merged``: PASSes that follow one another without a new reason to wait are one, which takes as long where commands
    and queues hold nothing up.
    """
    half = b.of_machine(lambda a: a.db_half_tiles)
    groups = group_weights(b.kt, b.windows, b.ct, b.hit_kt, b.hit_ct, half)
    if merged:
        groups = groups.merged(b.chunk)
    order = np.argsort(-groups.pieces * b.spatial, kind="stable")
    b, groups, half = b.take(order), groups.take(order), half[order]
    machines = Machines(
        *(b.of_machine(value) for value in (lambda a: a.kp, lambda a: a.program_beat_bytes)),
        *(b.of_machine(value) for value in (lambda a: a.dram.latency_cycles, lambda a: a.dram.cycles_per_beat)),
    )
    cp = b.of_machine(lambda a: a.cp)
    reload = b.streamed > half
    chunks = -(-b.kt // b.chunk)

    acts, act_beats, out_rows = _acts(b, machines, cp, groups)
    wgts = _wgts(b, machines, groups, reload)
    passes = _passes(b, groups, reload, chunks, out_rows)
    stores, out_beats = _stores(b, machines, cp, groups, chunks, out_rows)
    batch = Batch(machines, acts, wgts, passes, stores)
    return LayerStreams(batch, order, b, groups, act_beats, out_beats)


def _act_cycles(a: Accelerator, rows: int, key: int) -> int:
    cols, pixels = a.row(key >> 1, bool(key & 1))
    return read_cycles(rows, cols, a.cp, a.beat_bytes, a.dram.cycles_per_beat, pixels)


def _by_row(b: LayerBatch, cols: Ints, value: Callable[[Accelerator, int, int], int]) -> tuple[Ints, Ints]:
    """What a function of (machine, rows, cols), linear in rows, is for no row and adds for each, (n,)."""
    keys = (b.machine << 13) | cols
    different, place = np.unique(keys, return_inverse=True)
    pairs = [[value(b.accelerators[key >> 13], rows, key & 8191) for rows in (1, 2)] for key in different.tolist()]
    one, two = np.array(pairs, np.int64)[place].T
    return 2 * one - two, two - one


def _acts(b: LayerBatch, m: Machines, cp: Ints, w: WeightGroups) -> tuple[Loads, Ints, Ints]:
    """LOAD_ACTs, the beats of all, and the output rows of each spatial tile, (tiles, n)."""
    tile = np.arange(int(b.spatial.max()))[:, None]
    first = np.minimum(tile * b.rows, b.P - 1)
    out_rows = np.minimum(b.rows, b.P - first)
    low = np.maximum(0, first * b.stride - b.padding)
    high = (first + out_rows - 1) * b.stride - b.padding + b.R
    rows = -(-b.C // cp) * (np.minimum(b.H, high) - low)
    words = np.where(b.folded, -(-b.W // b.of_machine(lambda a: a.fold)), b.W)
    beats = rows * -(-words * cp // b.of_machine(lambda a: a.beat_bytes))
    base, row = _by_row(b, b.W << 1 | b.folded, _act_cycles)
    loads = Loads(
        count=b.spatial,
        need=tile * w.pieces,
        after=np.where(tile >= 2, (tile - 1) * w.pieces - 1, -1),
        cycles=LOAD_ADDRESS + m.latency + base + rows * row + LOAD_GIVE,
        guess=m.latency + beats * m.interval,
    )
    return loads, np.where(tile < b.spatial, beats, 0).sum(axis=0), out_rows


def _wgts(b: LayerBatch, m: Machines, w: WeightGroups, reload: npt.NDArray[np.bool_]) -> Loads:
    """LOAD_WGTs: the ZSB table, then the runs of every group, again for each spatial tile if they do not all fit."""
    count = 1 + w.runs * np.where(reload, b.spatial, 1)
    index, line = np.arange(int(count.max()))[:, None], np.arange(len(b))
    zsb = index == 0
    tile, run = np.divmod(np.maximum(index - 1, 0), np.maximum(w.runs, 1))
    group, groups = w.run_group[line, run], np.maximum(w.groups, 1)
    before, old = np.divmod(tile * groups + group - 2, groups)  # the group that had this half of the DB
    after = before * w.pieces + w.group_last[line, old]
    tiles = np.where(zsb, b.kt, w.run_tiles[line, run])
    entry_beats = LANE_BYTES * m.kp // b.of_machine(lambda a: a.weight_beat_bytes)
    beats: Ints = tiles * np.where(zsb, entry_beats, b.of_machine(lambda a: a.tile_beats))

    def entries(a: Accelerator, rows: int, cols: int) -> int:
        return read_cycles(rows, cols, LANE_BYTES, a.weight_beat_bytes, a.dram.cycles_per_beat, 1)

    def words(a: Accelerator, rows: int, cols: int) -> int:
        return read_cycles(rows, cols, TAPS * a.cp, a.weight_beat_bytes, a.dram.cycles_per_beat, 1)

    entry, word = _by_row(b, m.kp, entries), _by_row(b, m.kp, words)
    read = np.where(zsb, entry[0], word[0]) + tiles * np.where(zsb, entry[1], word[1])
    return Loads(
        count=count,
        need=np.where(zsb, 0, tile * w.pieces + w.group_first[line, group]),
        after=np.where(zsb | (before < 0), -1, after),
        cycles=LOAD_ADDRESS + m.latency + read + LOAD_GIVE,
        guess=m.latency + beats * m.interval,
    )


def _passes(b: LayerBatch, w: WeightGroups, reload: npt.NDArray[np.bool_], chunks: Ints, out_rows: Ints) -> Passes:
    """PASSes: the pieces, once for each spatial tile."""
    count, line = w.pieces * b.spatial, np.arange(len(b))
    tile, piece = np.divmod(np.arange(int(count.max()))[:, None], w.pieces)
    tile = np.minimum(tile, b.spatial - 1)  # beyond the layer's passes
    run, chunk = w.run, w.k_tile // b.chunk[:, None]
    chunk = np.where(w.finish, chunk - 2, -1 << 30)  # the output half's STORE before, but for the tiles
    return Passes(
        count=count,
        reps=w.reps[line, piece],
        pixels=out_rows[tile, line] * b.Q,
        act=tile,
        wgt=np.where(run >= 0, 1 + run, 0)[line, piece] + np.where(reload & (run >= 0)[line, piece], tile, 0) * w.runs,
        store=np.maximum(tile * chunks + chunk[line, piece], -3),
    )


def _stores(b: LayerBatch, m: Machines, cp: Ints, w: WeightGroups, chunks: Ints, out_rows: Ints) -> tuple[Stores, Ints]:
    """STOREs and the beats of all."""
    count = chunks * b.spatial
    line, index = np.arange(len(b)), np.arange(int(count.max()))[:, None]
    tile, chunk = np.divmod(index, chunks)
    tile = np.minimum(tile, b.spatial - 1)
    first = chunk * b.chunk
    past = np.minimum(first + b.chunk, b.kt)
    channels = np.minimum(past * m.kp, b.K) - first * m.kp // cp * cp
    groups, rows = -(-channels // cp), out_rows[tile, line]
    run_beats = rows * -(-b.Q * cp // b.of_machine(lambda a: a.beat_bytes))

    words = rows * -(-b.Q // b.of_machine(lambda a: a.pixels))
    free, last = _store_table(b, groups * rows)
    stores = Stores(
        count=count,
        after=tile * w.pieces + w.k_last[line, past - 1],
        free=free,
        cycles=last + m.latency + STORE_GIVE,
        guess=m.latency * (1 + b.add) + groups * np.maximum(run_beats * m.interval, words),
    )
    return stores, np.where(index < count, groups * run_beats, 0).sum(axis=0)


def _store_table(b: LayerBatch, rows: Ints) -> tuple[Ints, Ints]:
    """:func:`store_cycles` of layers' rows (m, n), worked out once for each different one."""
    keys = ((b.machine << 1 | b.add) << 36) | (rows << 12) | b.Q
    different, place = np.unique(keys, return_inverse=True)
    found = []
    for key in different.tolist():
        a, add = b.accelerators[key >> 37], bool(key >> 36 & 1)
        size = key >> 12 & 0xFFFFFF, key & 4095
        dram = a.dram
        found.append(
            store_cycles(*size, a.cp, a.beat_bytes, dram.cycles_per_beat, dram.latency_cycles, int(add), a.pixels)
        )
    free, last = np.array(found, np.int64).T
    at = place.reshape(keys.shape)
    return free[at], last[at]
