"""Machines behind one queue: by hand, against a plain simulation, and on the RTL."""

import numpy as np
import pytest

from arch_model.errors import FastSwitchError
from mapper.serving.batch_costs import BatchCosts
from sim.serving.queue_curves import compare_queue, compare_queue_rows, dominated, offline_worth
from sim.serving.queueing import Queue, serve_queue
from sim.serving.streams import Stream
from tests.mapper.serving_tables import SMALL, random_table, table


def stream(*queries):
    return Stream(*(np.array(column, float) for column in zip(*queries, strict=True)))


def test_the_most_urgent_first_and_the_hopeless_dropped():
    # net0 takes 100. Query 2 comes last and is due first; query 1 waits until 200 and would end at 300, past 295.
    asked = stream((0, 0, 150), (5, 0, 290), (10, 0, 215))
    served = serve_queue(SMALL, asked, Queue(policy="static:net0"))
    assert served.found[:, 0].tolist() == [0, -2, 0] and served.found[[0, 2], 4].tolist() == [0, 100]
    assert served.in_time.tolist() == [True, False, True]
    late = serve_queue(SMALL, asked, Queue(policy="static:net0", drop=False))
    assert late.found[:, 5].tolist() == [100, 300, 200] and late.summary()["late"] == 1
    full = serve_queue(SMALL, asked, Queue(policy="static:net0", limit=1))
    assert full.found[:, 0].tolist() == [0, 0, -1] and full.summary()["refused"] == 1


def test_machines_hold_subgraphs_of_their_own():
    # graph1 costs 30 on each machine's first Program; then net0 takes 60.
    asked = stream((0, 0, 500), (0, 0, 500), (1, 0, 500))
    served = serve_queue(SMALL, asked, Queue(machines=2, policy="static:net0", cache="static:graph1"))
    assert served.found[:, 1].tolist() == [0, 1, 0] and served.found[:, 5].tolist() == [130, 130, 190]
    assert served.summary()["switches"] == 2 and served.of_machine(0).cycles.tolist() == [130, 60]
    assert served.summary()["busy_fraction"] == pytest.approx((130 + 60 + 130) / 2 / 190)


def test_batches_one_after_another_and_together():
    asked = stream((0, 0, 1000), (0, 0, 1000), (0, 0, 1000))
    apart = serve_queue(SMALL, asked, Queue(policy="static:net0"), (1, 2, 4))
    assert apart.found[:, 6].tolist() == [0, 0, 1] and apart.found[:, 5].tolist() == [100, 200, 300]
    costs = BatchCosts((1, 2), np.stack([SMALL.sushi.cycles, SMALL.sushi.cycles + 20], 1), *(2 * [np.ones((3, 2, 3))]))
    whole = serve_queue(SMALL, asked, Queue(policy="static:net0"), costs)
    assert whole.found[:, 5].tolist() == [120, 120, 220] and whole.summary()["energy_j"] == pytest.approx(2)
    with pytest.raises(ValueError, match="several images"):
        whole.of_machine(0)
    with pytest.raises(FastSwitchError, match="batch sizes are 2,4; give sizes that ascend from 1"):
        serve_queue(SMALL, asked, Queue(), (2, 4))


def test_policies_by_hand():
    asked = stream((0, 0.85, 210))
    # Buckets of SlackFit end at 60 + 42.5 n: the third one holds net0, the fourth one, which ends at 230, net1.
    assert serve_queue(SMALL, stream((0, 0, 231)), Queue(policy="slackfit")).found[0, 0] == 1
    for policy, row in (("most-accurate", 1), ("largest-batch", 1), ("cheapest", 1), ("slackfit", 0), ("static", 1)):
        assert serve_queue(SMALL, asked, Queue(policy=policy)).found[0, 0] == row, policy
    assert serve_queue(SMALL, stream((0, 0, 210)), Queue(policy="cheapest")).found[0, 0] == 0


def plain(costs, times, machines, row_of):
    """Earliest deadline first in the plainest way: (row or -2, start) of each query."""
    arrival, deadline = times
    free, found, waiting, come, now = [0] * machines, {}, [], 0, 0
    while come < len(arrival) or waiting:
        now = max(now, min(free))
        if not waiting:
            now = max(now, arrival[come])
        while come < len(arrival) and arrival[come] <= now:
            waiting.append(come)
            come += 1
        waiting.sort(key=lambda query: (deadline[query], query))
        while waiting and now + costs.min() > deadline[waiting[0]]:
            found[waiting.pop(0)] = (-2, 0)
        if waiting:
            query = waiting.pop(0)
            row = row_of(deadline[query] - now)
            machine = next(i for i in range(machines) if free[i] <= now)
            free[machine] = now + costs[row]
            found[query] = (row, now)
    return [found[query] for query in range(len(arrival))]


@pytest.mark.parametrize("machines", [1, 3])
def test_against_a_plain_simulation(machines):
    costs, rng = SMALL.sushi.cycles[:, 0], np.random.default_rng(machines)
    arrival = np.sort(rng.integers(0, 20_000 // machines, 200))
    asked = Stream(arrival.astype(float), np.zeros(200), rng.integers(50, 900, 200).astype(float))
    served = serve_queue(SMALL, asked, Queue(machines=machines, policy="most-accurate"))
    times = arrival, (arrival + asked.latency_s).astype(int)
    wanted = plain(costs, times, machines, lambda slack: max(row for row in range(3) if costs[row] <= slack))
    assert [(row, start if row >= 0 else 0) for row, start in served.found[:, [0, 4]].tolist()] == wanted


def best(arrival, deadline, cycles, worth, query=0, free=0):
    """Of all schedules of one machine in the order of arrival the most worth, by trying them."""
    if query == len(arrival):
        return 0.0
    most = best(arrival, deadline, cycles, worth, query + 1, free)
    for cost, value in zip(cycles, worth, strict=True):
        end = max(free, arrival[query]) + cost
        if value > 0 and end <= deadline[query]:
            most = max(most, value + best(arrival, deadline, cycles, worth, query + 1, end))
    return most


@pytest.mark.parametrize("seed", range(4))
def test_the_bound_is_the_optimum_of_one_machine(seed):
    made, rng = random_table(seed, subgraphs=1), np.random.default_rng(seed)
    arrival = np.sort(rng.integers(0, 400, 8))
    asked = Stream(arrival.astype(float), np.zeros(8), np.full(8, 260.0))
    costs = BatchCosts.one_after_another(made)
    worth = np.maximum(made.accuracy - 0.05, 0)
    wanted = best(arrival.tolist(), (arrival + 260).tolist(), made.sushi.cycles[:, 0].tolist(), worth.tolist())
    assert offline_worth(made, asked, 1, costs, 0.05) == pytest.approx(wanted)
    assert offline_worth(made, asked, 2, costs, 0.05) >= wanted - 1e-9


NETS = table(
    cycles=[[720], [974], [1999], [3915]],
    accuracy=[0.75, 0.763, 0.783, 0.798],
    cached=[[0, 0]],
    vectors=[[1, 1], [2, 2], [3, 3], [4, 4]],
    extra=[[[0]]],
)


@pytest.mark.parametrize("cv2", [2, 8])
def test_ours_is_on_or_above_every_other(cv2):
    rng = np.random.default_rng(5)
    asked = Stream(np.cumsum(rng.gamma(1 / cv2, cv2 * 6600, 4000)), np.zeros(4000), np.full(4000, 4500.0))
    runs = compare_queue(NETS, asked, Queue(), BatchCosts.one_after_another(NETS))
    rows = compare_queue_rows(runs)
    for row in rows:
        assert row["slo_attainment"] <= row["attainment_bound"] + 1e-9, row["policy"]
        assert row["policy"] not in ("slackfit", *(f"static:net{i}" for i in range(4))) or dominated(row, rows), row


def test_it_reaches_the_accuracy_that_it_aims_at():
    rng = np.random.default_rng(1)
    asked = Stream(np.cumsum(rng.gamma(1 / 4, 4 * 6600, 8000)), np.zeros(8000), np.full(8000, 4500.0))
    for aim in (0.77, 0.785):
        found = serve_queue(NETS, asked, Queue(mean_accuracy=aim)).summary()
        assert found["accuracy"] == pytest.approx(aim, abs=0.002)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"policy": "random"}, "policy random does not exist for a queue; give backlog"),
        ({"cache": "best"}, "cache best does not exist for a queue; give none"),
        ({"machines": 0}, "machines of a queue is 0; give 1 to 1024"),
        ({"base_accuracy": 0.95}, "base accuracy is 0.95; the most accurate SubNet has 0.9, give less"),
        ({"policy": "static:net9"}, "SubNet net9 does not exist; net2 is one of 3|SubNet net9 does not exist; net0"),
    ],
)
def test_what_makes_no_queue(wrong, said):
    with pytest.raises(FastSwitchError, match=said):
        serve_queue(SMALL, stream((0, 0, 500)), Queue(**wrong))
