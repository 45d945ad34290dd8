"""Ports as they are read from Verilog, their meanings, and an instance of them."""

import doctest

import rtl.handover.ports
from rtl.handover.ports import Port, instance, ports_table, read_ports

TEXT = """\
module other(x);
  input x;
endmodule
module fastswitch(aclk, irq, m_axi_wgt0_rdata
, s_axi_ctrl_awprot);
  (* keep = "yes" *)
  input aclk;
  wire aclk;
  output irq;
  input [127:0] m_axi_wgt0_rdata;
  wire [127:0] m_axi_wgt0_rdata;
  input [2:0] s_axi_ctrl_awprot;
endmodule
module last(aclk);
  output aclk;
endmodule
"""
PORTS = [
    Port("aclk", "input", 1),
    Port("irq", "output", 1),
    Port("m_axi_wgt0_rdata", "input", 128),
    Port("s_axi_ctrl_awprot", "input", 3),
]


def test_examples():
    assert doctest.testmod(rtl.handover.ports).failed == 0


def test_ports_of_the_top_module_alone():
    assert read_ports(TEXT) == PORTS


def test_meanings_depend_on_the_side():
    assert Port("s_axi_ctrl_rresp", "output", 2).meaning == "always OKAY"
    assert Port("m_axi_wgt_rresp", "input", 2).meaning == "0 OKAY; 2, 3: an error"
    assert Port("m_axi_out_awprot", "output", 3).meaning.startswith("constant 0")


def test_a_table_for_each_bus():
    table = ports_table(PORTS)
    assert "| `m_axi_wgt0_rdata` | input | 128 | data read" in table
    assert table.count("| port | direction | bits | |") == 3
    assert table.index("`s_axi_ctrl`") < table.index("`m_axi_wgt0`")


def test_an_instance():
    assert instance(PORTS[:3], "around") == (
        "module around (\n    input wire aclk,\n    output wire irq,\n    input wire [127:0] m_axi_wgt0_rdata\n);\n"
        "    fastswitch accelerator (\n        .aclk(aclk),\n        .irq(irq),\n"
        "        .m_axi_wgt0_rdata(m_axi_wgt0_rdata)\n    );\nendmodule\n"
    )
