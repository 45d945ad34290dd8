"""Groups, pieces and runs of a batch against those that the compiler's plan makes, a layer at a time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mapper.cost.weight_batch import group_weights
from mapper.layout.tensors import TileGrid
from mapper.search.weight_plan import plan_layer

LAYER = st.tuples(*(st.integers(1, 6), st.sampled_from([1, 1, 4]), st.integers(1, 9), st.integers(0, 6)),
                  *(st.integers(0, 9), st.integers(1, 12)))  # fmt: skip


def plan(kt, windows, ct, hit_kt, hit_ct, half):
    grid = TileGrid(kt, windows, ct)
    hits = np.full((grid.rows, ct), -1)
    part = hits[: min(hit_kt, kt) * windows, : min(hit_ct, ct)]
    part[:] = np.arange(part.size).reshape(part.shape)
    return plan_layer(grid, hits, np.full_like(hits, -1), half)


@given(st.lists(LAYER, min_size=1, max_size=8))
def test_it_is_the_plan_of_each_layer(layers):
    batch = group_weights(*np.array(layers).T)
    for i, layer in enumerate(layers):
        weights, half, windows = plan(*layer), layer[-1], layer[1]
        pieces = [(row, piece) for row, found in enumerate(weights.rows) for piece in found]
        n = batch.pieces[i]
        assert batch.reps[i, :n].tolist() == [piece.length for _, piece in pieces]
        assert batch.k_tile[i, :n].tolist() == [row // windows for row, _ in pieces]
        last = {row // windows: number for number, (row, _) in enumerate(pieces)}
        assert np.flatnonzero(batch.finish[i, :n]).tolist() == sorted(last.values())
        runs = [(g, run) for g, group in enumerate(weights.groups) for run in weights.runs(g, 0, len(group), half, 1)]
        assert batch.run_tiles[i, : batch.runs[i]].tolist() == [run.tiles for _, run in runs]
        assert batch.run_group[i, : batch.runs[i]].tolist() == [g for g, _ in runs]
        assert batch.groups[i] == len(weights.groups)
        for number, (_, piece) in enumerate(pieces):
            run, end = batch.run[i, number], piece.slot + piece.length - 1
            assert (run < 0) == (piece.group < 0)
            if run >= 0:
                group, load = runs[run]
                assert group == piece.group and load.slot <= end < load.slot + load.tiles
        for g in range(len(weights.groups)):
            users = [number for number, (_, piece) in enumerate(pieces) if piece.group == g]
            assert (batch.group_first[i, g], batch.group_last[i, g]) == (users[0], users[-1])
