"""The column buffer: windows of KP channels, each a DPE row's own, out of a column a cycle."""

from __future__ import annotations

from math import gcd

from amaranth import Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from arch_model.machine.accelerator import LANE_BITS

ROWS = COLUMNS = GROUPS = 3


class ColumnBuffer(Component):
    """Shifts KP neighbouring channels out of three groups into place and keeps their last three columns.

    Parameters
    ----------
    kp, cp: channels of a K-tile, of a group. A K-tile lies in at most three groups: kp + cp - gcd(kp, cp) <= 3 * cp.

    Raises
    ------
    ValueError
        A K-tile can lie in more than three groups.

    Ports
    -----
    words (In, 72 * cp): of one column, byte (3 * i + j) * cp + c is row i, group j, channel c.
    lane (In, LANE_BITS): where the K-tile's first channel is in group 0; with ``words``.
    columns (In, 3), fill (In, signed 8): window columns that lie in the tensor, 0 the leftmost; others read ``fill``.
    windows (Out, 72 * kp): byte 9 * k + 3 * i + j is row i, column j of channel k's window; column 2 is what ``words``
        held one cycle before, and ``columns`` and ``fill`` of this cycle mask it.
    """

    def __init__(self, *, kp: int, cp: int):
        if kp + cp - gcd(kp, cp) > GROUPS * cp:
            raise ValueError(f"kp is {kp}; {GROUPS} groups of {cp} channels hold every K-tile of at most {2 * cp + 1}")
        self.kp, self.cp = kp, cp
        super().__init__(
            {
                "words": In(72 * cp),
                "lane": In(LANE_BITS),
                "columns": In(COLUMNS),
                "fill": In(signed(8)),
                "windows": Out(72 * kp),
            }
        )

    def elaborate(self, platform):
        m = Module()
        kept = [[Signal(8 * self.kp, name=f"row_{i}_column_{j}") for j in range(COLUMNS)] for i in range(ROWS)]
        for i in range(ROWS):
            row = self.words.word_select(i, 8 * GROUPS * self.cp)
            for j in range(COLUMNS - 1):
                m.d.sync += kept[i][j].eq(kept[i][j + 1])
            with m.Switch(self.lane):
                # Only the lanes at which some K-tile really begins.
                for lane in range(0, self.cp, gcd(self.kp, self.cp)):
                    with m.Case(lane):
                        m.d.sync += kept[i][-1].eq(row[8 * lane : 8 * (lane + self.kp)])
            for j in range(COLUMNS):
                for k in range(self.kp):
                    tap = Mux(self.columns[j], kept[i][j].word_select(k, 8), self.fill)
                    m.d.comb += self.windows.word_select(9 * k + 3 * i + j, 8).eq(tap)
        return m
