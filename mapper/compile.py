"""Compile a SubNet, for an Accelerator and what its Persistent Buffer holds, into a Program.

Loops, from the outside: layers; spatial tiles (one LOAD_ACT each); chunks of K-tiles (one STORE each); K-tiles; windows and
C-tiles (PASS). Input tiles alternate between the halves of the SB, chunks between those of the OB's output side, groups of
streamed weight tiles between those of the DB, and ZSB tables fill one half after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from arch_model.accelerator import TAPS, Accelerator
from arch_model.errors import MappingError, SpaceError
from arch_model.layer import INPUT, Kind, Layer
from arch_model.supernet import SubNet, SuperNet
from arch_model.weights import AddQuant, ConvQuant, OpQuant, PoolQuant
from mapper.isa import Command, Memory, Opcode
from mapper.memory_map import MemoryMap
from mapper.pack import is_pointwise, tile_grid, window_offsets
from mapper.persistent import PersistentBuffer
from mapper.program import LayerSpan, Program
from mapper.schedule import NEVER, Fields, Load, Pass, Store, Streams, command, schedule
from mapper.steps import Step, steps
from mapper.tiling import choose, input_rows, sb_shape
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

    A switch costs no extra byte for tiles that this SubNet uses: they go to their PB slot instead of to the DB, when the
    layer that needs them is due. Tiles for later queries only are loaded behind the last layers' work.

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
        self.last_store: dict[str, int] = {}
        self.pb_last_use = np.full(max(accelerator.pb_tiles, 1), -1, np.int64)
        self.pass_ends: list[int] = []  # accumulated repetitions, after each PASS
        self.zsb_half, self.zsb_top = 0, 0
        self.zsb_last: list[int] = [-1, -1]  # repetitions up to the last user of each half
        self.hit_tiles = 0

    def run(self) -> Program:
        order = steps(self.subnet.layers)
        self._plan_persistent(order)
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

    # ------------------------------------------------------------------ the Persistent Buffer

    def _plan_persistent(self, order: tuple[Step, ...]) -> None:
        """For each layer: slots of tiles that are there (hits) and of those to bring (new), -1 elsewhere.

        A tile that goes counts as there only while nothing has been written over it: a new tile of this SubNet is written
        when its own layer is due, one for later queries at the end.
        """
        self.slots: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        written = np.full(max(self.a.pb_tiles, 1), len(order), np.int64)  # in which step a slot is written
        for position, step in enumerate(order):
            if not step.layer.kind.has_weights:
                continue
            self._check_slice(step.layer)
            grid = tile_grid(step.layer, self.a)
            old = self.resident.layer_slots(step.layer.name, grid)
            new = self.target.layer_slots(step.layer.name, grid)
            new = np.where(new == old, -1, new)
            written[new[new >= 0]] = position
            self.slots[step.layer.name] = old, new
        for position, step in enumerate(order):
            if step.layer.kind.has_weights:
                old, new = self.slots[step.layer.name]
                lost = (new >= 0) | ((old >= 0) & (written[old] <= position))
                self.slots[step.layer.name] = np.where(lost, -1, old), new

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
        used = {step.name for step in self.subnet.weight_layers}
        for layer in self.supernet.layers:
            grid = tile_grid(layer, self.a)
            new = self.target.layer_slots(layer.name, grid)
            new = np.where(new == self.resident.layer_slots(layer.name, grid), -1, new)
            if layer.name in used:
                own = tile_grid(self.subnet.layer(layer.name), self.a)
                new[: own.rows, : own.ct] = -1
            wanted = [(int(r), int(c), int(new[r, c])) for r, c in np.argwhere(new >= 0)]
            tiles += len(wanted)
            self._load_tiles(layer.name, wanted, Memory.PB, -1, NEVER, -1)
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
                        f"layer {layer.name}: its {entries} ZSB entries need {entries * 8 * self.a.kp} bytes of a half of "
                        f"the ZSB that is still read; {self.a.name} has "
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
        a, place = self.a, self.places[source]
        row_step, group_step, _ = sb_shape(layer, rows, a)
        half, last = self.sb.take()
        groups, run_beats = a.groups(layer.C), rows * place.pitch // a.beat_bytes
        fields: Fields = {
            "pointwise": int(is_pointwise(layer)),
            "addr": place.address + first * place.pitch,
            "groups": groups,
            "run_beats": run_beats,
            "run_stride": place.group_bytes,
            "rows": rows,
            "cols": layer.W,
            "pad": place.pitch - layer.W * a.cp,
            "sb_base": half * a.sb_half_words,
            "row_step": row_step,
            "group_step": group_step,
        }
        stored = self.last_store.get(source, -1)
        self.s.acts.append(Load(fields, owner, len(self.s.passes), groups * run_beats, last, stored))
        return len(self.s.acts) - 1, half

    # ------------------------------------------------------------------ a weight layer

    def _conv(self, step: Step, owner: int) -> None:
        layer, a = step.layer, self.a
        q = cast(ConvQuant, self._quant(layer.name))
        grid = tile_grid(layer, a)
        self._check_ragged(layer, q.z_in)
        hits, new = self.slots[layer.name]
        weights = plan_layer(grid, hits, new, a.db_half_tiles)
        tiling = choose(layer, a, weights.streamed, step.add is not None)
        spatial = -(-layer.P // tiling.rows)
        reload = weights.streamed > a.db_half_tiles
        whole = grid.tiles * (spatial if grid.tiles > a.db_half_tiles else 1)
        self.hit_tiles += whole - weights.streamed * (spatial if reload else 1) - int((new >= 0).sum())

        zsb = self._load_zsb(layer, owner)
        self.zsb_load = len(self.s.wgts) - 1
        brought = self._load_tiles(
            layer.name,
            [(int(r), int(c), int(new[r, c])) for r, c in np.argwhere(new >= 0)],
            Memory.PB,
            owner,
            len(self.s.passes),
            -1,
        )
        groups = _Groups(self, layer, weights, owner, reload)
        source = (layer.inputs or (INPUT,))[0]
        for first in range(0, layer.P, tiling.rows):
            rows = min(tiling.rows, layer.P - first)
            low, count = input_rows(layer, first, rows)
            act, half = self._load_act(layer, source, low, count, owner)
            groups.begin_tile()
            base = self._pass_fields(layer, q, first, rows, low, count, half)
            for chunk in range(0, grid.kt, tiling.chunk):
                k_tiles = range(chunk, min(chunk + tiling.chunk, grid.kt))
                self._chunk(step, weights, groups, brought, base, k_tiles, first, rows, act, zsb, owner)
            self.sb.used(half, len(self.s.passes) - 1)
        self.zsb_last[self.zsb_half] = self.pass_ends[-1]

    def _check_ragged(self, layer: Layer, z_in: int) -> None:
        """Outside the tensor all CP lanes read the zero-point, but inside it those above C hold 0."""
        whole = self.supernet.layer(layer.name)
        if layer.padding and z_in and layer.C % self.a.cp and whole.C > layer.C:
            raise MappingError(
                f"layer {layer.name}: {layer.C} input channels of the SuperNet's {whole.C}, with padding and a zero-point "
                f"of {z_in}, are no multiple of CP = {self.a.cp}; give a multiple, or a zero-point of 0"
            )

    def _pass_fields(
        self, layer: Layer, q: ConvQuant, first: int, rows: int, low: int, count: int, half: int
    ) -> Fields:
        """What the PASS commands of a spatial tile share."""
        row_step, group_step, _ = sb_shape(layer, count, self.a)
        return {
            "pointwise": int(is_pointwise(layer)),
            "stride": layer.stride,
            "out_rows": rows,
            "out_cols": layer.Q,
            "y0": first * layer.stride - layer.padding - low,
            "x0": -layer.padding,
            "rows": count,
            "cols": layer.W,
            "fill": q.z_in,
            "sb_base": half * self.a.sb_half_words,
            "row_step": row_step,
            "group_step": group_step,
            "z_out": q.z_out,
            "lo": q.lo,
            "hi": q.hi,
            "pixels": rows * layer.Q,
        }

    def _chunk(
        self,
        step: Step,
        weights: LayerWeights,
        groups: _Groups,
        brought: dict[int, int],
        shared: Fields,
        k_tiles: range,
        first: int,
        rows: int,
        act: int,
        zsb: int,
        owner: int,
    ) -> None:
        """The passes of a chunk of K-tiles and its STORE."""
        layer, a = step.layer, self.a
        offsets = window_offsets(layer)
        ct_last = weights.grid.ct - 1
        last_banks = a.groups(layer.C) - TAPS * ct_last if is_pointwise(layer) else TAPS
        half, stored = self.out.take()
        first_group = k_tiles.start * a.kp // a.cp
        for kt in k_tiles:
            group = kt * a.kp // a.cp - first_group
            lane = kt * a.kp - (kt * a.kp // a.cp) * a.cp
            k_fields = shared | {
                "zsb": zsb + kt,
                "out_base": half * a.out_half_words + group // a.nb * shared["pixels"],
                "out_bank": group % a.nb,
                "out_lane": lane,
            }
            pieces = [(w, piece) for w in range(len(offsets)) for piece in weights.rows[kt * len(offsets) + w]]
            for number, (w, piece) in enumerate(pieces):
                memory, slot, load = groups.source(piece, brought)
                finish = number == len(pieces) - 1
                fields = k_fields | {
                    "memory": memory,
                    "slot": slot,
                    "reps": piece.length,
                    "y0": shared["y0"] + offsets[w][0],
                    "x0": shared["x0"] + offsets[w][1],
                    "sb_base": shared["sb_base"] + piece.ct * shared["group_step"],
                    "last_banks": last_banks if piece.ct + piece.length - 1 == ct_last else TAPS,
                    "start": int(number == 0),
                    "finish": int(finish),
                }
                here = len(self.s.passes)
                self.s.passes.append(
                    Pass(fields, owner, act, max(load, self.zsb_load), stored if finish else -1)
                )
                self.pass_ends.append((self.pass_ends[-1] if self.pass_ends else 0) + piece.length)
                groups.used(piece, here)
        self._store(step, k_tiles, first, rows, half, owner)
        self.out.used(half, len(self.s.stores) - 1)

    # ------------------------------------------------------------------ stores

    def _store(self, step: Step, k_tiles: range, first: int, rows: int, half: int, owner: int) -> None:
        layer, a, place = step.layer, self.a, self.places[step.output]
        group = k_tiles.start * a.kp // a.cp
        channels = min(k_tiles.stop * a.kp, layer.K) - group * a.cp
        groups = a.groups(channels)
        fields: Fields = {
            "use_a": 1,
            "addr": place.address + group * place.group_bytes + first * place.pitch,
            "groups": groups,
            "run_beats": rows * place.pitch // a.beat_bytes,
            "run_stride": place.group_bytes,
            "rows": rows,
            "cols": layer.Q,
            "pad": place.pitch - layer.Q * a.cp,
            "out_base": half * a.out_half_words,
            "pixels": rows * layer.Q,
            "last_lanes": channels - (groups - 1) * a.cp,
            "m_a": 1,
            "lo": -128,
            "hi": 127,
        }
        if step.add is not None:
            q = cast(AddQuant, self._quant(step.add.name))
            other = self.places[step.add.inputs[1]]
            fields |= {
                "use_b": 1,
                "b_addr": other.address + group * other.group_bytes + first * other.pitch,
                "b_run_beats": rows * other.pitch // a.beat_bytes,
                "b_run_stride": other.group_bytes,
                "b_pad": other.pitch - layer.Q * a.cp,
            }
            fields |= {name: getattr(q, name) for name in ("m_a", "m_b", "shift", "z_a", "z_b", "z_out", "lo", "hi")}
        here = len(self.s.passes) - 1
        self.s.stores.append(Store(fields, owner, here, here))
        self.last_store[step.output] = len(self.s.stores) - 1

    def _pool(self, layer: Layer, owner: int) -> None:
        """Global average pooling: one STORE that streams the tensor in as operand b."""
        a, q = self.a, cast(PoolQuant, self._quant(layer.name))
        source, place = self.places[layer.inputs[0]], self.places[layer.name]
        groups = a.groups(layer.K)
        fields: Fields = {
            "use_b": 1,
            "pool": 1,
            "addr": place.address,
            "groups": groups,
            "run_beats": place.pitch // a.beat_bytes,
            "run_stride": place.group_bytes,
            "rows": layer.H,
            "cols": layer.W,
            "pad": place.pitch - a.cp,
            "last_lanes": layer.K - (groups - 1) * a.cp,
            "b_addr": source.address,
            "b_run_beats": source.group_bytes // a.beat_bytes,
            "b_run_stride": source.group_bytes,
            "b_pad": source.pitch - layer.W * a.cp,
            "m_b": q.m,
            "shift": q.shift,
            "z_b": q.z_in,
            "z_out": q.z_out,
            "lo": q.lo,
            "hi": q.hi,
        }
        self.s.stores.append(Store(fields, owner, len(self.s.passes) - 1))
        self.last_store[layer.name] = len(self.s.stores) - 1


class _Groups:
    """A layer's streamed tiles on their way through the halves of the DB."""

    def __init__(
        self, compiler: _Compiler, layer: Layer, weights: LayerWeights, owner: int, reload: bool
    ) -> None:
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
