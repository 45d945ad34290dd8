"""The plot of a Program in time: what is compared, what is drawn, what is shown larger."""

from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.timing.reference_timing import Interval, time_program
from mapper.lowering.compile import compile_layer
from reports.colours import BAD
from reports.unit_timeline import Pair, at_work, closer_range, save_unit_timeline
from sim.integers.random_integers import random_quant
from sim.rtl_bench.waveform import Observed

TINY = Accelerator.load("tiny")


def pair_of(layer: Layer) -> Pair:
    """An RTL that does what the model says."""
    program, _ = compile_layer(layer, TINY, random_quant(layer, np.random.default_rng(0)))
    timing = time_program(program.commands, TINY)
    waits: dict[str, tuple[tuple[int, int], ...]] = {"sb": ((50, 90),), "weights": (), "out": ()}
    return Pair(program.commands, timing.timeline, timing.cycles, Observed(timing.cycles, timing.timeline, waits))


SMALL = Layer("small", Kind.CONV, K=3, C=3, R=3, S=3, H=4, W=4, padding=1)
MANY = Layer("many", Kind.CONV, K=16, C=16, R=3, S=3, H=13, W=13, stride=2, padding=1)


def red_pixels(path: Path) -> int:
    picture = matplotlib.image.imread(path)[..., :3]
    red = np.array([int(BAD.light[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return int((np.abs(picture - red).max(axis=-1) < 0.02).sum())


def test_a_difference_is_listed_and_red(tmp_path: Path) -> None:
    same = pair_of(SMALL)
    late = [replace(i, end=i.end + 20) if i.unit == "STORE" else i for i in same.observed.timeline]
    other = replace(same, observed=replace(same.observed, timeline=tuple(late), cycles=same.cycles + 20))
    assert same.differences() == []
    ((said, seen),) = other.differences()
    assert (seen.unit, seen.end - said.end) == ("STORE", 20)
    (row,) = [row for row in other.rows() if row["unit"] == "STORE"]
    assert row["end"] == seen.end and row["model_end"] == said.end and row["opcode"] == "STORE"
    save_unit_timeline(same, "same", tmp_path / "same.png")
    save_unit_timeline(other, "other", tmp_path / "other.png")
    assert red_pixels(tmp_path / "other.png") > red_pixels(tmp_path / "same.png") + 100  # the key has red, too


def test_many_commands_are_shown_larger_too(tmp_path: Path) -> None:
    few, many = pair_of(SMALL), pair_of(MANY)
    assert closer_range(few.observed) is None
    first, last = closer_range(many.observed) or (0, 0)
    inside = [i for i in many.observed.timeline if i.unit == "RUN" and first <= i.start and i.end < last]
    assert len(inside) == 16 and 0 < first < last < many.cycles
    heights = []
    for name, pair in (("few", few), ("many", many)):
        save_unit_timeline(pair, name, tmp_path / f"{name}.png")
        heights.append(matplotlib.image.imread(tmp_path / f"{name}.png").shape[0])
    assert heights[1] > 1.7 * heights[0]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=6), st.integers(1, 60))
def test_work_in_all_parts_adds_up(spans: list[tuple[int, int]], points: int) -> None:
    timeline = [Interval("FEED", n, start, start + length) for n, (start, length) in enumerate(spans)]
    means = at_work(timeline, (0, 80), points)
    assert means.sum() * 80 / points == pytest.approx(sum(length for _, length in spans))
