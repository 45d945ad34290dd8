"""STORE's arithmetic: two int8 operands of one channel to their int8 result, pixels pooled on the way."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib.wiring import In, Out

from rtl.netlist import SharedUnit

SUM_BITS = 48


class StoreLane(SharedUnit):
    """The arithmetic of one channel, six register stages, a value a cycle, never stalled.

    ``y = clamp(round(Σ ((a - z_a) m_a + (b - z_b) m_b) / 2**shift) + z_out, lo, hi)``, half to even, as
    :func:`arch_model.network.quant.rounding_shift`; with ``multiply`` (a - z_a) (b - z_b) takes the place of the
    weighted sum. The sum holds 48 bits and a value 34, so 2**14 pixels may be pooled whatever the values.

    Ports
    -----
    a, b : In(signed 8)
        In cycle t.
    use_a, use_b, multiply, m_a, m_b, z_a, z_b, shift, below, z_out, lo, hi : In
        Of the command, steady; ``below`` masks the bits below the rounding bit: ``2**(shift-1) - 1``.
    add, first : In(1)
        In cycle t + 3: the value counts; it starts a new sum.
    keep : In(1)
        In cycle t + 5: 0 makes the result 0, a lane that the tensor lacks.
    y : Out(signed 8)
        In cycle t + 6, the sum so far.
    """

    def __init__(self):
        super().__init__(
            {
                "a": In(signed(8)),
                "b": In(signed(8)),
                "use_a": In(1),
                "use_b": In(1),
                "multiply": In(1),
                "m_a": In(24),
                "m_b": In(24),
                "z_a": In(signed(8)),
                "z_b": In(signed(8)),
                "shift": In(6),
                "below": In(SUM_BITS),
                "z_out": In(signed(8)),
                "lo": In(signed(8)),
                "hi": In(signed(8)),
                "add": In(1),
                "first": In(1),
                "keep": In(1),
                "y": Out(signed(8)),
            }
        )

    def body(self, platform):
        m = Module()
        difference_a, difference_b = Signal(signed(9)), Signal(signed(9))
        product_a, product_b = Signal(signed(33)), Signal(signed(33))
        value = Signal(signed(34))
        total = Signal(signed(SUM_BITS))
        shifted = Signal(signed(SUM_BITS + 1))  # one bit below the point
        sticky = Signal()
        m.d.sync += [
            difference_a.eq(Mux(self.use_a, self.a - self.z_a, 0)),
            difference_b.eq(Mux(self.use_b, self.b - self.z_b, 0)),
            product_a.eq(Mux(self.multiply, 0, difference_a * self.m_a)),
            product_b.eq(difference_b * Mux(self.multiply, difference_a, self.m_b)),
            value.eq(product_a + product_b),
            shifted.eq(Cat(Const(0, 1), total).as_signed() >> self.shift),
            sticky.eq((total & self.below).any()),
        ]
        with m.If(self.add):
            m.d.sync += total.eq(Mux(self.first, 0, total) + value)

        # Beyond ten bits every result is clamped, whatever z_out: narrow before adding.
        floor, high = shifted[1:].as_signed(), shifted[10:]
        narrow = Signal(signed(10))
        with m.If(high.all() | ~high.any()):
            m.d.comb += narrow.eq(floor)
        with m.Else():
            m.d.comb += narrow.eq(Mux(shifted[-1], -512, 511))
        up = shifted[0] & (sticky | shifted[1])
        sum_ = Signal(signed(12))
        m.d.comb += sum_.eq(narrow + up + self.z_out)
        with m.If(~self.keep):
            m.d.sync += self.y.eq(0)
        with m.Elif(sum_ < self.lo):
            m.d.sync += self.y.eq(self.lo)
        with m.Elif(sum_ > self.hi):
            m.d.sync += self.y.eq(self.hi)
        with m.Else():
            m.d.sync += self.y.eq(sum_)
        return m
