"""The recurrence on Programs small enough to count by hand, cycle for cycle as docs/concepts/time.md says."""

import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.program.isa import Command, Opcode
from arch_model.timing.reference_timing import time_program


def command(name: str, fields: dict[str, int] | None = None) -> Command:
    """A command; fields left out are 0."""
    return Command(Opcode[name], fields or {})


@pytest.fixture
def tiny() -> Accelerator:
    """KP 4, CP 3, beats of 4 bytes; DRAM answers after 24 cycles, then one beat every 2."""
    return Accelerator.load("tiny")


END = command("END")


def test_a_program_of_end_alone(tiny):
    # AR in 1, eight beats in 25, 27 .. 39, decoded in 40, done in 41: cycles 0 .. 41.
    assert time_program([END], tiny).cycles == 42


def test_one_load_of_two_tiles(tiny):
    load = command("LOAD_WGT", {"runs": 2, "run_beats": 27})
    timing = time_program([load, END], tiny)
    # Its slot is in by 39: dispatched in 40, at its unit in 42, AR 43, 54 beats in 67, 69 .. 173; last word 174.
    (interval,) = timing.timeline
    assert (interval.start, interval.end) == (42, 174)
    # Idle shows in 175, and END (beats until 55) is long there.
    assert timing.cycles == 176
    assert timing.busy["LOAD_WGT"] == 132


def test_rows_that_are_slower_to_store_than_to_fetch(tiny):
    # With a beat every cycle, 12 beats hold 16 words of 3: a word a cycle sets the pace.
    fast = tiny.replace(dram={"cycles_per_beat": 1})
    load = command("LOAD_ACT", {"groups": 1, "rows": 1, "cols": 16, "run_beats": 12})
    (interval,) = time_program([load, END], fast).timeline
    # Eight beats of the slot in 25 .. 32, at its unit in 35, AR 36, first beat 60, words 61 .. 76.
    assert (interval.start, interval.end) == (35, 76)


def test_passes_run_at_the_longer_of_pixels_and_weights(tiny):
    def program(rows: int, cols: int, reps: int) -> list[Command]:
        return [command("PASS", {"reps": reps, "out_rows": rows, "out_cols": cols}), END]

    # At its unit in 42. FEED reads 43 .. 46, full in 48; RUN's first pixel in 48.
    # Short passes: every KP + 2 = 6 cycles, the last of one pixel in 48 + 6·4 = 72, written twelve later.
    timing = time_program(program(1, 1, 5), tiny)
    run = next(i for i in timing.timeline if i.unit == "RUN")
    assert run.end == 72
    assert timing.passes == 5
    # 48 - 43 for the first tile, then 5 of every 6 cycles.
    assert timing.waits == {"sb": 0, "weights": 5 + 4 * 5, "out": 0}
    # Long passes: back to back.
    run = next(i for i in time_program(program(5, 4, 5), tiny).timeline if i.unit == "RUN")
    assert run.end == 48 + 5 * 20 - 1


def test_tokens_order_the_units(tiny):
    load = command("LOAD_WGT", {"runs": 1, "run_beats": 27, "signal_full": 1})
    waiting = command("PASS", {"reps": 1, "out_rows": 1, "out_cols": 1, "wait_weights": 1})
    timing = time_program([load, waiting, END], tiny)
    loaded, feed = (next(i for i in timing.timeline if i.unit == unit) for unit in ("LOAD_WGT", "FEED"))
    # Last word written in w, token given in w + 1 and there in w + 2.
    assert feed.start == loaded.end + 2


def test_a_token_that_never_comes_is_named(tiny):
    stuck = command("PASS", {"reps": 1, "out_rows": 1, "out_cols": 1, "wait_sb": 1})
    with pytest.raises(ValueError, match=r"never ends.*'RUN': 0"):
        time_program([stuck, END], tiny)


def test_an_activation_table_comes_in_words_of_eight_bytes(tiny):
    load = command("LOAD_WGT", {"memory": 3, "runs": 1, "run_beats": 64})
    (interval,) = time_program([load, END], tiny).timeline
    # As above: at its unit in 42, beats in 67, 69 .. 193; 256 bytes are 32 words, the last one written in 194.
    assert (interval.start, interval.end) == (42, 194)


@pytest.mark.parametrize(
    ("fields", "cycles"),
    [
        # 5 columns a row: (4 - 1) * 5 + (5 - 1) - 1 + 4
        ({"stride": 1, "out_rows": 4, "out_cols": 5, "cols": 5, "x0": -1}, 22),
        # 9 columns a row, two a pixel: (2 - 1) * 9 + 2 * (4 - 1) + 0 + 4
        ({"stride": 2, "out_rows": 2, "out_cols": 4, "cols": 9, "x0": 0}, 19),
        # one pixel under 3 x 4 windows
        ({"stride": 0, "out_rows": 3, "out_cols": 4, "cols": 1, "x0": 0}, 15),
    ],
)
def test_a_depthwise_pass_goes_column_by_column(tiny, fields, cycles):
    work = command("PASS", {"depthwise": 1, "reps": 1, "start": 1, "finish": 1, **fields})
    run = next(i for i in time_program([work, END], tiny).timeline if i.unit == "RUN")
    feed = next(i for i in time_program([work, END], tiny).timeline if i.unit == "FEED")
    # FEED reads KP words, the shadow is full two cycles after the last; RUN ends with the pass's last cycle.
    assert run.end == feed.end + 2 + cycles - 1
