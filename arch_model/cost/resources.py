"""FPGA resources by component: LUTs, flip-flops, DSPs, block RAMs and UltraRAMs of an AMD UltraScale+ device.

DSPs and memories follow from the structure of ``rtl``. LUTs and flip-flops are the structural counts of
:mod:`arch_model.cost.rtl_structure` times the coefficients of ``data/resources_xcup.yaml``, which
``bench/fit_resources.py`` fits on syntheses (Yosys ``synth_xilinx``); ``docs/concepts/energy.md`` has the error on
machines that the fit has not seen. Yosys is not Vivado: expect another tool to differ by tens of per cent in LUTs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from arch_model.cost.rtl_structure import Counts, Part, parts
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.description import parse_mapping
from arch_model.machine.memories import BUFFERS, Memory, memories

if TYPE_CHECKING:
    import pandas as pd

COEFFICIENTS = Path(__file__).parents[1] / "data" / "resources_xcup.yaml"

Coefficients = Mapping[str, Mapping[str, Mapping[str, float]]]
"""By a part's kind, then ``luts`` or ``ffs``, then the name of the count."""

LUTRAM_DEPTH = 64
"""Deepest memory built of LUTs."""

ROW_CHOICE_LUTS = 0.65
"""Of a bit that comes from one row of block RAMs or the next: two such choices and more share a LUT."""
BRAM_LUTS = 340
"""LUTs that a block RAM of 36 Kb is worth to Yosys, found between what it did and what it did not for one less."""

RAMB18 = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
RAMB36 = ((512, 72), (1024, 36), (2048, 18), (4096, 9), (8192, 4), (16384, 2), (32768, 1))
"""Depth and width of a block RAM with one write and one read port (AMD UG573)."""

URAM = (4096, 72)


@dataclass(frozen=True)
class Resources:
    """What a component takes of an FPGA.

    Attributes
    ----------
    component : its name.
    luts : used as logic.
    lutram : LUTs used as memory, not counted in ``luts``.
    ffs : flip-flops.
    dsps : DSP slices.
    bram36 : block RAMs of 36 Kb, in halves.
    uram : UltraRAMs.
    """

    component: str
    luts: int = 0
    lutram: int = 0
    ffs: int = 0
    dsps: int = 0
    bram36: float = 0.0
    uram: int = 0


@dataclass(frozen=True)
class Estimate:
    """The resources of an Accelerator, component by component."""

    components: tuple[Resources, ...]

    @property
    def total(self) -> Resources:
        """All components together."""
        sums = {f.name: sum(getattr(c, f.name) for c in self.components) for f in fields(Resources)[1:]}
        return Resources("total", **sums)

    def __getitem__(self, component: str) -> Resources:
        return next(c for c in self.components if c.component == component)

    def to_frame(self) -> pd.DataFrame:
        """One row a component and one for the total: component, luts, lutram, ffs, dsps, bram36, uram."""
        import pandas as pd  # a third of a second: only those who ask for a table wait for it

        return pd.DataFrame([*self.components, self.total])


def fpga_resources(
    accelerator: Accelerator,
    *,
    uram_depth: int | None = None,
    uram_buffers: Collection[str] = BUFFERS,
    table: Coefficients | None = None,
) -> Estimate:
    """What an Accelerator takes of an UltraScale+ device.

    Parameters
    ----------
    accelerator : the machine.
    uram_depth : memories of so many words or more become UltraRAMs. None: none does, as on devices without them.
    uram_buffers : the buffers that may.
    table : coefficients in place of the shipped ones.

    Examples
    --------
    >>> total = fpga_resources(Accelerator.load("zcu104"), uram_depth=4096).total
    >>> total.dsps, total.uram      # 648 of the array, 32 of the requantisers, 72 of STORE, 3 of RUN, 1 of LOAD_WGT
    (756, 102)
    """
    made: dict[str, Resources] = {}
    each = coefficients() if table is None else table
    for part in parts(accelerator):
        _add(made, estimate(part, each))
    for memory in memories(accelerator).values():
        _add(made, _memory(memory, uram_depth if memory.buffer in uram_buffers else None))
    return Estimate(tuple(made.values()))


def _add(sums: dict[str, Resources], more: Resources) -> None:
    """Add to what ``sums`` has of a component."""
    old = sums.get(more.component, Resources(more.component))
    sums[more.component] = Resources(
        more.component, *(getattr(old, f.name) + getattr(more, f.name) for f in fields(Resources)[1:])
    )


@cache
def coefficients() -> Coefficients:
    """Coefficients of the resource model that ship with the package, by kind of component."""
    read: dict[str, Coefficients] = parse_mapping(COEFFICIENTS.read_text(), COEFFICIENTS.name, ("kinds",))
    return read["kinds"]


def estimate(part: Part, table: Coefficients) -> Resources:
    """What a unit of the RTL takes, by a table of coefficients.

    Parameters
    ----------
    part : its structural counts.
    table : LUTs and flip-flops of one of each count, by the unit's kind.
    """

    def times(counts: Counts, each: Mapping[str, float]) -> int:
        return round(sum(number * each.get(name, 0.0) for name, number in counts.items()))

    kind = table[part.kind]
    return Resources(
        part.component, times(part.luts, kind["luts"]), part.lutram, times(part.ffs, kind["ffs"]), part.dsps
    )


def _memory(memory: Memory, uram_depth: int | None) -> Resources:
    if memory.depth <= LUTRAM_DEPTH:
        # Eight LUTs hold 7 bits, 64 deep (RAM64M8), or 14 bits, 32 deep; the registered read is flip-flops.
        parts_, bits = memory.width // memory.granularity, 7 if memory.depth > 32 else 14
        luts = memory.banks * 8 * parts_ * -(-memory.granularity // bits)
        return Resources(memory.buffer, lutram=luts, ffs=memory.banks * memory.width)
    if uram_depth is not None and memory.depth >= uram_depth:
        depth, width = URAM
        # Its nine write enables are a byte each: the ninth byte has one too.
        ram = -(-memory.depth // depth) * -(-memory.width // width)
        return Resources(memory.buffer, uram=memory.banks * ram)
    brams, rows = block_rams(memory.depth, memory.width, memory.granularity)
    return Resources(
        memory.buffer,
        luts=round(ROW_CHOICE_LUTS * memory.banks * memory.width * (rows - 1)),
        ffs=memory.banks * (rows - 1).bit_length(),
        bram36=memory.banks * brams,
    )


def block_rams(depth: int, width: int, granularity: int | None = None) -> tuple[float, int]:
    """Block RAMs of 36 Kb, in halves, for a memory of one write and one read port, and the rows they stand in.

    A block RAM of a shape is some *lanes* of 9 bits or fewer, each with a write enable; ``granularity`` bits of a word
    have an enable of their own and take whole lanes. Several rows of block RAMs share their columns: all lanes of all
    rows are read at once, and the word's row is chosen. So block RAMs are counted in lanes; the cheapest win.

    Parameters
    ----------
    depth : words.
    width : bits of a word.
    granularity : bits of a word that one write enable covers. None: the whole word.

    Returns
    -------
    brams, rows
        Block RAMs of 36 Kb, in halves, and the rows they stand in.

    Examples
    --------
    >>> block_rams(512, 72), block_rams(2048, 24), block_rams(512, 72, 8)
    ((1.0, 1), (1.5, 1), (1.5, 1))
    >>> block_rams(3200, 40)   # 7 rows of 512 words, 5 lanes each: 35 lanes, four to a half block RAM
    (4.5, 7)
    """
    bits = granularity or width
    costs = []
    for shapes, size in ((RAMB18, 0.5), (RAMB36, 1.0)):
        for deep, columns in shapes:
            lane, lanes = min(columns, 9), max(columns // 9, 1)
            rows = -(-depth // deep)
            brams = size * -(-rows * (width // bits) * -(-bits // lane) // lanes)
            costs.append((BRAM_LUTS * brams + ROW_CHOICE_LUTS * width * (rows - 1), brams, rows))
    return min(costs)[1:]
