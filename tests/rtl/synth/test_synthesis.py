"""Real syntheses of small parts: cells as the model counts them, and designs that must not pass."""

import pytest

from arch_model.cost.rtl_structure import parts
from arch_model.machine.accelerator import Accelerator
from rtl.array import Array
from rtl.synth.cells import TARGETS
from rtl.synth.errors import SynthesisError
from rtl.synth.modules import read_design
from rtl.synth.synthesis import check, synthesise, synthesise_modules
from tests.rtl.synth.verilog_of import verilog_of

pytest.importorskip("pyosys")
TINY = Accelerator.load("tiny")


def test_a_pair_and_a_filter_alone_take_the_dsps_and_registers_of_the_model(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    design = read_design(verilog_of(Array(kp=3, cp=2, dsp_packing=True)), "top")
    stages = []
    cells = synthesise_modules(
        design, TARGETS["xilinx"], tmp_path, on_stage=lambda stage, done, total: stages.append((done, total))
    )
    found = {path: TARGETS["xilinx"].resources(cells[module]) for path, module in design.instances.items()}
    model = {part.path: part for part in parts(TINY.replace(array={"kp": 3, "cp": 2, "dsp_packing": True}))}
    dpes = [counts for path, counts in found.items() if "dpe" in path]
    assert sum(counts["dsps"] for counts in dpes) == model["compute.array.dpe"].dsps == 18 + 18  # a pair, one alone
    assert sum(counts["ffs"] for counts in dpes) == model["compute.array.dpe"].ffs["registers"]
    # By itself the array has no neighbour that `maximum` waits for: its two stages may be shared with the DPEs'.
    assert 0 <= model["compute.array"].ffs["registers"] - found["dut"]["ffs"] <= 2
    assert stages == [(0, len(design.modules))]

    # All modules are remembered: nothing is left to do.
    assert synthesise_modules(design, TARGETS["xilinx"], tmp_path / "none", on_stage=stages.append) == cells


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("assign q = ~(q & d);", "loop"),
        ("reg l; always @* if (d) l = c; assign q = l;", "latch"),
        ("assign q = d & c; assign q = d | c;", "driver"),
    ],
)
def test_what_must_not_be_in_a_design(tmp_path, body, problem):
    (tmp_path / "fastswitch.v").write_text(f"module fastswitch(input c, input d, output q);\n{body}\nendmodule\n")
    with pytest.raises(SynthesisError, match="Found"):
        check(tmp_path)
    assert problem in (tmp_path / "check.log").read_text().lower()


def test_a_good_design_passes_the_checks(tmp_path):
    text = "module fastswitch(input c, input d, output reg q);\nalways @(posedge c) q <= ~q & d;\nendmodule\n"
    (tmp_path / "fastswitch.v").write_text(text)
    check(tmp_path)


def test_only_ecp5_is_placed(tmp_path):
    with pytest.raises(SynthesisError, match="target is xilinx; only ecp5"):
        synthesise(TINY, "xilinx", tmp_path, placed=True)
