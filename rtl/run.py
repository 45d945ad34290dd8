"""RUN: walks a tile's output pixels, or a depthwise tile's columns, and addresses the SB's nine banks."""

from __future__ import annotations

from itertools import pairwise

from amaranth import Array, C, Cat, Module, Mux, Signal, signed
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from arch_model.machine.accelerator import ADDRESS_BITS, LANE_BITS
from arch_model.program.isa import COUNT_BITS, Opcode, entry_offset
from arch_model.program.limits import ORIGIN_MAX
from rtl.command import command_layout
from rtl.interfaces import acquire
from rtl.pixel import PIXEL


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
    sb_full, out_free (Out, acquire); sb_free_release (Out, 1) with the last SB read.
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

        # Where the walk stands: output pixel, window origin, and the bank word of the origin's cell.
        row, col, index = Signal.like(new.out_rows), Signal.like(new.out_cols), Signal(ADDRESS_BITS)
        # Signed, of twice as many rows or columns as a tensor's: an origin beyond them wraps to one before them.
        y, x = Signal(signed(COUNT_BITS + 2)), Signal(signed(COUNT_BITS + 2))
        y_mod, x_mod = Signal(2), Signal(2)
        word, row_word, rep_word = (Signal(ADDRESS_BITS) for _ in range(3))
        y0_mod, x0_mod = Signal(2), Signal(2)
        rep, first = Signal.like(new.reps), Signal()
        sums = Signal(ADDRESS_BITS)  # OB word of pixel 0

        # Depthwise: the column that is read, its row's top tap being y, and how many steps the next pixel is away.
        column, columns, gap, row_gap = (Signal(COUNT_BITS) for _ in range(4))
        over = Signal(signed(COUNT_BITS + 2))  # columns that a row has behind its last window's first; below 0 it lacks

        step, issue, last_col, last_row, last_rep = Signal(), Signal(), Signal(), Signal(), Signal()
        pass_end, command_end, accept = Signal(), Signal(), Signal()
        m.d.comb += [
            last_col.eq(col == cmd.out_cols - 1),
            last_row.eq(row == cmd.out_rows - 1),
            last_rep.eq(rep == cmd.reps - 1),
            step.eq(self.busy & (~first | self.shadow_full)),
            issue.eq(step & ~(cmd.depthwise & (gap != 0))),
            pass_end.eq(issue & last_col & last_row),
            command_end.eq(pass_end & last_rep),
            self.consume.eq(step & first),
            self.pass_start.eq(self.consume),
            self.sb_free_release.eq(command_end & cmd.signal_sb),
        ]

        # Accepting a command: free (or just becoming so) and every token there.
        can, lacks_sb, lacks_out = Signal(), Signal(), Signal()
        m.d.comb += [
            can.eq(self.command.valid & (~self.busy | command_end)),
            lacks_sb.eq(new.wait_sb & ~self.sb_full.ready),
            lacks_out.eq(new.wait_out & ~self.out_free.ready),
            accept.eq(can & ~lacks_sb & ~lacks_out),
            self.command.ready.eq((~self.busy | command_end) & ~lacks_sb & ~lacks_out),
            self.sb_full.acquire.eq(accept & new.wait_sb),
            self.out_free.acquire.eq(accept & new.wait_out),
            self.wait_weights.eq(self.busy & first & ~self.shadow_full),
        ]

        # Accepted with the last pixel of the one before, a command loses no cycle; if it waits then, it loses the next.
        m.d.sync += [self.wait_sb.eq(can & lacks_sb), self.wait_out.eq(can & lacks_out & ~lacks_sb)]

        # A step of the walk. In windows layout a bank word is a 3×3 cell of pixels, so the address moves when the
        # origin leaves its cell; in pointwise layout it is one pixel.
        next_x_mod, next_y_mod = Signal(3), Signal(3)
        col_step, row_step = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        m.d.comb += [next_x_mod.eq(x_mod + cmd.stride), next_y_mod.eq(y_mod + cmd.stride)]
        moves = cmd.stride != 0
        with m.If(cmd.pointwise):
            m.d.comb += [col_step.eq(cmd.stride), row_step.eq(Mux(cmd.stride[1], cmd.row_step << 1, cmd.row_step))]
        with m.Else():
            m.d.comb += [col_step.eq(next_x_mod >= 3), row_step.eq(Mux(next_y_mod >= 3, cmd.row_step, 0))]

        next_row = [
            y.eq(y + cmd.stride),
            x_mod.eq(x0_mod),
            word.eq(row_word + row_step),
            row_word.eq(row_word + row_step),
        ]
        with m.If(step):
            m.d.sync += [first.eq(0), gap.eq(gap - 1)]
            with m.If(cmd.depthwise):
                with m.If(column != columns - 1):
                    m.d.sync += column.eq(column + 1)
                    with m.If(moves):
                        m.d.sync += [x_mod.eq(Mux(x_mod == 2, 0, x_mod + 1)), word.eq(word + (x_mod == 2))]
                with m.Else():
                    m.d.sync += [column.eq(0), *next_row]
                    m.d.sync += y_mod.eq(Mux(next_y_mod >= 3, next_y_mod - 3, next_y_mod))
        with m.If(issue):
            with m.If(~last_col):
                m.d.sync += [col.eq(col + 1), x.eq(x + cmd.stride), index.eq(index + 1), gap.eq(cmd.stride[1])]
                with m.If(~cmd.depthwise):
                    m.d.sync += word.eq(word + col_step)
                    with m.If(~cmd.pointwise):
                        m.d.sync += x_mod.eq(Mux(next_x_mod >= 3, next_x_mod - 3, next_x_mod))
            with m.Elif(~last_row):
                m.d.sync += [col.eq(0), row.eq(row + 1), index.eq(index + 1), x.eq(cmd.x0), gap.eq(row_gap)]
                with m.If(~cmd.depthwise):
                    m.d.sync += next_row
                    with m.If(~cmd.pointwise):
                        m.d.sync += y_mod.eq(Mux(next_y_mod >= 3, next_y_mod - 3, next_y_mod))
            with m.Else():
                following = (rep_word + cmd.group_step)[:ADDRESS_BITS]
                m.d.sync += [rep.eq(rep + 1), rep_word.eq(following), word.eq(following), row_word.eq(following)]
                m.d.sync += [y_mod.eq(y0_mod), x_mod.eq(x0_mod), y.eq(cmd.y0), x.eq(cmd.x0)]
                m.d.sync += [row.eq(0), col.eq(0), index.eq(0), first.eq(1)]
        with m.If(command_end):
            m.d.sync += self.busy.eq(0)
        with m.If(accept):
            y_div, y_rest = divide_by_3(new.y0)
            x_div, x_rest = divide_by_3(new.x0)
            origin = (new.sb_base + y_div * new.row_step + Mux(new.depthwise, 0, x_div))[:ADDRESS_BITS]
            x_begin = Mux(new.depthwise, 0, x_rest)  # columns are walked from the tensor's first on
            used = Mux(new.stride[1], (new.out_cols << 1) - 2, new.out_cols - 1)  # from a row's first pixel to its last
            m.d.comb += over.eq(new.cols - used - 1)
            m.d.sync += [column.eq(0), columns.eq(Mux(over < 0, used + 1, new.cols))]  # columns of a row, walked
            m.d.sync += [gap.eq(new.x0 + 3), row_gap.eq(Mux(over < 0, 0, over))]
            twice = Mux(new.ob_slot[1], new.pixels << 1, 0)
            m.d.sync += sums.eq(Mux(new.ob_slot[0], new.pixels, 0) + twice)
            m.d.sync += [cmd.eq(new), self.busy.eq(1), first.eq(1), rep.eq(0)]
            m.d.sync += [word.eq(origin), row_word.eq(origin), rep_word.eq(origin)]
            m.d.sync += [y_mod.eq(y_rest), y0_mod.eq(y_rest), x_mod.eq(x_begin), x0_mod.eq(x_begin)]
            m.d.sync += [y.eq(new.y0), x.eq(new.x0), row.eq(0), col.eq(0), index.eq(0)]

        # Depthwise: group j of three counts its columns from (skew + j) mod 3: each has a bank of its own.
        skew, turn = cmd.last_banks, Signal(2)
        group_word = [Signal(ADDRESS_BITS, name=f"group_word_{j}") for j in range(3)]
        m.d.comb += turn.eq(modulo_3(x_mod + skew[:2]))
        for j, group_step in enumerate((0, cmd.group_step, cmd.group_step << 1)):
            m.d.comb += group_word[j].eq(word + group_step + (x_mod + modulo_3(skew[:2] + j) >= 3))
        for bank in range(9):
            below = Mux(bank // 3 < y_mod, cmd.row_step, 0)  # this bank's row lies in the next row of cells
            group = Array(group_word[(bank - n) % 3] for n in range(3))[turn]
            m.d.comb += self.addr[bank].eq(Mux(cmd.depthwise, group, word + (bank % 3 < x_mod)) + below)
        banks = Mux(last_rep, cmd.last_banks, 9)
        # Depthwise: of a smaller window only the top left taps count.
        down, across = (Mux(cmd.depthwise, cmd.last_lanes[2 * n : 2 * n + 2], 0) for n in (1, 0))
        row_in = [(y + i >= 0) & (y + i < cmd.rows) & counts(i, down) for i in range(3)]
        col_in = [(x + j >= 0) & (x + j < cmd.cols) & counts(j, across) for j in range(3)]
        entry = zsb_entry(m, step, row_in, col_in, cmd.x0)
        windows = Cat(*(row_in[t // 3] & (cmd.depthwise | col_in[t % 3]) for t in range(9)))
        pixel = self.pixel
        m.d.comb += [
            self.y_mod.eq(y_mod),
            self.x_mod.eq(Mux(cmd.depthwise, turn, x_mod)),
            self.present.eq(Mux(cmd.pointwise, Cat(*(C(b) < banks for b in range(9))), windows)),
            self.fill.eq(Mux(cmd.pointwise, 0, cmd.fill)),
            self.lanes.eq(Mux(last_rep & ~cmd.depthwise, cmd.last_lanes, -1)),
            pixel.valid.eq(issue),
            pixel.start.eq(cmd.start & (rep == 0)),
            pixel.finish.eq(cmd.finish & last_rep),
            pixel.signal.eq(command_end & cmd.signal_out),
            pixel.pixel.eq(sums + index),
            pixel.zsb.eq(cmd.zsb + Mux((down != 0) & ~cmd.maximum, entry, 0)),
            pixel.z_out.eq(cmd.z_out),
            pixel.lo.eq(cmd.lo),
            pixel.hi.eq(cmd.hi),
            pixel.out_addr.eq(cmd.out_base + index),
            pixel.out_bank.eq(cmd.out_bank),
            pixel.out_lane.eq(cmd.out_lane),
            pixel.pixels.eq(cmd.pixels),
            pixel.table.eq(cmd.table),
            pixel.depthwise.eq(cmd.depthwise),
            pixel.maximum.eq(cmd.maximum),
            pixel.columns.eq(Cat(*col_in)),
            pixel.fill.eq(cmd.fill),
        ]
        return m


ENTRIES = [entry_offset(max(n & 3, 1), max((n >> 2).bit_count(), 1)) for n in range(32)]
"""By the rows of a window that are inside (2 bits) and whether each column is (3): its ZSB entry, from the first on."""


def zsb_entry(m: Module, step, row_in, col_in, x0):
    """A pixel's ZSB entry, counted from the command's, by which rows and columns of its window are inside the tensor.

    ``row_in`` is of the row that is read now, ``col_in`` of the pixel's window, whose leftmost column but for padding
    was read x0 + 3 steps before; x0 is 0 or -1.
    """
    rows = [Signal(2, name=f"rows_in_{n}") for n in range(1, 4)]  # n steps ago
    with m.If(step):
        m.d.sync += [late.eq(soon) for soon, late in pairwise((sum(row_in), *rows))]
    return Array(ENTRIES)[Cat(Mux(x0[0], rows[1], rows[2]), *col_in)]


def counts(place: int, taps):
    """Whether a window's row or column ``place`` counts, of ``taps`` (0: three)."""
    return (C(1), taps != 1, (taps == 0) | (taps == 3))[place]


def modulo_3(value):
    """The remainder of a value of 0..5 by 3."""
    return Mux(value >= 3, value - 3, value)[:2]


def divide_by_3(value):
    """Floor quotient (signed) and remainder of a small signed value by 3, as a table over -8..7."""
    index = value[:4]
    values = [n if n <= ORIGIN_MAX else n - 16 for n in range(16)]
    quotient = Array([C(n // 3, signed(3)) for n in values])[index]
    remainder = Array([C(n % 3, 2) for n in values])[index]
    return quotient, remainder
