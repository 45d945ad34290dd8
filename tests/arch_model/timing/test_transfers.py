"""Transfers: by hand, and against a machine of words and beats that is stepped cycle by cycle."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from arch_model.timing.transfers import STORE_FIFO, gearbox_bytes, read_cycles, store_cycles

ROWS, COLS, SIZES, BEATS, INTERVALS, PIXELS = (
    *(st.integers(1, 9), st.integers(1, 40), st.integers(1, 20)),
    *(st.sampled_from([4, 8, 16, 32]), st.integers(1, 4), st.sampled_from([1, 2, 4])),
)


def ends(rows, cols, size, beat, pixels):
    """For each word the bytes that come up to its end, padding of rows before included; and all bytes."""
    pitch = -(-cols * size // beat) * beat
    in_row = [min(x, cols) for x in range(pixels, cols + pixels, pixels)]
    return [row * pitch + x * size for row in range(rows) for x in in_row], rows * pitch


def test_by_hand():
    # Four words of 3 bytes in three beats of 4, in 0, 2 and 4: words written in 1, 3, 5, 6.
    assert read_cycles(1, 4, 3, 4, 2, 1) == 6
    # A second row's beats come in 6, 8, 10: its last word a cycle after the third one, as in the first.
    assert read_cycles(2, 4, 3, 4, 2, 1) == 12
    # A beat a cycle is faster than a word a cycle.
    assert read_cycles(1, 16, 3, 4, 1, 1) == 1 + 15
    # Two pixels a word: of five, beats 0 .. 3 in 0 .. 3 complete words of 6, 6 and 3 bytes: written in 2, 3, 4.
    assert read_cycles(1, 5, 3, 4, 1, 2) == 4
    # Words read in 1 .. 4; beats complete with words 1, 2, 3: offered in 12, 13, 14, sent in 12, 14, 16.
    assert store_cycles(1, 4, 3, 4, 2, 24, 0, 1) == (4, 16)
    # With b: its beats in 25, 27, 29, words read in 26, 28, 30, 31, beats offered in 38, 40, 41: sent in 38, 40, 42.
    assert store_cycles(1, 4, 3, 4, 2, 24, 1, 1) == (31, 42)


@given(ROWS, COLS, SIZES, BEATS, INTERVALS, PIXELS)
def test_reads_are_those_of_a_machine_stepped_by_cycle(rows, cols, size, beat, interval, pixels):
    need, _ = ends(rows, cols, size, beat, pixels)
    cycle, written = 0, 0
    while written < len(need):
        arrived = -(-cycle // interval) * beat  # beats in 0, interval, ...: those before this cycle
        written += need[written] <= arrived
        cycle += 1
    assert read_cycles(rows, cols, size, beat, interval, pixels) == cycle - 1


@given(ROWS, COLS, SIZES, BEATS, INTERVALS, PIXELS)
def test_stores_are_those_of_a_machine_stepped_by_cycle(rows, cols, size, beat, interval, pixels):
    """STORE without b as rtl/store.py describes it: seven stages, FIFO, gearbox, a beat an interval."""
    need, total = ends(rows, cols, size, beat, pixels)
    pitch, words, word = total // rows, len(need) // rows, pixels * size
    grow = [pitch - (words - 1) * word if (i + 1) % words == 0 else word for i in range(len(need))]
    free, level, room = STORE_FIFO, 0, gearbox_bytes(word, beat)
    read, sent, last_read, last_beat, next_beat = 0, 0, 0, 0, 0
    results: deque[int] = deque()  # when each may leave the FIFO
    popped, cycle = 0, 1
    while sent < total:
        issue = read < len(need) and free > 0
        pop = bool(results) and results[0] <= cycle and level <= room - word
        send = level >= beat and cycle >= next_beat
        if issue:
            read, last_read = read + 1, cycle
            results.append(cycle + 9)
        if send:
            sent, last_beat, next_beat = sent + beat, cycle, cycle + interval
        level -= beat * send
        if pop:
            results.popleft()
            level += grow[popped]
            popped += 1
        free += pop - issue
        cycle += 1
    assert store_cycles(rows, cols, size, beat, interval, 7, 0, pixels) == (last_read, last_beat)


@given(ROWS, COLS, SIZES, BEATS, INTERVALS, PIXELS, st.integers(1, 50))
def test_sums_wait_for_operand_b_and_beats_for_sums(rows, cols, size, beat, interval, pixels, latency):
    """With b: a word is read the cycle after its last beat, one a cycle; beats follow ten later, one an interval."""
    need, total = ends(rows, cols, size, beat, pixels)
    reads = []
    for end in need:
        beats = -(-end // beat) - 1
        reads.append(max(1 + latency + beats * interval + 1, reads[-1] + 1 if reads else 0))
    sent, pitch, words = -interval, total // rows, len(need) // rows
    for end in range(beat, total + 1, beat):
        row, byte = divmod(end - 1, pitch)  # of the beat's last byte
        sent = max(reads[row * words + min(byte // (pixels * size), words - 1)] + 10, sent + interval)
    assert store_cycles(rows, cols, size, beat, interval, latency, 1, pixels) == (reads[-1], sent)
