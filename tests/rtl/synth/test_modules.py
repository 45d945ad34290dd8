"""Verilog taken apart: what is equal is found equal, whatever it is called."""

from rtl.array import Array
from rtl.synth.modules import read_design
from tests.rtl.synth.verilog_of import verilog_of


def test_an_array_has_one_kind_of_dpe_a_packed_one_of_odd_kp_two():
    plain = read_design(verilog_of(Array(kp=3, cp=2, depthwise=False)), "top")
    packed = read_design(verilog_of(Array(kp=3, cp=2, dsp_packing=True, depthwise=False)), "top")
    assert len(plain.modules) == 3 and len(packed.modules) == 4
    assert sorted(plain.count().values()) == [1, 1, 6]
    assert sorted(packed.count().values()) == [1, 1, 2, 2]
    # The DPE alone is the same module in both machines.
    assert set(plain.modules) & set(packed.modules) == {plain.instances["dut.dpe_0_0"]}


def test_where_instances_stand():
    design = read_design(verilog_of(Array(kp=2, cp=1, depthwise=False)), "top")
    assert sorted(design.instances) == ["", "dut", "dut.dpe_0_0", "dut.dpe_1_0"]
    children = design.modules[design.instances["dut"]].children
    assert children == {design.instances["dut.dpe_0_0"]: 2}


def test_a_name_that_counts_signals_of_the_whole_design_does_not_matter():
    text = "module {a}(q);\n  output q;\n  wire \\port${n}$0 ;\n  assign q = \\port${n}$0 ;\nendmodule\n"
    calls = "  a one (\n    .q(u)\n  );\n  b two (\n    .q(v)\n  );\n"
    top = f"module top(u, v);\n  output u;\n  output v;\n{calls}endmodule\n"
    same = read_design(text.format(a="a", n=7) + text.format(a="b", n=91) + top, "top")
    other = read_design(text.format(a="a", n=7) + text.format(a="b", n=7).replace("= ", "= ~") + top, "top")
    assert (len(same.modules), len(other.modules)) == (2, 3)


def test_the_shell_of_a_module_is_its_ports():
    design = read_design("module top(a, \n b);\n  input [3:0] a;\n  output b;\n  assign b = a[0];\nendmodule\n", "top")
    shell = design.modules[design.top].shell
    assert "input [3:0] a;" in shell and "output b;" in shell and "assign" not in shell
