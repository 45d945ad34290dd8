"""The serving simulator: a queue by hand, sums that add up, queries that nobody can satisfy."""

import numpy as np
import pandas as pd
import pytest

from arch_model.errors import FastSwitchError, StreamError
from mapper.serving.decision_tables import Decisions
from mapper.serving.policies import Separate, StaticCache, StaticSubNet, StrictLatency
from sim.serving.simulator import ServingInterrupted, screen, serve
from sim.serving.streams import Stream
from tests.mapper.serving_tables import SMALL, random_table


def stream(*queries, **facts):
    return Stream(*(np.array(column, float) for column in zip(*queries, strict=True)), facts)


def test_a_queue_by_hand():
    # graph1 from the first query on. net0: 100 + 30 for the switch, then 60 each.
    asked = stream((0, 0.8, 150), (10, 0.8, 150), (20, 0.9, 200), (500, 0.8, 10))
    served = serve(SMALL, asked, Separate(StaticSubNet(0), StaticCache(1)))
    assert served.start_s.tolist() == [0, 130, 190, 500]
    assert served.service_s.tolist() == [130, 60, 60, 60]
    assert served.latency_s.tolist() == [130, 180, 230, 60]
    assert served.in_time.tolist() == [True, False, False, False]
    assert served.switched.tolist() == [True, False, False, False]
    assert served.dram_bytes.tolist() == [130, 60, 60, 60] and served.energy_j.tolist() == [0.13, 0.06, 0.06, 0.06]
    summary = served.summary()
    assert summary == pytest.approx(
        {
            "queries": 4,
            "mean_latency_s": 150,
            "p50_latency_s": 155,
            "p99_latency_s": 230 - 0.03 * 50,
            "mean_service_s": 77.5,
            "accuracy": 0.8,
            "slo_attainment": 0.25,
            "accuracy_attainment": 0.75,
            "dram_bytes": 310,
            "energy_j": 0.31,
            "pb_hit_fraction": 120 / 430,  # 40 of each query that finds graph1
            "switches": 1,
            "infeasible": 0,
        }
    )


def test_a_rule_sees_what_is_left_of_the_time():
    asked = stream((0, 0, 500), (0, 0, 500), (0, 0, 700), (0, 0, 650))
    served = serve(SMALL, asked, Separate(StrictLatency(Decisions(SMALL.latency_s, SMALL.accuracy)), StaticCache(0)))
    # 500 are left: the large one, 400. Then 100: the small one. Then 200: the middle one. Then nothing: the fastest.
    assert served.rows.tolist() == [2, 0, 1, 0]
    assert served.in_time.tolist() == [True, True, True, False]


@pytest.mark.parametrize("seed", range(5))
def test_a_machine_never_does_two_things_and_never_idles(seed):
    table, rng = random_table(seed), np.random.default_rng(seed)
    arrival = np.sort(rng.random(200) * 20_000)
    asked = Stream(arrival, rng.random(200) / 3, 1 + rng.random(200))

    class Any:
        def decide(self, accuracy, slack_s):
            return int(rng.integers(5)), int(rng.integers(4))

    served = serve(table, asked, Any())
    end = served.start_s + served.service_s
    assert np.allclose(served.start_s[1:], np.maximum(arrival[1:], end[:-1])) and served.start_s[0] == arrival[0]
    assert served.before[0] == 0 and np.array_equal(served.before[1:], served.columns[:-1])


def test_rows_are_written_with_what_made_them(tmp_path):
    served = serve(SMALL, stream((0, 0.8, 150), (10, 0.8, 150), seed=3), Separate(StaticSubNet(0), StaticCache(1)))
    served.write(tmp_path / "served.csv")
    assert "# seed: 3\n" in (tmp_path / "served.csv").read_text()
    table = pd.read_csv(tmp_path / "served.csv", comment="#")
    assert table["cached_subgraph"].tolist() == ["graph1"] * 2 and table["latency_s"].tolist() == [130, 180]
    with pytest.raises(FastSwitchError, match="cannot write"):
        served.write(tmp_path / "nowhere" / "served.csv")


BAD = stream((0, 0.8, 150), (1, 0.95, 150), (2, 0.8, 59.9), (3, 0.9, 150))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (BAD, r"query 1: asks for accuracy 0.95; the most accurate SubNet has 0.9; see --on-infeasible"),
        (BAD.take(np.array([0, 2, 3])), r"query 1: asks for latency_s 59.9; the fastest SubNet needs 60;"),
    ],
)
def test_a_target_that_no_subnet_meets_is_an_error(asked, said):
    with pytest.raises(StreamError, match=said):
        screen(asked, SMALL)


def test_or_is_dropped_or_served_as_well_as_can_be():
    kept = screen(BAD, SMALL, "drop")
    assert kept.facts["infeasible"] == 2 and kept.arrival_s.tolist() == [0, 3]
    kept = screen(BAD, SMALL, "best-effort")
    assert kept.facts["infeasible"] == 2 and kept.arrival_s.tolist() == [0, 1, 2, 3]
    assert screen(kept.take(np.array([0, 3])), SMALL).facts["infeasible"] == 0
    with pytest.raises(StreamError, match="nothing is left to serve"):
        screen(BAD.take(np.array([1, 2])), SMALL, "drop")
    with pytest.raises(StreamError, match="on-infeasible is maybe"):
        screen(BAD, SMALL, "maybe")


def test_an_interruption_leaves_what_is_served():
    asked, told = stream(*((n, 0.8, 150) for n in range(25_000))), []

    class Impatient:
        def __init__(self):
            self.left = 24_008

        def decide(self, accuracy, slack_s):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
            return 0, 1

    with pytest.raises(ServingInterrupted) as stop:
        serve(SMALL, asked, Impatient(), told.append)
    served = stop.value.served
    assert told == [10_000, 20_000] and len(served.stream) == 24_007
    assert served.service_s[:3].tolist() == [130, 60, 60] and served.summary()["queries"] == 24_007
    whole = serve(SMALL, asked, Separate(StaticSubNet(0), StaticCache(1)), told.append)
    assert told[2:] == [10_000, 20_000, 25_000]
    assert np.array_equal(whole.start_s[:24_007], served.start_s)
