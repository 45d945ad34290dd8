"""Area on an ASIC by component: SRAM bits, flip-flops and gates, times the Accelerator's area table.

Flip-flops are those of :mod:`arch_model.cost.resources`. Gates (two inputs, four transistors) are a few coefficients
times structural counts, from the syntheses in ``docs/concepts/energy.md``. No wires, clock tree, pads or unused floor
are in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arch_model.cost.activity import TOTAL_BITS, tree_bits
from arch_model.cost.resources import coefficients, fpga_resources
from arch_model.cost.rtl_structure import QUEUES
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.memories import memories
from arch_model.machine.microarchitecture import QUEUE_DEPTH, STORE_FIFO

if TYPE_CHECKING:
    import pandas as pd

UM2_PER_MM2 = 1e6

# Gates a structural unit (docs/concepts/energy.md): lanes do not depend on the Accelerator.
DPE_GATES, REQUANTISER_GATES, STORE_LANE_GATES = 5904, 11148, 8015
ADDER_BIT_GATES = 9.2
LUT_GATES = 5.0  # of any other logic, a LUT of its FPGA estimate
FIFO_BIT_GATES = 1.5  # choosing what a FIFO's registers offer


@dataclass(frozen=True)
class Area:
    """Area by component; the buffers are SRAM, all else flip-flops and gates.

    Attributes
    ----------
    mm2 : square millimetres.
    gates : gates of two inputs.
    flip_flops : one bit each.
    sram_bits : bits.
    """

    mm2: Mapping[str, float]
    gates: Mapping[str, float]
    flip_flops: Mapping[str, int]
    sram_bits: Mapping[str, int]

    @property
    def total_mm2(self) -> float:
        """All components together."""
        return sum(self.mm2.values())

    def to_frame(self) -> pd.DataFrame:
        """One row a component: component, gates, flip_flops, sram_bits, mm2."""
        import pandas as pd  # a third of a second: only those who ask for a table wait for it

        columns = {"gates": self.gates, "flip_flops": self.flip_flops, "sram_bits": self.sram_bits, "mm2": self.mm2}
        rows = [(name, *(column.get(name, 0) for column in columns.values())) for name in self.mm2]
        return pd.DataFrame(rows, columns=["component", *columns])


def asic_area(accelerator: Accelerator) -> Area:
    """The area of an Accelerator in the technology of its ``area`` table.

    >>> area = asic_area(Accelerator.load("zcu104"))
    >>> round(area.mm2["pb"], 2)      # 20480 words of 648 bits at 0.569 square micrometres
    7.55
    """
    a, table = accelerator, accelerator.area
    sram = {name: memory.bits for name, memory in memories(a).items()}
    logic = [component for component in fpga_resources(a).components if component.component not in sram]
    flip_flops: dict[str, int] = {}
    gates: dict[str, float] = {}
    for component in logic:
        name = component.component
        fifo = _fifo_bits(a).get(name, 0)
        flip_flops[name] = component.ffs + fifo
        if name == "array":
            gates[name] = a.kp * a.cp * DPE_GATES + a.kp * tree_bits(a.cp, TOTAL_BITS) * ADDER_BIT_GATES
        elif name == "requantiser":
            gates[name] = float(a.kp * REQUANTISER_GATES)
        else:
            lanes = a.pixels * a.cp if name == "store" else 0
            other_luts = component.luts - lanes * coefficients()["store_lane"]["luts"]["each"]
            gates[name] = lanes * STORE_LANE_GATES + other_luts * LUT_GATES + fifo * FIFO_BIT_GATES
    um2 = {name: gates[name] * table.gate.value + flip_flops[name] * table.flip_flop.value for name in gates}
    um2 |= {name: bits * table.sram.value for name, bits in sram.items()}
    return Area({name: value / UM2_PER_MM2 for name, value in um2.items()}, gates, flip_flops, sram)


def _fifo_bits(a: Accelerator) -> dict[str, int]:
    """FIFO memories, LUTs on an FPGA and here flip-flops; their output register is among the others."""
    return {"fetch": sum(QUEUES.values()) * (QUEUE_DEPTH - 1), "store": (8 * a.cp + 1) * (STORE_FIFO - 1)}
