"""What an operation costs in a technology: the energy table and the area table of an Accelerator.

Every row names its value, unit, technology node, source and year. The shipped tables are
``arch_model/data/energy_45nm.yaml`` and ``area_45nm.yaml``; sections ``energy`` and ``area`` of an Accelerator file
replace rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from arch_model.machine.description import Misfit, Section, parse_mapping, within
from arch_model.physical import MEMORY_BYTES, NODE_NM, TABLE_VALUE

_ROW = "a row with value, unit, node_nm, source, year"


class Row(Section):
    """One figure and where it comes from."""

    value: float = within(TABLE_VALUE, example=": a number")
    unit: str = Field(description="a unit")
    node_nm: float = within(NODE_NM, example=", a number such as 45")
    source: str = Field(min_length=1, description="a text that names the source")
    year: int = Field(ge=1950, le=2100, description="a year, 1950 to 2100")


class SramRow(Row):
    """Energy of one 64-bit access to a memory of ``bytes``."""

    bytes: int = within(MEMORY_BYTES, example=", a whole number")


class Table(Section):
    """Rows by name; those that a description leaves out are the shipped ones."""

    FILE: ClassVar[str]
    UNITS: ClassVar[Mapping[str, str]]

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: Any) -> Any:
        return {**_shipped(cls.FILE), **data} if isinstance(data, Mapping) else data

    @classmethod
    def shipped(cls) -> Self:
        """The table of an Accelerator whose file has none."""
        return cls.model_validate({})

    def rows(self) -> Iterable[tuple[str, Row]]:
        """Every row, with the key that an error would name."""
        for key in type(self).model_fields:
            row = getattr(self, key)
            yield from ((key, item) for item in row) if isinstance(row, tuple) else ((key, row),)

    def misfits(self, section: str) -> Iterable[Misfit]:
        """Rows that are no legal table: another unit than the one the model counts in."""
        for key, row in self.rows():
            if row.unit != self.UNITS[key]:
                yield f"{section}.{key}.unit", row.unit, self.UNITS[key]


class EnergyTable(Table):
    """Joules of arithmetic, registers, SRAM and DRAM.

    >>> table = EnergyTable.shipped()
    >>> round(table.sram_pj_per_bit(8192) * 64, 3), round(table.sram_pj_per_bit(16384) * 64, 2)
    (10.0, 14.14)
    """

    FILE: ClassVar[str] = "energy_45nm.yaml"
    UNITS: ClassVar[Mapping[str, str]] = {
        "multiply_int8": "pJ",
        "multiply_int32": "pJ",
        "add_int32": "pJ",
        "flip_flop": "pJ/bit",
        "sram": "pJ/64bit",
        "sram_leakage": "nW/bit",
        "dram": "pJ/64bit",
    }

    multiply_int8: Row = Field(description=_ROW)
    multiply_int32: Row = Field(description=_ROW)
    add_int32: Row = Field(description=_ROW)
    flip_flop: Row = Field(description=_ROW)
    sram: tuple[SramRow, ...] = Field(
        strict=False,
        min_length=2,
        description="a list of 2 or more rows with bytes (growing), value, unit, node_nm, source, year",
    )
    sram_leakage: Row = Field(description=_ROW)
    dram: Row = Field(description=_ROW)

    def sram_pj_per_bit(self, size_bytes: float) -> float:
        """Picojoules a bit of an access to a memory of ``size_bytes``.

        A straight line in log(size), log(energy) through the two rows around the size; beyond the rows, the nearest
        line goes on. Horowitz's 8 KB and 32 KB make it the square root of the size, which is what word and bit lines
        of a square array give.
        """
        rows = self.sram
        upper = next((i for i, row in enumerate(rows[1:-1], 1) if size_bytes <= row.bytes), len(rows) - 1)
        low, high = rows[upper - 1], rows[upper]
        slope = math.log(high.value / low.value) / math.log(high.bytes / low.bytes)
        return low.value * math.pow(size_bytes / low.bytes, slope) / 64

    def misfits(self, section: str) -> Iterable[Misfit]:
        """What :meth:`Table.misfits` finds; and sizes of ``sram`` that do not grow, or energies of it that are 0."""
        yield from super().misfits(section)
        sizes = [row.bytes for row in self.sram]
        if any(a >= b for a, b in pairwise(sizes)):
            yield f"{section}.sram bytes", sizes, "sizes that grow from row to row"
        if any(row.value == 0 for row in self.sram):
            yield f"{section}.sram value", 0, "numbers above 0"


class AreaTable(Table):
    """Square micrometres of SRAM, registers and gates."""

    FILE: ClassVar[str] = "area_45nm.yaml"
    UNITS: ClassVar[Mapping[str, str]] = {"sram": "um2/bit", "flip_flop": "um2/bit", "gate": "um2"}

    sram: Row = Field(description=_ROW)
    flip_flop: Row = Field(description=_ROW)
    gate: Row = Field(description=_ROW)


@cache
def _shipped(file: str) -> Mapping[str, Any]:
    text = (resources.files("arch_model") / "data" / file).read_text(encoding="utf-8")
    return parse_mapping(text, file, ())
