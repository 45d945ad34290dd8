"""Gearbox: words of one size into words of another, byte for byte, adding and dropping padding."""

from __future__ import annotations

from amaranth import Array, Cat, Const, Module, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from arch_model.machine.microarchitecture import gearbox_bytes

MAX_BYTES = 1024


class Gearbox(Component):
    """Words of ``in_bytes`` in, words of ``out_bytes`` out; byte 0 (lowest bits) is the first.

    Parameters
    ----------
    in_bytes, out_bytes : int
        Word sizes, 1 to 1024 bytes.
    max_pad, max_drop : int
        Largest values of ``pad`` and ``drop``, 0 to 255. They size the adders and the buffer: who never pads
        (or drops) saves by giving 0. By default ``out_bytes - 1`` and ``in_bytes - 1``, padding to and from
        whole words.
    in_parts, out_parts : int
        Equal parts of a word, of which the last ones may be absent: see ``absent`` and ``unwanted``. 1: always whole.

    Raises
    ------
    ValueError
        A size or padding is outside its range, or a word is not a whole number of its parts.

    Ports
    -----
    i : stream in, {data: 8 * in_bytes, pad: 8}
        A word, after which ``pad`` (0 to ``max_pad``) zero bytes follow. ``i.ready`` is a function of
        registers.
    o : stream out, 8 * out_bytes
        The next word. ``o.valid`` and ``o.payload`` are functions of registers.
    drop : in, 8 bits
        How many bytes (0 to ``max_drop``) to throw away after the word now at ``o``; sampled in the cycle in
        which it is accepted. They must be in the buffer already, as they are when they belong to the input
        word that ended the output word.
    absent : in
        How many parts (0 to ``in_parts`` - 1) at the end of the word at ``i`` are not there; their data are 0.
    unwanted : in
        How many parts (0 to ``out_parts`` - 1) at the end of the word at ``o`` are not wanted: it is valid as soon
        as the others are there, and only those are taken. What stands in their place is of no meaning.
    clear : in
        Empties the buffer at the end of this cycle; a word accepted in it is lost.
    empty : out
        No byte is in the buffer.

    Timing: a word that completes an output is accepted one cycle before that output is valid. If the input
    always has a word and the output is always accepted, then a word goes in (``in <= out``) or out
    (``in >= out``) every cycle, padding included: padded rows follow each other without a bubble.
    """

    def __init__(
        self,
        in_bytes: int,
        out_bytes: int,
        *,
        max_pad: int | None = None,
        max_drop: int | None = None,
        in_parts: int = 1,
        out_parts: int = 1,
    ) -> None:
        for name, value in (("in_bytes", in_bytes), ("out_bytes", out_bytes)):
            if not 1 <= value <= MAX_BYTES:
                raise ValueError(f"{name} is {value}; it can be 1 to {MAX_BYTES}")
        self.in_bytes, self.out_bytes = in_bytes, out_bytes
        self.max_pad = min(out_bytes - 1, 255) if max_pad is None else max_pad
        self.max_drop = min(in_bytes - 1, 255) if max_drop is None else max_drop
        for name, value in (("max_pad", self.max_pad), ("max_drop", self.max_drop)):
            if not 0 <= value <= 255:
                raise ValueError(f"{name} is {value}; it can be 0 to 255")
        for name, parts, whole in (("in_parts", in_parts, in_bytes), ("out_parts", out_parts, out_bytes)):
            if parts < 1 or whole % parts:
                raise ValueError(f"{name} is {parts}; it can be a divisor of the word's {whole} bytes")
        self.in_parts, self.out_parts = in_parts, out_parts
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"data": 8 * in_bytes, "pad": 8}))),
                "o": Out(stream.Signature(8 * out_bytes)),
                "drop": In(8),
                "absent": In(range(max(2, in_parts))),
                "unwanted": In(range(max(2, out_parts))),
                "clear": In(1),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size = gearbox_bytes(self.in_bytes, self.out_bytes, self.max_pad, self.max_drop)
        # Bytes at and above `level` are zero, so padding only raises the level, which may even pass `size`.
        held = Signal(8 * size)
        level = Signal(range(size + self.max_pad + 1))
        # As wide as they need be, but never 0 wide: Verilog has no such wires.
        pad = self.i.p.pad[: self.max_pad.bit_length()] if self.max_pad else Const(0, 1)
        drop = self.drop[: self.max_drop.bit_length()] if self.max_drop else Const(0, 1)
        m.d.comb += [
            self.i.ready.eq(level <= size - self.in_bytes),
            self.o.payload.eq(held),
            self.empty.eq(level == 0),
        ]

        # Insert at the level of now, then shift: the consumer's ready only steers the last multiplexer.
        added = Signal.like(level)
        taken = Signal.like(level)
        filled = Signal.like(held)
        m.d.comb += filled.eq(held)
        with m.If(self.i.valid & self.i.ready):
            position = level[: (size - self.in_bytes).bit_length()]
            m.d.comb += [
                added.eq(self.in_bytes + pad - self._absent(self.absent, self.in_bytes, self.in_parts)),
                filled.eq(held | (self.i.p.data << Cat(Const(0, 3), position))),
            ]
        rest = Signal.like(held)  # what the next word leaves
        part = self.out_bytes // self.out_parts
        with m.Switch(self.unwanted):
            for unwanted in range(self.out_parts):
                wanted = self.out_bytes - unwanted * part
                with m.Case(unwanted):
                    m.d.comb += [self.o.valid.eq(level >= wanted), rest.eq(filled[8 * wanted :])]
        with m.If(self.o.valid & self.o.ready):
            m.d.comb += taken.eq(self.out_bytes + drop - self._absent(self.unwanted, self.out_bytes, self.out_parts))
            m.d.sync += held.eq(rest >> Cat(Const(0, 3), drop))
        with m.Else():
            m.d.sync += held.eq(filled)
        m.d.sync += level.eq(level + added - taken)
        with m.If(self.clear):
            m.d.sync += [held.eq(0), level.eq(0)]
        return m

    @staticmethod
    def _absent(count: Signal, whole: int, parts: int) -> Value:
        """Bytes of ``count`` parts of a word."""
        return Array(number * whole // parts for number in range(parts))[count] if parts > 1 else Const(0, 1)
