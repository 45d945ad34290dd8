"""The whole machine: a soft reset at any moment leaves AXI in order and the machine as new."""

import random

import pytest

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
