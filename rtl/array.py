"""The KP × CP array of DPEs with stationary weights and their shadow."""

from __future__ import annotations

from amaranth import Module, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from arch_model.accelerator import TAPS
from rtl import dpe
from rtl.dpe import DPE, balanced_sum

LATENCY = dpe.LATENCY + 1


class Array(Component):
    """KP filters by CP channels of DPEs: one window in, KP sums out, every cycle.

    Parameters
    ----------
    kp, cp: filters and channels worked on at once, at least 1 each.

    Ports
    -----
    load_en (In, kp): one-hot; writes ``load_data`` (In, 72 * cp; byte t * cp + c is tap t, channel c) to that
        filter's shadow weights.
    swap (In, 1): the shadow weights become the active ones at the end of this cycle.
    window (In, 72 * cp): byte t * cp + c is tap t, channel c; meets the weights active in the same cycle.
    sums (Out, signed 32 × kp): Σ over taps and channels, ``LATENCY`` = 3 cycles after the window.
    """

    def __init__(self, *, kp: int, cp: int):
        if kp < 1 or cp < 1:
            raise ValueError(f"kp × cp is {kp} × {cp}; each is at least 1")
        self.kp, self.cp = kp, cp
        super().__init__(
            {
                "load_en": In(kp),
                "load_data": In(8 * TAPS * cp),
                "swap": In(1),
                "window": In(8 * TAPS * cp),
                "sums": Out(signed(32)).array(kp),
            }
        )

    def elaborate(self, platform):
        m = Module()

        def channel(word, c):
            """The nine taps of one channel, as a DPE wants them."""
            return [word.word_select(t * self.cp + c, 8) for t in range(TAPS)]

        for k in range(self.kp):
            shadow = Signal(8 * TAPS * self.cp, name=f"shadow_{k}")
            active = Signal(8 * TAPS * self.cp, name=f"active_{k}")
            with m.If(self.load_en[k]):
                m.d.sync += shadow.eq(self.load_data)
            with m.If(self.swap):
                m.d.sync += active.eq(shadow)
            totals = []
            for c in range(self.cp):
                m.submodules[f"dpe_{k}_{c}"] = engine = DPE()
                for t, (x, w) in enumerate(zip(channel(self.window, c), channel(active, c), strict=True)):
                    m.d.comb += [engine.window.word_select(t, 8).eq(x), engine.weights.word_select(t, 8).eq(w)]
                totals.append(engine.total)
            m.d.sync += self.sums[k].eq(balanced_sum(totals))
        return m
