"""Semaphore: a token counter between two units."""

from __future__ import annotations

from amaranth import Module, Signal
from amaranth.lib.wiring import Component, In

from arch_model.machine.microarchitecture import TOKENS_BITS
from rtl.interfaces import acquire


class Semaphore(Component):
    """Counts tokens, from 0; one may be released and one acquired in the same cycle.

    Ports
    -----
    release : in
        Adds a token at the end of this cycle, which can be acquired from the next one on. At most 255 are counted.
    token : in, ``acquire()`` seen from the counter
        ``token.ready`` (out, a function of registers): a token is there. ``token.acquire`` (in) uses one up at
        the end of this cycle; legal only while ``token.ready``.

    The counter has ``TOKENS_BITS``, 8 bits, which :mod:`arch_model.program.check` knows, too: a Program keeps no more
    tokens than a double buffer has halves, far fewer.
    """

    def __init__(self):
        super().__init__({"release": In(1), "token": In(acquire())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(TOKENS_BITS)
        m.d.comb += self.token.ready.eq(count.any())
        with m.If(self.release & ~self.token.acquire):
            m.d.sync += count.eq(count + 1)
        with m.Elif(~self.release & self.token.acquire):
            m.d.sync += count.eq(count - 1)
        return m
