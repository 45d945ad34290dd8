"""Command layouts: what the mapper encodes is what the RTL reads."""

import random

import pytest
from amaranth import Const

from arch_model.program.isa import FIELDS, SLOT_BITS, SLOTS, Command, Opcode
from rtl.command import command_layout


@pytest.mark.parametrize("opcode", list(Opcode))
def test_every_field_where_the_encoding_put_it(opcode):
    rng = random.Random(int(opcode))
    layout = command_layout(opcode)
    assert layout.size == SLOTS[opcode] * SLOT_BITS
    for _ in range(20):
        fields = {
            f.name: rng.randrange(-(1 << f.bits - 1), 1 << f.bits - 1) if f.signed else rng.getrandbits(f.bits)
            for f in FIELDS[opcode]
            if f.name != "opcode"
        }
        word = int.from_bytes(Command(opcode, fields).encode(), "little")
        seen = layout.from_bits(word)
        assert {name: value_of(seen[name]) for name in fields} == fields
        assert value_of(seen["opcode"]) == opcode


def value_of(field):
    return field.value if isinstance(field, Const) else int(field)
