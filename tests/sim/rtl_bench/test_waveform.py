"""Who worked when, out of a waveform: intervals from handshakes, and what is refused."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.errors import FastSwitchError
from sim.rtl_bench.waveform import command_spans, read_waveform, stretches


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), max_size=8))
def test_commands_are_found_again(work: list[tuple[int, int]]) -> None:
    """A unit that idles ``gap`` cycles, takes a command, executes it for ``cycles``; at gap 0 in the last cycle."""
    spans, at = [], -1  # the last cycle of the command before
    for gap, cycles in work:
        start = max(0, at + gap)
        spans.append((start, start + cycles))
        at = start + cycles
    taken, busy = np.zeros(at + 3, bool), np.zeros(at + 3, bool)
    for first, last in spans:
        taken[first] = True
        busy[first + 1 : last + 1] = True
    assert command_spans(taken, busy) == spans


@given(st.lists(st.booleans(), max_size=40))
def test_stretches_are_maximal_and_cover_what_is_true(values: list[bool]) -> None:
    found = stretches(np.array(values, bool))
    covered = [cycle for first, last in found for cycle in range(first, last + 1)]
    assert covered == [cycle for cycle, value in enumerate(values) if value]
    assert all(after > last + 1 for (_, last), (after, _) in pairwise(found))


def test_what_is_no_waveform_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.fst"
    path.write_text("no waveform")
    with pytest.raises(FastSwitchError, match=r"notes\.fst is not a waveform"):
        read_waveform(path, ())


def test_a_waveform_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.vcd"
    path.write_text("$timescale 1ps $end\n$scope module m $end\n$var wire 1 ! a $end\n$upscope $end\n"
                    "$enddefinitions $end\n#0\n0!\n#10\n1!\n")  # fmt: skip
    with pytest.raises(FastSwitchError, match=r"other\.vcd has no signal bench\.dut\.dut\.machine\.control\.start"):
        read_waveform(path, ())
