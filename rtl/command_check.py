"""CommandCheck: the limits that a machine refuses to exceed, as comparators beside FETCH's dispatch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_, or_

from amaranth import Const, Module, Value
from amaranth.lib import data
from amaranth.lib.wiring import Component, In, Out

from arch_model.program.isa import FIELDS, Opcode
from arch_model.program.limits import Limit
from rtl.command import command_layout


class CommandCheck(Component):
    """Looks at a command of one opcode; a function of its input.

    Parameters
    ----------
    opcode : of the commands.
    limits : of the machine, all opcodes'.

    Ports
    -----
    command : In(command_layout(opcode))
    unaligned : Out(1)
        A limit with a ``multiple`` is not kept.
    out_of_range : Out(1)
        Another one is not.
    """

    def __init__(self, opcode: Opcode, limits: Sequence[Limit]) -> None:
        self.opcode = opcode
        self.limits = [limit for limit in limits if limit.opcode is opcode]
        super().__init__({"command": In(command_layout(opcode)), "unaligned": Out(1), "out_of_range": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bad = {port: [_broken(limit, self.command) for limit in self.limits if (limit.multiple > 1) == aligned]
               for port, aligned in (("unaligned", True), ("out_of_range", False))}  # fmt: skip
        for port, terms in bad.items():
            m.d.comb += getattr(self, port).eq(reduce(or_, terms, Const(0, 1)))
        return m


def _broken(limit: Limit, command: data.View) -> Value:
    """The limit as gates. Comparisons that a field's width decides are left out."""
    fields = {field.name: field for field in FIELDS[limit.opcode]}
    names = [limit.field, *filter(None, [limit.plus])]
    value = reduce(lambda total, name: total + command[name], names[1:], command[limit.field])
    lowest = sum(-(1 << fields[n].bits - 1) if fields[n].signed else 0 for n in names)
    highest = sum((1 << fields[n].bits - fields[n].signed) - 1 for n in names)
    terms = []
    if limit.multiple > 1:
        terms.append(value.as_unsigned()[: (limit.multiple - 1).bit_length()].any())
    if limit.low == 1 and lowest == 0:
        terms.append(~value.any())
    elif limit.low > lowest:
        terms.append(value < limit.low)
    if limit.high is not None and limit.high < highest:
        terms.append(value > limit.high)
    holds = [command[name] == wanted for name, wanted in limit.when]
    return reduce(and_, [*holds, reduce(or_, terms, Const(0, 1))])
