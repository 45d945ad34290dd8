"""Schedulers by name, and their comparison with the offline optimum."""

import numpy as np
import pytest

from arch_model.errors import FastSwitchError
from sim.serving.schedulers import ALL, OFFLINE, POLICIES, Schedulers, compare, compare_rows, gap
from sim.serving.streams import Targets, draw_stream
from tests.mapper.serving_tables import SMALL, random_table


def drawn(table, count=300, seed=1):
    latency = table.latency_s[:, 0]
    targets = Targets((0.0, float(table.accuracy.max())), (latency.min(), 2 * latency.max()))
    return draw_stream("poisson:0.005", targets, count, seed)


@pytest.mark.parametrize("seed", range(6))
def test_nobody_who_keeps_accuracy_beats_the_optimum(seed):
    table = random_table(seed, subnets=6, subgraphs=4, of_subnet=bool(seed % 2))
    stream = drawn(table, seed=seed)
    runs = compare(table, stream)
    assert len(runs) == len(ALL) + 1 and {s.facts["policy"] for s in runs} == set(POLICIES)
    best, rows = runs[-1], compare_rows(runs)
    assert best.facts["cache"] == OFFLINE and rows[-1]["gap_to_offline"] == 0
    by_name = {(row["policy"], row["cache"]): row["gap_to_offline"] for row in rows}
    for served, row in zip(runs, rows, strict=True):
        above = row["gap_to_offline"]
        assert row.items() >= served.summary().items()
        kept = served.summary()["accuracy_attainment"] == 1
        assert above >= -1e-9 or not kept
        assert kept or served.facts["policy"] != "strict-accuracy"
        assert above == pytest.approx(served.service_s.sum() / best.service_s.sum() - 1)
    assert by_name["strict-accuracy", "forecast"] <= by_name["strict-accuracy", "sushi"] + 1e-9


def test_names_of_one_thing():
    schedulers, stream = Schedulers(SMALL), drawn(SMALL)
    served = schedulers.run("static:net1", "static:graph2", stream)
    assert set(served.rows) == {1} and set(served.columns) == {2} and served.summary()["switches"] == 1
    best = schedulers.run("static:net2", "static", stream)
    assert set(best.columns) == {2}  # 200 instead of 400
    assert gap(best, best) == 0


def test_a_stream_is_served_alike_twice():
    one, two = (Schedulers(SMALL).run("random", "sushi", drawn(SMALL), window=3, seed=5) for _ in range(2))
    assert np.array_equal(one.rows, two.rows) and np.array_equal(one.columns, two.columns)


@pytest.mark.parametrize(
    ("policy", "cache", "said"),
    [
        ("fastest", "none", "policy fastest does not exist; give strict-accuracy"),
        ("random:3", "none", "policy random:3 does not exist"),
        ("random", "all", "cache all does not exist; give none, static"),
        ("random", "forecast:2", "cache forecast:2 does not exist"),
        ("static:net9", "none", "SubNet net9 does not exist; net"),
        ("random", "static:graph9", "SubGraph graph9 does not exist; graph"),
    ],
)
def test_other_names_are_refused(policy, cache, said):
    with pytest.raises(FastSwitchError, match=said):
        Schedulers(SMALL).make(policy, cache, drawn(SMALL))
