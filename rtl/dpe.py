"""The dot-product engine: nine int8 products and their sum."""

from __future__ import annotations

from amaranth import Module, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from arch_model.accelerator import TAPS

SUM_BITS = 20  # 9 * 128 * 128 = 147456 < 2**19

LATENCY = 2


class DPE(Component):
    """Nine multipliers and an adder tree, two register stages.

    Ports
    -----
    window (In, 72): nine int8 activations, tap 0 in the lowest byte.
    weights (In, 72): nine int8 weights.
    total (Out, signed 20): the dot product, ``LATENCY`` = 2 cycles after its operands, one a cycle.
    """

    def __init__(self):
        super().__init__({"window": In(8 * TAPS), "weights": In(8 * TAPS), "total": Out(signed(SUM_BITS))})

    def elaborate(self, platform):
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


def balanced_sum(terms):
    """The sum of Amaranth values as a tree, which keeps the carry depth logarithmic."""
    terms = list(terms)
    while len(terms) > 1:
        terms = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)] + (
            [terms[-1]] if len(terms) % 2 else []
        )
    return terms[0]
