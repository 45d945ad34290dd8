"""Rounds until every switch that happened is exact: with Programs whose costs are known beforehand."""

from dataclasses import replace

import numpy as np
import pytest

from mapper.cost.switch_cost import Switch
from sim.serving.exact_switches import compare_exactly, serve_exactly, serve_until_exact, switches_of
from sim.serving.schedulers import ALL, Schedulers
from sim.serving.streams import Targets, draw_stream
from tests.mapper.serving_tables import random_table


class Known:
    """Programs by a table of switches; counts what is asked for."""

    def __init__(self, true):
        self.true, self.asked = true, []

    def switch(self, row, before, after):
        self.asked.append(Switch(row, before, after))
        cycles = self.true.sushi.cycles[row, before] + self.true.switches.cycles[row, before, after]
        return int(cycles), int(self.true.dram_bytes[row, before] + self.true.switches.bytes[row, before, after])


def tables(seed):
    """A table whose switches are wrong by a random factor, with Programs that know better; and the true one."""
    true = random_table(seed)
    rng = np.random.default_rng(seed)
    factor = 1 + rng.normal(0, 0.2, true.switches.cycles.shape)
    wrong = replace(true.switches, cycles=(true.switches.cycles * factor).round().astype(np.int64))
    return replace(true, switches=wrong, programs=Known(true)), true


def asked_of(table, seed):
    return draw_stream("poisson:0.005", Targets((0.0, 0.3), (50.0, 300.0)), 300, seed)


@pytest.mark.parametrize(
    ("seed", "policy", "cache"),
    [(0, "random", "sushi"), (1, "strict-latency", "sushi"), (2, "slackfit", "sushi"), (3, "random", "sushi")],
)
def test_what_happened_costs_what_is_true(seed, policy, cache):
    rough, true = tables(seed)
    told, stream = [], asked_of(true, seed)
    served = serve_exactly(rough, stream, policy, cache, 2, seed, lambda *count: told.append(count))
    happened = switches_of(served)
    assert happened and happened <= set(rough.programs.asked)
    assert len(rough.programs.asked) == len(set(rough.programs.asked)) < true.switches.cycles.size
    paid = replace(served, table=true)
    assert np.array_equal(served.cycles, paid.cycles) and np.array_equal(served.dram_bytes, paid.dram_bytes)
    end = served.start_s + served.service_s
    assert np.allclose(served.start_s[1:], np.maximum(stream.arrival_s[1:], end[:-1]))
    # The schedule is the one that the last table's scheduler makes.
    again = Schedulers(served.table).run(policy, cache, stream, 2, seed)
    assert np.array_equal(again.columns, served.columns)
    assert {stage for stage, *_ in told} == {"serving", "compiling switches"}


def test_all_policies_become_exact_together():
    rough, true = tables(7)
    runs = compare_exactly(rough, asked_of(true, 7))
    assert len(runs) == len(ALL) + 1
    for served in runs:
        assert served.table is runs[0].table and np.array_equal(served.cycles, replace(served, table=true).cycles)


def test_a_table_without_programs_is_served_once():
    rounds = []
    true = random_table(1)
    stream = asked_of(true, 1)

    def runs(table):
        rounds.append(table)
        return [Schedulers(table).run("strict-accuracy", "forecast", stream)]

    (served,) = serve_until_exact(true, runs)
    assert len(rounds) == 1 and served.table is true
