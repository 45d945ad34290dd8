"""FPGA resources: memories by hand, structure against the RTL, totals against kept syntheses."""

from __future__ import annotations

from math import gcd

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.accelerator import Accelerator
from arch_model.resources import Resources, block_rams, fpga_resources, gearbox_bytes
from rtl.gearbox import capacity

TINY, ZCU104 = Accelerator.load("tiny"), Accelerator.load("zcu104")


@pytest.mark.parametrize(
    ("depth", "width", "granularity", "ramb36"),
    [
        (512, 72, None, 1),
        (513, 72, None, 2),
        (512, 36, None, 0.5),
        (1024, 36, None, 1),
        (4096, 9, None, 1),
        (4096, 10, None, 1.5),  # three of 4096 × 4, half a block each
        (32768, 1, None, 1),
        (2048, 24, None, 1.5),  # three of 2048 × 9, half a block each
        (400, 128, None, 2),
        (128, 256, 64, 4),  # each 64 bits have an enable: eight ninths of a block
        (512, 72, 8, 1.5),  # nine bytes take nine enables; half blocks have four
        (12288, 72, 8, 27),  # zcu104: three deep, nine bytes side by side
        (8192, 8, 8, 2),
        (16384, 8, 8, 4),
    ],
)
def test_block_rams_by_hand(depth: int, width: int, granularity: int | None, ramb36: float) -> None:
    assert block_rams(depth, width, granularity) == ramb36


@settings(deadline=None)
@given(st.integers(1, 40000), st.integers(1, 700))
def test_block_rams_hold_the_bits(depth: int, width: int) -> None:
    assert block_rams(depth, width) * 36 * 1024 >= depth * width
    assert block_rams(depth, width) <= block_rams(depth + 1, width)


@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 255), st.integers(0, 255))
def test_gearboxes_are_those_of_the_rtl(in_bytes: int, out_bytes: int, max_pad: int, max_drop: int) -> None:
    sizes = in_bytes, out_bytes, max_pad, max_drop
    assert gearbox_bytes(*sizes) == capacity(*sizes)


def test_tiny_by_hand() -> None:
    estimate = fpga_resources(TINY)
    # Twelve DPEs of 9 · 16 + 20 bits, four sums of 22, two sets of 4 · 27 weights of 8.
    assert estimate["array"].ffs == 12 * 164 + 4 * 22 + 2 * 864
    assert (estimate["array"].dsps, estimate["requantiser"].dsps, estimate["store"].dsps) == (108, 16, 6)
    assert estimate["lb"].ffs == 216 and estimate["requantiser"].ffs == 4 * 263
    # PB 1820 words of 216 bits, as 1024 × 18 in halves: 12 · 2; DB 512 deep, 36 wide: 6 halves.
    assert estimate["pb"].bram36 == 12 and estimate["db"].bram36 == 3
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


# KP, CP, beat bytes: LUTs, LUTs as memory, flip-flops, DSPs, block RAMs of `python bench/synthesise.py` (Yosys 0.70).
SYNTHESES = {
    (2, 2, 4): (9173, 1096, 8783, 51, 13.0),
    (4, 3, 4): (13240, 1416, 12686, 133, 22.5),
    (4, 8, 8): (24493, 2272, 21884, 323, 46.0),
    (8, 4, 16): (25966, 928, 21192, 331, 42.0),
    (6, 5, 8): (22477, 928, 19700, 309, 46.5),
    (8, 9, 16): (41506, 952, 35745, 701, 75.0),
    (16, 9, 16): (61363, 952, 60589, 1381, 91.0),
}


@pytest.mark.parametrize("shape", SYNTHESES)
def test_totals_are_those_of_kept_syntheses(shape: tuple[int, int, int]) -> None:
    total = fpga_resources(synthesised_accelerator(*shape)).total
    luts, lutram, ffs, dsps, bram36 = SYNTHESES[shape]
    assert (total.lutram, total.dsps, total.bram36) == (lutram, dsps, bram36)
    assert total.ffs == pytest.approx(ffs, rel=0.025)
    assert total.luts == pytest.approx(luts, rel=0.05)


def synthesised_accelerator(kp: int, cp: int, beat: int) -> Accelerator:
    """As ``bench/synthesise.py`` builds it."""
    tile, nb = 9 * kp * cp, -(-(kp + cp - gcd(kp, cp)) // cp)
    buffers = {
        "pb_bytes": 16 * tile,
        "db_bytes": 16 * tile,
        "sb_bytes": 18 * cp * 1024,
        "ob_bytes": 4 * kp * 512,
        "ob_out_bytes": 2 * nb * cp * 1024,
        "zsb_bytes": 16 * kp * 64,
    }
    axi = {"data_bits": 8 * beat, "max_burst": 16}
    return TINY.replace(array={"kp": kp, "cp": cp}, buffers=buffers, axi=axi)


def test_fetch_reads_through_a_port_as_wide_as_one_stripe() -> None:
    striped = ZCU104.replace(axi={"data_bits": 256, "stripes": 2})
    wide = ZCU104.replace(axi={"data_bits": 256, "stripes": 1, "weight_stripes": 2})
    fetch = [fpga_resources(a)["fetch"] for a in (ZCU104, striped, wide)]
    assert fetch[0] == fetch[1] and fetch[0].luts < fetch[2].luts
