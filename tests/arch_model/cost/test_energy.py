"""Joules by hand on `tiny`, and laws that any Program's energy keeps."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.cost.activity import TOTALS, UNITS, Activity, activity_of, count_totals
from arch_model.cost.energy import energy, energy_costs, energy_of, joules_each, leakage_w
from arch_model.machine.accelerator import Accelerator
from arch_model.program.isa import Command, Opcode

TINY = Accelerator.load("tiny")


def test_costs_by_hand() -> None:
    costs = energy_costs(TINY)
    assert set(costs) == set(UNITS)
    assert costs["dram.wgt"] == costs["dram.prog"] == 1300 / 8
    assert costs["array.multiply"] == 0.2 and costs["accumulate"] == 0.1 / 32 and costs["lb"] == 0.0065
    # A bank of the SB is 6144 bytes: sqrt(6144 / 8192) of 10 pJ for 8 bytes.
    assert costs["sb.read"] == costs["sb.write"] == pytest.approx(10 * math.sqrt(0.75) / 8)
    # The PB is 49 140 bytes, above 32 KiB, where 32 times the size is five times the energy.
    assert costs["pb.read"] == pytest.approx(20 * 5 ** (math.log2(49140 / 32768) / 5) / 8)
    # 152 adder bits, a product of 33 × 26 bits at 3.1 pJ for 32 × 32, 293 flip-flops.
    assert costs["requantise"] == pytest.approx(152 * 0.1 / 32 + 858 * 3.1 / 1024 + 293 * 0.0065)
    assert costs["store.a"] == pytest.approx(9 * 0.1 / 32 + 216 * 3.1 / 1024)
    assert costs["store.out"] == pytest.approx(94 * 0.1 / 32 + 224 * 0.0065)


def test_one_pass_by_hand() -> None:
    # One tile, one pixel, one repetition that neither starts nor finishes a sum.
    result = energy_of([Command(Opcode.PASS, {"reps": 1, "out_rows": 1, "out_cols": 1})], TINY)
    joules = result.joules
    assert joules["array.multiply"] == pytest.approx(108 * 0.2e-12)
    assert joules["array.add"] == pytest.approx(1888 * 0.003125e-12)  # 12 · 143 + 4 · 43 adder bits
    assert joules["accumulate"] == pytest.approx(4 * 0.1e-12)
    assert joules["dram.prog"] == pytest.approx(32 * 162.5e-12)
    assert "leakage" not in joules and result.dynamic_j == result.total_j
    assert result.dram_j == joules["dram.prog"]


def test_leakage_needs_the_time() -> None:
    # 1 243 040 bits (test_memories) at 23.5 nW; 1e6 cycles at 100 MHz are 10 ms.
    assert leakage_w(TINY) == pytest.approx(1243040 * 23.5e-9)
    result = energy(Activity({}), TINY, cycles=1e6)
    assert result.total_j == result.joules["leakage"] == pytest.approx(1243040 * 23.5e-9 * 0.01)
    assert result.dynamic_j == 0


def test_energy_adds_like_activity() -> None:
    a, b = Activity({"lb": 3, "dram.act": 80}), Activity({"pb.read": 7, "requantise": 5})
    assert energy(a + b, TINY).total_j == pytest.approx(energy(a, TINY).total_j + energy(b, TINY).total_j)


def test_the_frame_is_the_account() -> None:
    frame = energy(Activity({"lb": 3, "dram.act": 80}), TINY, cycles=100).to_frame()
    assert list(frame.columns) == ["component", "count", "unit", "pj_each", "joules"]
    assert list(frame.component) == [*UNITS, "leakage"]
    counted = frame.dropna()
    assert (counted["count"] * counted.pj_each * 1e-12).tolist() == pytest.approx(counted.joules.tolist())
    assert len(counted) == len(frame) - 1


def test_a_table_of_the_users_own_is_used() -> None:
    row = TINY.energy.dram.model_dump() | {"value": 8.0, "source": "ours"}
    mine = TINY.replace(energy={"dram": row})
    assert energy(Activity({"dram.act": 8}), mine).total_j == pytest.approx(8e-12)


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=len(TOTALS), max_size=len(TOTALS)))
def test_energy_is_linear_in_the_totals(values: list[int]) -> None:
    totals = dict(zip(TOTALS, values, strict=True))
    each = joules_each(TINY)
    assert sum(each[name] * n for name, n in totals.items()) == pytest.approx(
        energy(activity_of(totals, TINY), TINY).total_j
    )


def test_every_total_costs_something() -> None:
    assert all(joules > 0 for joules in joules_each(TINY).values())
    assert set(count_totals([], TINY)) == set(TOTALS)
