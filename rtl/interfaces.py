"""The signatures that units speak: AXI4 halves, memory ports, tokens.

All are seen from the initiator: a master's port is ``Out(axi_read(...))``, a memory's is ``In(...)``.
"""

from __future__ import annotations

from amaranth.lib.wiring import In, Out, Signature

from arch_model.machine import accelerator
from arch_model.machine.dram import DRAM_ADDRESS_BITS
from arch_model.machine.microarchitecture import LANE_BYTES, TABLE_WORDS, TABLES

ADDRESS_BITS = DRAM_ADDRESS_BITS


def axi_read(beat_bytes: int) -> Signature:
    """Read half of an AXI4 master without IDs: AR and R.

    INCR bursts of ``arlen + 1`` beats of ``beat_bytes``; size, burst type and the constant side bands
    are added where the ports leave the design (``rtl/generate.py``).
    """
    return Signature(
        {
            "araddr": Out(ADDRESS_BITS),
            "arlen": Out(8),
            "arvalid": Out(1),
            "arready": In(1),
            "rdata": In(8 * beat_bytes),
            "rresp": In(2),
            "rlast": In(1),
            "rvalid": In(1),
            "rready": Out(1),
        }
    )


def axi_write(beat_bytes: int) -> Signature:
    """Write half of an AXI4 master without IDs: AW, W and B.

    Rows are padded to whole beats, so a beat's strobes are all set, or all 0 where a reset cut its burst short.
    """
    return Signature(
        {
            "awaddr": Out(ADDRESS_BITS),
            "awlen": Out(8),
            "awvalid": Out(1),
            "awready": In(1),
            "wdata": Out(8 * beat_bytes),
            "wstrb": Out(beat_bytes),
            "wlast": Out(1),
            "wvalid": Out(1),
            "wready": In(1),
            "bresp": In(2),
            "bvalid": In(1),
            "bready": Out(1),
        }
    )


def acquire() -> Signature:
    """The waiting end of a token: ``ready`` says that one is there, ``acquire`` uses it up in that cycle."""
    return Signature({"ready": In(1), "acquire": Out(1)})


def sb_write(cp: int, pixels: int = 1) -> Signature:
    """LOAD_ACT or STORE to the SB: words, each to one of nine banks (``bank`` one-hot, 0 = no write).

    Words for one bank in one cycle have addresses that follow each other.

    Parameters
    ----------
    cp : bytes of a word.
    pixels : words of a cycle.
    """
    return Signature(
        {
            "bank": Out(9).array(pixels),
            "addr": Out(accelerator.ADDRESS_BITS).array(pixels),
            "data": Out(8 * cp).array(pixels),
        }
    )


def table_write() -> Signature:
    """LOAD_WGT to the activation tables, a copy in every lane: eight bytes of a table at ``addr`` while ``en``."""
    return Signature({"en": Out(1), "addr": Out(range(TABLES * TABLE_WORDS)), "data": Out(8 * LANE_BYTES)})


def word_read(addr_bits: int, data_bits: int) -> Signature:
    """A memory's read port: the word at ``addr`` arrives one cycle later.

    Parameters
    ----------
    addr_bits : of an address.
    data_bits : of a word.
    """
    return Signature({"addr": Out(addr_bits), "data": In(data_bits)})
