"""The KP × CP array of DPEs with stationary weights and their shadow."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from arch_model.accelerator import TAPS
from rtl import dpe
from rtl.dpe import DPE, balanced_sum
from rtl.pixel import delayed

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

    With ``depthwise`` there are three more, all of the window's cycle: ``own`` (In, 72 * kp; byte 9 * k + t is tap t of filter
    k's own window), ``use_own`` (In, 1: the DPEs of channel 0 see it instead of ``window``), ``maximum`` (In, 1: the sums
    are the greatest taps of ``own``).
    """

    def __init__(self, *, kp: int, cp: int, depthwise: bool = True):
        if kp < 1 or cp < 1:
            raise ValueError(f"kp × cp is {kp} × {cp}; each is at least 1")
        self.kp, self.cp, self.depthwise = kp, cp, depthwise
        own = {"own": In(8 * TAPS * kp), "use_own": In(1), "maximum": In(1)} if depthwise else {}
        super().__init__(
            own
            | {
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

        if self.depthwise:
            maximum = delayed(m, self.maximum, LATENCY - 1, "maximum")[-1]
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
                taps = channel(self.window, c)
                if self.depthwise and c == 0:
                    own = [self.own.word_select(TAPS * k + t, 8) for t in range(TAPS)]
                    taps = [Mux(self.use_own, mine, shared) for mine, shared in zip(own, taps, strict=True)]
                for t, (x, w) in enumerate(zip(taps, channel(active, c), strict=True)):
                    m.d.comb += [engine.window.word_select(t, 8).eq(x), engine.weights.word_select(t, 8).eq(w)]
                totals.append(engine.total)
            total = balanced_sum(totals)
            if self.depthwise:
                m.submodules[f"greatest_{k}"] = greatest = Greatest()
                m.d.comb += greatest.window.eq(Cat(*own))
                total = Mux(maximum, greatest.greatest, total)
            m.d.sync += self.sums[k].eq(total)
        return m


class Greatest(Component):
    """The greatest of nine int8 taps: ``greatest`` (Out, signed 8) a DPE's latency after ``window`` (In, 72)."""

    def __init__(self):
        super().__init__({"window": In(8 * TAPS), "greatest": Out(signed(8))})

    def elaborate(self, platform):
        m = Module()
        taps = [self.window.word_select(t, 8).as_signed() for t in range(TAPS)]
        rows = []
        for i in range(3):
            row = Signal(signed(8), name=f"row_{i}")
            m.d.sync += row.eq(larger(larger(*taps[3 * i : 3 * i + 2]), taps[3 * i + 2]))
            rows.append(row)
        m.d.sync += self.greatest.eq(larger(larger(*rows[:2]), rows[2]))
        return m


def larger(a, b):
    """The larger of two values."""
    return Mux(a > b, a, b)
