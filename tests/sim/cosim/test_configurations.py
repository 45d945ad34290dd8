"""Machines of any legal configuration: their RTL gives the reference's integers, predicted bytes, predicted cycles."""

import numpy as np
import pytest

from arch_model.errors import AcceleratorError, SimulatorError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from mapper.layout.dram_image import image_segment, weights_segments, zsb_segments
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from sim.cosim.configurations import KNOBS, draw_configurations, knobs
from sim.cosim.every_operator import Case, fits
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.outcome import run_program
from sim.rtl_bench.simulators import find_simulator
from tests.mapper.random_nets import channelwise_network, random_image, random_quant, random_weights

SEED, COUNT = 4, 12
MACHINES = list(draw_configurations(COUNT, SEED, fits=fits))


def test_the_machines_have_every_value_of_every_knob():
    for name, values in KNOBS.items():
        assert {knobs(machine)[name] for machine in MACHINES} == set(values), name
    assert len({machine.hash() for machine in MACHINES}) == COUNT
    assert {machine.fold for machine in MACHINES} == {1, 2}


def test_the_seed_alone_decides_and_a_larger_set_begins_with_the_smaller():
    assert list(draw_configurations(3, 5)) == list(draw_configurations(7, 5))[:3]
    assert list(draw_configurations(3, 5)) != list(draw_configurations(3, 6))


def test_only_machines_that_fit_are_drawn():
    def even(machine: Accelerator) -> bool:
        return machine.kp % 2 == 0

    assert all(even(machine) for machine in draw_configurations(9, 2, fits=even))
    with pytest.raises(AcceleratorError, match="machine 0 of seed 2: none of 24 random ones will do"):
        next(draw_configurations(1, 2, fits=lambda _: False))


@pytest.fixture(scope="module")
def icarus():
    """Icarus reads a machine in a second, where Verilator's C++ takes most of a minute."""
    try:
        return find_simulator("icarus")
    except SimulatorError as error:
        pytest.skip(str(error))


# Depthwise: the last K-tile lies in fewer groups than a pass reads, and the others beyond the SB's 18 words.
WORDLESS = [
    Layer("layer", Kind.CONV, 24, 24, 3, 3, 2, 3, 2, 1, 24),
    Layer("layer", Kind.AVGPOOL, 27, 27, 1, 1, 6, 4, 2),
]


def test_what_lies_beyond_a_memorys_depth_is_of_no_matter(icarus, tmp_path):
    """Icarus has four states: a word that is not there is X, and X times the weights of an absent channel would be."""
    machine = Accelerator.load("tiny").replace(name="few-words", buffers={"sb_bytes": 54 * 9})
    rng = np.random.default_rng(9)
    with Bench(build(machine, icarus, tmp_path)) as bench:
        for layer in WORDLESS:
            supernet, subnet = channelwise_network(layer)
            quant, places = random_quant(subnet, rng), MemoryMap.build(supernet, [subnet], machine)
            weights, image = random_weights(supernet, rng), random_image(subnet, places, rng)
            segments = [
                *weights_segments(places, weights),
                *zsb_segments(places, subnet, weights, quant),
                image_segment(places, subnet, image),
            ]
            expected = {INPUT: image, **run_layers(subnet.layers, weights, quant, image)}
            outcome = run_program(bench, compile_subnet(subnet, supernet, machine, quant, places), segments, expected)
            assert outcome.exact
            assert outcome.result.cycles == outcome.predicted.cycles


@pytest.mark.parametrize("number", range(COUNT))
def test_a_machine(number, icarus, tmp_path):
    """An empty PB that the first run fills, the weights found there, then every DRAM handshake pausing at random."""
    case = Case.of(MACHINES[number], seed=number)
    with Bench(build(MACHINES[number], icarus, tmp_path), seed=number) as bench:
        outcomes = case.run(bench)
        stalled = case.run_stalled(bench, stall=(30, 60, 150)[number % 3])
    assert all(outcome.exact for outcome in (*outcomes, stalled))
    for outcome in outcomes:
        assert outcome.result.cycles == outcome.predicted.cycles
    assert stalled.result.cycles > outcomes[0].result.cycles
