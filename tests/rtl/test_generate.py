"""The Verilog: the ports that tools infer, the same bytes every time, nothing of the machine that made it."""

import re

import pytest

from arch_model.machine.accelerator import Accelerator
from rtl.generate import verilog, without_memory_contents, write_verilog

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


def test_only_memory_contents_are_taken_out():
    rtlil = "  cell $memrd_v2 $1\n  end\n  cell $meminit_v2 $2\n    parameter \\WORDS 4\n  end\n  cell $add $3\n  end\n"
    assert without_memory_contents(rtlil) == "  cell $memrd_v2 $1\n  end\n  cell $add $3\n  end\n"
