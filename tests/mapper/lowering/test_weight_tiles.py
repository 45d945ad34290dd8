import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mapper.layout.tensors import TileGrid
from mapper.lowering.weight_tiles import plan_layer, split_runs


def expand(run):
    """The (row, C-tile, slot)s of one LOAD_WGT, as the hardware fills slots: run after run."""
    return [
        (run.row + i, run.ct + j, run.slot + i * run.length + j) for i in range(run.runs) for j in range(run.length)
    ]


@given(st.integers(0, 2**32))
def test_every_tile_has_one_source(seed):
    rng = np.random.default_rng(seed)
    grid = TileGrid(int(rng.integers(1, 8)), int(rng.choice([1, 4])), int(rng.integers(1, 12)))
    half = int(rng.integers(1, 20))
    slots = np.where(rng.random((grid.rows, grid.ct)) < rng.random(), -1, 0)
    cached = np.argwhere(slots == 0)
    order = np.arange(len(cached)) if rng.random() < 0.5 else rng.permutation(len(cached))
    slots[tuple(cached.T)] = order
    new = rng.random(slots.shape) < 0.3
    plan = plan_layer(grid, np.where(new, -1, slots), np.where(new, slots, -1), half)
    assert all(0 < len(group) <= half for group in plan.groups)
    assert plan.streamed == (slots < 0).sum()
    flat = [tile for group in plan.groups for tile in group]
    assert flat == sorted(flat)  # in the order of the passes
    for r, pieces in enumerate(plan.rows):
        assert [p.ct for p in pieces] == np.cumsum([0] + [p.length for p in pieces])[:-1].tolist()
        assert sum(p.length for p in pieces) == grid.ct
        for p in pieces:
            for i in range(p.length):
                if p.group < 0:
                    assert slots[r, p.ct + i] == p.slot + i
                else:
                    assert plan.groups[p.group][p.slot + i] == (r, p.ct + i)


def test_groups_end_between_rows_and_are_even():
    none = np.full((6, 3), -1)
    plan = plan_layer(TileGrid(6, 1, 3), none, none, half_tiles=16)  # 18 tiles: 9 and 9 rather than 15 and 3
    assert [len(group) for group in plan.groups] == [9, 9]


@given(st.integers(0, 2**32))
def test_runs_load_exactly_the_tiles(seed):
    rng = np.random.default_rng(seed)
    wanted = np.argwhere(rng.random((6, 7)) < rng.random())
    slot, tiles = 0, []
    for row, ct in wanted.tolist():
        slot += 1 if rng.random() < 0.8 else 3
        tiles.append((row, ct, slot))
    most = int(rng.integers(1, 20))
    runs = list(split_runs(tiles, most, tile_beats=7))
    assert [tile for run in runs for tile in expand(run)] == tiles
    assert all(run.tiles <= most for run in runs)


def test_a_rectangle_is_one_command():
    tiles = [(r, c, 10 + 4 * (r - 2) + c - 3) for r in range(2, 7) for c in range(3, 7)]
    (run,) = split_runs(tiles, most=64, tile_beats=27)
    assert (run.row, run.ct, run.slot, run.length, run.runs) == (2, 3, 10, 4, 5)
