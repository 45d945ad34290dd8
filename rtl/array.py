"""The KP × CP array of DPEs with stationary weights and their shadow."""

from __future__ import annotations

from collections.abc import Iterator

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from arch_model.machine.accelerator import TAPS
from arch_model.machine.microarchitecture import ARRAY
from rtl.dpe import DPE, HIGH_BITS, PackedDPE, balanced_sum, less_borrow
from rtl.netlist import SharedUnit
from rtl.pixel import delayed


class Array(Component):
    """KP filters by CP channels of DPEs: one window in, KP sums out, every cycle.

    Parameters
    ----------
    kp, cp: filters and channels worked on at once, at least 1 each.
    dsp_packing: filters 2i and 2i + 1 share their multipliers (:class:`rtl.dpe.PackedDPE`); of an odd KP the last
        filter has its own, and so have all if there is ``depthwise`` but one channel. Sums and their timing are the
        same.
    depthwise: with windows of the filters' own, below.

    Raises
    ------
    ValueError
        ``kp`` or ``cp`` is below 1.

    Ports
    -----
    load_en (In, kp): one-hot; writes ``load_data`` (In, 72 * cp; byte t * cp + c is tap t, channel c) to that
        filter's shadow weights. With ``dsp_packing`` filter 2i + 1 is loaded after 2i, and no filter between them.
    swap (In, 1): the shadow weights become the active ones at the end of this cycle.
    window (In, 72 * cp): byte t * cp + c is tap t, channel c; meets the weights active in the same cycle.
    sums (Out, signed 32 × kp): Σ over taps and channels, three cycles after the window.

    With ``depthwise`` there are three more, all of the window's cycle: ``own`` (In, 72 * kp; byte 9 * k + t is tap t of
    filter k's own window), ``use_own`` (In, 1: DPEs see it instead of ``window``), ``maximum`` (In, 1: the sums are the
    greatest taps of ``own``). A filter sees its own window in channel 0; but the upper one of a pair in channel 1, for
    what shares multipliers shares a window. So the pair's four weights a tap of those channels are to be w, 0 of the
    lower filter and 0, w of the upper one; those of all other channels 0.
    """

    def __init__(self, *, kp: int, cp: int, dsp_packing: bool = False, depthwise: bool = True):
        if kp < 1 or cp < 1:
            raise ValueError(f"kp × cp is {kp} × {cp}; each is at least 1")
        self.kp, self.cp, self.dsp_packing, self.depthwise = kp, cp, dsp_packing, depthwise
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
        shares = self.dsp_packing and (self.cp > 1 or not self.depthwise)
        paired = self.kp // 2 * 2 if shares else 0  # so many filters are in pairs
        signs = Signal(TAPS * self.cp)  # of the lower filter's weights, until the upper one's come
        data = [self.load_data.word_select(i, 8) for i in range(TAPS * self.cp)]
        if paired:
            with m.If(self.load_en[:paired:2].any()):
                m.d.sync += signs.eq(Cat(byte[-1] for byte in data))
        uppers = Cat(less_borrow(byte, sign) for byte, sign in zip(data, signs, strict=True))

        totals = [[] for _ in range(self.kp)]
        for k in range(self.kp):
            pair = k < paired
            if pair and k % 2:
                continue  # with the one before
            low = self._weights(m, k, self.load_data)
            high = self._weights(m, k + 1, uppers) if pair else None
            for c in range(self.cp):
                window = Cat(self._taps(self.window, c, 8))
                if self.depthwise and c < (2 if pair else 1):
                    window = Mux(self.use_own, self._own(k + c), window)
                m.submodules[f"dpe_{k}_{c}"] = engine = PackedDPE() if pair else DPE()
                m.d.comb += engine.window.eq(window)
                if not pair:
                    m.d.comb += engine.weights.eq(Cat(self._taps(low, c, 8)))
                    totals[k].append(engine.total)
                    continue
                m.d.comb += [
                    engine.low.eq(Cat(self._taps(low, c, 8))),
                    engine.high.eq(Cat(self._taps(high, c, HIGH_BITS))),
                ]
                totals[k].append(engine.total_low)
                totals[k + 1].append(engine.total_high)
        if self.depthwise:
            maximum = delayed(m, self.maximum, ARRAY - 1, "maximum")[-1]
        for k, (sums, terms) in enumerate(zip(self.sums, totals, strict=True)):
            total = balanced_sum(terms)
            if self.depthwise:
                m.submodules[f"greatest_{k}"] = greatest = Greatest()
                m.d.comb += greatest.window.eq(self._own(k))
                total = Mux(maximum, greatest.greatest, total)
            m.d.sync += sums.eq(total)
        return m

    def _own(self, k: int):
        return self.own.word_select(k, 8 * TAPS)

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


class Greatest(SharedUnit):
    """The greatest of nine int8 taps: ``greatest`` (Out, signed 8) a DPE's latency after ``window`` (In, 72)."""

    def __init__(self):
        super().__init__({"window": In(8 * TAPS), "greatest": Out(signed(8))})

    def body(self, platform):
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
    """The larger of two values.

    Parameters
    ----------
    a, b : Amaranth values.
    """
    return Mux(a > b, a, b)
