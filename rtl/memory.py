"""The memories that every buffer is made of: simple dual-port, and the same with several words a cycle."""

from __future__ import annotations

from typing import Any

from amaranth import Array, Module, Signal, Value, ValueCastable, unsigned
from amaranth.lib import memory
from amaranth.lib.wiring import In, Out

from rtl.netlist import SharedUnit


def address_bits(depth: int) -> int:
    """Bits of an address that reaches each of ``depth`` words; at least 1, as Verilog has no signal of 0 bits.

    >>> address_bits(1), address_bits(81_920)
    (1, 17)
    """
    return max(1, (depth - 1).bit_length())


def check_reach(memory: str, depth: int, address: Value | ValueCastable) -> None:
    """Refuse an address with too few bits for a memory's last word.

    Parameters
    ----------
    memory : its name.
    depth : words.
    address : an Amaranth value.

    Raises
    ------
    ValueError
        It has too few bits.

    Examples
    --------
    >>> check_reach("pb", 81_920, Signal(16))
    Traceback (most recent call last):
    ValueError: an address of 16 bits reaches 65536 words of pb, which has 81920
    """
    bits = len(Value.cast(address))
    if depth > 1 << bits:
        raise ValueError(f"an address of {bits} bits reaches {1 << bits} words of {memory}, which has {depth}")


def checked_granularity(width: int, depth: int, granularity: int | None) -> int:
    """Bits that one write enable of a memory covers.

    Parameters
    ----------
    width : bits of a word.
    depth : words.
    granularity : what was asked for. None: the whole word.

    Raises
    ------
    ValueError
        There is no such memory.
    """
    if depth < 1:
        raise ValueError(f"depth is {depth}; a memory has at least 1 word")
    if granularity and width % granularity:
        raise ValueError(f"granularity is {granularity}; it must divide the width {width}")
    return granularity or width


class BlockMemory(SharedUnit):
    """One write port, one registered read port, no reset: the form that FPGA tools infer as block RAM.

    :meth:`read_at` and :meth:`write_at` are how a design drives the addresses: they raise ValueError for one with too
    few bits. Addresses beyond ``depth`` read another word that is there, never one that a simulator of four states
    knows nothing of, and must not be written.

    Parameters
    ----------
    width: bits of a word.
    depth: words, at least 1.
    granularity: bits that one write enable covers; ``width`` (one enable for the word) unless told.

    Raises
    ------
    ValueError
        ``depth`` is below 1, or ``granularity`` does not divide ``width``.

    Ports
    -----
    write_en (In, width // granularity): one enable a part; 0 writes nothing.
    write_addr (In, address_bits), write_data (In, width): taken while an enable is set.
    read_addr (In, address_bits): every cycle.
    read_data (Out, width): the word at last cycle's ``read_addr``, as it was before a write in that cycle.
    """

    def __init__(self, width: int, depth: int, granularity: int | None = None):
        self.width, self.depth, self.granularity = width, depth, checked_granularity(width, depth, granularity)
        self.address_bits = address_bits(depth)
        super().__init__(
            {
                "write_en": In(width // self.granularity),
                "write_addr": In(self.address_bits),
                "write_data": In(width),
                "read_addr": In(self.address_bits),
                "read_data": Out(width),
            }
        )

    def read_at(self, address: Value, name: str) -> Any:
        """The assignment of ``read_addr``.

        Parameters
        ----------
        address : an Amaranth value.
        name : of the memory, for the error.

        Raises
        ------
        ValueError
            ``address`` cannot reach the last word.
        """
        check_reach(name, self.depth, address)
        return self.read_addr.eq(address)

    def write_at(self, address: Value, name: str) -> Any:
        """The assignment of ``write_addr``.

        Parameters
        ----------
        address : an Amaranth value.
        name : of the memory, for the error.

        Raises
        ------
        ValueError
            ``address`` cannot reach the last word.
        """
        check_reach(name, self.depth, address)
        return self.write_addr.eq(address)

    @property
    def sizes(self) -> str:
        return f"{self.depth}x{self.width}"

    def body(self, platform):
        m = Module()
        # Of one word the address would have no bits, which Verilog cannot say.
        m.submodules.memory = ram = memory.Memory(shape=unsigned(self.width), depth=max(self.depth, 2), init=[])
        write = ram.write_port(granularity=self.granularity if self.granularity < self.width else None)
        read = ram.read_port()
        m.d.comb += [
            write.en.eq(self.write_en),
            write.addr.eq(self.write_addr),
            write.data.eq(self.write_data),
            read.addr.eq(self.read_addr),
            self.read_data.eq(read.data),
        ]
        if self.depth > 1 and self.depth & (self.depth - 1):
            # The highest bit is set beyond the depth. Without it the rest is an address below half of the next power
            # of two, which the depth is above.
            m.d.comb += read.addr[-1].eq(self.read_addr[-1] & (self.read_addr < self.depth))
        return m


class SplitMemory(SharedUnit):
    """Several words a cycle on one side, one on the other: word ``a`` is in memory ``a mod parts`` at ``a div parts``.

    Parameters
    ----------
    width, depth, granularity: as in :class:`BlockMemory`.
    writes: words written a cycle, at addresses that follow each other; 1, 2 or 4.
    reads: words read a cycle, likewise. ``parts`` is the greater of the two.

    Raises
    ------
    ValueError
        ``writes`` or ``reads`` is not 1, 2 or 4; or as :class:`BlockMemory`.

    Ports
    -----
    write_en (In, width // granularity × writes), write_addr (In, address_bits × writes),
    write_data (In, width × writes).
        Words enabled in one cycle have addresses that differ by less than ``parts``.
    read_addr (In, address_bits): every cycle.
    read_data (Out, width × reads): the words from last cycle's ``read_addr`` on.
    """

    def __init__(self, width: int, depth: int, *, writes: int = 1, reads: int = 1, granularity: int | None = None):
        for name, value in (("writes", writes), ("reads", reads)):
            if value not in (1, 2, 4):
                raise ValueError(f"{name} is {value}; it can be 1, 2 or 4")
        self.width, self.depth, self.writes, self.reads, self.parts = width, depth, writes, reads, max(writes, reads)
        self.granularity = checked_granularity(width, depth, granularity)
        self.address_bits = address_bits(depth)
        super().__init__(
            {
                "write_en": In(width // self.granularity).array(writes),
                "write_addr": In(self.address_bits).array(writes),
                "write_data": In(width).array(writes),
                "read_addr": In(self.address_bits),
                "read_data": Out(width).array(reads),
            }
        )

    def read_at(self, address: Value, name: str) -> Any:
        """The assignment of ``read_addr``.

        Parameters
        ----------
        address : an Amaranth value.
        name : of the memory, for the error.
        """
        check_reach(name, self.depth, address)
        return self.read_addr.eq(address)

    def write_at(self, index: int, address: Value, name: str) -> Any:
        """The assignment of ``write_addr`` of one of the words that are written in a cycle.

        Parameters
        ----------
        index : of the word.
        address : an Amaranth value.
        name : of the memory, for the error.
        """
        check_reach(name, self.depth, address)
        return self.write_addr[index].eq(address)

    @property
    def sizes(self) -> str:
        return f"{self.depth}x{self.width}"

    def body(self, platform):
        m = Module()
        memories = [BlockMemory(self.width, -(-self.depth // self.parts), self.granularity) for _ in range(self.parts)]
        low = self.parts.bit_length() - 1  # bits of an address that choose the memory
        if low:
            read_part = Signal(low)
            m.d.sync += read_part.eq(self.read_addr[:low])
        for part, ram in enumerate(memories):
            m.submodules[f"part_{part}"] = ram
            for en, addr, data in zip(self.write_en, self.write_addr, self.write_data, strict=True):
                with m.If(en.any() & (addr[:low] == part) if low else en.any()):
                    m.d.comb += [
                        ram.write_en.eq(en),
                        ram.write_at(addr[low:], f"part {part}"),
                        ram.write_data.eq(data),
                    ]
            # The first of the words from read_addr on that lies here: one address further if it wraps.
            beyond = (self.read_addr[:low] > part) if self.reads > 1 and part + 1 < self.parts else 0
            m.d.comb += ram.read_at(self.read_addr[low:] + beyond, f"part {part}")
        outputs = Array(ram.read_data for ram in memories)
        for i in range(self.reads):
            m.d.comb += self.read_data[i].eq(outputs[(read_part + i)[:low]] if low else outputs[0])
        return m
