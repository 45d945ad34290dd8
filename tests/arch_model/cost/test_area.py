"""Area by hand, and against kept syntheses."""

from __future__ import annotations

import pytest

from arch_model.cost.area import asic_area
from arch_model.machine.accelerator import Accelerator

TINY = Accelerator.load("tiny")


def test_sram_by_hand() -> None:
    # Nine banks of 2048 words of 24 bits, 0.569 square micrometres a bit.
    assert asic_area(TINY).mm2["sb"] == pytest.approx(9 * 2048 * 24 * 0.569e-6)


def test_array_by_hand() -> None:
    area = asic_area(TINY)
    # Twelve DPEs; four filters with adders of 21 and 22 bits. 3914 flip-flops, counted in test_resources.
    assert area.gates["array"] == pytest.approx(12 * 5904 + 4 * 43 * 9.2)
    assert area.flip_flops["array"] == 3914
    assert area.mm2["array"] == pytest.approx((area.gates["array"] * 0.798 + 3914 * 4.522) * 1e-6)


@pytest.mark.parametrize(
    ("changes", "gates", "flip_flops"),
    [
        # `python bench/synthesise.py --gates`: buffers and activation tables are not in it.
        ({"buffers": {"ob_bytes": 8192, "pb_bytes": 1728}}, 199706, 18794),
        ({"array": {"cp": 8}, "axi": {"data_bits": 64}, "buffers": {"ob_bytes": 8192}}, 380650, 27872),
    ],
)
def test_logic_is_that_of_kept_syntheses(changes: dict[str, dict[str, int]], gates: int, flip_flops: int) -> None:
    area = asic_area(TINY.replace(**changes))
    assert sum(area.gates.values()) == pytest.approx(gates, rel=0.03)
    assert sum(area.flip_flops.values()) == pytest.approx(flip_flops, rel=0.01)


def test_the_frame_adds_up() -> None:
    area = asic_area(Accelerator.load("zcu104"))
    frame = area.to_frame()
    assert list(frame.columns) == ["component", "gates", "flip_flops", "sram_bits", "mm2"]
    assert frame.mm2.sum() == pytest.approx(area.total_mm2)


def test_a_table_of_the_users_own_is_used() -> None:
    row = TINY.area.sram.model_dump() | {"value": 1.0, "source": "ours"}
    assert asic_area(TINY.replace(area={"sram": row})).mm2["ob"] == pytest.approx(400 * 128e-6)
