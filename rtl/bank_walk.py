"""The walk over the SB's nine banks: where each pixel of a tensor lies that LOAD_ACT or STORE writes."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out

from arch_model.machine.accelerator import ADDRESS_BITS, TAPS


class _Place:
    """Where in the SB the word's first pixel lies: x mod 3, y mod 3, g mod 9 as one-hot rings, nested addresses."""

    def __init__(self) -> None:
        self.x_ring = Signal(3)
        self.x_begin = Signal(3)  # of a row of this group
        self.y_ring = Signal(3)
        self.y_begin = Signal(3, init=1)  # of a group; never anything else where all tensors begin with row 0
        self.group_ring = Signal(TAPS)
        self.word = Signal(ADDRESS_BITS)
        self.row = Signal(ADDRESS_BITS)  # of the row's first pixel
        self.group = Signal(ADDRESS_BITS)  # of the group's

    def cells(self, count: int) -> Value:
        """How many cells of three columns the pixel ``count`` further on lies beyond the word's first one."""
        return reduce(or_, (Mux(self.x_ring[x], (x + count) // 3, 0) for x in range(3)))


class _Tensor:
    """What is needed of the fields until the tensor's last word."""

    def __init__(self) -> None:
        self.pointwise = Signal()
        self.skew = Signal()
        self.folded = Signal()
        self.row_step = Signal(ADDRESS_BITS)
        self.group_step = Signal(ADDRESS_BITS)


class BankWalk(Component):
    """Bank and address of each pixel, a word of up to ``pixels`` pixels of a row at a time, in the order of DRAM.

    Row y, column x and group g of the tensor, all counted from 0, lie in windows layout at Y = ``first_row`` + y and
    X = x, with ``skew`` X = x + (``first_group`` + g) mod 3: in bank 3 (Y mod 3) + X mod 3 at
    ``sb_base`` + g ``group_step`` + (Y div 3) ``row_step`` + X div 3. In pointwise layout they lie, with
    G = ``first_group`` + g, in bank G mod 9 at ``sb_base`` + (G div 9) ``group_step`` + y ``row_step`` + x.

    Parameters
    ----------
    pixels : int
        Of a word at most: 1, 2 or 4.
    fold : int
        Of a word of a folded image, 1 to ``pixels``; 1: there are no such images.

    Ports
    -----
    begin : in
        A tensor begins with the next word. In this cycle the unit takes ``pointwise``, ``skew``, ``folded``,
        ``sb_base``, ``row_step``, ``group_step``, ``first_row`` (0 to 2) and ``first_group`` (0 to 8).
    step : in
        In this cycle a word is written; ``row_ends``: the last one of its row, ``group_ends``: of its group, too.
    there : in, a bit a pixel
        Which pixels the word has; of a word that does not end its row, all of them (``fold``, if ``folded``).
    bank : out, 9 bits a pixel
        One-hot the pixel's bank; 0 if it is not there, or there is no ``step``.
    addr : out, an address a pixel
        Its word in the bank.

    Cycles
    ------
    ``bank`` and ``addr`` are the places of the word in the cycle of its ``step``; ``begin`` comes in an earlier cycle.
    """

    def __init__(self, pixels: int, fold: int = 1) -> None:
        self.pixels, self.fold = pixels, fold
        super().__init__(
            {
                "begin": In(1),
                "pointwise": In(1),
                "skew": In(1),
                "folded": In(1),
                "sb_base": In(ADDRESS_BITS),
                "row_step": In(ADDRESS_BITS),
                "group_step": In(ADDRESS_BITS),
                "first_row": In(2),
                "first_group": In(4),
                "step": In(1),
                "row_ends": In(1),
                "group_ends": In(1),
                "there": In(pixels),
                "bank": Out(TAPS).array(pixels),
                "addr": Out(ADDRESS_BITS).array(pixels),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place, tensor = _Place(), _Tensor()
        self._advance(m, place, tensor)
        with m.If(self.begin):
            m.d.sync += [
                tensor.pointwise.eq(self.pointwise),
                tensor.skew.eq(self.skew),
                tensor.folded.eq(self.folded if self.fold > 1 else 0),
                tensor.row_step.eq(self.row_step),
                tensor.group_step.eq(self.group_step),
            ]
            self._start(m, place)
        for i in range(self.pixels):
            columns = place.x_ring.rotate_left(i)
            window_bank = Cat(place.y_ring[y] & columns[x] for y in range(3) for x in range(3))
            m.d.comb += [
                self.bank[i].eq(
                    Mux(self.step & self.there[i], Mux(tensor.pointwise, place.group_ring, window_bank), 0)
                ),
                self.addr[i].eq(place.word + Mux(tensor.pointwise, i, place.cells(i))),
            ]
        return m

    def _start(self, m: Module, place: _Place) -> None:
        """The first pixel's place."""
        x_begin, y_begin = Signal(3), Signal(3)
        phase = [reduce(or_, (self.first_group == group for group in range(rest, TAPS, 3))) for rest in range(3)]
        m.d.comb += [
            x_begin.eq(Mux(self.skew, Cat(phase), 1)),
            y_begin.eq(Cat(self.first_row == row for row in range(3))),
        ]
        m.d.sync += [
            place.x_ring.eq(x_begin),
            place.x_begin.eq(x_begin),
            place.y_ring.eq(y_begin),
            place.y_begin.eq(y_begin),
            place.group_ring.eq(Cat(self.first_group == group for group in range(TAPS))),
            *(word.eq(self.sb_base) for word in (place.word, place.row, place.group)),
        ]

    def _advance(self, m: Module, place: _Place, tensor: _Tensor) -> None:
        """From word to word: along a row, from row to row, from group to group."""
        fold, pixels, x_ring = self.fold, self.pixels, place.x_ring
        pointwise, folded = tensor.pointwise, tensor.folded
        next_row, next_group = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        m.d.comb += [
            next_row.eq(place.row + Mux(pointwise | place.y_ring[-1], tensor.row_step, 0)),
            next_group.eq(place.group + Mux(~pointwise | place.group_ring[-1], tensor.group_step, 0)),
        ]
        next_begin = Mux(tensor.skew, place.x_begin.rotate_left(1), place.x_begin)  # the next group's
        with m.If(self.step):
            with m.If(~self.row_ends):
                cells = Mux(folded, place.cells(fold), place.cells(pixels))
                m.d.sync += [
                    x_ring.eq(Mux(folded, x_ring.rotate_left(fold), x_ring.rotate_left(pixels))),
                    place.word.eq(place.word + Mux(pointwise, pixels, cells)),
                ]
            with m.Elif(~self.group_ends):
                m.d.sync += [
                    x_ring.eq(place.x_begin),
                    place.y_ring.eq(place.y_ring.rotate_left(1)),
                    place.word.eq(next_row),
                    place.row.eq(next_row),
                ]
            with m.Else():
                m.d.sync += [
                    x_ring.eq(next_begin),
                    place.x_begin.eq(next_begin),
                    place.y_ring.eq(place.y_begin),
                    place.group_ring.eq(place.group_ring.rotate_left(1)),
                    place.word.eq(next_group),
                    place.row.eq(next_group),
                    place.group.eq(next_group),
                ]
