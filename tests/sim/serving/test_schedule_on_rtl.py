"""The serving simulator's schedule on the RTL: every query bit-exact, switches included, the cycles that the table
says."""

import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.weights import load_weights
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.simulators import find_simulator
from sim.serving.exact_switches import serve_exactly, serve_until_exact
from sim.serving.queueing import Queue, serve_queue
from sim.serving.schedule_on_rtl import replay
from sim.serving.session import Session
from sim.serving.streams import Targets, draw_stream
from sim.serving.tables import FASHION, fashion_table, span


@pytest.mark.slow
def test_two_machines_behind_one_queue():
    tiny, weights = Accelerator.load("tiny"), load_weights()
    order = sorted(weights.subnets, key=lambda name: Session(FASHION, weights.only([name]), tiny).subnets[name].macs)
    few = weights.only(order[:9:4])
    table = fashion_table(tiny, candidates=2, weights=few)
    asked = draw_stream("bursty:300,900,8", Targets((0, 0), (0.02, 0.02)), 12, 3)
    queue = Queue(machines=2, policy="most-accurate", cache="sushi", window=1)
    (served,) = serve_until_exact(table, lambda known: [serve_queue(known, asked, queue, (1, 2))])
    runs = [served.of_machine(machine) for machine in range(2)]
    assert sum(len(run.rows) for run in runs) == 12 - served.summary()["dropped"] and all(len(run.rows) for run in runs)
    assert served.summary()["switches"] >= 2
    for run in runs:
        with Bench(build(tiny, find_simulator())) as bench:
            result = replay(run, Session(FASHION, few, tiny), bench)
        assert result.bit_exact and abs(result.cycle_error) <= 0.02


@pytest.mark.slow
def test_eight_queries():
    tiny, weights = Accelerator.load("tiny"), load_weights()
    order = sorted(weights.subnets, key=lambda name: Session(FASHION, weights.only([name]), tiny).subnets[name].macs)
    few = weights.only(order[:9:2])
    table = fashion_table(tiny, candidates=3, weights=few)
    served = serve_exactly(table, draw_stream("poisson:400", span(table), 8, 3), "random", "sushi", window=1)
    assert served.summary()["switches"] >= 2
    seen = []
    with Bench(build(tiny, find_simulator())) as bench:
        result = replay(served, Session(FASHION, few, tiny), bench, on_row=seen.append)
    assert result.bit_exact and seen == list(result.rows) and len(seen) == 8
    assert abs(result.cycle_error) <= 0.01 and abs(result.byte_error) <= 0.01
    for row in seen:  # where a tile is depends on the switches before, which the table does not know
        assert row["table_cycles"] == pytest.approx(row["simulated_cycles"], rel=0.06)
