"""The DRAM model in both simulators: timing to the edge, AXI's rules, errors, files (cases in dram_cases.py)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from arch_model.errors import SimulatorError
from sim.rtl_bench.simulators import TIMESCALE, Simulator, find_simulator

HERE = Path(__file__).parent
DRAM = HERE.parents[2] / "sim" / "rtl_bench" / "verilog" / "dram.v"
CASES = 15
DEPTH = 4096

# One Verilator build takes a while; Icarus takes the corners.
CONFIGURATIONS = [
    ("icarus", 4, 1, 1),
    ("icarus", 4, 7, 1),
    ("icarus", 16, 20, 3),
    ("verilator", 16, 6, 2),
]

# Verilog with a delay in it takes the same Verilator library as every machine's bench, which is compiled already.
TIMED = "module timed; initial #1; endmodule\nbind dram timed timed();\n"


def simulator_or_skip(kind: str) -> Simulator:
    try:
        return find_simulator(kind)
    except SimulatorError as error:
        if kind == "verilator":
            raise
        pytest.skip(str(error))


@pytest.mark.parametrize(("kind", "beat_bytes", "latency", "cycles_per_beat"), CONFIGURATIONS)
def test_dram_keeps_what_its_header_says(
    kind: str,
    beat_bytes: int,
    latency: int,
    cycles_per_beat: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulator = simulator_or_skip(kind)
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # the runner would name files after it and exit
    monkeypatch.setattr(sys, "path", [str(HERE), *sys.path])
    runner = get_runner(kind)
    timed = tmp_path / "timed.sv"
    timed.write_text(TIMED)
    with simulator.active():
        runner.build(
            sources=[DRAM, *([timed] if kind == "verilator" else [])],
            hdl_toplevel="dram",
            parameters={
                "BEAT_BYTES": beat_bytes,
                "DEPTH": DEPTH,
                "LATENCY": latency,
                "QUEUE": 16,  # else as many as the latency needs
                "CYCLES_PER_BEAT": cycles_per_beat,
            },
            build_args=[*simulator.build_args, *(["-Wno-fatal"] if kind == "verilator" else [])],
            build_dir=tmp_path / "build",
            timescale=TIMESCALE,
            always=True,
            log_file=tmp_path / "build.log",
        )
        settings = {
            "beat_bytes": beat_bytes,
            "latency": latency,
            "cycles_per_beat": cycles_per_beat,
            "depth": DEPTH,
        }
        results = runner.test(
            test_module="dram_cases",
            hdl_toplevel="dram",
            hdl_toplevel_lang="verilog",
            build_dir=tmp_path / "build",
            test_dir=tmp_path,
            results_xml=str(tmp_path / "results.xml"),
            extra_env={"DRAM_CASES": json.dumps(settings), "COCOTB_ANSI_OUTPUT": "0"},
            log_file=tmp_path / "test.log",
        )
    ran, failed = get_results(results)
    assert failed == 0, (tmp_path / "test.log").read_text()
    assert ran == CASES
