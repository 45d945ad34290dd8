"""The repacker: KP output bytes of a pixel put into channel groups of CP lanes."""

from __future__ import annotations

from math import gcd

from amaranth import Cat, Const, Module, Signal
from amaranth.lib.wiring import Component, In, Out

from arch_model.machine.accelerator import ADDRESS_BITS, BANK_BITS, LANE_BITS


class Repacker(Component):
    """Rotates a K-tile's bytes to their lanes and addresses the banks of the OB's output side.

    Parameters
    ----------
    kp, cp: bytes in, lanes of a group.
    nb: banks, at least the groups that a K-tile can touch (:attr:`arch_model.Accelerator.nb`).

    Raises
    ------
    ValueError
        A K-tile can touch more groups than there are banks, or a bank's number needs more than BANK_BITS bits.

    Ports
    -----
    y (In, 8 * kp): the K-tile's outputs of one pixel; taken while ``valid`` (In, 1).
    addr (In, ADDRESS_BITS), bank (In, BANK_BITS), lane (In, LANE_BITS): where channel 0 goes: word, bank and lane of
        its group.
    pixels (In, ADDRESS_BITS): words a group takes; a group whose bank comes before ``bank`` lies that much further.
    write_en (Out, cp × nb), write_addr (Out, ADDRESS_BITS × nb), write_data (Out, 8 * cp × nb): one cycle later, byte
        enables.
    """

    def __init__(self, *, kp: int, cp: int, nb: int):
        if nb * cp < kp + cp - gcd(kp, cp):
            raise ValueError(f"nb is {nb}; {kp} channels from any K-tile's first lane on need more groups of {cp}")
        if nb > 1 << BANK_BITS:
            raise ValueError(f"nb is {nb}; a bank's number has {BANK_BITS} bits")
        self.kp, self.cp, self.nb = kp, cp, nb
        super().__init__(
            {
                "valid": In(1),
                "y": In(8 * kp),
                "addr": In(ADDRESS_BITS),
                "bank": In(BANK_BITS),
                "lane": In(LANE_BITS),
                "pixels": In(ADDRESS_BITS),
                "write_en": Out(cp).array(self.nb),
                "write_addr": Out(ADDRESS_BITS).array(self.nb),
                "write_data": Out(8 * cp).array(self.nb),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes = self.nb * self.cp
        enable, bytes_ = Signal(lanes), Signal(8 * lanes)
        with m.Switch(self.lane):
            # Only the offsets that some K-tile really has: multiples of gcd(KP, CP) below CP.
            for lane in range(0, self.cp, gcd(self.kp, self.cp)):
                with m.Case(lane):
                    m.d.comb += [
                        enable.eq(((1 << self.kp) - 1) << lane),
                        bytes_.eq(Cat(Const(0, 8 * lane), self.y)),
                    ]
        with m.Switch(self.bank):
            for first in range(self.nb):
                with m.Case(first):
                    for bank in range(self.nb):
                        group = (bank - first) % self.nb
                        wrapped = bank < first
                        m.d.sync += [
                            self.write_en[bank].eq(
                                enable[group * self.cp : (group + 1) * self.cp] & self.valid.replicate(self.cp)
                            ),
                            self.write_addr[bank].eq(self.addr + (self.pixels if wrapped else 0)),
                            self.write_data[bank].eq(bytes_[8 * group * self.cp : 8 * (group + 1) * self.cp]),
                        ]
        return m
