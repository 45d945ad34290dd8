"""The readable plan of weight tiles gives every tile one source, and commands have the same groups."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from arch_model.timing.rows import machine_row
from mapper.layout.tensors import TileGrid, tile_grid
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.layer_rows import layer_row as lowered_row
from mapper.lowering.layer_rows import tiling_row
from mapper.lowering.network import plan_of
from mapper.lowering.tiling import Order, Tiling
from mapper.workload.fusion import Step
from tests.mapper.cut_layers import random_hits, random_layer
from tests.mapper.random_nets import random_accelerator
from tests.mapper.weight_plan import plan_layer


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
def test_commands_have_the_same_groups(seed):
    """What the compiled lowering plans for a layer: its greatest group, for both orders."""
    rng = np.random.default_rng(seed)
    a, layer = random_accelerator(rng), random_layer(rng)
    grid, hits = tile_grid(layer, a), random_hits(layer, a, rng)
    for order in Order:
        chunk = int(rng.choice(LayerOnMachine(layer, a).chunks))
        rows = chunk * grid.windows if order is Order.FILTERS else None
        plan = plan_layer(grid, hits, np.full_like(hits, -1), a.db_half_tiles, rows)
        tiling = tiling_row(Tiling(1, chunk, order=order))
        most, _ = plan_of(machine_row(a), lowered_row(Step(layer), a), tiling, hits.reshape(-1))
        assert most == max((len(group) for group in plan.groups), default=0)
