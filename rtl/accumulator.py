"""The accumulator and the OB: KP partial sums a pixel, read, added and written every cycle."""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib.wiring import Component, In, Out

from arch_model.machine.accelerator import ADDRESS_BITS
from rtl.memory import BlockMemory


class Accumulator(Component):
    """Adds the array's sums to the pixel's partial sums in the OB.

    Parameters
    ----------
    kp: sums a pixel.
    pixels: words of the OB.

    Ports
    -----
    pixel (In, ADDRESS_BITS): the OB word, presented one cycle *before* its sums (the read takes a cycle).
    sums (In, signed 32 × kp): the array's, with ``valid``, ``start`` and ``finish`` (In, 1 each) and ``write_pixel``
        (In, ADDRESS_BITS: the same pixel again) in the same cycle.
    acc (Out, signed 32 × kp): the new partial sums, one cycle after ``sums``. Without ``finish`` they go to the OB too,
        where a read presented two cycles after ``sums`` sees them.
    """

    def __init__(self, *, kp: int, pixels: int):
        self.kp, self.pixels = kp, pixels
        super().__init__(
            {
                "pixel": In(ADDRESS_BITS),
                "write_pixel": In(ADDRESS_BITS),
                "sums": In(signed(32)).array(kp),
                "valid": In(1),
                "start": In(1),
                "finish": In(1),
                "acc": Out(signed(32)).array(kp),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.ob = ob = BlockMemory(32 * self.kp, self.pixels)
        write, address = Signal(), Signal(ADDRESS_BITS)
        m.d.sync += [write.eq(self.valid & ~self.finish), address.eq(self.write_pixel)]
        for k in range(self.kp):
            partial = ob.read_data.word_select(k, 32).as_signed()
            m.d.sync += self.acc[k].eq(self.sums[k] + Mux(self.start, 0, partial))
        m.d.comb += [
            ob.read_at(self.pixel, "the OB"),
            ob.write_en.eq(write),
            ob.write_at(address, "the OB"),
            ob.write_data.eq(Cat(*self.acc)),
        ]
        return m
