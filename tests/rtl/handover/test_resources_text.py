"""The README's resources: what the chip has beside what is taken, and the RAM of every buffer."""

from __future__ import annotations

from arch_model.machine.accelerator import Accelerator
from rtl.handover.resources_text import resources_text


def test_the_chips_column_stands_beside_what_is_taken() -> None:
    text = resources_text(Accelerator.load("zcu104"))
    assert "`xczu7ev-ffvc1156-2-e` (zcu104) has" in text and "DS891" in text
    assert "| block RAMs of 36 Kb | 138.5 | 312 | 44% |" in text and "| UltraRAMs | 90 | 96 | 94% |" in text
    assert "| DSP slices | 756 | 1,728 | 44% |" in text and "858" not in text
    # 5 × 4096 words of 9 × 72 bits; 36 memories of 4096 × 72; a byte's write enable each.
    assert "| pb | 1 | 20,480 × 648 | 648 | UltraRAM | 45 |" in text
    assert "| sb | 36 | 4,096 × 72 | 72 | UltraRAM | 36 |" in text
    assert "| ob_out | 12 | 4,096 × 72 | 8 | block RAM | 108 |" in text


def test_what_is_not_known_is_left_empty() -> None:
    text = resources_text(Accelerator.load("u50"))
    assert "| LUTs as memory | 3,768 |  |  |" in text
    assert "| UltraRAMs | 0 | 0 |  |" in resources_text(Accelerator.load("small"))


def test_without_a_device_both_ways_are_shown_and_said() -> None:
    text = resources_text(Accelerator.load("zcu104").replace(device=None))
    assert "names no device" in text and "| 858.5 | 0 |" in text and "| 102 |" in text
