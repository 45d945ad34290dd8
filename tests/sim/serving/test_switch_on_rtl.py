"""What a switch costs on the RTL: bytes counted by hand, cycles as predicted, hardly more than the query without it."""

from dataclasses import replace

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.weights import load_weights
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.pinning.greedy import candidates
from mapper.serving.compiled_table import compiled_table
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.simulators import find_simulator
from sim.serving.session import Session
from sim.serving.simulator import Served
from sim.serving.streams import Stream
from sim.serving.switch_on_rtl import measure_switch, pb_states
from sim.serving.tables import FASHION

TINY = Accelerator.load("tiny")
NAMES = "fashion-d111-w222", "fashion-d121-w422"


def a_session():
    return Session(FASHION, load_weights().only(NAMES), TINY)


def states(session):
    """The PB with the part of one SubNet, then, switched, with that of the other."""
    one, other = candidates(session.subnets, session.supernet, TINY).values()
    before = PersistentBuffer.of(one, session.supernet, TINY)
    return before, before.switch(other, session.supernet, TINY)


def test_states_follow_the_schedule():
    session = a_session()
    graphs = candidates(session.subnets, session.supernet, TINY)
    accuracy = dict.fromkeys(NAMES, 0.8)
    ops = {name: net.ops for name, net in session.weights.subnets.items()}
    table = compiled_table(session.subnets, accuracy, graphs, session.supernet, TINY, ops, session.memory_map)
    columns = np.array([0, 1, 1, 2])
    stream = Stream(*np.ones((3, 4)))
    served = Served(table, stream, np.zeros(4, int), np.array([0, 0, 1, 1]), columns, np.ones(4))
    found = list(pb_states(served, session))
    before, after = states(session)
    assert [dict(b.slots) for b, _ in found] == [{}, {}, dict(before.slots), dict(before.slots)]
    assert [dict(a.slots) for _, a in found] == [{}, dict(before.slots), dict(before.slots), dict(after.slots)]
    assert list(pb_states(replace(served, columns=np.zeros(4, int)), session))[-1][1].slots == {}


def test_a_switch_on_the_rtl():
    session = a_session()
    before, after = states(session)
    name = NAMES[1]
    with Bench(build(TINY, find_simulator())) as bench:
        row = measure_switch(session, bench, name, before, after, session.image(3, name))
    for word in ("stays", "switches", "had", "fill"):
        assert row[f"{word}_exact"] and row[f"{word}_cycles"] == row[f"{word}_predicted"], word
    new = [tile for tile, slot in after.slots.items() if before.slots.get(tile) != slot]
    assert row["tiles"] == len(new) > 50
    # The fill's tiles, 27 beats of 4 bytes each, a beat every 2 cycles; its Program besides, slots of 32 bytes.
    weights = len(new) * 108
    assert weights < row["fill_bytes"] < weights + 32 * 64
    assert 2 * 27 * len(new) < row["fill_cycles"] < 2 * 27 * len(new) + 2000
    # The query works while tiles come: it takes less than what it takes with them there, and then the fill by itself.
    assert row["had_cycles"] <= row["switches_cycles"] < row["had_cycles"] + row["fill_cycles"]
    exposed = row["switches_cycles"] - row["had_cycles"]
    assert row["hidden"] * row["fill_cycles"] == pytest.approx(row["fill_cycles"] - exposed)
