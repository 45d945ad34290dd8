"""Commands as Amaranth layouts: field positions come from :mod:`arch_model.program.isa`, so there is one definition."""

from __future__ import annotations

from typing import Any

from amaranth import Shape, Value, ValueCastable, signed, unsigned
from amaranth.lib import data

from arch_model.program.isa import SLOT_BITS, SLOTS, Opcode, layout

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


def ask(request: data.View[data.StructLayout], **fields: Value | ValueCastable) -> list[Any]:
    """The assignments of a request's fields.

    Parameters
    ----------
    request : a view of its layout.
    fields : values by name.

    Raises
    ------
    ValueError
        A field has fewer bits than what it is given.

    Examples
    --------
    >>> from amaranth import Signal
    >>> ask(Signal(data.StructLayout({"runs": 8})), runs=Signal(12))
    Traceback (most recent call last):
    ValueError: runs of a request has 8 bits; it is given 12
    """
    for name, value in fields.items():
        there, given = len(Value.cast(request[name])), len(Value.cast(value))
        if there < given:
            raise ValueError(f"{name} of a request has {there} bits; it is given {given}")
    return [request[name].eq(value) for name, value in fields.items()]
