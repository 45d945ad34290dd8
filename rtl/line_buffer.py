"""The LB: nine bank words put in window order, with what lies outside the tensor filled in."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from arch_model.machine.accelerator import LANE_BITS


class LineBuffer(Component):
    """Two 3-way rotations and a mask, one register stage.

    Parameters
    ----------
    cp: channels of a word.

    Ports
    -----
    words (In, 8 * cp × 9): the SB's banks, bank 3 * (y mod 3) + (x mod 3).
    y_mod, x_mod (In, 2): the bank row and column of the window's top left tap, 0..2.
    present (In, 9): tap 3 * i + j lies inside the tensor; others read ``fill``.
    fill (In, signed 8), lanes (In, LANE_BITS): the value outside, in the first ``lanes`` channels; 0 in the others,
        which the tensor does not have.
    window (Out, 72 * cp): byte t * cp + c is tap t of channel c, one cycle later.
    """

    def __init__(self, *, cp: int):
        self.cp = cp
        super().__init__(
            {
                "words": In(8 * cp).array(9),
                "y_mod": In(2),
                "x_mod": In(2),
                "present": In(9),
                "fill": In(signed(8)),
                "lanes": In(LANE_BITS),
                "window": Out(72 * cp),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = 8 * self.cp
        outside = Signal(width)
        for lane in range(self.cp):
            m.d.comb += outside.word_select(lane, 8).eq(Mux(lane < self.lanes, self.fill, 0))
        rotated = [[Signal(width, name=f"row_{i}_{j}") for j in range(3)] for i in range(3)]
        for i in range(3):
            with m.Switch(self.y_mod):
                for shift in range(3):
                    with m.Case(shift):
                        m.d.comb += [rotated[i][j].eq(self.words[3 * ((i + shift) % 3) + j]) for j in range(3)]
        for i in range(3):
            for j in range(3):
                tap = Signal(width, name=f"tap_{i}_{j}")
                with m.Switch(self.x_mod):
                    for shift in range(3):
                        with m.Case(shift):
                            m.d.comb += tap.eq(rotated[i][(j + shift) % 3])
                t = 3 * i + j
                m.d.sync += self.window.word_select(t, width).eq(Mux(self.present[t], tap, outside))
        return m
