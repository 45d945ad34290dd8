"""LOAD_WGT commands of tiles: exactly those, in order, and as few as their shape allows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arch_model.machine.accelerator import Accelerator
from mapper.lowering.weight_tiles import RUN_BEATS_MAX, runs_of

TINY = Accelerator.load("tiny")


def expand(run):
    """The (row, C-tile, slot)s of one LOAD_WGT, as the hardware fills slots: run after run."""
    row, ct, slot, length, runs = run
    return [(row + i, ct + j, slot + i * length + j) for i in range(runs) for j in range(length)]


@given(st.integers(0, 2**32))
def test_runs_load_exactly_the_tiles(seed):
    rng = np.random.default_rng(seed)
    wanted = np.argwhere(rng.random((6, 7)) < rng.random())
    slots, slot, tiles = np.full((6, 7), -1), 0, []
    for row, ct in wanted.tolist():
        slot += 1 if rng.random() < 0.8 else 3
        slots[row, ct] = slot
        tiles.append((row, ct, slot))
    runs = runs_of(slots, TINY).tolist()
    assert [tile for run in runs for tile in expand(run)] == tiles


def test_a_rectangle_is_one_command():
    slots = np.full((9, 8), -1)
    slots[2:7, 3:7] = 10 + np.arange(20).reshape(5, 4)
    assert runs_of(slots, TINY).tolist() == [[2, 3, 10, 4, 5]]


def test_a_run_is_no_longer_than_a_command_holds():
    slots = np.arange(40_000)[None]
    runs = runs_of(slots, TINY).tolist()
    assert [run[2] for run in runs] == np.cumsum([0] + [run[3] for run in runs])[:-1].tolist()
    assert max(run[3] for run in runs) * TINY.tile_beats <= RUN_BEATS_MAX < 40_000 * TINY.tile_beats
