"""What fits a device, by hand: which buffers get UltraRAMs, what is refused, and that any choice that fits is found."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.cost.fit import fit
from arch_model.cost.resources import fpga_resources
from arch_model.errors import AcceleratorError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.device import Device, named_device
from arch_model.machine.memories import memories

ZCU104, U50, TINY = (Accelerator.load(name) for name in ("zcu104", "u50", "tiny"))
PLENTY = {"part": "plenty", "luts": 10**7, "ffs": 10**7, "dsps": 10**5}


def test_the_published_boards_hold_their_presets() -> None:
    """The figures that the presets' own comments work out: 90 UltraRAMs and 138.5 block RAMs; 439 and 32."""
    for machine, ultra, uram, bram in (
        (ZCU104, ["pb", "db", "sb"], 90, 138.5),
        (U50, ["pb", "db", "sb", "ob", "ob_out"], 439, 32),
    ):
        assert machine.device is not None
        made = fit(machine, machine.device)
        made.check()
        assert [name for name, style in made.styles.items() if style == "ultra"] == ultra
        assert (made.estimate.total.uram, made.estimate.total.bram36) == (uram, bram)
        assert made.styles["table"] == "distributed", "64 words a lane"


def test_without_ultrarams_everything_is_block_ram() -> None:
    made = fit(ZCU104, named_device("zcu102"))
    assert set(made.styles.values()) == {"block", "distributed"}
    assert dict((name, taken) for name, taken, _ in made.rows())["block RAMs of 36 Kb"] == 858.5 <= 912
    made.check()


def test_a_memory_that_would_leave_most_of_an_ultraram_empty_is_block_ram() -> None:
    assert memories(TINY)["ob_out"].depth == 4096 and memories(TINY)["ob_out"].width == 24, "a third of 72"
    assert set(fit(TINY, named_device("zcu104")).styles.values()) == {"block", "distributed"}


def test_what_does_not_fit_is_refused_in_one_line() -> None:
    with pytest.raises(AcceleratorError) as seen:
        fit(U50, named_device("zcu104")).check()
    line = str(seen.value)
    assert line.startswith("accelerator u50 does not fit xczu7ev-ffvc1156-2-e: an estimated ")
    assert "2,500 DSP slices, of which it has 1,728" in line and "block RAMs of 36 Kb, of which it has 312" in line
    assert "\n" not in line and "flip-flops" not in line, "of those there are enough"


def test_memories_of_one_shape_lie_in_one_kind_of_ram() -> None:
    """They are one module of the Verilog. Here the DB is as large as the PB, and only one of them would fit."""
    twins = ZCU104.replace(buffers={"db_bytes": ZCU104.buffers.pb_bytes, "ob_out_bytes": 27_648, "sb_bytes": 82_944})
    shapes = {name: (m.depth, m.width, m.granularity) for name, m in memories(twins).items()}
    assert shapes["pb"] == shapes["db"]
    made = fit(twins, Device(**PLENTY, bram36=10_000, uram=60))
    assert [made.styles[name] for name in ("pb", "db")] == ["block", "block"] and made.estimate.total.uram <= 60


def test_lutram_is_compared_where_it_is_known_and_counts_as_luts() -> None:
    device = named_device("zcu104")
    made = fit(ZCU104, device)
    total = made.estimate.total
    assert made.rows()[:2] == [
        ("LUTs", total.luts + total.lutram, 230_400),
        ("LUTs as memory", total.lutram, 101_760),
    ]
    small = device.model_copy(update={"lutram": total.lutram - 1})
    assert fit(ZCU104, small).shortages() == [("LUTs as memory", total.lutram, total.lutram - 1)]
    assert fit(ZCU104, device.model_copy(update={"lutram": None})).shortages() == []


@settings(deadline=None, max_examples=8, print_blob=True, derandomize=True)
@given(st.integers(0, 900), st.integers(0, 120))
def test_a_choice_that_fits_is_found_if_there_is_one(bram36: int, uram: int) -> None:
    """Brute force over all 2⁶ choices of ZCU104's buffers, whose shapes all differ."""
    device = Device(**PLENTY, bram36=bram36, uram=uram)
    names = [name for name, memory in memories(ZCU104).items() if memory.depth > 64]
    possible = False
    for chosen in itertools.product((True, False), repeat=len(names)):
        ultra = [name for name, some in zip(names, chosen, strict=True) if some]
        total = fpga_resources(ZCU104, uram_depth=1, uram_buffers=ultra).total
        possible |= total.bram36 <= bram36 and total.uram <= uram
    made = fit(ZCU104, device)
    assert (made.shortages() == []) == possible
