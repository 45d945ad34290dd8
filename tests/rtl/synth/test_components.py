"""Every instance of a generated machine belongs to a component that the estimate knows."""

from arch_model.cost.resources import fpga_resources
from arch_model.cost.rtl_structure import parts
from arch_model.machine.accelerator import Accelerator
from rtl.generate import verilog
from rtl.synth.components import component_of, part_of
from rtl.synth.modules import read_design

MACHINE = Accelerator.load("tiny").replace(array={"kp": 2, "cp": 1}, axi={"pixels": 2, "data_bits": 64, "stripes": 2})
MEMORIES = {"pb", "db", "zsb", "compute.accumulator.ob", "compute.sb.part", "compute.out.part"} | {
    "compute.requantiser.tables"
}


def test_components_and_parts_are_those_of_the_estimate():
    design = read_design(verilog(MACHINE), "fastswitch")
    known = {component.component for component in fpga_resources(MACHINE).components}
    assert {component_of(path) for path in design.instances} <= known | {"top"}
    found = {part_of(path) for path in design.instances} - MEMORIES - {"top"}
    assert found == {part.path for part in parts(MACHINE)}


def test_numbers_are_copies():
    assert part_of("machine.compute.array.dpe_10_2") == "compute.array.dpe"
    assert part_of("machine.compute.sb_3.part_1") == "compute.sb.part"
    assert part_of("") == "top"


def test_a_new_unit_is_a_component_of_its_own():
    assert component_of("machine.compute.table_3") == "table"
    assert component_of("machine.squeeze.lane_1") == "squeeze"
