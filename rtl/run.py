"""RUN: walks a tile's output pixels, or a depthwise tile's columns, and addresses the SB's nine banks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from amaranth import Array, C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from arch_model.machine.accelerator import ADDRESS_BITS, LANE_BITS
from arch_model.program.isa import COUNT_BITS, ORIGIN_BITS, Opcode, entry_offset
from rtl.command import command_layout
from rtl.interfaces import acquire
from rtl.pixel import PIXEL


class _Walk:
    """Where the walk over a command's pixels stands, and what happens in this cycle."""

    def __init__(self, command: Any) -> None:
        # The output pixel, the repetition of the command, and whether this is the first step of one.
        self.row = Signal.like(command.out_rows)
        self.col = Signal.like(command.out_cols)
        self.index = Signal(ADDRESS_BITS)
        self.rep = Signal.like(command.reps)
        self.first = Signal()
        self.sums = Signal(ADDRESS_BITS)  # OB word of pixel 0
        # The window's origin, signed, of twice as many rows or columns as a tensor's: one beyond them wraps to one
        # before them.
        self.y = Signal(signed(COUNT_BITS + 2))
        self.x = Signal(signed(COUNT_BITS + 2))
        # The bank word of the origin's cell, and the origin in its cell; now, at the row's start, the repetition's.
        self.word = Signal(ADDRESS_BITS)
        self.row_word = Signal(ADDRESS_BITS)
        self.rep_word = Signal(ADDRESS_BITS)
        self.y_mod = Signal(2)
        self.x_mod = Signal(2)
        self.y0_mod = Signal(2)
        self.x0_mod = Signal(2)
        # Depthwise: the column that is read, its row's top tap being y, and how many steps the next pixel is away.
        self.column = Signal(COUNT_BITS)
        self.columns = Signal(COUNT_BITS)  # of a row, walked
        self.gap = Signal(COUNT_BITS)
        self.row_gap = Signal(COUNT_BITS)  # from a row's last pixel to the next one's first
        # What happens in this cycle.
        self.step = Signal()
        self.issue = Signal()
        self.last_col = Signal()
        self.last_row = Signal()
        self.last_rep = Signal()
        self.command_end = Signal()


class Run(Component):
    """Issues one output pixel a cycle: nine bank addresses, which taps are present, and its way through the pipeline.

    With ``depthwise`` it walks the columns of the tile's rows, one a *step*, each in the three groups from the K-tile's
    first on; a pixel is issued in the step after that of its window's last column (:mod:`rtl.column_buffer`). If
    ``last_lanes`` says which taps of the window count, the others read ``fill``, and a sum takes the ZSB entry of as
    many taps as are inside the tensor.

    Ports
    -----
    command (In, stream of PASS): accepted when the command before issues its last pixel (or there is none) and its
        tokens are there, so that commands follow each other without a gap. y0 and x0 are -8..7.
    sb_full, kept, out_free (Out, acquire); sb_free_release (Out, 1) with the last SB read.
    shadow_full (In, 1), consume (Out, 1): a pass starts when the shadow holds its weights; ``consume`` marks its
        first pixel.
    addr (Out, ADDRESS_BITS × 9): bank addresses, valid with ``pixel.valid``.
    y_mod, x_mod (Out, 2), present (Out, 9), fill (Out, signed 8), lanes (Out, LANE_BITS): for the LB, same cycle.
    pixel (Out, PIXEL): the rest of the pipeline's orders, same cycle.
    busy (Out, 1): a command is being executed. pass_start (Out, 1): a pass begins.
    wait_sb, wait_weights, wait_out (Out, 1): why nothing is issued in this cycle; the first and the last because the
        command was not accepted in the cycle before.

    Timing
    ------
    P·Q cycles a pass, back to back while the shadow is full in time; depthwise
    (P - 1) * max(cols, stride * (Q - 1) + 1) + stride * (Q - 1) + x0 + 4 (with stride 0: as with 1).
    """

    def __init__(self):
        super().__init__(
            {
                "command": In(stream.Signature(command_layout(Opcode.PASS))),
                "sb_full": Out(acquire()),
                "kept": Out(acquire()),
                "sb_free_release": Out(1),
                "out_free": Out(acquire()),
                "shadow_full": In(1),
                "consume": Out(1),
                "addr": Out(ADDRESS_BITS).array(9),
                "y_mod": Out(2),
                "x_mod": Out(2),
                "present": Out(9),
                "fill": Out(signed(8)),
                "lanes": Out(LANE_BITS),
                "pixel": Out(PIXEL),
                "busy": Out(1),
                "pass_start": Out(1),
                "wait_sb": Out(1),
                "wait_weights": Out(1),
                "wait_out": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        new, cmd = self.command.payload, Signal(self.command.payload.shape())
        walk = _Walk(new)
        self._decide(m, cmd, walk)
        accept = self._accept_commands(m, walk)
        self._move(m, cmd, walk)
        with m.If(walk.command_end):
            m.d.sync += self.busy.eq(0)
        with m.If(accept):
            m.d.sync += [cmd.eq(new), self.busy.eq(1)]
            self._begin(m, walk)
        self._address_banks(m, cmd, walk)
        entry, columns = self._choose_taps(m, cmd, walk)
        self._issue_pixel(m, cmd, walk, entry, columns)
        return m

    def _decide(self, m: Module, cmd: Any, walk: _Walk) -> None:
        """Whether this cycle reads a column or a window, issues a pixel, ends a pass or the command."""
        pass_end = Signal()
        m.d.comb += [
            walk.last_col.eq(walk.col == cmd.out_cols - 1),
            walk.last_row.eq(walk.row == cmd.out_rows - 1),
            walk.last_rep.eq(walk.rep == cmd.reps - 1),
            walk.step.eq(self.busy & (~walk.first | self.shadow_full)),
            walk.issue.eq(walk.step & ~(cmd.depthwise & (walk.gap != 0))),
            pass_end.eq(walk.issue & walk.last_col & walk.last_row),
            walk.command_end.eq(pass_end & walk.last_rep),
            self.consume.eq(walk.step & walk.first),
            self.pass_start.eq(self.consume),
            self.sb_free_release.eq(walk.command_end & cmd.signal_sb),
        ]

    def _accept_commands(self, m: Module, walk: _Walk) -> Signal:
        """Accept a command when the unit is free, or just becoming so, and every token is there."""
        new = self.command.payload
        accept, can, lacks_sb, lacks_out = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            can.eq(self.command.valid & (~self.busy | walk.command_end)),
            lacks_sb.eq((new.wait_sb & ~self.sb_full.ready) | (new.wait_kept & ~self.kept.ready)),
            lacks_out.eq(new.wait_out & ~self.out_free.ready),
            accept.eq(can & ~lacks_sb & ~lacks_out),
            self.command.ready.eq((~self.busy | walk.command_end) & ~lacks_sb & ~lacks_out),
            self.sb_full.acquire.eq(accept & new.wait_sb),
            self.kept.acquire.eq(accept & new.wait_kept),
            self.out_free.acquire.eq(accept & new.wait_out),
            self.wait_weights.eq(self.busy & walk.first & ~self.shadow_full),
        ]
        # Accepted with the last pixel of the one before, a command loses no cycle; if it waits then, it loses the next.
        m.d.sync += [self.wait_sb.eq(can & lacks_sb), self.wait_out.eq(can & lacks_out & ~lacks_sb)]
        return accept

    def _begin(self, m: Module, walk: _Walk) -> None:
        """The walk's start, when a command is accepted."""
        new = self.command.payload
        over = Signal(signed(COUNT_BITS + 2))  # columns of a row behind its last window's first; below 0 it lacks some
        y_div, y_rest = divide_by_3(new.y0)
        x_div, x_rest = divide_by_3(new.x0)
        origin = (new.sb_base + y_div * new.row_step + Mux(new.depthwise, 0, x_div))[:ADDRESS_BITS]
        x_begin = Mux(new.depthwise, 0, x_rest)  # columns are walked from the tensor's first on
        used = Mux(new.stride[1], (new.out_cols << 1) - 2, new.out_cols - 1)  # from a row's first pixel to its last
        m.d.comb += over.eq(new.cols - used - 1)
        m.d.sync += [walk.column.eq(0), walk.columns.eq(Mux(over < 0, used + 1, new.cols))]
        m.d.sync += [walk.gap.eq(new.x0 + 3), walk.row_gap.eq(Mux(over < 0, 0, over))]
        twice = Mux(new.ob_slot[1], new.pixels << 1, 0)
        m.d.sync += walk.sums.eq(Mux(new.ob_slot[0], new.pixels, 0) + twice)
        m.d.sync += [walk.first.eq(1), walk.rep.eq(0)]
        m.d.sync += [walk.word.eq(origin), walk.row_word.eq(origin), walk.rep_word.eq(origin)]
        m.d.sync += [walk.y_mod.eq(y_rest), walk.y0_mod.eq(y_rest), walk.x_mod.eq(x_begin), walk.x0_mod.eq(x_begin)]
        m.d.sync += [walk.y.eq(new.y0), walk.x.eq(new.x0), walk.row.eq(0), walk.col.eq(0), walk.index.eq(0)]

    def _move(self, m: Module, cmd: Any, walk: _Walk) -> None:
        """A step of the walk: column by column in depthwise commands, pixel by pixel in all.

        In windows layout a bank word is a 3×3 cell of pixels, so the address moves when the origin leaves its cell; in
        pointwise layout it is one pixel.
        """
        next_x_mod, next_y_mod = Signal(3), Signal(3)
        col_step, row_step = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        m.d.comb += [next_x_mod.eq(walk.x_mod + cmd.stride), next_y_mod.eq(walk.y_mod + cmd.stride)]
        with m.If(cmd.pointwise):
            m.d.comb += [col_step.eq(cmd.stride), row_step.eq(Mux(cmd.stride[1], cmd.row_step << 1, cmd.row_step))]
        with m.Else():
            m.d.comb += [col_step.eq(next_x_mod >= 3), row_step.eq(Mux(next_y_mod >= 3, cmd.row_step, 0))]
        next_row = [
            walk.y.eq(walk.y + cmd.stride),
            walk.x_mod.eq(walk.x0_mod),
            walk.word.eq(walk.row_word + row_step),
            walk.row_word.eq(walk.row_word + row_step),
        ]
        next_y = walk.y_mod.eq(Mux(next_y_mod >= 3, next_y_mod - 3, next_y_mod))
        next_x = walk.x_mod.eq(Mux(next_x_mod >= 3, next_x_mod - 3, next_x_mod))
        with m.If(walk.step):
            m.d.sync += [walk.first.eq(0), walk.gap.eq(walk.gap - 1)]
            with m.If(cmd.depthwise):
                self._next_column(m, cmd, walk, [*next_row, next_y])
        with m.If(walk.issue):
            with m.If(~walk.last_col):
                m.d.sync += [walk.col.eq(walk.col + 1), walk.x.eq(walk.x + cmd.stride)]
                m.d.sync += [walk.index.eq(walk.index + 1), walk.gap.eq(cmd.stride[1])]
                with m.If(~cmd.depthwise):
                    m.d.sync += walk.word.eq(walk.word + col_step)
                    with m.If(~cmd.pointwise):
                        m.d.sync += next_x
            with m.Elif(~walk.last_row):
                m.d.sync += [walk.col.eq(0), walk.row.eq(walk.row + 1), walk.x.eq(cmd.x0)]
                m.d.sync += [walk.index.eq(walk.index + 1), walk.gap.eq(walk.row_gap)]
                with m.If(~cmd.depthwise):
                    m.d.sync += next_row
                    with m.If(~cmd.pointwise):
                        m.d.sync += next_y
            with m.Else():
                self._next_repetition(m, cmd, walk)

    def _next_column(self, m: Module, cmd: Any, walk: _Walk, next_row: list) -> None:
        """Depthwise: the next column of this row, or the first one of the next; with stride 0 the same one again."""
        with m.If(walk.column != walk.columns - 1):
            m.d.sync += walk.column.eq(walk.column + 1)
            with m.If(cmd.stride != 0):
                m.d.sync += walk.x_mod.eq(Mux(walk.x_mod == 2, 0, walk.x_mod + 1))
                m.d.sync += walk.word.eq(walk.word + (walk.x_mod == 2))
        with m.Else():
            m.d.sync += [walk.column.eq(0), *next_row]

    def _next_repetition(self, m: Module, cmd: Any, walk: _Walk) -> None:
        """The same pixels once more, of the next groups."""
        following = (walk.rep_word + cmd.group_step)[:ADDRESS_BITS]
        m.d.sync += [walk.rep.eq(walk.rep + 1), walk.rep_word.eq(following)]
        m.d.sync += [walk.word.eq(following), walk.row_word.eq(following)]
        m.d.sync += [walk.y_mod.eq(walk.y0_mod), walk.x_mod.eq(walk.x0_mod), walk.y.eq(cmd.y0), walk.x.eq(cmd.x0)]
        m.d.sync += [walk.row.eq(0), walk.col.eq(0), walk.index.eq(0), walk.first.eq(1)]

    def _address_banks(self, m: Module, cmd: Any, walk: _Walk) -> None:
        """Each bank's word of the window or, depthwise, of a column in three groups, and how they are rotated.

        Depthwise, group j of three counts its columns from (skew + j) mod 3: each has a bank of its own.
        """
        skew, turn = cmd.last_banks, Signal(2)
        group_word = [Signal(ADDRESS_BITS, name=f"group_word_{j}") for j in range(3)]
        m.d.comb += turn.eq(modulo_3(walk.x_mod + skew[:2]))
        for j, group_step in enumerate((0, cmd.group_step, cmd.group_step << 1)):
            m.d.comb += group_word[j].eq(walk.word + group_step + (walk.x_mod + modulo_3(skew[:2] + j) >= 3))
        for bank in range(9):
            below = Mux(bank // 3 < walk.y_mod, cmd.row_step, 0)  # this bank's row lies in the next row of cells
            group = Array(group_word[(bank - n) % 3] for n in range(3))[turn]
            m.d.comb += self.addr[bank].eq(Mux(cmd.depthwise, group, walk.word + (bank % 3 < walk.x_mod)) + below)
        m.d.comb += [self.y_mod.eq(walk.y_mod), self.x_mod.eq(Mux(cmd.depthwise, turn, walk.x_mod))]

    def _choose_taps(self, m: Module, cmd: Any, walk: _Walk) -> tuple[Value, Value]:
        """Which taps of the window are inside the tensor and count; what the others read.

        Returns the pixel's ZSB entry, counted from the command's, and its window's columns that are inside.
        """
        banks = Mux(walk.last_rep, cmd.last_banks, 9)
        # Depthwise: of a smaller window only the top left taps count.
        down, across = (Mux(cmd.depthwise, cmd.last_lanes[2 * n : 2 * n + 2], 0) for n in (1, 0))
        row_in = [(walk.y + i >= 0) & (walk.y + i < cmd.rows) & counts(i, down) for i in range(3)]
        col_in = [(walk.x + j >= 0) & (walk.x + j < cmd.cols) & counts(j, across) for j in range(3)]
        entry = zsb_entry(m, walk.step, row_in, col_in, cmd.x0)
        windows = Cat(*(row_in[t // 3] & (cmd.depthwise | col_in[t % 3]) for t in range(9)))
        m.d.comb += [
            self.present.eq(Mux(cmd.pointwise, Cat(*(C(b) < banks for b in range(9))), windows)),
            self.fill.eq(Mux(cmd.pointwise, 0, cmd.fill)),
            self.lanes.eq(Mux(walk.last_rep & ~cmd.depthwise, cmd.last_lanes, -1)),
        ]
        return Mux((down != 0) & ~cmd.maximum, entry, 0), Cat(*col_in)

    def _issue_pixel(self, m: Module, cmd: Any, walk: _Walk, entry: Value, columns: Value) -> None:
        """The orders that travel down the pipeline beside the pixel."""
        pixel = self.pixel
        m.d.comb += [
            pixel.valid.eq(walk.issue),
            pixel.start.eq(cmd.start & (walk.rep == 0)),
            pixel.finish.eq(cmd.finish & walk.last_rep),
            pixel.signal.eq(walk.command_end & cmd.signal_out),
            pixel.pixel.eq(walk.sums + walk.index),
            pixel.zsb.eq(cmd.zsb + entry),
            pixel.z_out.eq(cmd.z_out),
            pixel.lo.eq(cmd.lo),
            pixel.hi.eq(cmd.hi),
            pixel.out_addr.eq(cmd.out_base + walk.index),
            pixel.out_bank.eq(cmd.out_bank),
            pixel.out_lane.eq(cmd.out_lane),
            pixel.pixels.eq(cmd.pixels),
            pixel.table.eq(cmd.table),
            pixel.depthwise.eq(cmd.depthwise),
            pixel.maximum.eq(cmd.maximum),
            pixel.columns.eq(columns),
            pixel.fill.eq(cmd.fill),
        ]


ENTRIES = [entry_offset(max(n & 3, 1), max((n >> 2).bit_count(), 1)) for n in range(32)]
"""By the rows of a window that are inside (2 bits) and whether each column is (3): its ZSB entry, from the first on."""


def zsb_entry(m: Module, step, row_in, col_in, x0):
    """A pixel's ZSB entry, counted from the command's, by which rows and columns of its window are inside the tensor.

    Parameters
    ----------
    m : the module that gets the logic.
    step : a column is read.
    row_in : of the row that is read now, which of its window's rows are inside.
    col_in : of the pixel's window, whose leftmost column but for padding was read x0 + 3 steps before.
    x0 : 0 or -1.
    """
    rows = [Signal(2, name=f"rows_in_{n}") for n in range(1, 4)]  # n steps ago
    with m.If(step):
        m.d.sync += [late.eq(soon) for soon, late in pairwise((sum(row_in), *rows))]
    return Array(ENTRIES)[Cat(Mux(x0[0], rows[1], rows[2]), *col_in)]


def counts(place: int, taps):
    """Whether a window's row or column counts.

    Parameters
    ----------
    place : of the row or column, from 0.
    taps : that count; 0: three.
    """
    return (C(1), taps != 1, (taps == 0) | (taps == 3))[place]


def modulo_3(value):
    """The remainder of a value of 0..5 by 3."""
    return Mux(value >= 3, value - 3, value)[:2]


def divide_by_3(value):
    """Floor quotient (signed) and remainder of a small signed value by 3, as a table over -8..7."""
    count = 1 << ORIGIN_BITS
    index = value[:ORIGIN_BITS]
    values = [n if n < count // 2 else n - count for n in range(count)]
    quotient = Array([C(n // 3, signed(3)) for n in values])[index]
    remainder = Array([C(n % 3, 2) for n in values])[index]
    return quotient, remainder
