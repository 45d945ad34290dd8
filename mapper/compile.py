"""Compile a SubNet, for an Accelerator and what its Persistent Buffer holds, into a Program.

Loops, from the outside: layers; spatial tiles (one LOAD_ACT each); chunks of K-tiles (one STORE each); K-tiles; windows
and C-tiles (PASS). Input tiles alternate between the halves of the SB, chunks between those of the OB's output side,
groups of streamed weight tiles between those of the DB, and ZSB tables fill one half after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from arch_model.accelerator import Accelerator
from arch_model.errors import MappingError, SpaceError
from arch_model.layer import INPUT, Kind, Layer
from arch_model.supernet import SubNet, SuperNet
from arch_model.weights import AddQuant, ConvQuant, OpQuant, PoolQuant
from mapper.fields import (
    add_fields,
    k_tile_fields,
    load_act_fields,
    piece_fields,
    pool_fields,
    store_fields,
    tile_fields,
)
from mapper.isa import Command, Memory, Opcode
from mapper.memory_map import MemoryMap
from mapper.pack import tile_grid, window_offsets
from mapper.persistent import PersistentBuffer, Slots, later_tiles, layer_sources
from mapper.program import LayerSpan, Program
from mapper.schedule import NEVER, Fields, Load, Pass, Store, Streams, command, schedule
from mapper.steps import Step, steps
from mapper.tiling import choose, input_rows
from mapper.weights_plan import LayerWeights, Piece, plan_layer, split_runs

ZSB_DRAIN_PASSES = 3
"""FEED, done with a pass, has seen RUN swap in the pass before it; the third pass after a layer's last one
therefore proves that the requantiser has read that layer's last entry: RUN has even left the pass that followed it."""


Quant = Mapping[str, OpQuant]
"""Integers of each operator by name: ``QuantizedSubNet.ops``."""


def compile_subnet(
    subnet: SubNet,
    supernet: SuperNet,
    accelerator: Accelerator,
    quant: Quant,
    memory_map: MemoryMap,
    resident: PersistentBuffer | None = None,
    target: PersistentBuffer | None = None,
) -> Program:
    """The Program that computes ``subnet`` with ``resident`` in the PB and leaves ``target`` there.

    Parameters
    ----------
    quant : ConvQuant, AddQuant or PoolQuant of each operator (duck-typed; only the scalars matter here).
    memory_map : addresses; it must know the SubNet.
    resident : what earlier Programs left in the PB; None: nothing.
    target : what this Program must leave there (``resident.switch(...)``); None: what is there.

    A switch costs no extra byte for tiles that this SubNet uses: they go to their PB slot instead of to the DB, when
    the layer that needs them is due. Tiles for later queries only are loaded behind the last layers' work.

    Raises :class:`MappingError` for what the accelerator cannot run.
    """
    return _Compiler(subnet, supernet, accelerator, quant, memory_map, resident, target).run()


def single_layer(layer: Layer) -> tuple[SuperNet, SubNet]:
    """A SuperNet of one weight layer, and its one SubNet (both named as the layer)."""
    alone = replace(layer, inputs=(INPUT,))
    subnet = SubNet(layer.name, layer.name, (alone,))

    def parse(name: str) -> dict[str, object]:
        if name != layer.name:
            raise SpaceError(f"SubNet {name} does not exist; give {layer.name}")
        return {}

    return SuperNet(layer.name, (alone,), lambda: subnet, parse, (layer.name,)), subnet


def compile_layer(layer: Layer, accelerator: Accelerator, quant: ConvQuant) -> tuple[Program, MemoryMap]:
    """The Program of one conv or linear layer from "input" in DRAM to its output, and the memory map made for it.

    ``single_layer(layer)`` gives the SubNet that ``mapper.dram_image`` needs. Raises :class:`MappingError`.
    """
    supernet, subnet = single_layer(layer)
    memory_map = MemoryMap.build(supernet, [subnet], accelerator)
    return compile_subnet(subnet, supernet, accelerator, {layer.name: quant}, memory_map), memory_map


@dataclass
class _Half:
    """Which half comes next, and the last user's index of each (-1: not used yet)."""

    next: int = 0
    last: list[int] | None = None

    def take(self) -> tuple[int, int]:
        """(half, its last user's index)."""
        if self.last is None:
            self.last = [-1, -1]
        half = self.next
        self.next = 1 - half
        return half, self.last[half]

    def used(self, half: int, by: int) -> None:
        assert self.last is not None
        self.last[half] = by


class _Compiler:
    def __init__(
        self,
        subnet: SubNet,
        supernet: SuperNet,
        accelerator: Accelerator,
        quant: Quant,
        memory_map: MemoryMap,
        resident: PersistentBuffer | None,
        target: PersistentBuffer | None,
    ) -> None:
        if subnet.name not in memory_map.tensors:
            raise MappingError(f"SubNet {subnet.name}: the memory map does not know it; build the map with it")
        self.subnet, self.supernet, self.a, self.quant, self.map = subnet, supernet, accelerator, quant, memory_map
        self.resident = resident or PersistentBuffer.empty(supernet)
        self.target = target or self.resident
        self.places = memory_map.tensors[subnet.name]
        self.s = Streams()
        self.sb, self.db, self.out = _Half(), _Half(), _Half()
        self.row_stores: dict[str, list[int]] = {}  # by tensor and row: the STORE with which the row is complete
        self.pb_last_use = np.full(max(accelerator.pb_tiles, 1), -1, np.int64)
        self.pass_ends: list[int] = []  # accumulated repetitions, after each PASS
        self.zsb_half, self.zsb_top = 0, 0
        self.zsb_last: list[int] = [-1, -1]  # repetitions up to the last user of each half
        self.hit_tiles = 0

    def run(self) -> Program:
        order = steps(self.subnet.layers)
        layers = [step.layer for step in order if step.layer.kind.has_weights]
        for layer in layers:
            self._check_slice(layer)
        self.slots = layer_sources(layers, self.resident, self.target, self.a)
        for owner, step in enumerate(order):
            if step.layer.kind is Kind.POOL:
                self._pool(step.layer, owner)
            else:
                self._conv(step, owner)
        switch_tiles = self._load_for_later()
        merged, pass_at, store_at = schedule(self.s, self.a)
        commands = [command(opcode, fields) for opcode, fields, _ in merged] + [Command(Opcode.END, {})]
        program = Program(
            name=self.subnet.name,
            accelerator=self.a,
            address=self.map.program,
            commands=tuple(commands),
            owners=(*(owner for *_, owner in merged), -1),
            layers=self._spans(order, pass_at, store_at),
            tensors=self.places,
            zsb=self.map.zsb[self.subnet.name],
            pb_hit_bytes=self.hit_tiles * self.a.tile_bytes,
            switch_bytes=switch_tiles * self.a.tile_bytes,
        )
        try:
            size = len(program.encode())
        except ValueError as error:
            raise MappingError(f"SubNet {self.subnet.name}: {error}") from None
        if size > self.map.program_bytes:
            raise MappingError(
                f"SubNet {self.subnet.name}: its Program needs {size} bytes of DRAM; {self.map.program_bytes} are left"
            )
        return program

    def _spans(self, order: tuple[Step, ...], pass_at: list[int], store_at: list[int]) -> tuple[LayerSpan, ...]:
        places: list[list[int]] = [[] for _ in order]
        for p, at in zip(self.s.passes, pass_at, strict=True):
            places[p.owner].append(at)
        for t, at in zip(self.s.stores, store_at, strict=True):
            places[t.owner].append(at)
        return tuple(
            LayerSpan(step.layer.name, min(at), max(at), step.output) for step, at in zip(order, places, strict=True)
        )

    def _quant(self, name: str) -> OpQuant:
        try:
            return self.quant[name]
        except KeyError:
            raise MappingError(f"SubNet {self.subnet.name}: no quantisation for layer {name}; give one") from None

    def _check_slice(self, layer: Layer) -> None:
        whole = self.supernet.layer(layer.name)
        if (layer.R, layer.S) != (whole.R, whole.S):
            raise MappingError(
                f"layer {layer.name}: its kernel is {layer.R}x{layer.S}; the mapper takes the SuperNet's, "
                f"{whole.R}x{whole.S}"
            )

    def _load_for_later(self) -> int:
        """Load the target's tiles that this SubNet does not use; returns their number."""
        tiles = 0
        later = later_tiles(self.supernet, self.subnet, self.resident, self.target, self.a)
        for name, new in later.items():
            self._load_tiles(name, _tiles(new), Memory.PB, -1, NEVER, -1)
            tiles += int((new >= 0).sum())
        return tiles

    # ------------------------------------------------------------------ loads

    def _load_tiles(
        self, layer: str, tiles: list[tuple[int, int, int]], memory: Memory, owner: int, need: int, after: int
    ) -> dict[int, int]:
        """LOAD_WGT commands for (row, C-tile, slot) in order; returns for each slot the index of its load."""
        grid = tile_grid(self.supernet.layer(layer), self.a)
        base, size = self.map.weights[layer], self.a.tile_bytes
        index = {}
        most = max(self.a.db_half_tiles, 1)
        for run in split_runs(tiles, most, self.a.tile_beats):
            last_use = int(self.pb_last_use[run.slot : run.slot + run.tiles].max()) if memory is Memory.PB else after
            fields: Fields = {
                "memory": memory,
                "addr": base + (run.row * grid.ct + run.ct) * size,
                "runs": run.runs,
                "run_beats": run.length * self.a.tile_beats,
                "run_stride": grid.ct * size if run.runs > 1 else 0,
                "slot": run.slot,
            }
            index.update(dict.fromkeys(range(run.slot, run.slot + run.tiles), len(self.s.wgts)))
            self.s.wgts.append(Load(fields, owner, need, run.runs * fields["run_beats"], last_use))
        return index

    def _load_zsb(self, layer: Layer, owner: int) -> int:
        """Load a layer's ZSB table behind the one before, or into the other half; returns its first entry.

        The other half is free once the requantiser has left it (:data:`ZSB_DRAIN_PASSES`).
        """
        entries, half_entries = tile_grid(layer, self.a).kt, self.a.zsb_half_entries
        after = -1
        if self.zsb_top + entries > half_entries:
            self.zsb_half, self.zsb_top = 1 - self.zsb_half, 0
            if (last := self.zsb_last[self.zsb_half]) >= 0:
                drained = [i for i, end in enumerate(self.pass_ends) if end >= last + ZSB_DRAIN_PASSES]
                if not drained:
                    raise MappingError(
                        f"layer {layer.name}: its {entries} ZSB entries need {entries * 8 * self.a.kp} bytes of "
                        f"a half of the ZSB that is still read; {self.a.name} has "
                        f"{half_entries * 8 * self.a.kp} in each half; give a larger zsb_bytes"
                    )
                after = drained[0]
        base = self.zsb_half * half_entries + self.zsb_top
        self.zsb_top += entries
        beats = entries * 8 * self.a.kp // self.a.beat_bytes
        fields: Fields = {
            "memory": Memory.ZSB,
            "addr": self.map.zsb[self.subnet.name][layer.name],
            "runs": 1,
            "run_beats": beats,
            "slot": base,
        }
        self.s.wgts.append(Load(fields, owner, len(self.s.passes), beats, after))
        return base

    def _load_act(self, layer: Layer, source: str, first: int, rows: int, owner: int) -> tuple[int, int]:
        """LOAD_ACT of rows of a tensor; returns (index, half)."""
        half, last = self.sb.take()
        fields = load_act_fields(layer, self.places[source], first, rows, half * self.a.sb_half_words, self.a)
        # A tile may be loaded as soon as its own rows are there; those after it are still in the making.
        stored = self.row_stores[source][first + rows - 1] if source in self.row_stores else -1
        beats = fields["groups"] * fields["run_beats"]
        self.s.acts.append(Load(fields, owner, len(self.s.passes), beats, last, stored))
        return len(self.s.acts) - 1, half

    # ------------------------------------------------------------------ a weight layer

    def _conv(self, step: Step, owner: int) -> None:
        layer, a = step.layer, self.a
        q = cast(ConvQuant, self._quant(layer.name))
        grid = tile_grid(layer, a)
        hits, new = self.slots[layer.name]
        weights = plan_layer(grid, hits, new, a.db_half_tiles)
        tiling = choose(layer, a, weights.streamed, step.add is not None)
        spatial = -(-layer.P // tiling.rows)
        reload = weights.streamed > a.db_half_tiles
        fetched = weights.streamed * (spatial if reload else 1) + int((new >= 0).sum())
        self.hit_tiles += self._fetched_without(step) - fetched

        zsb = self._load_zsb(layer, owner)
        zsb_load = len(self.s.wgts) - 1
        brought = self._load_tiles(layer.name, _tiles(new), Memory.PB, owner, len(self.s.passes), -1)
        work = _Work(zsb, zsb_load, weights, brought, _Groups(self, layer, weights, owner, reload))
        source = (layer.inputs or (INPUT,))[0]
        for first in range(0, layer.P, tiling.rows):
            rows = min(tiling.rows, layer.P - first)
            low, count = input_rows(layer, first, rows)
            act, half = self._load_act(layer, source, low, count, owner)
            work.groups.begin_tile()
            tile = tile_fields(layer, q, first, rows, half * a.sb_half_words, a)
            for chunk in range(0, grid.kt, tiling.chunk):
                k_tiles = range(chunk, min(chunk + tiling.chunk, grid.kt))
                self._chunk(step, work, tile, k_tiles, first, act, owner)
            self.sb.used(half, len(self.s.passes) - 1)
        self.zsb_last[self.zsb_half] = self.pass_ends[-1]

    def _fetched_without(self, step: Step) -> int:
        """Tiles that the layer would fetch if the PB were empty, cut as would then be best."""
        tiles = tile_grid(step.layer, self.a).tiles
        if tiles <= self.a.db_half_tiles:
            return tiles
        return tiles * -(-step.layer.P // choose(step.layer, self.a, tiles, step.add is not None).rows)

    def _chunk(self, step: Step, work: _Work, tile: Fields, k_tiles: range, first: int, act: int, owner: int) -> None:
        """The passes of a chunk of K-tiles and its STORE."""
        layer, offsets = step.layer, window_offsets(step.layer)
        half, stored = self.out.take()
        out_base = half * self.a.out_half_words
        for kt in k_tiles:
            shared = k_tile_fields(tile, kt, k_tiles.start, out_base, self.a) | {"zsb": work.zsb + kt}
            pieces = [(w, piece) for w in range(len(offsets)) for piece in work.weights.rows[kt * len(offsets) + w]]
            for number, (w, piece) in enumerate(pieces):
                memory, slot, load = work.groups.source(piece, work.brought)
                finish = number == len(pieces) - 1
                fields = piece_fields(shared, layer, offsets[w], piece.ct, piece.length, self.a)
                fields |= {"memory": memory, "slot": slot, "start": int(number == 0), "finish": int(finish)}
                here = len(self.s.passes)
                self.s.passes.append(Pass(fields, owner, act, max(load, work.zsb_load), stored if finish else -1))
                self.pass_ends.append((self.pass_ends[-1] if self.pass_ends else 0) + piece.length)
                work.groups.used(piece, here)
        self._store(step, k_tiles, first, tile["out_rows"], out_base, owner)
        self.out.used(half, len(self.s.stores) - 1)

    # ------------------------------------------------------------------ stores

    def _store(self, step: Step, k_tiles: range, first: int, rows: int, out_base: int, owner: int) -> None:
        fields = store_fields(step.layer, self.places[step.output], k_tiles, first, rows, out_base, self.a)
        if step.add is not None:
            q, other = cast(AddQuant, self._quant(step.add.name)), self.places[step.add.inputs[1]]
            fields |= add_fields(q, other, k_tiles, first, rows, self.a)
        here = len(self.s.passes) - 1
        self.s.stores.append(Store(fields, owner, here, here))
        rows_done = self.row_stores.setdefault(step.output, [-1] * step.layer.P)
        rows_done[first : first + rows] = [len(self.s.stores) - 1] * rows

    def _pool(self, layer: Layer, owner: int) -> None:
        """Global average pooling: one STORE that streams the tensor in as operand b."""
        q = cast(PoolQuant, self._quant(layer.name))
        fields = pool_fields(layer, q, self.places[layer.inputs[0]], self.places[layer.name], self.a)
        self.s.stores.append(Store(fields, owner, len(self.s.passes) - 1))
        self.row_stores[layer.name] = [len(self.s.stores) - 1]


def _tiles(slots: Slots) -> list[tuple[int, int, int]]:
    """(row, C-tile, slot) of every slot that is not -1, in order."""
    return [(int(row), int(ct), int(slots[row, ct])) for row, ct in np.argwhere(slots >= 0)]


@dataclass
class _Work:
    """What the passes of a weight layer draw on: its first ZSB entry and the table's load, and its weights."""

    zsb: int
    zsb_load: int
    weights: LayerWeights
    brought: dict[int, int]
    groups: _Groups


class _Groups:
    """A layer's streamed tiles on their way through the halves of the DB."""

    def __init__(self, compiler: _Compiler, layer: Layer, weights: LayerWeights, owner: int, reload: bool) -> None:
        self.compiler, self.layer, self.weights, self.owner, self.reload = compiler, layer, weights, owner, reload
        self.half = 0
        self.loaded = -1  # the group in `half`
        self.loads: dict[int, int] = {}

    def begin_tile(self) -> None:
        """A spatial tile begins: groups that do not fit together must come again."""
        if self.reload:
            self.loaded = -1

    def source(self, piece: Piece, brought: dict[int, int]) -> tuple[Memory, int, int]:
        """(memory, first slot, index of the load to wait for or -1) of a piece, loaded now if it is not there."""
        if piece.group < 0:
            loads = [brought.get(piece.slot + i, -1) for i in range(piece.length)] if brought else [-1]
            return Memory.PB, piece.slot, max(loads)
        c = self.compiler
        if piece.group != self.loaded:
            self.half, last_use = c.db.take()
            base = self.half * c.a.db_half_tiles
            tiles = [(row, ct, base + i) for i, (row, ct) in enumerate(self.weights.groups[piece.group])]
            self.loads = c._load_tiles(self.layer.name, tiles, Memory.DB, self.owner, len(c.s.passes), last_use)
            self.loaded = piece.group
        slot = self.half * c.a.db_half_tiles + piece.slot
        return Memory.DB, slot, max(self.loads[slot], self.loads[slot + piece.length - 1])

    def used(self, piece: Piece, index: int) -> None:
        """PASS ``index`` reads the piece."""
        c = self.compiler
        if piece.group < 0:
            c.pb_last_use[piece.slot : piece.slot + piece.length] = index
        else:
            c.db.used(self.half, index)
