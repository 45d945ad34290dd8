"""The whole machine: a soft reset at any moment leaves AXI in order and the machine as new; tensors in the SB."""

import random

import pytest

from arch_model.program.check import check_program
from arch_model.program.isa import Opcode
from mapper.layout.dram_image import read_tensor
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.simulators import find_simulator
from tests.machines import TINY, WIDE
from tests.rtl.machine_jobs import Net


@pytest.fixture(scope="module", params=[TINY, WIDE], ids=lambda a: a.name)
def built(request):
    return Net(request.param), build(request.param, find_simulator())


@pytest.fixture(scope="module")
def fresh(built):
    """The run of a machine that was never reset."""
    net, simulation = built
    with Bench(simulation) as bench:
        result = bench.run(net.job())
    net.assert_right(result)
    return result


@pytest.mark.parametrize("seed", range(4))
def test_reset_in_mid_run_and_start_again(seed, built, fresh):
    """Cut at random moments, DRAM with random stalls; then the Program, bit-exact, in the cycles of a fresh machine."""
    net, simulation = built
    rng = random.Random(seed)
    with Bench(simulation, seed=seed) as bench:
        for _ in range(6):
            after, stall = rng.randrange(1, net.cycles), rng.choice([0, 60, 200])
            print(f"reset {after} cycles after the start, stall {stall}")
            cut = bench.run(net.job(reset_after=after, stall=stall))
            assert cut.status == 0
            again = bench.run(net.job(stall=0))
            net.assert_right(again)
            assert again.cycles == fresh.cycles and again.counters == fresh.counters


def test_every_moment_of_a_burst(built, fresh):
    """Reset after reset, cycle by cycle through a stretch in which results are written; one run at the end."""
    net, simulation = built
    with Bench(simulation, seed=1, stall=120) as bench:
        for after in range(net.cycles // 2, net.cycles // 2 + 60):
            assert bench.run(net.job(segments=(), dump=(0, 0), reset_after=after)).status == 0
        again = bench.run(net.job(stall=0))
    net.assert_right(again)
    assert again.cycles == fresh.cycles


def test_a_reset_of_a_machine_that_stands_still(built, fresh):
    net, simulation = built
    with Bench(simulation) as bench:
        assert bench.reset() < 100
        assert bench.run(net.job()).counters == fresh.counters
        assert bench.reset() < 100
        assert bench.run(net.job()).counters == fresh.counters


def test_tensors_in_the_sb(built):
    """Results stay in the SB beside others in DRAM: exact as predicted, right under stalls, and after a reset."""
    through_dram, simulation = built
    net, rng = Net(through_dram.accelerator, on_chip=True), random.Random(5)
    check_program(net.program)
    stores = [command for command in net.program.commands if command.opcode is Opcode.STORE]
    assert {(command["to_sb"], command["sb_only"]) for command in stores} == {(0, 0), (1, 0), (1, 1)}
    assert {command["pointwise"] for command in stores if command["to_sb"]} == {0, 1}
    with Bench(simulation, seed=5) as bench:
        alone = bench.run(net.job())
        net.assert_right(alone)
        assert alone.cycles == net.cycles
        stalled = bench.run(net.job(stall=120))
        assert stalled.error_code == 0
        for name in net.program.stored:
            assert (read_tensor(stalled.memory, net.program, name) == net.expected[name]).all(), name
        assert bench.run(net.job(reset_after=rng.randrange(1, net.cycles), stall=120)).status == 0
        again = bench.run(net.job(stall=0))
        net.assert_right(again)
        assert again.cycles == alone.cycles and again.counters == alone.counters
