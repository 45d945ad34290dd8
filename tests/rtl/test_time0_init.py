"""A process that reads constants alone has run at time 0."""

import doctest
import shutil
import subprocess

import pytest

import rtl.time0_init
from rtl.time0_init import with_time0_init

REGISTER = r"\$auto$verilog_backend.cc:2355:dump_module$1"
SOURCE = rf"""
module constant_only(output reg [3:0] y);
  wire [3:0] constant = 4'h5;
  reg {REGISTER}  = 0;
  always @* begin
    if ({REGISTER} ) begin end
    y = constant;
  end
endmodule
module bench;
  wire [3:0] y;
  constant_only dut(y);
  initial #1 $display("y=%h", y);
endmodule
"""


def test_examples():
    assert doctest.testmod(rtl.time0_init).failed == 0


def test_other_registers_keep_their_initial_value():
    assert with_time0_init("  reg [3:0] count = 4'h0;\n") == "  reg [3:0] count = 4'h0;\n"


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
def test_icarus_runs_it(tmp_path):
    def shown(text):
        (tmp_path / "a.v").write_text(text)
        subprocess.run(["iverilog", "-g2001", "-s", "bench", "-o", tmp_path / "a", tmp_path / "a.v"], check=True)
        return subprocess.run(["vvp", "-n", tmp_path / "a"], capture_output=True, text=True, check=True).stdout.strip()

    assert shown(with_time0_init(SOURCE)) == "y=5"
