"""Gate level: the netlist of a whole small machine computes a layer as its RTL does, in the same cycles."""

import shutil

import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import COLUMNS
from rtl.synth.errors import SynthesisError
from rtl.synth.netlist import write_netlist
from sim.cosim.layer_tables import run_layers
from sim.rtl_bench.simulators import find_simulator

pytest.importorskip("pyosys")

# Two filters that share their multipliers, one channel.
SMALL = Accelerator.load("tiny").replace(
    name="two-by-one",
    array={"kp": 2, "cp": 1, "dsp_packing": True},
    buffers={
        "pb_bytes": 288,
        "db_bytes": 576,
        "sb_bytes": 2304,
        "ob_bytes": 256,
        "ob_out_bytes": 256,
        "zsb_bytes": 128,
    },
)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="reads a netlist in seconds; Debian package iverilog")
def test_gates_compute_what_the_rtl_computes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    netlist = write_netlist(SMALL, tmp_path, "gates")
    text = netlist[0].read_text()
    assert text.startswith("/*") and "module fastswitch(" in text and " * " not in text.split("*/", 1)[1]  # no product
    layers = tmp_path / "layers.csv"
    layers.write_text(f"{','.join(COLUMNS)}\n1,2,1,one,1,3,2,4,4,3,3,1,1,4,4,864,54\n")
    (row,) = run_layers(
        SMALL, layers, tmp_path / "out.csv", seed=4, simulator=find_simulator("icarus"), netlist=netlist,
        on_row=lambda row: None,
    )  # fmt: skip
    assert row["mismatches"] == 0
    assert row["simulated_cycles"] == row["predicted_cycles"] > 100


def test_other_cells_are_refused(tmp_path):
    with pytest.raises(SynthesisError, match="netlist is ecp5; it can be gates or xilinx"):
        write_netlist(SMALL, tmp_path, "ecp5")
