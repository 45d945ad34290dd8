"""The simple dual-port memory that every buffer is made of."""

from __future__ import annotations

from amaranth import Module, unsigned
from amaranth.lib import memory
from amaranth.lib.wiring import Component, In, Out


class BlockMemory(Component):
    """One write port, one registered read port, no reset: the form that FPGA tools infer as block RAM.

    Parameters
    ----------
    width: bits of a word.
    depth: words, at least 1.
    granularity: bits that one write enable covers; ``width`` (one enable for the word) unless told.

    Ports
    -----
    write_en (In, width // granularity): one enable a part; 0 writes nothing.
    write_addr (In, address_bits), write_data (In, width): taken while an enable is set.
    read_addr (In, address_bits): every cycle.
    read_data (Out, width): the word at last cycle's ``read_addr``, as it was before a write in that cycle.

    Addresses beyond ``depth`` read an unspecified word and must not be written.
    """

    def __init__(self, width: int, depth: int, granularity: int | None = None):
        if depth < 1:
            raise ValueError(f"depth is {depth}; a memory has at least 1 word")
        granularity = granularity or width
        if width % granularity:
            raise ValueError(f"granularity is {granularity}; it must divide the width {width}")
        self.width, self.depth, self.granularity = width, depth, granularity
        self.address_bits = max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "write_en": In(width // granularity),
                "write_addr": In(self.address_bits),
                "write_data": In(width),
                "read_addr": In(self.address_bits),
                "read_data": Out(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = ram = memory.Memory(shape=unsigned(self.width), depth=self.depth, init=[])
        write = ram.write_port(granularity=self.granularity if self.granularity < self.width else None)
        read = ram.read_port()
        m.d.comb += [
            write.en.eq(self.write_en),
            write.addr.eq(self.write_addr),
            write.data.eq(self.write_data),
            read.addr.eq(self.read_addr),
            self.read_data.eq(read.data),
        ]
        return m
