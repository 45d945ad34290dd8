"""Commands as Amaranth layouts: field positions come from :mod:`mapper.isa`, so there is one definition."""

from __future__ import annotations

from amaranth import Shape, signed, unsigned
from amaranth.lib import data

from mapper.isa import SLOT_BITS, SLOTS, Opcode, layout

OPCODE_BITS = 4


def command_layout(opcode: Opcode) -> data.FlexibleLayout:
    """The bits of a command: every field by name, as wide as the command's slots.

    >>> command_layout(Opcode.LOAD_WGT)["run_beats"].width
    20
    """
    fields: dict[str, data.Field] = {}
    for field, position in layout(opcode):
        shape: Shape = signed(field.bits) if field.signed else unsigned(field.bits)
        fields[field.name] = data.Field(shape, position)
    return data.FlexibleLayout(SLOTS[opcode] * SLOT_BITS, fields)
