"""Cells counted as resources."""

import pytest

from rtl.synth.cells import TARGETS, target_of
from rtl.synth.errors import SynthesisError


def test_cells_of_ultrascale():
    cells = {"LUT6_2": 1, "LUT1": 2, "FDSE": 3, "DSP48E2": 4, "RAMB18E2": 5, "RAMB36E2": 6, "URAM288": 7, "RAM64M8": 1,
             "SRL16E": 2, "CARRY8": 9, "MUXF7": 9, "m_0123": 9}  # fmt: skip
    expected = {"luts": 3, "ffs": 3, "dsps": 4, "bram18": 5, "bram36": 6, "uram": 7, "lutram": 10}
    assert TARGETS["xilinx"].resources(cells) == expected


def test_a_carry_cell_of_ecp5_is_two_luts():
    assert TARGETS["ecp5"].resources({"LUT4": 1, "CCU2C": 2, "TRELLIS_FF": 3, "DP16KD": 1}) == {
        "luts": 5, "ffs": 3, "bram18": 1,
    }  # fmt: skip


def test_another_target_is_refused():
    with pytest.raises(SynthesisError, match="target is asic; it can be xilinx or ecp5"):
        target_of("asic")
