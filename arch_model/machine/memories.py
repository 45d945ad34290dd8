"""The on-chip memories that an Accelerator's buffers become: how many, how deep, how wide.

Energy (bits an access moves, bytes of the bank it moves them in), FPGA resources and area all start here.
"""

from __future__ import annotations

from dataclasses import dataclass

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.machine.microarchitecture import LANE_BYTES, TABLE_WORDS, TABLES

BUFFERS = ("pb", "db", "sb", "ob", "ob_out", "zsb", "table")
"""The keys of :func:`memories`: PB, DB, SB, OB, OB's output side, ZSB, activation tables."""


@dataclass(frozen=True)
class Memory:
    """A buffer: ``banks`` simple dual-port memories of ``depth`` words of ``width`` bits.

    One write enable covers ``granularity`` bits of a word.

    Attributes
    ----------
    buffer : such as ``"sb"``.
    banks : simple dual-port memories.
    depth : words of a bank.
    width : bits of a word.
    granularity : bits of a word that one write enable covers.
    """

    buffer: str
    banks: int
    depth: int
    width: int
    granularity: int

    @property
    def bits(self) -> int:
        """Bits of all banks."""
        return self.banks * self.bank_bits

    @property
    def bank_bits(self) -> int:
        """Bits of one bank."""
        return self.depth * self.width


def memories(accelerator: Accelerator) -> dict[str, Memory]:
    """Each buffer's memory, as ``rtl`` builds it, by the names of :data:`BUFFERS`.

    A buffer is what its bytes hold in whole words, so up to a word (of the PB and the DB: a tile) less than the
    Accelerator says; a machine without a PB keeps one word of it. A bank of the SB and of OB's output side is as many
    memories as LOAD_ACT and STORE move pixels a cycle.

    >>> m = memories(Accelerator.load("zcu104"))["sb"]
    >>> m.banks, m.depth, m.width      # nine banks of four, 2 x 8192 words of CP = 9 bytes in each bank
    (36, 4096, 72)
    """
    a = accelerator
    word, tile = 8 * a.cp, 8 * TAPS * a.cp
    made = (
        Memory("pb", 1, max(1, a.pb_tiles * a.kp), tile, tile),
        Memory("db", 1, 2 * a.db_half_tiles * a.kp, tile, tile),
        Memory("sb", TAPS * a.pixels, -(-2 * a.sb_half_words // a.pixels), word, word),
        Memory("ob", 1, a.ob_pixels, 32 * a.kp, 32 * a.kp),
        Memory("ob_out", a.nb * a.pixels, -(-2 * a.out_half_words // a.pixels), word, 8),
        Memory("zsb", 1, 2 * a.zsb_half_entries, 8 * LANE_BYTES * a.kp, 8 * LANE_BYTES),
        Memory("table", a.kp, TABLES * TABLE_WORDS, 8 * LANE_BYTES, 8 * LANE_BYTES),
    )
    return {memory.buffer: memory for memory in made}
