"""How long one transfer takes, to the cycle: rows of words from DRAM to a memory on chip, or back.

A row is ``cols`` words of ``word`` bytes, padded to whole beats. A word moves a cycle and a beat every
``interval`` cycles, so the end is the latest of (when some beat can move + what must follow it); within a row
that is a maximum over a few words, and over rows it is linear. Every function is exact for the RTL
(``tests/rtl/test_transfers.py``).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

LOAD_WORD = 1  # a beat to the word that it completes
STORE_ADDRESS = 1  # acceptance to AR and AW
STORE_WORD = 1  # acceptance to the first word's read, or a beat of b to the read of the word it completes
STORE_BEAT = 10  # a word's read to the offer of the beat it completes
STORE_RESULT = 9  # a word's read to its result's way out of the FIFO, at the earliest
STORE_FIFO = 16  # words between their read and that way out, at most

Ints = npt.NDArray[np.int64]


def row_beats(cols: int, word: int, beat: int) -> int:
    """Beats of a padded row.

    >>> row_beats(7, 3, 4)
    6
    """
    return -(-cols * word // beat)


def _words(cols: int, word: int, beat: int) -> Ints:
    """For each word of a row the beat that completes it."""
    return -(-(np.arange(cols) + 1) * word // beat) - 1


def _beats(cols: int, word: int, beat: int) -> Ints:
    """For each beat of a row the word that completes it."""
    return np.minimum(-(-(np.arange(row_beats(cols, word, beat)) + 1) * beat // word), cols) - 1


@lru_cache(maxsize=1 << 16)
def read_cycles(rows: int, cols: int, word: int, beat: int, interval: int) -> int:
    """Cycles from the first beat's arrival to the write of the last word.

    The last word is written at the latest of (arrival of the beat that completes some word + 1 + words after
    that one). Over rows that is linear, so the word is in the first row or in the last.

    >>> read_cycles(1, 4, 3, 4, 2)   # beats in 0 2 4 complete words 0, 1, 2 and 3: written in 1 3 5 6
    6
    """
    behind = int((interval * _words(cols, word, beat) - np.arange(cols)).max())
    slower = interval * row_beats(cols, word, beat) - cols
    return LOAD_WORD + behind + rows * cols - 1 + (rows - 1) * max(0, slower)


@lru_cache(maxsize=1 << 16)
def store_cycles(rows: int, cols: int, word: int, beat: int, interval: int, latency: int, add: bool) -> tuple[int, int]:
    """Cycles of a STORE from its acceptance to (the read of its last word, its last beat).

    ``add``: each word waits for operand b, that is rows of the same form from DRAM. Without b words are read a cycle
    until the FIFO behind them is full, because beats leave more slowly.

    >>> store_cycles(1, 4, 3, 4, 2, 24, False)     # words read in 1 .. 4 complete beats offered in 12 13 14
    (4, 16)
    """
    beats, total = row_beats(cols, word, beat), rows * row_beats(cols, word, beat)
    ends, lag = _beats(cols, word, beat), interval * np.arange(beats)
    gain = cols - interval * beats  # what a row of words takes longer than its beats
    if add:
        last_word = STORE_ADDRESS + latency + read_cycles(rows, cols, word, beat, interval)
        behind = interval * _words(cols, word, beat) - np.arange(cols)
        # The slowest way: wait for b at some word, read on to a word that completes a beat, write beats to the end.
        same_row = int((np.maximum.accumulate(behind)[ends] + ends - lag).max())
        spread = int(behind.max() + (ends - lag).max())
        ways = [same_row + (rows - 1) * 0, *([spread + gain, spread + (rows - 1) * gain] if rows > 1 else [])]
        first = STORE_ADDRESS + latency + STORE_WORD
        return last_word, first + STORE_BEAT + interval * (total - 1) + max(ways)
    words = rows * cols
    offered = np.maximum.accumulate(ends - lag)
    last_beat = STORE_WORD + STORE_BEAT + interval * (total - 1) + int(offered[-1]) + (rows - 1) * max(0, gain)
    last_word = STORE_WORD + words - 1
    if gain < 0:
        last_word = max(last_word, _throttled(words, cols, word, beat, interval, offered))
    return last_word, last_beat


def _throttled(words: int, cols: int, word: int, beat: int, interval: int, offered: Ints) -> int:
    """When beats let the last word be read: STORE_FIFO words before it, a word must have left the FIFO, and so on back.

    A word leaves for the gearbox once the bytes before it, less those of the beats that have left, leave it room.
    """
    back = np.arange(2 * cols)  # how many words before that one
    m = words - 1 - STORE_FIFO - back
    m = m[m >= 0]
    row, x = np.divmod(m, cols)
    before = row * row_beats(cols, word, beat) * beat + x * word
    gone = -(-(before + word - gearbox_bytes(word, beat)) // beat)  # beats that must have left
    wait = gone >= 1
    if not wait.any():
        return 0
    left = gone[wait] - 1
    beats = STORE_WORD + STORE_BEAT + interval * left + offered[np.minimum(left, len(offered) - 1)]
    return int((beats + 2 + back[: len(m)][wait]).max())


def gearbox_bytes(word: int, beat: int) -> int:
    """Bytes that STORE's gearbox holds (``rtl/gearbox.py``: words in, beats out, rows padded)."""
    size = word + 2 * beat - 1 if word >= beat else word + beat
    return max(size, min(2 * beat, 2 * beat + word - 2) + word) if word <= beat else size
