"""Yosys as another process: its errors and its time are one line."""

import pytest

from rtl.synth.errors import SynthesisError
from rtl.synth.tools import _version, run_yosys, shared_files

pytest.importorskip("pyosys")


def test_a_failure_says_what_yosys_said(tmp_path):
    with pytest.raises(SynthesisError, match=r"Yosys failed on wrong: ERROR: .*nothing\.v") as error:
        run_yosys(["read_verilog nothing.v"], tmp_path, "wrong")
    assert "\n" not in str(error.value)


def test_a_limit_in_time(tmp_path):
    with pytest.raises(SynthesisError, match="more than 0 s for slow"):
        run_yosys(["help"], tmp_path, "slow", limit_s=0.01)


def test_a_missing_tool_says_what_to_install():
    with pytest.raises(SynthesisError, match=r"needs no-such-tool, .*: pip install 'fastswitch\[synth\]'"):
        _version("no-such-tool")


def test_yosys_brings_models_of_its_cells():
    assert "module LUT6(" in (shared_files() / "xilinx" / "cells_sim.v").read_text()
