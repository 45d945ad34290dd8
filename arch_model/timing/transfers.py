"""How long one transfer takes, to the cycle: rows of words from DRAM to a memory on chip, or back.

A row is ``cols`` pixels of ``size`` bytes, padded to whole beats. A *word* of ``pixels`` of them (the last of a row
may have fewer) moves a cycle and a beat every ``interval`` cycles, so the end is the latest of (when some beat can move
+ what must follow it); within a row that is a maximum over a few words, and over rows it is linear. Every function is
exact for the RTL (``tests/rtl/test_transfers.py``). Weight tiles and ZSB entries are rows whose pixels are their words.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from arch_model.machine import microarchitecture
from arch_model.machine.microarchitecture import LOAD_WORD, STORE_ADDRESS, STORE_BEAT, STORE_FIFO, STORE_WORD

__all__ = [
    "LOAD_WORD",
    "STORE_ADDRESS",
    "STORE_BEAT",
    "STORE_FIFO",
    "STORE_WORD",
    "gearbox_bytes",
    "read_cycles",
    "row_beats",
    "row_words",
    "store_cycles",
]

Ints = npt.NDArray[np.int64]


def row_beats(cols: int, size: int, beat: int) -> int:
    """Beats of a padded row.

    >>> row_beats(7, 3, 4)
    6
    """
    return -(-cols * size // beat)


def row_words(cols: int, pixels: int) -> int:
    """Words of a row.

    >>> row_words(7, 2)
    4
    """
    return -(-cols // pixels)


def _words(cols: int, size: int, beat: int, pixels: int) -> Ints:
    """For each word of a row the beat that completes it."""
    ends = np.minimum((np.arange(row_words(cols, pixels)) + 1) * pixels, cols) * size
    return -(-ends // beat) - 1


def _beats(cols: int, size: int, beat: int, pixels: int) -> Ints:
    """For each beat of a row the word that completes it."""
    ends = np.minimum(-(-(np.arange(row_beats(cols, size, beat)) + 1) * beat // size), cols)
    return -(-ends // pixels) - 1


@lru_cache(maxsize=1 << 16)
def read_cycles(rows: int, cols: int, size: int, beat: int, interval: int, pixels: int = 1) -> int:
    """Cycles from the first beat's arrival to the write of the last word.

    The last word is written at the latest of (arrival of the beat that completes some word + 1 + words after
    that one). Over rows that is linear, so the word is in the first row or in the last.

    >>> read_cycles(1, 4, 3, 4, 2)   # beats in 0 2 4 complete words 0, 1, 2 and 3: written in 1 3 5 6
    6
    """
    words = row_words(cols, pixels)
    behind = int((interval * _words(cols, size, beat, pixels) - np.arange(words)).max())
    slower = interval * row_beats(cols, size, beat) - words
    return LOAD_WORD + behind + rows * words - 1 + (rows - 1) * max(0, slower)


@lru_cache(maxsize=1 << 16)
def store_cycles(
    rows: int, cols: int, size: int, beat: int, interval: int, latency: int, add: bool, pixels: int = 1
) -> tuple[int, int]:
    """Cycles of a STORE from its acceptance to (the read of its last word, its last beat).

    ``add``: each word waits for operand b, that is rows of the same form from DRAM. Without b words are read a cycle
    until the FIFO behind them is full, because beats leave more slowly.

    >>> store_cycles(1, 4, 3, 4, 2, 24, False)     # words read in 1 .. 4 complete beats offered in 12 13 14
    (4, 16)
    """
    beats, total = row_beats(cols, size, beat), rows * row_beats(cols, size, beat)
    words = row_words(cols, pixels)
    ends, lag = _beats(cols, size, beat, pixels), interval * np.arange(beats)
    gain = words - interval * beats  # what a row of words takes longer than its beats
    if add:
        last_word = STORE_ADDRESS + latency + read_cycles(rows, cols, size, beat, interval, pixels)
        behind = interval * _words(cols, size, beat, pixels) - np.arange(words)
        # The slowest way: wait for b at some word, read on to a word that completes a beat, write beats to the end.
        same_row = int((np.maximum.accumulate(behind)[ends] + ends - lag).max())
        spread = int(behind.max() + (ends - lag).max())
        ways = [same_row, *([spread + gain, spread + (rows - 1) * gain] if rows > 1 else [])]
        first = STORE_ADDRESS + latency + STORE_WORD
        return last_word, first + STORE_BEAT + interval * (total - 1) + max(ways)
    offered = np.maximum.accumulate(ends - lag)
    last_beat = STORE_WORD + STORE_BEAT + interval * (total - 1) + int(offered[-1]) + (rows - 1) * max(0, gain)
    last_word = STORE_WORD + rows * words - 1
    if gain < 0:
        last_word = max(last_word, _throttled(rows, cols, size, beat, interval, pixels, offered))
    return last_word, last_beat


def _throttled(rows: int, cols: int, size: int, beat: int, interval: int, pixels: int, offered: Ints) -> int:
    """When beats let the last word be read: STORE_FIFO words before it, a word must have left the FIFO, and so on back.

    A word leaves for the gearbox once the bytes before it, less those of the beats that have left, leave it room.
    """
    words, word = row_words(cols, pixels), pixels * size
    back = np.arange(2 * words)  # how many words before that one
    m = rows * words - 1 - STORE_FIFO - back
    m = m[m >= 0]
    row, x = np.divmod(m, words)
    before = row * row_beats(cols, size, beat) * beat + x * word
    gone = -(-(before + word - gearbox_bytes(word, beat)) // beat)  # beats that must have left
    wait = gone >= 1
    if not wait.any():
        return 0
    left = gone[wait] - 1
    beats = STORE_WORD + STORE_BEAT + interval * left + offered[np.minimum(left, len(offered) - 1)]
    return int((beats + 2 + back[: len(m)][wait]).max())


def gearbox_bytes(word: int, beat: int) -> int:
    """Bytes that STORE's gearbox holds (``rtl/gearbox.py``: words in, beats out, rows padded)."""
    return microarchitecture.gearbox_bytes(word, beat, beat - 1, 0)
