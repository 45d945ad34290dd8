"""Semaphore: a token counter between two units."""

from __future__ import annotations

from amaranth import Module, Signal
from amaranth.lib.wiring import Component, In

from arch_model.program.isa import TOKENS_BITS
from rtl.interfaces import take


class Semaphore(Component):
    """Counts tokens, from 0; one may be given and one taken in the same cycle.

    Ports
    -----
    give : in
        Adds a token at the end of this cycle, which can be taken in the next. At most 255 are counted.
    token : in, ``take()`` seen from the counter
        ``token.ready`` (out, a function of registers): a token is there. ``token.take`` (in) uses one up at
        the end of this cycle; legal only while ``token.ready``.

    The counter has ``TOKENS_BITS``, 8 bits, which :mod:`arch_model.program.check` knows, too: a Program keeps no more
    tokens than there are halves to a buffer, far fewer.
    """

    def __init__(self):
        super().__init__({"give": In(1), "token": In(take())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(TOKENS_BITS)
        m.d.comb += self.token.ready.eq(count.any())
        with m.If(self.give & ~self.token.take):
            m.d.sync += count.eq(count + 1)
        with m.Elif(~self.give & self.token.take):
            m.d.sync += count.eq(count - 1)
        return m
