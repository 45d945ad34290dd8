"""The requantiser: an int32 sum becomes an int8 activation, rounding half to even."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib.wiring import In, Out

from arch_model.machine.microarchitecture import LANE_BYTES, TABLE_WORDS, TABLES
from arch_model.network.quant import MULTIPLIER_BITS
from rtl.interfaces import table_write
from rtl.memory import BlockMemory
from rtl.netlist import SharedUnit

LOW_BITS = 17
"""Lower bits of a sum, multiplied by themselves: unsigned, one less than a signed port of a DSP48E2 has."""


def round_shift(m, value, shift, name: str):
    """``value >> shift`` rounded half to even, combinational.

    The value is shifted with one bit to spare: that bit is the half, and what falls below it only matters as "any bit
    set" (sticky).

    Parameters
    ----------
    m : the module that gets the logic.
    value : signed.
    shift : unsigned.
    name : begins the signals' names.
    """
    wide = Signal(signed(len(value) + 1), name=f"{name}_wide")
    shifted = Signal(signed(len(value) + 1), name=f"{name}_shifted")
    below = Signal(len(value) + 1, name=f"{name}_below")
    sticky = Signal(name=f"{name}_sticky")
    m.d.comb += [
        wide.eq(Cat(Const(0, 1), value).as_signed()),
        shifted.eq(wide >> shift),
        below.eq(~(Const(-1, signed(len(value) + 1)) << shift)),
        sticky.eq((wide & below).any()),
    ]
    half, floor = shifted[0], shifted[1:].as_signed()
    return floor + (half & (sticky | shifted[1])).as_unsigned()


def saturate(value, lo, hi):
    """A value limited to a range.

    Parameters
    ----------
    value, lo, hi : Amaranth values.
    """
    return Mux(value < lo, lo, Mux(value > hi, hi, value))


class Requantiser(SharedUnit):
    """One lane: ``clamp(round((acc + bias) * multiplier / 2**shift) + z_out, lo, hi)``, five stages.

    With an activation table the clamped value v becomes byte v + 128 of it. Its read is the last stage, too.

    Ports
    -----
    acc (In, signed 32) and entry (In, 64: bias | multiplier << 32 | shift << 58): together, every cycle.
    z_out, lo, hi (In, signed 8): four cycles after their ``acc``, when the last stage wants them.
    table (In, 2): 0 none, else the table's number plus 1; with ``z_out``.
    y (Out, signed 8): five cycles after ``acc``.
    entries (In, table_write): eight bytes of a table, taken in any cycle.

    The formula is :func:`arch_model.network.quant.requantize`.
    """

    def __init__(self):
        super().__init__(
            {
                "acc": In(signed(32)),
                "entry": In(64),
                "z_out": In(signed(8)),
                "lo": In(signed(8)),
                "hi": In(signed(8)),
                "table": In(2),
                "y": Out(signed(8)),
                "entries": In(table_write()),
            }
        )

    def body(self, platform):
        m = Module()
        m.submodules.tables = tables = BlockMemory(8 * LANE_BYTES, TABLES * TABLE_WORDS)
        clamped, plain = Signal(signed(8)), Signal(signed(8))
        index = Cat(clamped[:7], ~clamped[7])  # from 0 for -128
        use_table, byte = Signal(), Signal(3)
        m.d.comb += [
            tables.write_en.eq(self.entries.en),
            tables.write_at(self.entries.addr, "the activation tables"),
            tables.write_data.eq(self.entries.data),
            tables.read_at(Cat(index[3:], self.table[1]), "the activation tables"),
            self.y.eq(Mux(use_table, tables.read_data.word_select(byte, 8).as_signed(), plain)),
        ]
        total = Signal(signed(33))
        multiplier, shift = Signal(MULTIPLIER_BITS), Signal(6)
        # Two products of at most 18 × 27 bits as signed numbers: a DSP48E2 each. One of 33 × 26 bits would take four.
        low = Signal(LOW_BITS + MULTIPLIER_BITS)
        high = Signal(signed(33 - LOW_BITS + MULTIPLIER_BITS))
        product = Signal(signed(33 + MULTIPLIER_BITS))
        shift_1, shift_2 = Signal(6), Signal(6)
        rounded = Signal(signed(len(product) + 1))
        m.d.sync += [
            total.eq(self.acc + self.entry[:32].as_signed()),
            multiplier.eq(self.entry[32 : 32 + MULTIPLIER_BITS]),
            shift.eq(self.entry[58:64]),
            low.eq(total[:LOW_BITS] * multiplier),
            high.eq(total[LOW_BITS:].as_signed() * multiplier),
            shift_1.eq(shift),
            product.eq(Cat(low[:LOW_BITS], high + low[LOW_BITS:])),
            shift_2.eq(shift_1),
            rounded.eq(round_shift(m, product, shift_2, "round")),
            plain.eq(clamped),
            use_table.eq(self.table != 0),
            byte.eq(index[:3]),
        ]
        m.d.comb += clamped.eq(saturate(rounded + self.z_out, self.lo, self.hi))
        return m
