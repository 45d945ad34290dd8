"""The contract on the RTL: Programs give the reference's integers, the predicted bytes, and the predicted cycles."""

import numpy as np
import pytest

from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.program.isa import Command, Opcode
from arch_model.program.program import Program
from mapper.layout.dram_image import image_segment, weights_segments, zsb_segments
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_layer, compile_subnet, single_layer
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.tiling import Order, Tiling
from sim.integers.random_integers import random_quant
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import Bench, Job, build
from sim.rtl_bench.outcome import run_program
from sim.rtl_bench.simulators import find_simulator
from tests.machines import TINY, WIDE
from tests.sim.random_nets import random_residual_net


@pytest.fixture(scope="module", params=[TINY, WIDE], ids=lambda a: a.name)
def machine(request):
    return request.param, build(request.param, find_simulator())


@pytest.mark.parametrize("stall", [0, 90])
def test_random_networks(machine, stall):
    """Residual blocks, strides, pooling, a linear layer; with ``stall`` every DRAM handshake pauses at random."""
    accelerator, built = machine
    with Bench(built, stall=stall, seed=stall) as bench:
        for seed in range(4):
            rng = np.random.default_rng(seed)
            supernet, subnet, weights, quant = random_residual_net(rng)
            places = MemoryMap.build(supernet, [subnet], accelerator)
            program = compile_subnet(subnet, supernet, accelerator, quant, places)
            first = subnet.layers[0]
            image = rng.integers(-128, 128, (first.C, first.H, first.W), dtype=np.int8)
            segments = [
                *weights_segments(places, weights),
                *zsb_segments(places, subnet, weights, quant),
                image_segment(places, subnet, image),
            ]
            outcome = run_program(
                bench, program, segments, {INPUT: image, **run_layers(subnet.layers, weights, quant, image)}
            )
            assert outcome.mismatches == 0, f"seed {seed}"
            assert outcome.simulated_bytes == dict(program.dram_bytes), f"seed {seed}"
            assert outcome.result.counters["PASSES"] == outcome.predicted.passes
            if not stall:
                assert outcome.cycle_error == 0, f"seed {seed}"


@pytest.mark.parametrize(
    ("k", "c", "size", "kernel", "stride"),
    [
        *((13, 7, 9, 3, 1), (6, 5, 12, 3, 2), (31, 64, 7, 1, 1), (9, 40, 8, 1, 2), (10, 96, 1, 1, 1), (4, 1, 28, 3, 1)),
        (4, 400, 1, 1, 1),  # bursts of a beat each: many are on their way at once
    ],
)
def test_single_layers(machine, k, c, size, kernel, stride):
    rng = np.random.default_rng((k, c, size))
    kind = Kind.LINEAR if size == 1 else Kind.CONV
    layer = Layer("layer", kind, K=k, C=c, R=kernel, S=kernel, H=size, W=size, stride=stride, padding=kernel // 2)
    run_layer(machine, layer, rng)


@pytest.mark.parametrize("order", Order)
def test_interleaved_k_tiles(machine, order):
    """Four K-tiles are interleaved over the first parts of the channels, each with its own partial sums in the OB."""
    accelerator, _ = machine
    layer = Layer("layer", Kind.CONV, K=31, C=64, H=7, W=7)
    chunk = next(int(chunk) for chunk in LayerOnMachine(layer, accelerator).chunks if chunk >= 4)
    ob_slots = run_layer(machine, layer, np.random.default_rng(5), Tiling(4, chunk, 0, 4, order, interleave=4))
    assert ob_slots == {0, 1, 2, 3}


def run_layer(machine, layer, rng, tiling=None):
    """Compile and run a layer, compare everything; the OB places that its PASSes named."""
    accelerator, built = machine
    quant = random_quant(layer, rng)
    program, places = compile_layer(layer, accelerator, quant, tiling)
    _, subnet = single_layer(layer)
    weights = {"layer": rng.integers(-127, 128, (layer.K, layer.C, layer.R, layer.S), dtype=np.int8)}
    image = rng.integers(-128, 128, (layer.C, layer.H, layer.W), dtype=np.int8)
    segments = [
        *weights_segments(places, weights),
        *zsb_segments(places, subnet, weights, {"layer": quant}),
        image_segment(places, subnet, image),
    ]
    expected = {INPUT: image, **run_layers(subnet.layers, weights, {"layer": quant}, image)}
    with Bench(built) as bench:
        outcome = run_program(bench, program, segments, expected)
    assert outcome.exact
    assert outcome.cycle_error == 0
    return {c["ob_slot"] for c in program.commands if c.opcode is Opcode.PASS}


def program_of(accelerator, *commands: Command) -> Program:
    return Program("by hand", accelerator, 0, commands, (-1,) * len(commands), (), {})


def test_a_program_of_end_alone_takes_42_cycles():
    """The hand-counted case of tests/arch_model/timing/test_reference_timing.py."""
    program = program_of(TINY, Command(Opcode.END, {}))
    with Bench(build(TINY, find_simulator())) as bench:
        outcome = run_program(bench, program, [], {})
    assert outcome.result.cycles == outcome.predicted.cycles == 42
    assert outcome.exact


def test_an_unknown_opcode_is_an_error_not_a_hang():
    program = program_of(TINY, Command(Opcode.END, {}))
    garbage = bytes([9]) + bytes(31)
    with Bench(build(TINY, find_simulator())) as bench:
        result = bench.run(
            Job(0, program.beats, ((0, garbage),), watchdog_cycles=10_000),
        )
    assert result.error_code == 1


def test_a_read_error_is_latched():
    net = Layer("layer", Kind.CONV, K=4, C=3, H=4, W=4)
    rng = np.random.default_rng(0)
    quant = random_quant(net, rng)
    program, places = compile_layer(net, TINY, quant)
    start = places.weights["layer"]
    with Bench(build(TINY, find_simulator())) as bench:
        result = bench.run(
            Job(
                program.address,
                program.beats,
                ((program.address, program.encode()),),
                error_range=(start, start + 4),
            )
        )
    assert result.error_code == 4


def test_a_segment_fills_up_the_beat_of_its_own_range():
    """WIDE has beats of 8 bytes for tensors and of 16 for weights: bytes of a tensor up to the end of DRAM."""
    assert (WIDE.beat_bytes, WIDE.weight_beat_bytes) == (8, 16)
    program = program_of(WIDE, Command(Opcode.END, {}))
    with Bench(built := build(WIDE, find_simulator())) as bench:
        outcome = run_program(bench, program, [(built.memory.size - 8, np.full(5, 7, np.uint8))], {})
        end = bench.run(Job(0, program.beats, dump=(built.memory.size - 8, 8)))
    assert outcome.exact
    assert end.memory.tolist() == [7] * 5 + [0] * 3
