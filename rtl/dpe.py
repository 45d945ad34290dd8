"""The dot-product engine: nine int8 products and their sum; and two of them with nine wide multipliers."""

from __future__ import annotations

from amaranth import Cat, Module, Signal, signed
from amaranth.lib.wiring import In, Out

from arch_model.machine.accelerator import TAPS
from rtl.netlist import SharedUnit

SUM_BITS = 20  # 9 * 128 * 128 = 147456 < 2**19

LOW_BITS = 18
"""Bits of a packed number's lower half, in operands and sums."""

HIGH_BITS = 9
"""Bits of a packed operand's upper half: an int8 weight, or one less. Together 27, a port of a DSP48E2."""

PACKED_TAPS = 5
"""Products added while packed: 5 * 128 * 128 = 81920 < 2**17, so their lower halves fit as signed numbers."""


class DPE(SharedUnit):
    """Nine multipliers and an adder tree, two register stages.

    Ports
    -----
    window (In, 72): nine int8 activations, tap 0 in the lowest byte.
    weights (In, 72): nine int8 weights.
    total (Out, signed 20): the dot product, two cycles after its operands, one a cycle.
    """

    def __init__(self):
        super().__init__({"window": In(8 * TAPS), "weights": In(8 * TAPS), "total": Out(signed(SUM_BITS))})

    def body(self, platform):
        m = Module()
        products = []
        for tap in range(TAPS):
            product = Signal(signed(16), name=f"product_{tap}")
            x = self.window.word_select(tap, 8).as_signed()
            w = self.weights.word_select(tap, 8).as_signed()
            m.d.sync += product.eq(x * w)
            products.append(product)
        m.d.sync += self.total.eq(balanced_sum(products))
        return m


class PackedDPE(SharedUnit):
    """Two DPEs on one window, with nine multipliers of 27 × 8 bits instead of eighteen of 8 × 8.

    Two weights u, v that meet the same activation x are one operand, ``v * 2**18 + u``, and its product is
    ``v*x * 2**18 + u*x``. As two's complement a negative u takes one from the upper half; so does a negative u*x, and a
    negative sum of them. The weights come with their borrow taken (see ``high``), products are added as they are, five
    and four, and the sums' two borrows are given back by the adder that joins them.

    Ports
    -----
    window (In, 72): nine int8 activations, tap 0 in the lowest byte.
    low (In, 72): nine int8 weights, u.
    high (In, 81): nine numbers of 9 bits, v - 1 where u is negative, else v (:func:`less_borrow`).
    total_low, total_high (Out, signed 20): both dot products, two cycles after their operands.
    """

    def __init__(self):
        super().__init__(
            {
                "window": In(8 * TAPS),
                "low": In(8 * TAPS),
                "high": In(HIGH_BITS * TAPS),
                "total_low": Out(signed(SUM_BITS)),
                "total_high": Out(signed(SUM_BITS)),
            }
        )

    def body(self, platform):
        m = Module()
        products = []
        for tap in range(TAPS):
            product = Signal(signed(LOW_BITS + HIGH_BITS + 8), name=f"product_{tap}")
            x = self.window.word_select(tap, 8).as_signed()
            low = self.low.word_select(tap, 8)
            weights = Cat(low, low[-1].replicate(LOW_BITS - 8), self.high.word_select(tap, HIGH_BITS))
            m.d.sync += product.eq(weights.as_signed() * x)
            products.append(product)
        sums = [balanced_sum(products[:PACKED_TAPS]), balanced_sum(products[PACKED_TAPS:])]
        borrows = [packed[LOW_BITS - 1] for packed in sums]
        m.d.sync += [
            self.total_low.eq(sums[0][:LOW_BITS].as_signed() + sums[1][:LOW_BITS].as_signed()),
            self.total_high.eq(
                sums[0][LOW_BITS:].as_signed() + sums[1][LOW_BITS:].as_signed() + (borrows[0] + borrows[1])
            ),
        ]
        return m


def less_borrow(high, low_sign):
    """The upper half of a packed operand, less one where the lower half is negative; 9 bits.

    Parameters
    ----------
    high : int8.
    low_sign : 1 bit.
    """
    return (high.as_signed() - low_sign)[:HIGH_BITS]


def balanced_sum(terms):
    """The sum of Amaranth values as a tree, which keeps the carry depth logarithmic."""
    terms = list(terms)
    while len(terms) > 1:
        terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)] + ([terms[-1]] if len(terms) % 2 else [])
    return terms[0]
