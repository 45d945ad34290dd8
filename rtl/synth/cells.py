"""Cells of an FPGA family as the resources that its data sheet counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rtl.synth.errors import SynthesisError

TargetName = Literal["xilinx", "ecp5"]

COLUMNS = ("luts", "lutram", "ffs", "dsps", "bram18", "bram36", "uram")
"""What is counted. ``lutram``: LUTs used as memory, not part of ``luts``."""


@dataclass(frozen=True)
class Target:
    """A family: how Yosys synthesises for it, and what each of its cells takes.

    Attributes
    ----------
    name : of the family.
    command : of Yosys.
    cells : cell type, or its beginning, to (column, how many).
    """

    name: TargetName
    command: str
    cells: Mapping[str, tuple[str, int]]

    def resources(self, cells: Mapping[str, int]) -> Counter[str]:
        """Resources that cells by type take; the longest beginning that fits decides, others take none.

        >>> dict(TARGETS["xilinx"].resources({"LUT6": 3, "LUT2": 1, "FDRE": 2, "CARRY8": 1, "RAM32M16": 2}))
        {'luts': 4, 'ffs': 2, 'lutram': 16}
        """
        sums: Counter[str] = Counter()
        for cell, number in cells.items():
            fits = [start for start in self.cells if cell.startswith(start)]
            if fits:
                column, each = self.cells[max(fits, key=len)]
                sums[column] += each * number
        return sums


TARGETS: Mapping[str, Target] = {
    "xilinx": Target(
        "xilinx",
        "synth_xilinx -family xcup -noiopad -noclkbuf",
        {
            "LUT": ("luts", 1),
            "RAM32M16": ("lutram", 8),
            "RAM64M8": ("lutram", 8),
            "RAM32M": ("lutram", 4),
            "RAM64M": ("lutram", 4),
            "SRL": ("lutram", 1),
            "FD": ("ffs", 1),
            "DSP48": ("dsps", 1),
            "RAMB18": ("bram18", 1),
            "RAMB36": ("bram36", 1),
            "URAM288": ("uram", 1),
        },
    ),
    "ecp5": Target(
        "ecp5",
        "synth_ecp5 -noflatten",
        {
            "LUT4": ("luts", 1),
            "CCU2C": ("luts", 2),
            "TRELLIS_DPR16X4": ("lutram", 4),
            "TRELLIS_FF": ("ffs", 1),
            "MULT18X18D": ("dsps", 1),
            "DP16KD": ("bram18", 1),
            "PDPW16KD": ("bram18", 1),
        },
    ),
}
"""UltraScale+ (DSP48E2, RAMB18, RAMB36, UltraRAM) and Lattice ECP5 (18 × 18 multipliers, 18 Kb memories)."""


def target_of(name: str) -> Target:
    """The target of that name.

    Raises
    ------
    SynthesisError
        There is none.
    """
    if name not in TARGETS:
        raise SynthesisError(f"target is {name}; it can be {' or '.join(TARGETS)}")
    return TARGETS[name]
