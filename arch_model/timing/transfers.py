"""How long one transfer takes, to the cycle: rows of words from DRAM to a memory on chip, or back.

A row is ``cols`` pixels of ``size`` bytes, padded to whole beats. A *word* of ``pixels`` of them (the last of a row
may have fewer) moves a cycle and a beat every ``interval`` cycles, so the end is the latest of (when some beat can move
+ what must follow it); within a row that is a maximum over a few words, and over rows it is linear. Every function is
exact for the RTL (``tests/rtl/test_transfers.py``). Weight tiles and ZSB entries are rows whose pixels are their words.
"""

from __future__ import annotations

import numpy as np

from arch_model.compiled import compiled, inner
from arch_model.machine import microarchitecture
from arch_model.machine.microarchitecture import LOAD_WORD, STORE_ADDRESS, STORE_BEAT, STORE_FIFO, STORE_WORD

__all__ = [
    "LOAD_WORD",
    "STORE_ADDRESS",
    "STORE_BEAT",
    "STORE_FIFO",
    "STORE_WORD",
    "gearbox_bytes",
    "held_cycles",
    "read_cycles",
    "row_beats",
    "row_words",
    "store_cycles",
    "up",
]

_LOWEST = -(1 << 60)


@compiled
def up(dividend: int, divisor: int) -> int:
    """The quotient, rounded up.

    Parameters
    ----------
    dividend : at least 0.
    divisor : at least 1.
    """
    return -(-dividend // divisor)


@compiled
def row_beats(cols: int, size: int, beat: int) -> int:
    """Beats of a row that is padded to whole ones.

    Parameters
    ----------
    cols : words of the row.
    size : bytes of a word.
    beat : bytes of a beat.

    Examples
    --------
    >>> row_beats(7, 3, 4)
    6
    """
    return up(cols * size, beat)


@compiled
def row_words(cols: int, pixels: int) -> int:
    """Words of a row of pixels that are written together.

    Parameters
    ----------
    cols : pixels.
    pixels : of a word.

    Examples
    --------
    >>> row_words(7, 2)
    4
    """
    return up(cols, pixels)


@compiled
def _beat_of_word(word: int, cols: int, size: int, beat: int, pixels: int) -> int:
    """The beat that completes a word of a row."""
    return up(min((word + 1) * pixels, cols) * size, beat) - 1


@compiled
def _word_of_beat(index: int, cols: int, size: int, beat: int, pixels: int) -> int:
    """The word that completes a beat of a row."""
    return up(min(up((index + 1) * beat, size), cols), pixels) - 1


@compiled
def read_cycles(rows: int, cols: int, size: int, beat: int, interval: int, pixels: int) -> int:
    """Cycles from the first beat's arrival to the write of the last word.

    The last word is written at the latest of (arrival of the beat that completes some word + 1 + words after
    that one). Over rows that is linear, so the word is in the first row or in the last.

    Parameters
    ----------
    rows, cols : rows, and pixels of a row.
    size : bytes of a pixel.
    beat : bytes of a beat.
    interval : cycles from one beat to the next.
    pixels : that are written together.

    Examples
    --------
    >>> read_cycles(1, 4, 3, 4, 2, 1)   # beats in 0 2 4 complete words 0, 1, 2 and 3: written in 1 3 5 6
    6
    """
    words, behind = row_words(cols, pixels), _LOWEST
    for word in range(words):
        behind = max(behind, interval * _beat_of_word(word, cols, size, beat, pixels) - word)
    slower = interval * row_beats(cols, size, beat) - words
    return LOAD_WORD + behind + rows * words - 1 + (rows - 1) * max(0, slower)


@compiled
def held_cycles(rows: int, cols: int, size: int, beat: int, interval: int, latency: int, add: int, pixels: int) -> int:
    """Cycles from a STORE's acceptance to the read of its last word, if no beat to DRAM holds it back.

    Parameters
    ----------
    rows, cols : rows, and pixels of a row.
    size : bytes of a pixel.
    beat : bytes of a beat.
    interval : cycles from one beat to the next.
    latency : cycles from a read's address to its first beat.
    add : 1 with operand b, 0 without.
    pixels : that are read together.

    Examples
    --------
    >>> held_cycles(3, 7, 3, 4, 2, 24, 0, 2)     # four words a row, one a cycle
    12
    """
    if add:
        return STORE_ADDRESS + latency + read_cycles(rows, cols, size, beat, interval, pixels)
    return STORE_WORD + rows * row_words(cols, pixels) - 1


@compiled
def store_cycles(
    rows: int, cols: int, size: int, beat: int, interval: int, latency: int, add: int, pixels: int
) -> tuple[int, int]:
    """Cycles of a STORE from its acceptance.

    With operand b each word waits for rows of the same form from DRAM. Without it words are read a cycle until the FIFO
    behind them is full, because beats leave more slowly.

    Parameters
    ----------
    rows, cols : rows, and pixels of a row.
    size : bytes of a pixel.
    beat : bytes of a beat.
    interval : cycles from one beat to the next.
    latency : cycles from a read's address to its first beat.
    add : 1 with operand b, 0 without.
    pixels : that are read together.

    Returns
    -------
    word, beat
        Cycles to the read of its last word, and to its last beat.

    Examples
    --------
    >>> store_cycles(1, 4, 3, 4, 2, 24, 0, 1)     # words read in 1 .. 4 complete beats offered in 12 13 14
    (4, 16)
    """
    if add:
        return _store_beside(rows, cols, size, beat, interval, latency, pixels)
    beats, words = row_beats(cols, size, beat), row_words(cols, pixels)
    gain = words - interval * beats  # what a row of words takes longer than its beats
    offered, latest = np.empty(beats, np.int64), _LOWEST
    for index in range(beats):
        latest = max(latest, _word_of_beat(index, cols, size, beat, pixels) - interval * index)
        offered[index] = latest
    last_beat = STORE_WORD + STORE_BEAT + interval * (rows * beats - 1) + latest + (rows - 1) * max(0, gain)
    last_word = held_cycles(rows, cols, size, beat, interval, latency, 0, pixels)
    if gain >= 0:
        return last_word, last_beat
    # Beats let the last word be read: STORE_FIFO words before it, a word must have left the FIFO, and so on back. A
    # word leaves for the gearbox once the bytes before it, less those of the beats that have left, leave it room.
    word = pixels * size
    room = gearbox_bytes(word, beat)
    for back in range(min(2 * words, rows * words - STORE_FIFO)):
        row, place = divmod(rows * words - 1 - STORE_FIFO - back, words)
        gone = up(row * beats * beat + place * word + word - room, beat)  # beats that must have left
        if gone >= 1:
            leaves = STORE_WORD + STORE_BEAT + interval * (gone - 1) + offered[min(gone, beats) - 1]
            last_word = max(last_word, leaves + 2 + back)
    return last_word, last_beat


@compiled
def _store_beside(
    rows: int, cols: int, size: int, beat: int, interval: int, latency: int, pixels: int
) -> tuple[int, int]:
    """:func:`store_cycles` of words that wait for those of operand b."""
    beats, words = row_beats(cols, size, beat), row_words(cols, pixels)
    gain = words - interval * beats
    behind, latest = np.empty(words, np.int64), _LOWEST
    for word in range(words):
        latest = max(latest, interval * _beat_of_word(word, cols, size, beat, pixels) - word)
        behind[word] = latest
    # The slowest way: wait for b at some word, read on to a word that completes a beat, write beats to the end.
    same_row, late = _LOWEST, _LOWEST
    for index in range(beats):
        end = _word_of_beat(index, cols, size, beat, pixels)
        same_row = max(same_row, behind[end] + end - interval * index)
        late = max(late, end - interval * index)
    slowest = same_row
    if rows > 1:
        slowest = max(slowest, latest + late + max(gain, (rows - 1) * gain))
    last_word = held_cycles(rows, cols, size, beat, interval, latency, 1, pixels)
    first = STORE_ADDRESS + latency + STORE_WORD
    return last_word, first + STORE_BEAT + interval * (rows * beats - 1) + slowest


_gearbox_bytes = inner(microarchitecture.gearbox_bytes)


@compiled
def gearbox_bytes(word: int, beat: int) -> int:
    """Bytes that STORE's gearbox holds (``rtl/gearbox.py``: words in, beats out, rows padded).

    Parameters
    ----------
    word : bytes of a word.
    beat : bytes of a beat.
    """
    return _gearbox_bytes(word, beat, beat - 1, 0)
