"""Compile a SubNet, for an Accelerator and what its Persistent Buffer holds, into a Program.

``mapper/lowering/dense.py`` turns each weight layer into commands of the four units; here are their fields, the order
of the layers, and what goes to the Persistent Buffer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from arch_model.errors import MappingError, SpaceError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.quant import encode_pair
from arch_model.network.supernet import SubNet, SuperNet, weight_slice
from arch_model.network.weights import AddQuant, ConvQuant, OpQuant, PoolQuant
from arch_model.program.isa import TABLE_BYTES, Command, Memory, Opcode
from arch_model.program.limits import too_long
from arch_model.program.program import LayerSpan, Program
from mapper.layout.dram_image import activation_table
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer, Slots, later_tiles, layer_sources
from mapper.layout.tensors import tile_grid, window_offsets
from mapper.lowering.dense import LayerStreams, can_weave, comes_in_quarters
from mapper.lowering.dense_fields import (
    add_fields,
    k_tile_fields,
    load_act_fields,
    piece_fields,
    pool_fields,
    store_fields,
    tile_fields,
    weight_fields,
)
from mapper.lowering.depthwise import append_channelwise
from mapper.lowering.depthwise_fields import ChannelwiseFields, ChannelwisePlaces
from mapper.lowering.depthwise_tiling import choose_cut
from mapper.lowering.issue_order import NEVER, Fields, Store, command, schedule
from mapper.lowering.tiling import Order, Tiling, check_tiling, choose, fetches
from mapper.lowering.weight_tiles import LayerWeights, Piece, Run, plan_layer
from mapper.workload.depthwise import has_tiles, is_channelwise, uses_ones
from mapper.workload.fusion import Step, steps

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
    tilings: Mapping[str, Tiling] | None = None,
) -> Program:
    """The Program that computes ``subnet`` with ``resident`` in the PB and leaves ``target`` there.

    Parameters
    ----------
    quant : of each operator the class of ``arch_model/network/weights.py`` (duck-typed; only the scalars matter here).
    memory_map : addresses; it must know the SubNet.
    resident : what earlier Programs left in the PB; None: nothing.
    target : what this Program must leave there (``resident.switch(...)``); None: what is there.
    tilings : by dense layer, how to cut it and in which order to run it; ``choose`` decides for the others.

    A switch costs no extra byte for tiles that this SubNet uses: they go to their PB slot instead of to the DB, when
    the layer that needs them is due. Tiles for later queries only are loaded behind the last layers' work.

    Raises :class:`MappingError` for what the accelerator cannot run.

    >>> from arch_model.spaces import get_space
    >>> from arch_model.timing.reference_timing import time_program
    >>> from arch_model.network.weights import load_weights
    >>> fashion, tiny, name = get_space("fashion"), Accelerator.load("tiny"), "fashion-d111-w222"
    >>> subnet, quant = fashion.subnet(name), load_weights().subnets[name].ops
    >>> program = compile_subnet(subnet, fashion, tiny, quant, MemoryMap.build(fashion, [subnet], tiny))
    >>> time_program(program.commands, tiny).cycles > subnet.macs / tiny.multipliers
    True
    """
    if subnet.name not in memory_map.tensors:
        raise MappingError(f"SubNet {subnet.name}: the memory map does not know it; build the map with it")
    tilings = tilings or {}
    weighted = [layer.name for layer in subnet.layers if has_tiles(layer)]
    for name in tilings:
        if name not in weighted:
            raise MappingError(f"SubNet {subnet.name}: no layer {name} to tile; it has {', '.join(weighted)}")
    return _Compiler(_Fields(subnet, supernet, accelerator, quant, memory_map), resident, target, tilings).run()


def single_layer(layer: Layer) -> tuple[SuperNet, SubNet]:
    """A SuperNet of one layer, and its one SubNet (both named as the layer); the image is what the layer reads.

    A MUL reads it twice. The factors of a SCALE come from the image too, by a global pool before it.
    """
    if layer.kind is not Kind.SCALE:
        layers: tuple[Layer, ...] = (replace(layer, inputs=(INPUT,) * layer.kind.operands),)
    else:
        pool = Layer(f"{layer.name}_factors", Kind.POOL, layer.C, layer.C, H=layer.H, W=layer.W, inputs=(INPUT,))
        layers = (pool, replace(layer, inputs=(INPUT, pool.name)))
    subnet = SubNet(layer.name, layer.name, layers)

    def parse(name: str) -> dict[str, object]:
        if name != layer.name:
            raise SpaceError(f"SubNet {name} does not exist; give {layer.name}")
        return {}

    weighted = tuple(replace(own, inputs=(INPUT,)) for own in subnet.weight_layers)
    return SuperNet(layer.name, weighted, lambda: subnet, parse, (layer.name,)), subnet


def single_quant(layer: Layer, quant: OpQuant) -> dict[str, OpQuant]:
    """The integers of :func:`single_layer`'s SubNet. A SCALE's factors are sums of pixels, scaled so that those of a
    random image spread over int8."""
    found = {layer.name: quant}
    if layer.kind is Kind.SCALE:
        m, _, shift = encode_pair(0.7 / float(np.sqrt(layer.H * layer.W)), 0.0)
        found[f"{layer.name}_factors"] = PoolQuant(m, shift, 0, 0, -128, 127)
    return found


def compile_layer(
    layer: Layer, accelerator: Accelerator, quant: OpQuant, tiling: Tiling | None = None
) -> tuple[Program, MemoryMap]:
    """The Program of one layer from "input" in DRAM to its output, and the memory map made for it.

    ``tiling``: how to cut a dense one; None: ``choose`` decides.

    ``single_layer(layer)`` gives the SubNet that ``mapper.layout.dram_image`` needs. Raises :class:`MappingError`.
    """
    supernet, subnet = single_layer(layer)
    memory_map = MemoryMap.build(supernet, [subnet], accelerator)
    tilings = {} if tiling is None else {layer.name: tiling}
    program = compile_subnet(subnet, supernet, accelerator, single_quant(layer, quant), memory_map, tilings=tilings)
    return program, memory_map


class _Fields:
    """Every field of every command: a :class:`mapper.lowering.dense.Maker`."""

    def __init__(
        self, subnet: SubNet, supernet: SuperNet, accelerator: Accelerator, quant: Quant, memory_map: MemoryMap
    ) -> None:
        self.subnet, self.supernet, self.a, self.quant, self.map = subnet, supernet, accelerator, quant, memory_map
        self.places = memory_map.tensors[subnet.name]

    def integers(self, name: str) -> OpQuant:
        try:
            return self.quant[name]
        except KeyError:
            raise MappingError(f"SubNet {self.subnet.name}: no quantisation for layer {name}; give one") from None

    def act(self, layer: Layer, low: int, rows: int, sb_base: int, groups: range) -> Fields:
        source = self.places[(layer.inputs or (INPUT,))[0]]
        return load_act_fields(layer, source, low, rows, sb_base, self.a, groups)

    def weights(self, layer: str, run: Run, memory: Memory) -> Fields:
        return weight_fields(self.supernet.layer(layer), self.map.weights[layer], run, memory, self.a)

    def zsb(self, layer: Layer, entries: range, slot: int) -> Fields:
        size = 8 * self.a.kp
        return {
            "memory": Memory.ZSB,
            "addr": self.map.zsb[self.subnet.name][layer.name] + entries.start * size,
            "runs": 1,
            "run_beats": len(entries) * size // self.a.weight_beat_bytes,
            "slot": slot,
        }

    def table(self, layer: Layer, slot: int) -> Fields:
        activation_table(layer, cast(ConvQuant, self.integers(layer.name)))  # there must be one
        return {
            "memory": Memory.TABLE,
            "addr": self.map.tables[self.subnet.name][layer.name],
            "runs": 1,
            "run_beats": TABLE_BYTES // self.a.weight_beat_bytes,
            "slot": slot,
        }

    def channelwise(self, step: Step) -> ChannelwiseFields:
        """All the fields of a channelwise step."""
        layer, name = step.layer, self.subnet.name
        places = ChannelwisePlaces(
            self.places[step.source],
            self.places[step.output],
            None if step.addend is None else self.places[step.addend],
            self._columns(layer),
            self.map.zsb[name][layer.name],
        )
        add = None if step.add is None else cast(AddQuant, self.integers(step.add.name))
        return ChannelwiseFields(step, self.a, places, self.integers(layer.name), add)

    def _columns(self, layer: Layer) -> int:
        """Where a channelwise layer's weight columns lie; MAXPOOL has none."""
        if uses_ones(layer):
            return self.map.ones
        return self.map.weights_of(layer) if layer.kind.has_weights else 0

    def tile(self, layer: Layer, first: int, rows: int, sb_base: int) -> Fields:
        return tile_fields(layer, cast(ConvQuant, self.integers(layer.name)), first, rows, sb_base, self.a)

    def k_tile(self, tile: Fields, k_tile: int, first: int, out_base: int, zsb: int) -> Fields:
        return k_tile_fields(tile, k_tile, first, out_base, self.a) | {"zsb": zsb}

    def piece(self, k_tile: Fields, layer: Layer, window: int, piece: Piece) -> Fields:
        return piece_fields(k_tile, layer, window_offsets(layer)[window], piece.ct, piece.length, self.a)

    def store(self, step: Step, k_tiles: range, first: int, rows: int, out_base: int) -> Fields:
        fields = store_fields(step.layer, self.places[step.output], k_tiles, first, rows, out_base, self.a)
        if step.add is not None:
            q, other = cast(AddQuant, self.integers(step.add.name)), self.places[step.add.inputs[1]]
            fields |= add_fields(q, other, k_tiles, first, rows, self.a)
        return fields


class _Compiler:
    def __init__(
        self,
        fields: _Fields,
        resident: PersistentBuffer | None,
        target: PersistentBuffer | None,
        tilings: Mapping[str, Tiling],
    ) -> None:
        self.make, self.tilings, self.a = fields, tilings, fields.a
        self.subnet, self.supernet, self.map, self.places = fields.subnet, fields.supernet, fields.map, fields.places
        self.resident = resident or PersistentBuffer.empty(self.supernet)
        self.target = target or self.resident
        self.streams = LayerStreams(self.a, fields)
        self.s = self.streams.s
        self.hit_tiles = 0

    def run(self) -> Program:
        order = steps(self.subnet.layers)
        for step in order:
            if step.layer.kind.has_weights:
                self._check_slice(step.layer)
        dense = [step.layer for step in order if has_tiles(step.layer)]
        self.slots = layer_sources(dense, self.resident, self.target, self.a)
        for owner, step in enumerate(order):
            if step.layer.kind is Kind.POOL:
                self._pool(step.layer, owner)
            elif is_channelwise(step.layer):
                cut = choose_cut(step.layer, self.a, step.addend is not None)
                append_channelwise(self.streams, self.make.channelwise(step), owner, cut)
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
            weight_bytes=self.map.weight_bytes,
            pb_hit_bytes=self.hit_tiles * self.a.tile_bytes,
            switch_bytes=switch_tiles * self.a.tile_bytes,
        )
        try:
            size = len(program.encode())
        except ValueError as error:
            raise MappingError(f"SubNet {self.subnet.name}: {error}") from None
        if reason := too_long(len(program.commands), program.beats):
            raise MappingError(f"SubNet {self.subnet.name}: {reason}")
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

    def _check_slice(self, layer: Layer) -> None:
        whole = self.supernet.layer(layer.name)
        if (layer.groups > 1) != (whole.groups > 1):
            raise MappingError(
                f"layer {layer.name}: groups is {layer.groups}; its SuperNet's layer has {whole.groups}, give 1 in "
                "both or as many as channels in both"
            )
        if layer.groups > 1:
            weight_slice(layer, whole)  # which says what is wrong
        elif (layer.R, layer.S) != (whole.R, whole.S):
            raise MappingError(
                f"layer {layer.name}: its kernel is {layer.R}x{layer.S}; the mapper takes the SuperNet's, "
                f"{whole.R}x{whole.S}, of all but depthwise layers"
            )

    def _load_for_later(self) -> int:
        """Load the target's tiles that this SubNet does not use; returns their number."""
        tiles = 0
        later = later_tiles(self.supernet, self.subnet, self.resident, self.target, self.a)
        for name, new in later.items():
            self.streams.load_tiles(name, _tiles(new), -1, NEVER)
            tiles += int((new >= 0).sum())
        return tiles

    # ------------------------------------------------------------------ a weight layer

    def _conv(self, step: Step, owner: int) -> None:
        layer, a = step.layer, self.a
        hits, new = self.slots[layer.name]
        tiling = self.tilings.get(layer.name)
        weights, tiling = cut_weights(step, a, hits, new, tiling)
        bring = int((new >= 0).sum())
        fetched = weights.streamed * fetches(layer, weights.streamed, tiling, a) + bring
        self.hit_tiles += self._fetched_without(step) - fetched
        self.streams.layer(step, owner, weights, tiling, _tiles(new) if bring else ())

    def _fetched_without(self, step: Step) -> int:
        """Tiles that the layer would fetch if the PB were empty, cut as asked or, if not, as would then be best."""
        layer, tiles = step.layer, tile_grid(step.layer, self.a).tiles
        tiling = self.tilings.get(layer.name) or choose(layer, self.a, tiles, step.add is not None)
        return tiles * fetches(layer, tiles, tiling, self.a)

    def _pool(self, layer: Layer, owner: int) -> None:
        """Global average pooling: one STORE that streams the tensor in as operand b."""
        q = cast(PoolQuant, self.make.integers(layer.name))
        fields = pool_fields(layer, q, self.places[layer.inputs[0]], self.places[layer.name], self.a)
        self.s.stores.append(Store(fields, owner, len(self.s.passes) - 1))
        self.streams.row_stores[layer.name] = [len(self.s.stores) - 1]


def cut_weights(
    step: Step, accelerator: Accelerator, hits: Slots, new: Slots, tiling: Tiling | None = None
) -> tuple[LayerWeights, Tiling]:
    """Where a layer's tiles come from, and its tiling: the one asked for, which is checked, or :func:`choose`'s."""
    layer = step.layer
    grid = tile_grid(layer, accelerator)
    if tiling is not None and tiling.order is Order.FILTERS:
        weights = plan_layer(grid, hits, new, accelerator.db_half_tiles, tiling.chunk * grid.windows)
    else:
        weights = plan_layer(grid, hits, new, accelerator.db_half_tiles)
    if tiling is None:
        tiling = choose(layer, accelerator, weights.streamed, step.add is not None)
    else:
        most = max((len(group) for group in weights.groups), default=0)
        check_tiling(layer, accelerator, tiling, most)
        if tiling.weave > 1 and not can_weave(weights, tiling):
            raise MappingError(f"layer {layer.name}: weave of its tiling is {tiling.weave}; its weights allow only 1")
        if tiling.part < 0 and (tiling.lead == 1 or not comes_in_quarters(layer, weights, accelerator)):
            raise MappingError(f"layer {layer.name}: part of its tiling is {tiling.part}; its weights allow 0 or more")
    return weights, tiling


def _tiles(slots: Slots) -> list[tuple[int, int, int]]:
    """(row, C-tile, slot) of every slot that is not -1, in order."""
    return [(int(row), int(ct), int(slots[row, ct])) for row, ct in np.argwhere(slots >= 0)]
