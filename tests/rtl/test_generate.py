"""The Verilog: the ports that tools infer, the same bytes every time, nothing of the machine that made it."""

import re

import pytest

from arch_model.machine.accelerator import Accelerator
from rtl.generate import verilog, write_verilog

READ = {"araddr", "arlen", "arsize", "arburst", "arprot", "arcache", "arvalid", "arready"}
READ |= {"rdata", "rresp", "rlast", "rvalid", "rready"}
WRITE = {"awaddr", "awlen", "awsize", "awburst", "awprot", "awcache", "awvalid", "awready"}
WRITE |= {"wdata", "wstrb", "wlast", "wvalid", "wready", "bresp", "bvalid", "bready"}
LITE = {c for c in READ | WRITE if not c.endswith(("len", "size", "burst", "cache", "last"))}


@pytest.fixture(scope="module")
def text():
    return verilog(Accelerator.load("tiny"))


def test_the_ports_are_those_of_axi(text):
    header = re.search(r"module fastswitch\((.*?)\);", text, re.S)[1]
    ports = {name.strip() for name in header.replace("\n", " ").split(",")}
    expected = {"aclk", "aresetn", "irq", *(f"s_axi_ctrl_{name}" for name in LITE)}
    for master, channels in (("prog", READ), ("wgt", READ), ("act", READ), ("out", READ | WRITE)):
        expected |= {f"m_axi_{master}_{name}" for name in channels}
    assert ports == expected


def test_it_is_reproducible_and_says_nothing_of_where_it_was_made(text, tmp_path):
    write_verilog(Accelerator.load("tiny"), tmp_path / "tiny.v")
    assert (tmp_path / "tiny.v").read_text() == text
    assert "/" not in re.sub(r"//|/\*|\*/", "", text).replace(" / ", "")
    assert "[-1:0]" not in text  # a signal of no bits would become one of two


def test_memories_have_no_contents(text):
    assert not re.search(r"\bmemory\s*\[\s*\d+\s*\]\s*=", text)


@pytest.mark.parametrize("name", ["tiny", "zcu104"])
def test_no_two_of_the_units_that_stand_many_times_are_alike(name):
    """Modules with the same text but for their names would be compiled, synthesised and proved twice."""
    modules = re.findall(r"^module (fastswitch_\w+)(\(.*?^endmodule)", verilog(Accelerator.load(name)), re.M | re.S)
    assert len(modules) >= 8
    assert len({body for _, body in modules}) == len(modules)


def test_every_engine_of_the_array_is_an_instance_of_one_module():
    text = verilog(Accelerator.load("zcu104"))
    assert len(re.findall(r"^  fastswitch_packed_dpe dpe_\d+_\d+ ", text, re.M)) == 16 * 9 // 2
    assert len(re.findall(r"^module fastswitch_packed_dpe\b", text, re.M)) == 1
