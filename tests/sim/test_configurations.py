"""Machines of any legal configuration: their RTL gives the reference's integers, predicted bytes, predicted cycles."""

import pytest

from arch_model.accelerator import Accelerator
from arch_model.errors import AcceleratorError, SimulatorError
from sim.bench import Bench, build
from sim.configurations import KNOBS, draw_configurations, knobs
from sim.every_operator import Case, fits
from sim.simulators import find_simulator

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
