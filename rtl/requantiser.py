"""The requantiser: an int32 sum becomes an int8 activation, rounding half to even."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from arch_model.quant import MULTIPLIER_BITS

LATENCY = 5


def round_shift(m, value, shift, name: str):
    """``value >> shift`` rounded half to even, combinational; ``value`` signed, ``shift`` unsigned.

    The value is shifted with one bit to spare: that bit is the half, and what falls below it only matters as
    "any bit set" (sticky).
    """
    wide = Signal(signed(len(value) + 1), name=f"{name}_wide")
    shifted = Signal(signed(len(value) + 1), name=f"{name}_shifted")
    below = Signal(len(value) + 1, name=f"{name}_below")
    sticky = Signal(name=f"{name}_sticky")
    m.d.comb += [
        wide.eq(Cat(Const(0, 1), value).as_signed()),
        shifted.eq(wide >> shift),
        below.eq(~(Const(-1, signed(len(value) + 1)) << shift)),
        sticky.eq((wide & below).any()),
    ]
    half, floor = shifted[0], shifted[1:].as_signed()
    return floor + (half & (sticky | shifted[1])).as_unsigned()


def saturate(value, lo, hi):
    """``value`` limited to lo..hi."""
    return Mux(value < lo, lo, Mux(value > hi, hi, value))


class Requantiser(Component):
    """One lane: ``clamp(round((acc + bias) * multiplier / 2**shift) + z_out, lo, hi)``, ``LATENCY`` = 5 stages.

    Ports
    -----
    acc (In, signed 32) and entry (In, 64: bias | multiplier << 32 | shift << 58): together, every cycle.
    z_out, lo, hi (In, signed 8): four cycles after their ``acc``, when the last stage wants them.
    y (Out, signed 8): five cycles after ``acc``.

    The formula is :func:`arch_model.quant.requantize`.
    """

    def __init__(self):
        super().__init__(
            {
                "acc": In(signed(32)),
                "entry": In(64),
                "z_out": In(signed(8)),
                "lo": In(signed(8)),
                "hi": In(signed(8)),
                "y": Out(signed(8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        total = Signal(signed(33))
        multiplier, shift = Signal(MULTIPLIER_BITS), Signal(6)
        product, product_2 = Signal(signed(33 + MULTIPLIER_BITS)), Signal(signed(33 + MULTIPLIER_BITS))
        shift_1, shift_2 = Signal(6), Signal(6)
        rounded = Signal(signed(len(product) + 1))
        m.d.sync += [
            total.eq(self.acc + self.entry[:32].as_signed()),
            multiplier.eq(self.entry[32 : 32 + MULTIPLIER_BITS]),
            shift.eq(self.entry[58:64]),
            product.eq(total * multiplier),
            shift_1.eq(shift),
            product_2.eq(product),  # a second register for the multiplier to move into
            shift_2.eq(shift_1),
            rounded.eq(round_shift(m, product_2, shift_2, "round")),
            self.y.eq(saturate(rounded + self.z_out, self.lo, self.hi)),
        ]
        return m
