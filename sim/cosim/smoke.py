"""What the smoke bench of delivered hardware runs: a small residual network, twice, the second time from the PB."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.network.weights import AddQuant, ConvQuant, OpQuant, PoolQuant
from arch_model.program.program import Program
from arch_model.timing.reference_timing import time_program
from mapper.layout.dram_image import Segment, image_segment, weights_segments, zsb_segments
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer, subgraph_tile_count
from mapper.layout.tensors import pack_activations
from mapper.lowering.compile import compile_subnet
from rtl.handover.smoke import Bytes, Run, Smoke
from sim.integers.random_integers import random_quant
from sim.integers.reference import run_layers
from sim.rtl_bench.bench_build import VERILOG, Memory
from sim.rtl_bench.bench_ports import machine_verilog
from sim.rtl_bench.striping import Striping

NAME = "smoke"
IMAGE, CHANNELS, CLASSES = (3, 9, 9), 20, 10
SEED = 1


def smoke_case(accelerator: Accelerator) -> Smoke:
    """Compile the network for ``accelerator``, compute it with the reference, and say what each run should take.

    Every command and both layouts occur: 3×3 and 1×1 convolutions at strides 1 and 2, an add, a pool, a linear layer.
    The first Program fills the PB with as much of the weights as it holds, the second finds them there; a machine
    without a PB has the first alone. Raises :class:`~arch_model.errors.MappingError` if they do not fit the machine.
    """
    supernet, subnet = _network()
    rng = np.random.default_rng(SEED)
    weights = {a.name: rng.integers(-127, 128, (a.K, a.C, a.R, a.S), dtype=np.int8) for a in supernet.layers}
    quant = _quant(subnet, rng)
    image = rng.integers(-128, 128, IMAGE, dtype=np.int8)
    places = MemoryMap.build(supernet, [subnet], accelerator)
    held = PersistentBuffer.of(_pinned(subnet, supernet, accelerator), supernet, accelerator)
    empty = PersistentBuffer.empty(supernet)
    programs = [compile_subnet(subnet, supernet, accelerator, quant, places, resident=empty, target=held)]
    if held.slots:
        programs.append(compile_subnet(subnet, supernet, accelerator, quant, places, resident=held))
    computed = run_layers(subnet.layers, weights, quant, image)
    data = [
        *weights_segments(places, weights),
        *zsb_segments(places, subnet, weights, quant),
        image_segment(places, subnet, image),
    ]
    left = [
        (place.address, pack_activations(computed[name], accelerator))
        for name, place in programs[0].tensors.items()
        if name != INPUT
    ]
    burst = accelerator.axi.max_burst * accelerator.port_bytes
    sizes = [-(-len(program.encode()) // burst) * burst for program in programs]
    beats = (places.program + accelerator.stripes * sum(sizes)) // accelerator.port_bytes
    striping = Striping(replace(Memory.of(accelerator), beats=beats), places.weight_bytes)
    starts = [striping.program(places.program) + sum(sizes[:i]) for i in range(len(programs))]
    before = np.zeros(striping.memory.size, np.uint8)
    _write(before, data, striping)
    for start, program in zip(starts, programs, strict=True):
        before[start : start + len(program.encode())] = np.frombuffer(program.encode(), np.uint8)
    after = before.copy()
    _write(after, left, striping)
    titles = ("fills the Persistent Buffer" if held.slots else "without a Persistent Buffer", "weights are there")
    return Smoke(
        accelerator,
        network=f"{len(subnet.layers)} layers from a {IMAGE[0]} x {IMAGE[1]} x {IMAGE[2]} image: "
        + ", ".join(layer.name for layer in subnet.layers),
        runs=tuple(map(_run, titles, starts, programs)),
        bases=striping.bases(),
        before=before,
        after=after,
        models={
            "dram.v": (VERILOG / "dram.v").read_text(),
            "machine.v": machine_verilog(accelerator.stripes, accelerator.weight_stripes, accelerator.port_bytes),
        },
    )


def _network() -> tuple[SuperNet, SubNet]:
    channels, height, width = IMAGE
    stem = Layer("stem", Kind.CONV, CHANNELS, channels, 3, 3, height, width, padding=1, inputs=(INPUT,))
    conv1 = Layer("conv1", Kind.CONV, CHANNELS, CHANNELS, 3, 3, stem.P, stem.Q, 2, padding=1, inputs=("stem",))
    down = replace(conv1, name="down", R=1, S=1, padding=0)
    conv2 = Layer("conv2", Kind.CONV, CHANNELS, CHANNELS, 3, 3, conv1.P, conv1.Q, padding=1, inputs=("conv1",))
    add = Layer("add", Kind.ADD, CHANNELS, CHANNELS, H=conv2.P, W=conv2.Q, inputs=("conv2", "down"))
    pool = Layer("pool", Kind.POOL, CHANNELS, CHANNELS, H=add.H, W=add.W, inputs=("add",))
    linear = Layer("linear", Kind.LINEAR, CLASSES, CHANNELS, inputs=("pool",))
    subnet = SubNet(NAME, NAME, (stem, conv1, down, conv2, add, pool, linear))
    return fixed_supernet([subnet]), subnet


def _quant(subnet: SubNet, rng: np.random.Generator) -> dict[str, OpQuant]:
    """Integers that spread each tensor over int8; an operator's zero-points in are those out of its inputs."""
    zero = {INPUT: 3}
    quant: dict[str, OpQuant] = {}
    for layer in subnet.layers:
        z_in = [zero[name] for name in layer.inputs]
        zero[layer.name] = z_out = int(rng.integers(-40, 40))
        if layer.kind.has_weights:
            made = random_quant(layer, rng)
            quant[layer.name] = ConvQuant(made.bias, made.multiplier, made.shift, z_in[0], z_out, -128, 127)
        elif layer.kind is Kind.ADD:
            quant[layer.name] = AddQuant(9 << 19, 5 << 20, 23, z_in[0], z_in[1], z_out, z_out, 127)  # with ReLU
        else:
            quant[layer.name] = PoolQuant((1 << 23) // (layer.H * layer.W), 23, z_in[0], z_out, -128, 127)
    return quant


def _pinned(subnet: SubNet, supernet: SuperNet, accelerator: Accelerator) -> SubGraph:
    """Whole layers, in order, as long as they fit the PB."""
    wanted = SubGraph.of(subnet, supernet).slices
    slices = [(0, 0)] * len(wanted)
    for index, pair in enumerate(wanted):
        more = [*slices[:index], pair, *slices[index + 1 :]]
        if subgraph_tile_count(SubGraph(NAME, tuple(more)), supernet, accelerator) <= accelerator.pb_tiles:
            slices = more
    return SubGraph(NAME, tuple(slices))


def _write(memory: Bytes, segments: Iterable[Segment], striping: Striping) -> None:
    """Put segments where the machine finds them."""
    port = striping.memory.beat_bytes
    for address, data in segments:
        whole: Bytes = striping.whole_beats(address, data)
        for place in striping.places(address, len(whole)):
            count = len(place.stripes)
            beats = whole[place.start - address :][: place.length].reshape(-1, count, port)
            for i, start in enumerate(place.stripes):
                memory[start : start + place.length // count] = beats[:, i].ravel()


def _run(title: str, start: int, program: Program) -> Run:
    accelerator = program.accelerator
    act, b, out = (program.dram_bytes[port] // accelerator.beat_bytes for port in ("act", "b", "out"))
    wgt = program.dram_bytes["wgt"] // accelerator.weight_beat_bytes
    cycles = time_program(program.commands, accelerator).cycles
    return Run(title, start, program.beats, cycles, (wgt, act, b, out))
