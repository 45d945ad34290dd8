"""Make a package for the driver: compile SubNets of a SuperNet for one machine, with what its PB may hold.

The driver itself (``rtl/driver``) reads the package without any of this.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from zlib import compress, decompress

import numpy as np

import mapper.importers.host_steps
from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.network.weights import MaxPoolQuant, OpQuant, SuperNetWeights
from arch_model.program.program import Program, TensorPlace
from arch_model.timing.reference_timing import time_program
from mapper.importers.network import Handed, Network, TensorQuant
from mapper.layout.dram_image import weights_segments, write_segments, zsb_segments
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.layout.tensors import Bytes
from mapper.lowering.compile import compile_subnet
from mapper.lowering.switch_program import switch_program
from mapper.search.fitted import FittedSuperNet, fit_supernet
from mapper.search.policy import Policy, map_network
from rtl.driver.host import HandedTensor, HostWork, Scale
from rtl.driver.host_steps import HostStep
from rtl.driver.package import EMPTY, MachineShape, Package, PackedProgram, PackedSubNet
from rtl.driver.tensor import Place

Keep = Callable[[str, Callable[[], Any]], Any]
"""Gives what was made under a name before, or makes it."""

PIXEL_OFFSET = -128
"""What the shipped SuperNet's images are quantised by: pixel − 128."""


def make_package(
    supernet: SuperNet,
    weights: SuperNetWeights,
    accelerator: Accelerator,
    subnets: Iterable[SubNet | str],
    subgraphs: Mapping[str, SubGraph] | None = None,
    on_subnet: Callable[[str, PackedSubNet], None] = lambda name, packed: None,
    keep: Keep = lambda key, make: make(),
    policy: Policy | str = Policy.QUICK,
    networks: Mapping[str, Network] | None = None,
) -> Package:
    """Compile SubNets for an empty PB and for every SubGraph, and the ways from each SubGraph to each other.

    In its turn each SubGraph gets the PB as :meth:`PersistentBuffer.switch` leaves it after the one before: a tile of
    both is in the same slot, so neighbours in this order switch with the fewest bytes.

    Parameters
    ----------
    supernet : of the SubNets.
    weights : with integers of each SubNet.
    accelerator : the machine.
    subnets : SubNets or their names.
    subgraphs : by the names that the driver will know them by.
    on_subnet : called with each SubNet when its Programs are made.
    policy : who tiles the layers of a Program.
    networks : of SubNets that were imported from models, by their names: what the host computes around them, and what
        the machine's integers stand for.
    keep : returns a SubNet's finished Programs of an earlier call, as :meth:`arch_model.files.journal.Journal.keep`
        does.

    Raises
    ------
    FastSwitchError
        A SubNet has no integers, a SubGraph does not fit the PB, the SuperNet does not fit DRAM, or the machine cannot
        run a layer.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> from arch_model.network.weights import load_weights
    >>> name = "fashion-d111-w222"
    >>> package = make_package(get_space("fashion"), load_weights(), Accelerator.load("tiny"), [name])
    >>> package.subgraphs, package.subnet(name).image.shape, package.subnet(name).logits.shape
    (('empty',), (1, 28, 28), (10, 1, 1))
    """
    chosen = [_subnet(supernet, weights, subnet) for subnet in subnets]
    if not chosen:
        raise FastSwitchError("a package needs a SubNet; give at least one name")
    fitted = fit_supernet(supernet, chosen, accelerator)
    subgraphs = {name: fitted.subgraph(subgraph) for name, subgraph in (subgraphs or {}).items()}
    supernet, weights, chosen = fitted.supernet, fitted.weights(weights), list(fitted.subnets.values())
    memory_map = MemoryMap.build(supernet, chosen, accelerator)
    buffers = _buffers(subgraphs, supernet, accelerator)
    store, models = _Programs(accelerator), networks or {}
    packed = {}
    for subnet in chosen:

        def compiled(subnet: SubNet = subnet) -> dict[str, Any]:
            return _compiled(subnet, supernet, weights, memory_map, buffers, Policy(policy))

        made = keep(subnet.name, compiled)
        packed[subnet.name] = PackedSubNet(
            image=Place(**made["image"]),
            logits=Place(**made["logits"]),
            logits_zero=made["logits_zero"],
            programs={name: store.add(_Compiled.of_json(program)) for name, program in made["programs"].items()},
            host=_host_work(models[subnet.name], fitted, memory_map) if subnet.name in models else None,
        )
        on_subnet(subnet.name, packed[subnet.name])
    switches = {
        name: {
            other: store.add(_Compiled.of(switch_program(before, after, memory_map)))
            for other, after in buffers.items()
        }
        for name, before in buffers.items()
    }
    segments = weights_segments(memory_map, weights.layers)
    for subnet in chosen:
        segments += zsb_segments(memory_map, subnet, weights.layers, weights.subnets[subnet.name].ops)
    image = np.zeros(memory_map.weight_bytes, np.uint8)
    write_segments(image, segments)
    return Package(
        machine=MachineShape(
            name=accelerator.name,
            hash=accelerator.hash(),
            kp=accelerator.kp,
            cp=accelerator.cp,
            beat_bytes=accelerator.beat_bytes,
            stripes=accelerator.stripes,
            weight_stripes=accelerator.weight_stripes,
            pixels=accelerator.pixels,
            max_burst=accelerator.axi.max_burst,
            clock_hz=accelerator.clock_hz,
        ),
        supernet=supernet.name,
        memory_bytes=memory_map.program,
        pixel_offset=PIXEL_OFFSET,
        subnets=packed,
        switches=switches,
        weights=image,
        programs=store.bytes(),
    )


def _host_work(network: Network, fitted: FittedSuperNet, memory_map: MemoryMap) -> HostWork:
    """What the host computes around a network's Program, and where in memory the tensors are that it reads."""
    name, machine = network.subnet.name, memory_map.accelerator
    positions = fitted.fits[name].positions if name in fitted.fits else {}

    def handed(one: Handed) -> HandedTensor:
        place = _place(memory_map.tensors[name][one.layer], machine)
        channels = tuple(int(channel) for channel in positions.get(one.layer, ()))
        scale = _scale(network.tensors[one.layer])
        return HandedTensor(place, channels, scale, one.dims, one.turned, one.stored)

    return HostWork(
        image=network.image[0],
        dims=network.image[1][1:],
        image_type=network.image_type,
        prologue=tuple(map(_step, network.prologue)),
        feeds=network.feeds,
        image_scale=_scale(network.tensors[INPUT]),
        epilogue=tuple(map(_step, network.epilogue)),
        handed={tensor: handed(one) for tensor, one in network.handed.items()},
        results=network.results,
    )


def _step(step: mapper.importers.host_steps.HostStep) -> HostStep:
    """A step as the driver's copy of its class has it."""
    return HostStep(**vars(step))


def _scale(quant: TensorQuant) -> Scale:
    return Scale(float(quant.scale), quant.zero_point, quant.offset)


def predicted_counters(program: Program) -> dict[str, int]:
    """What the machine's counters will hold after a Program, by register name."""
    timing, a = time_program(program.commands, program.accelerator), program.accelerator
    beat = {port: a.beat_bytes for port in program.dram_bytes}
    beat |= {"wgt": a.weight_beat_bytes, "prog": a.program_beat_bytes}
    return {
        "CYCLES": timing.cycles,
        "COMMANDS": len(program.commands),
        "PASSES": timing.passes,
        **{f"BUSY_{unit}": cycles for unit, cycles in timing.busy.items()},
        **{f"WAIT_{cause.upper()}": cycles for cause, cycles in timing.waits.items()},
        **{f"BEATS_{port.upper()}": size // beat[port] for port, size in program.dram_bytes.items()},
    }


def _compiled(
    subnet: SubNet,
    supernet: SuperNet,
    weights: SuperNetWeights,
    memory_map: MemoryMap,
    buffers: Mapping[str, PersistentBuffer],
    policy: Policy,
) -> dict[str, Any]:
    """A SubNet's Programs and places, in values that JSON has."""
    quant, accelerator = weights.subnets[subnet.name].ops, memory_map.accelerator
    programs = {}
    for name, buffer in buffers.items():
        tilings = map_network(subnet, accelerator, buffer, policy).tilings if policy is Policy.BEST else None
        programs[name] = compile_subnet(
            subnet, supernet, accelerator, quant, memory_map, resident=buffer, tilings=tilings
        )
    places, last = programs[EMPTY].tensors, subnet.layers[-1].name
    return {
        "image": asdict(_place(places[INPUT], accelerator)),
        "logits": asdict(_place(places[last], accelerator)),
        "logits_zero": _zero_point(subnet, quant),
        "programs": {name: _Compiled.of(program).to_json() for name, program in programs.items()},
    }


@dataclass(frozen=True)
class _Compiled:
    """What of a Program goes into a package."""

    data: bytes
    beats: int
    predicted: dict[str, int]

    @classmethod
    def of(cls, program: Program) -> _Compiled:
        return cls(program.encode(), program.beats, predicted_counters(program))

    def to_json(self) -> dict[str, Any]:
        return {"data": b64encode(compress(self.data)).decode(), "beats": self.beats, "predicted": self.predicted}

    @classmethod
    def of_json(cls, made: Mapping[str, Any]) -> _Compiled:
        return cls(decompress(b64decode(made["data"])), made["beats"], made["predicted"])


def _zero_point(subnet: SubNet, quant: Mapping[str, OpQuant]) -> int:
    """The zero point of the last layer's tensor; a maximum pool and a view keep that of their input."""
    layer = subnet.layers[-1]
    while layer.kind.is_view or isinstance(quant[layer.name], MaxPoolQuant):
        if layer.inputs[0] == INPUT:
            return PIXEL_OFFSET
        layer = subnet.layer(layer.inputs[0])
    op = quant[layer.name]
    assert not isinstance(op, MaxPoolQuant)
    return int(op.z_out)


class _Programs:
    """Programs one after another, each from a multiple of its port's longest burst on."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._align = accelerator.axi.max_burst * accelerator.program_beat_bytes
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, program: _Compiled) -> PackedProgram:
        data = program.data + bytes(-len(program.data) % self._align)
        first, self._size = self._size, self._size + len(data)
        self._parts.append(data)
        return PackedProgram(first, program.beats, program.predicted)

    def bytes(self) -> Bytes:
        return np.frombuffer(b"".join(self._parts), np.uint8)


def _subnet(supernet: SuperNet, weights: SuperNetWeights, subnet: SubNet | str) -> SubNet:
    name = subnet if isinstance(subnet, str) else subnet.name
    if name not in weights.subnets:
        names = ", ".join(weights.subnets)
        raise FastSwitchError(f"SubNet {name} has no integers in these weights; give one of {names}")
    return supernet.subnet(name) if isinstance(subnet, str) else subnet


def _buffers(
    subgraphs: Mapping[str, SubGraph], supernet: SuperNet, accelerator: Accelerator
) -> dict[str, PersistentBuffer]:
    """What the PB holds with each SubGraph, :data:`EMPTY` first."""
    if EMPTY in subgraphs:
        raise FastSwitchError(f"SubGraph {EMPTY} is the PB's state after reset; give the SubGraph another name")
    states = {EMPTY: (last := PersistentBuffer.empty(supernet))}
    for name, subgraph in subgraphs.items():
        states[name] = last = last.switch(subgraph, supernet, accelerator)
    return states


def _place(place: TensorPlace, accelerator: Accelerator) -> Place:
    fold = accelerator.fold if place.folded else 1
    return Place(place.address, place.C, place.H, place.W, place.pitch, accelerator.cp, fold)
