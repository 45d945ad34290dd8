"""The recurrence without FETCH: no event of it is later than in the Program, and one by hand."""

from __future__ import annotations

import numba
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.compiled import WANTED
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.microarchitecture import FETCH_END, FETCH_QUEUE
from arch_model.timing.recurrence import issue
from arch_model.timing.relaxed import first_dispatch, relax, slot_cycles
from arch_model.timing.rows import (
    FEED_FREE,
    FEED_LAST,
    FIRST_PIXEL,
    PASS_UNIT,
    READY,
    RUN_LAST,
    START,
    STORE_END,
    STORE_START,
    STORE_UNIT,
    UNIT_FREE,
    machine_row,
    stream,
)
from mapper.lowering.layer_rows import network_rows, tiling_row
from mapper.lowering.network import lower
from mapper.lowering.quick_choice import quick_tiling
from mapper.lowering.rows import FAILURE, FULL, clear, new_workspace
from mapper.workload.fusion import steps
from tests.mapper.random_nets import random_accelerator, random_mobile_network, random_network

TIMES = ((START, READY), (START, READY), (FEED_LAST, RUN_LAST), (STORE_START, STORE_END))
"""Times of the commands of each unit."""


def _relax(w: np.ndarray, first: int, pace: int) -> int:
    return relax(w, 0, 0, first, pace, 1)


relax_all = numba.njit(_relax) if WANTED else _relax


def times_of(w):
    return np.concatenate([stream(w, unit)[:, columns].reshape(-1) for unit, columns in enumerate(TIMES)])


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_nothing_is_later_than_in_the_program(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    network = random_network(rng) if rng.integers(2) else random_mobile_network(rng)
    try:
        order = steps(network[1].layers)
        ts = np.array([tiling_row(quick_tiling(step, a)) for step in order])
    except MappingError:
        return
    xs, rows = network_rows(order, a)
    w = new_workspace(machine_row(a), 1 << 12, rows, 1 << 12)
    clear(w)
    if lower(w, xs, ts) or w[FAILURE]:
        return
    assert not w[FULL]
    cycles, exact = issue(w), times_of(w)
    w[UNIT_FREE : UNIT_FREE + 4] = w[FEED_FREE] = w[FIRST_PIXEL] = first_dispatch(machine_row(a))
    end = relax_all(w, first_dispatch(machine_row(a)), slot_cycles(a)) + FETCH_END - FETCH_QUEUE
    assert (times_of(w) <= exact).all()
    idle = max(w[UNIT_FREE + PASS_UNIT], stream(w, STORE_UNIT)[-1, STORE_END]) + 1
    assert max(idle, end) + 1 <= cycles


def test_the_first_command_by_hand():
    """A slot of 32 bytes, 24 cycles of latency, a beat every 2 cycles: its address is there in cycle 1, its last byte
    7 beats after its first one, its dispatch one cycle later; the queue shows it after another 2."""
    assert first_dispatch(machine_row(Accelerator.load("tiny"))) == 1 + 24 + 7 * 2 + 1 + 2
    wide = Accelerator.load("u50")
    assert wide.program_beat_bytes >= 32 and first_dispatch(machine_row(wide)) == 1 + wide.dram.latency_cycles + 1 + 2
    assert slot_cycles(wide) == 1
