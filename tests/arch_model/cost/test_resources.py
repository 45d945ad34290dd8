"""FPGA resources: memories by hand, the structure by hand, totals against kept syntheses."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.cost.resources import Resources, block_rams, coefficients, fpga_resources
from arch_model.machine.accelerator import Accelerator

TINY, ZCU104 = Accelerator.load("tiny"), Accelerator.load("zcu104")
BENCH = Path(__file__).parents[3] / "bench"
SYNTHESISED = pd.read_csv(BENCH / "synthesised.csv")
HELD_OUT = sorted(set(SYNTHESISED.machine[SYNTHESISED.role == "held out"]))


@pytest.mark.parametrize(
    ("depth", "width", "granularity", "ramb36", "rows"),
    [
        (512, 72, None, 1, 1),
        (513, 72, None, 2, 1),  # as 1024 × 36
        (512, 36, None, 0.5, 1),
        (1024, 36, None, 1, 1),
        (4096, 9, None, 1, 1),
        (32768, 1, None, 1, 1),
        (2048, 24, None, 1.5, 1),  # three of 2048 × 9, half a block each
        (400, 128, None, 2, 1),
        (128, 256, 64, 4, 1),  # each 64 bits have an enable: eight ninths of a block
        (512, 72, 8, 1.5, 1),  # nine bytes take nine enables: lanes of 9 bits, four to a half block
        (8192, 8, 8, 2, 1),
        # What Yosys 0.70 made of these, where rows share block RAMs:
        (3200, 40, None, 4.5, 7),
        (2400, 72, 8, 6, 5),
        (1500, 48, 8, 2.5, 3),
        (1500, 648, None, 27, 3),
        (6400, 24, None, 5, 13),
        (3200, 48, None, 6, 1),  # half a block less in seven rows would cost more LUTs than it is worth
    ],
)
def test_block_rams_by_hand(depth: int, width: int, granularity: int | None, ramb36: float, rows: int) -> None:
    assert block_rams(depth, width, granularity) == (ramb36, rows)


@settings(deadline=None)
@given(st.integers(1, 40000), st.integers(1, 700))
def test_block_rams_hold_the_bits(depth: int, width: int) -> None:
    brams, rows = block_rams(depth, width)
    assert brams * 36 * 1024 >= depth * width and rows >= 1
    assert brams <= block_rams(depth + 1, width)[0]


def test_tiny_by_hand() -> None:
    estimate = fpga_resources(TINY)
    # Twelve DPEs of 9 · 16 + 20 bits, four sums of 22, two sets of 4 · 27 weights of 8.
    assert estimate["array"].ffs == 12 * 164 + 4 * 22 + 2 * 864 + 4 * 32 + 2
    assert (estimate["array"].dsps, estimate["requantiser"].dsps, estimate["store"].dsps) == (108, 8, 6)
    assert estimate["lb"].ffs == 216 and estimate["requantiser"].ffs == 4 * 290
    # PB 1820 words of 216 bits, as 1024 × 18 in halves: 12 · 2; DB 512 deep, 36 wide: 6 halves.
    assert estimate["pb"].bram36 == 12 and estimate["db"].bram36 == 3
    assert estimate["fetch"].lutram == 4 * 19 * 8 + 37 * 8  # queues of 256 and 512 bits, 14 bits to eight LUTs
    assert estimate["sb"].bram36 == 9 * 1.5


def test_the_total_is_the_sum() -> None:
    frame = fpga_resources(ZCU104, uram_depth=4096).to_frame()
    parts, total = frame.iloc[:-1], frame.iloc[-1]
    assert total.component == "total"
    for column in frame.columns[1:]:
        assert parts[column].sum() == total[column]


def test_large_memories_become_ultrarams() -> None:
    estimate = fpga_resources(ZCU104, uram_depth=4096)
    # 20480 × 648 bits: 5 · 9; 4096 × 648: 9; 36 memories of 4096 × 72, and 12.
    assert [estimate[name].uram for name in ("pb", "db", "sb", "ob_out")] == [45, 9, 36, 12]
    assert estimate["pb"].bram36 == 0 and estimate["ob"].bram36 > 0
    assert fpga_resources(ZCU104).total.uram == 0


def test_small_memories_become_luts() -> None:
    # 16 tile slots of 4 words: 64 deep, 216 bits, so 31 groups of eight LUTs.
    small = TINY.replace(buffers={"pb_bytes": 16 * 108})
    assert fpga_resources(small)["pb"] == Resources("pb", lutram=31 * 8, ffs=216)


def machine_of(name: str) -> Accelerator:
    """As ``bench/fit_resources.py`` builds it."""
    sys.path.insert(0, str(BENCH))
    try:
        import fit_resources  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(BENCH))
    made: Accelerator = fit_resources.machine_of(fit_resources.shape_of(name))
    return made


@pytest.mark.parametrize("name", HELD_OUT)
def test_machines_held_out_of_the_fit(name: str) -> None:
    found = SYNTHESISED[SYNTHESISED.machine == name].sum(numeric_only=True)
    total = fpga_resources(machine_of(name)).total
    assert total.luts == pytest.approx(found.luts, rel=0.1)
    assert total.ffs == pytest.approx(found.ffs, rel=0.02)
    assert total.lutram == pytest.approx(found.lutram, rel=0.02)
    assert total.bram36 == pytest.approx(found.bram36 + found.bram18 / 2, rel=0.1)
    assert total.dsps == found.dsps


def test_enough_are_held_out_and_every_option_is_among_them() -> None:
    machines = [machine_of(name) for name in HELD_OUT]
    assert len(machines) >= 4
    assert {a.stripes for a in machines} >= {1, 4} and {a.pixels for a in machines} >= {1, 2, 4}
    assert {a.array.dsp_packing for a in machines} == {False, True}


def test_registers_are_counted_one_by_one() -> None:
    """Where the formula counts registers, the fit must find that each is one flip-flop."""
    each = [kind["ffs"]["registers"] for kind in coefficients().values() if "registers" in kind["ffs"]]
    assert len(each) > 5 and each == pytest.approx([1.0] * len(each), rel=0.01)


def test_packing_halves_the_arrays_dsps() -> None:
    plain, packed = (fpga_resources(ZCU104.replace(array={"dsp_packing": on})) for on in (False, True))
    assert plain["array"].dsps == 1296 and packed["array"].dsps == 648
    # 32 of the requantisers, 72 of STORE, 3 of RUN, 1 of LOAD_WGT: at most 0.6 a multiplier.
    assert packed.total.dsps == 648 + 32 + 72 + 3 + 1 <= 0.6 * ZCU104.multipliers
    odd = TINY.replace(array={"kp": 5, "dsp_packing": True}, axi={"data_bits": 64})
    assert fpga_resources(odd)["array"].dsps == (2 * 9 + 9) * 3  # two pairs and one filter alone
    # A pair's own windows take two channels; with one, each filter has its own multipliers.
    one = TINY.replace(array={"kp": 2, "cp": 1, "dsp_packing": True})
    assert fpga_resources(one)["array"].dsps == 18


def test_fetch_reads_through_a_port_as_wide_as_one_stripe() -> None:
    striped = ZCU104.replace(axi={"data_bits": 256, "stripes": 2})
    wide = ZCU104.replace(axi={"data_bits": 256, "stripes": 1, "weight_stripes": 2})
    fetch = [fpga_resources(a)["fetch"] for a in (ZCU104, striped, wide)]
    assert fetch[0] == fetch[1] and fetch[0].luts < fetch[2].luts
