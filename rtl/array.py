"""The KP × CP array of DPEs with stationary weights and their shadow."""

from __future__ import annotations

from collections.abc import Iterator

from amaranth import Cat, Module, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from arch_model.accelerator import TAPS
from rtl import dpe
from rtl.dpe import DPE, HIGH_BITS, PackedDPE, balanced_sum, less_borrow

LATENCY = dpe.LATENCY + 1


class Array(Component):
    """KP filters by CP channels of DPEs: one window in, KP sums out, every cycle.

    Parameters
    ----------
    kp, cp: filters and channels worked on at once, at least 1 each.
    dsp_packing: filters 2i and 2i + 1 share their multipliers (:class:`rtl.dpe.PackedDPE`); of an odd KP the last
        filter has its own. Sums and their timing are the same.

    Ports
    -----
    load_en (In, kp): one-hot; writes ``load_data`` (In, 72 * cp; byte t * cp + c is tap t, channel c) to that
        filter's shadow weights. With ``dsp_packing`` filter 2i + 1 is loaded after 2i, and no filter between them.
    swap (In, 1): the shadow weights become the active ones at the end of this cycle.
    window (In, 72 * cp): byte t * cp + c is tap t, channel c; meets the weights active in the same cycle.
    sums (Out, signed 32 × kp): Σ over taps and channels, ``LATENCY`` = 3 cycles after the window.
    """

    def __init__(self, *, kp: int, cp: int, dsp_packing: bool = False):
        if kp < 1 or cp < 1:
            raise ValueError(f"kp × cp is {kp} × {cp}; each is at least 1")
        self.kp, self.cp, self.dsp_packing = kp, cp, dsp_packing
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
        paired = self.kp // 2 * 2 if self.dsp_packing else 0  # so many filters are in pairs
        signs = Signal(TAPS * self.cp)  # of the lower filter's weights, until the upper one's come
        data = [self.load_data.word_select(i, 8) for i in range(TAPS * self.cp)]
        if paired:
            with m.If(self.load_en[:paired:2].any()):
                m.d.sync += signs.eq(Cat(byte[-1] for byte in data))
        uppers = Cat(less_borrow(byte, sign) for byte, sign in zip(data, signs, strict=True))

        totals = [[] for _ in range(self.kp)]
        for k in range(0, paired, 2):
            lower = self._weights(m, k, self.load_data)
            upper = self._weights(m, k + 1, uppers)
            for c in range(self.cp):
                m.submodules[f"dpe_{k}_{c}"] = engine = PackedDPE()
                m.d.comb += [
                    engine.window.eq(Cat(self._taps(self.window, c, 8))),
                    engine.low.eq(Cat(self._taps(lower, c, 8))),
                    engine.high.eq(Cat(self._taps(upper, c, HIGH_BITS))),
                ]
                totals[k].append(engine.total_low)
                totals[k + 1].append(engine.total_high)
        for k in range(paired, self.kp):
            active = self._weights(m, k, self.load_data)
            for c in range(self.cp):
                m.submodules[f"dpe_{k}_{c}"] = engine = DPE()
                m.d.comb += [
                    engine.window.eq(Cat(self._taps(self.window, c, 8))),
                    engine.weights.eq(Cat(self._taps(active, c, 8))),
                ]
                totals[k].append(engine.total)
        for total, terms in zip(self.sums, totals, strict=True):
            m.d.sync += total.eq(balanced_sum(terms))
        return m

    def _weights(self, m: Module, k: int, loaded) -> Signal:
        """Filter k's active weights, behind their shadow."""
        shadow, active = Signal(len(loaded), name=f"shadow_{k}"), Signal(len(loaded), name=f"active_{k}")
        with m.If(self.load_en[k]):
            m.d.sync += shadow.eq(loaded)
        with m.If(self.swap):
            m.d.sync += active.eq(shadow)
        return active

    def _taps(self, word, c: int, bits: int) -> Iterator:
        """The nine taps of channel c, of so many bits each, as a DPE wants them."""
        return (word.word_select(t * self.cp + c, bits) for t in range(TAPS))
