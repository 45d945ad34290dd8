"""Compile a SubNet, for an Accelerator and what its Persistent Buffer holds, into a Program.

:mod:`mapper.lowering.network` makes rows of commands of the SubNet's layers, :mod:`mapper.lowering.encode` commands of
these rows; here is what goes to the Persistent Buffer, and what is checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from arch_model.compiled import Ints
from arch_model.errors import MappingError, SpaceError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.quant import encode_pair
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.network.weight_slices import weight_slice
from arch_model.network.weights import OpQuant, PoolQuant
from arch_model.program.isa import Command, Opcode
from arch_model.program.limits import too_long
from arch_model.program.program import LayerSpan, Program
from arch_model.timing.recurrence import issue
from arch_model.timing.rows import PASS_UNIT, STORE_UNIT, TO_SB, machine_row, order_of
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer, Slots, later_tiles, layer_sources
from mapper.lowering.dense_loads import NO_INTERLEAVING, NO_QUARTERS
from mapper.lowering.depthwise_tiling import check_channelwise
from mapper.lowering.encode import Encoder
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.layer_rows import layer_row, network_rows, placed_rows, tiling_row
from mapper.lowering.network import load_for_later, lower, plan_of, why_refused
from mapper.lowering.placement import Placement
from mapper.lowering.quick_choice import quick_tiling
from mapper.lowering.rows import FAILURE, FULL, SPARE, clear, new_workspace, put_slots
from mapper.lowering.tiling import Tiling
from mapper.workload.depthwise import has_tiles
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
    placement: Placement | None = None,
) -> Program:
    """The Program that computes a SubNet, with one content of the PB before it and maybe another after it.

    A switch costs no extra byte for tiles that this SubNet uses: they go to their PB slot instead of to the DB, when
    the layer that needs them is due. Tiles for later queries only are loaded behind the last layers' work.

    Parameters
    ----------
    subnet : to compile.
    supernet : whose weights it uses.
    accelerator : for which.
    quant : of each operator the class of ``arch_model/network/weights.py`` (duck-typed; only the scalars matter here).
    memory_map : addresses; it must know the SubNet.
    resident : what earlier Programs left in the PB; None: nothing.
    target : what this Program must leave there (``resident.switch(...)``); None: what is there.
    tilings : by layer, how it is tiled and in which order it runs; the quick choice decides for the others.
    placement : which tensors stay in the SB (:mod:`mapper.lowering.placement`); None: none does.

    Raises
    ------
    MappingError
        The accelerator cannot run a layer, the memory map does not know the SubNet, or a tiling is of no layer.

    Examples
    --------
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
    tiled = [step.layer.name for step in steps(subnet.layers)]
    for name in tilings:
        if name not in tiled:
            raise MappingError(f"SubNet {subnet.name}: no layer {name} to tile; it has {', '.join(tiled)}")
    return _Compiler(subnet, supernet, accelerator, quant, memory_map, resident, target, tilings, placement).run()


def single_layer(layer: Layer) -> tuple[SuperNet, SubNet]:
    """A SuperNet of one layer, and its one SubNet, both named as the layer; the layer reads the image.

    A MUL reads it twice. The factors of a SCALE come from the image too, by a global pool before it.

    Raises
    ------
    SpaceError
        Later, from the SuperNet, for a SubNet of another name.
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
    """The integers of :func:`single_layer`'s SubNet.

    A SCALE's factors are sums of pixels, scaled so that those of a random image spread over int8.

    Parameters
    ----------
    layer : the one layer.
    quant : its integers.

    Returns
    -------
    dict
        Integers by the layer's name.
    """
    found = {layer.name: quant}
    if layer.kind is Kind.SCALE:
        m, _, shift = encode_pair(0.7 / float(np.sqrt(layer.H * layer.W)), 0.0)
        found[f"{layer.name}_factors"] = PoolQuant(m, shift, 0, 0, -128, 127)
    return found


def compile_layer(
    layer: Layer, accelerator: Accelerator, quant: OpQuant, tiling: Tiling | None = None
) -> tuple[Program, MemoryMap]:
    """The Program of one layer from "input" in DRAM to its output, and the memory map made for it.

    ``single_layer(layer)`` gives the SubNet that ``mapper.layout.dram_image`` needs.

    Parameters
    ----------
    layer : to compile.
    accelerator : for which.
    quant : the layer's integers.
    tiling : how it is tiled. None: the quick choice decides.

    Raises
    ------
    MappingError
        The accelerator cannot run it, or not with this tiling.
    """
    supernet, subnet = single_layer(layer)
    memory_map = MemoryMap.build(supernet, [subnet], accelerator)
    tilings = {} if tiling is None else {layer.name: tiling}
    program = compile_subnet(subnet, supernet, accelerator, single_quant(layer, quant), memory_map, tilings=tilings)
    return program, memory_map


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
        tilings: Mapping[str, Tiling],
        placement: Placement | None,
    ) -> None:
        self.subnet, self.supernet, self.a, self.quant, self.map = subnet, supernet, accelerator, quant, memory_map
        self.tilings, self.placement = tilings, placement
        self.resident = resident or PersistentBuffer.empty(supernet)
        self.target = target or self.resident
        self.steps = steps(subnet.layers)
        self.rows = network_rows(self.steps, self.a)
        if placement is not None:
            self.rows = placed_rows(*self.rows, placement)

    def run(self) -> Program:
        for step in self.steps:
            if step.layer.kind.has_weights:
                self._check_slice(step.layer)
        dense = [step.layer for step in self.steps if has_tiles(step.layer)]
        self.slots = layer_sources(dense, self.resident, self.target, self.a)
        later = {
            name: new
            for name, new in later_tiles(self.supernet, self.subnet, self.resident, self.target, self.a).items()
            if (new >= 0).any()
        }
        tilings = [self._tiling(number) for number in range(len(self.steps))]
        w = self._lower(tilings, list(later.values()))
        order = order_of(w)
        encoder = Encoder(
            self.subnet, self.supernet, self.a, self.quant, self.map, self.steps, list(later), self.placement
        )
        made = encoder.commands(w)
        tile_bytes = self.a.tile_bytes
        program = Program(
            name=self.subnet.name,
            accelerator=self.a,
            address=self.map.program,
            commands=(*(command for command, _ in made), Command(Opcode.END, {})),
            owners=(*(owner for _, owner in made), -1),
            layers=self._spans(order, made),
            tensors=self.map.tensors[self.subnet.name],
            zsb=self.map.zsb[self.subnet.name],
            weight_bytes=self.map.weight_bytes,
            pb_hit_bytes=sum(map(self._saved_tiles, self.steps, tilings)) * tile_bytes,
            switch_bytes=sum(int((new >= 0).sum()) for new in later.values()) * tile_bytes,
            on_chip=self._on_chip(),
        )
        self._check_size(program)
        return program

    def _on_chip(self) -> frozenset[str]:
        """The tensors that never reach DRAM."""
        to = () if self.placement is None else self.placement.outputs
        return frozenset(step.output for step, where in zip(self.steps, to, strict=False) if where == TO_SB)

    def _check_size(self, program: Program) -> None:
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

    def _lower(self, tilings: Sequence[Tiling], later: Sequence[Slots]) -> Ints:
        """A workspace with the commands as rows, timed and in order."""
        machine, (xs, tensor_rows) = machine_row(self.a), self.rows
        ts = np.array([tiling_row(tiling) for tiling in tilings], np.int64)
        sources = [self.slots[step.layer.name] for step in self.steps if has_tiles(step.layer)]
        nothing = [np.empty(0, np.int64)]
        there = np.concatenate(nothing + [np.maximum(hits, new).reshape(-1) for hits, new in sources])
        come = np.concatenate(nothing + [new.reshape(-1) for _, new in sources])
        most = max((tiles.size for tiles in (*(hits for hits, _ in sources), *later)), default=0)
        room = 1 << 10
        while True:
            w = new_workspace(machine, room, tensor_rows, most, len(there) if (there >= 0).any() else 0)
            clear(w)
            put_slots(w, there, come)
            if lower(w, xs, ts) or w[FAILURE]:
                raise why_refused(w, self.steps, tilings, self.a)
            for number, tiles in enumerate(later):
                slots = int(w[SPARE])
                w[slots : slots + tiles.size] = tiles.reshape(-1)
                load_for_later(w, len(self.steps) + number, tiles.shape[0], tiles.shape[1], slots)
            if not w[FULL]:
                break
            room *= 4
        issue(w)
        return w

    def _spans(self, order: Ints, made: Sequence[tuple[Command, int]]) -> tuple[LayerSpan, ...]:
        places: list[list[int]] = [[] for _ in self.steps]
        for at, ((unit, _), (_, owner)) in enumerate(zip(order.tolist(), made, strict=True)):
            if unit in (PASS_UNIT, STORE_UNIT):
                places[owner].append(at)
        return tuple(
            LayerSpan(step.layer.name, min(at), max(at), step.output)
            for step, at in zip(self.steps, places, strict=True)
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

    def _tiling(self, number: int) -> Tiling:
        """How a step is cut: as asked, which is checked, or as the quick choice says."""
        step = self.steps[number]
        slots = np.maximum(*self.slots[step.layer.name]) if has_tiles(step.layer) else None
        if (tiling := self.tilings.get(step.layer.name)) is None:
            return quick_tiling(step, self.a, slots, None if self.placement is None else self.rows[0][number])
        room = None if self.placement is None else self.placement.room(number, self.a)
        check_mapping(step, self.a, slots, tiling, room)
        return tiling

    def _saved_tiles(self, step: Step, tiling: Tiling) -> int:
        """Tiles that a layer does not fetch thanks to the PB: those that it would if that were empty, cut as asked or,
        if not, as would then be best, less those that it fetches."""
        if not has_tiles(step.layer):
            return 0
        hits, new = self.slots[step.layer.name]
        streamed = int((np.maximum(hits, new) < 0).sum())
        without = self.tilings.get(step.layer.name) or quick_tiling(step, self.a)
        on = LayerOnMachine(step.layer, self.a)
        return on.saved_tiles(tiling, without, streamed) - int((new >= 0).sum())


def check_mapping(
    step: Step, accelerator: Accelerator, slots: Slots | None, tiling: Tiling, room: int | None = None
) -> None:
    """Refuse a tiling that is not legal for a layer.

    Parameters
    ----------
    step : the layer and the add in its STORE.
    accelerator : that would run it.
    slots : PB slots of its weight tiles, -1 for streamed ones. None: it has no weight tiles.
    tiling : to check.
    room : SB words that a place for input has; None: a half of the SB.

    Raises
    ------
    MappingError
        Naming the field, its value and what is legal, or operand, buffer and bytes.
    """
    layer, name = step.layer, step.layer.name
    if slots is None:
        check_channelwise(layer, accelerator, tiling, room)
        return
    machine, x = machine_row(accelerator), layer_row(step, accelerator)
    group, broken = plan_of(machine, x, tiling_row(tiling), slots.reshape(-1))
    LayerOnMachine(layer, accelerator).check_tiling(tiling, group, room)
    if broken == NO_INTERLEAVING:
        raise MappingError(f"layer {name}: interleave of its tiling is {tiling.interleave}; its weights allow only 1")
    if broken == NO_QUARTERS:
        rows = tiling.prefetch_rows
        raise MappingError(f"layer {name}: prefetch_rows of its tiling is {rows}; its weights allow 0 or more")
