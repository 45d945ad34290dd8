"""Responses of layers: max-plus linear, in the order that is claimed for them, and one layer by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.timing.relaxed import FAR, first_dispatch
from arch_model.timing.rows import machine_row
from mapper.cost.cached_layers import CachedLayers
from mapper.pinning.responses import (
    DB_FIRST,
    EVENTS,
    FETCH,
    INPUT,
    LATER,
    OUT_FIRST,
    ROWS_AT,
    RUN,
    STORE,
    SWAP,
    UNITS,
    WEIGHTS,
    LayerResponses,
    closed,
    single_event,
)
from mapper.workload.fusion import Step, steps
from tests.mapper.random_nets import random_accelerator, random_mobile_network, random_network

TINY = Accelerator.load("tiny")
LAYER = Layer("a", Kind.CONV, K=3, C=3, R=3, S=3, H=4, W=4, padding=1)


def test_closed_by_hand():
    """Weights that are there at 5: FEED, the array and RUN are not done before; nothing of the halves follows."""
    events = np.full(ROWS_AT + 3, FAR)
    events[WEIGHTS] = 5
    assert {name for name, time in zip(EVENTS, closed(events), strict=False) if time == 5} == {
        *("weights", "feed", "swap", "run", "store")
    }
    row = single_event(ROWS_AT + 1, 3)
    assert row[ROWS_AT:].tolist() == [FAR, 0, 0] and row[STORE] == 0 and row[RUN] == FAR
    assert single_event(DB_FIRST, 3)[SWAP] == 0 and single_event(OUT_FIRST, 3)[RUN] == FAR


def test_a_layer_by_hand():
    """The example of docs/concepts/time.md: FETCH holds up none of its commands."""
    numbered = CachedLayers(TINY)
    number = int(numbered.numbers(numbered.shape(Step(LAYER), folded=False), np.zeros((1, 2), np.int64))[0])
    start = np.full(ROWS_AT + 4, FAR)
    start[:UNITS] = first_dispatch(machine_row(TINY))
    found = LayerResponses(numbered).of([number], False, start[None], np.array([0, 3]), starts=True)[0, 0]
    assert found[WEIGHTS] == 178 and found[RUN] == 200
    assert found[ROWS_AT:].tolist() == [272, 272] and found[STORE] == 272 + 1
    assert found[FETCH] == 42 + 6 * 16  # LOAD_ACT, two LOAD_WGTs, PASS, and STORE of two slots
    # Of its input nothing waits, and what came last to the DB was used by its only PASS.
    assert found[DB_FIRST] == FAR


@pytest.mark.parametrize(
    ("event", "end", "time"),
    [
        (None, RUN, 41 + 79 + 1 + 6 + 15),  # both loads of weights and the token, in the shadow 6 later; 16 pixels
        (RUN, RUN, 1000 + 16),
        (INPUT, RUN, 1000 + 50 + 1 + 16),  # LOAD_ACT takes 50 cycles
        (ROWS_AT + 3, RUN, 1000 + 1 + 50 + 1 + 16),  # a token from STORE to LOAD_ACT, too
        (OUT_FIRST, RUN, 1000 + 1 + 16),
        (WEIGHTS, RUN, 1000 + 41 + 79 + 1 + 6 + 15),
        (DB_FIRST, RUN, 1000 + 1 + 79 + 1 + 6 + 15),  # the ZSB entry does not wait
        (STORE, STORE, 1000 + 59 + 1),
    ],
)
def test_one_late_event_by_hand(event, end, time):
    """The same layer in the middle of a Program, all events before it at 0 but one at 1000; nothing else follows."""
    numbered, before = CachedLayers(TINY), np.zeros(ROWS_AT + 4, np.int64)
    if event is not None:
        before[event] = 1000
    number = int(numbered.numbers(numbered.shape(Step(LAYER), folded=False), np.zeros((1, 2), np.int64))[0])
    assert LayerResponses(numbered).of([number], True, before[None], np.array([], np.int64))[0, 0, end] == time


def network_layers(seed):
    """Layers of a random network on a random machine, some of their weights cached: (responses, number, made, rows)."""
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    order = steps((random_network(rng) if rng.integers(2) else random_mobile_network(rng))[1].layers)
    numbered, made, found = CachedLayers(a), set(), []
    for step in order:
        cached = rng.integers(0, 4, (1, 2)) * int(rng.integers(2))
        number = numbered.numbers(numbered.shape(step, folded=False), cached)[0]
        found.append((int(number), step.source in made, step.layer.P))
        made.add(step.output)
    return LayerResponses(numbered), found, rng


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_they_are_linear_and_in_order(seed: int) -> None:
    """The times after a layer are the largest of (a time before + a response), whatever the times before; and they
    keep the order of LATER if the times before do."""
    try:
        responses, layers, rng = network_layers(seed)
    except MappingError:
        return
    for number, reads, rows in layers:
        height = int(responses.of_input(number))
        own = np.arange(rows)
        events = closed(rng.integers(0, 3000, ROWS_AT + height))
        causes = [*range(ROWS_AT), *(ROWS_AT + responses.needs(number, reads))]
        single = np.array([single_event(cause, height) for cause in causes])
        after = responses.of([number], reads, events[None], own)[0, 0]
        within = responses.of([number], reads, single, own)[0]
        assert (after == (events[causes][:, None] + within).max(axis=0)).all()
        last = np.append(after[:ROWS_AT], after[-1])
        assert all(last[event] <= last[later] for event, later in LATER)
        assert (np.diff(after[ROWS_AT:]) >= 0).all()


def test_rows_that_its_loads_need():
    """Tiles of 4 output rows of 8, 3 x 3 with padding: rows 0 to 4 and 3 to 7 of the input."""
    numbered = CachedLayers(TINY)
    layer = Layer("a", Kind.CONV, K=6, C=9, R=3, S=3, H=8, W=8, padding=1)
    number = int(numbered.numbers(numbered.shape(Step(layer), folded=False), np.zeros((1, 2), np.int64))[0])
    assert numbered.tilings[number].rows == 4
    assert LayerResponses(numbered).needs(number, reads=True).tolist() == [4, 7]
    assert LayerResponses(numbered).needs(number, reads=False).tolist() == []


@pytest.mark.parametrize("event", range(ROWS_AT))
def test_no_event_leads_back_to_itself(event):
    later, found = {event}, set()
    while later:
        later = {after for before, after in LATER if before in later} - found
        found |= later
    assert event not in found
