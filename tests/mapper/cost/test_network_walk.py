"""A walk goes on where it had no room."""

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from mapper.cost.memo import STATE_AT, STATE_TABLE, VECTORS, new_steps
from mapper.cost.network_costs import NetworkCosts, cached_tiles
from mapper.cost.network_walk import DONE, STATES_FULL, STEPS_FULL, WINDOW_FULL, walk
from mapper.pinning.sampling import draw_subgraphs

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")
NETS = FASHION.sample(4, seed=3)
TILES = cached_tiles(FASHION, list(draw_subgraphs(FASHION, NETS, 5, TINY, seed=0).values()), TINY)


def test_little_room_is_enough(monkeypatch):
    """Streams, states and steps grow while columns are on their way."""
    want, found = NetworkCosts(FASHION, TINY).cycles(NETS, TILES), []
    costs = NetworkCosts(FASHION, TINY)
    costs._window, costs._steps = costs._new_window(32), new_steps(8)
    for segment, room in ((VECTORS, 1 << 14), (STATE_AT, 16), (STATE_TABLE, 8)):
        costs.variants.memo[3 * segment + 1] = room

    def noted(*words):
        found.append(walk(*words))
        return found[-1]

    monkeypatch.setattr("mapper.cost.network_costs.walk", noted)
    assert np.array_equal(costs.cycles(NETS, TILES), want)
    assert set(found) == {DONE, STATES_FULL, STEPS_FULL, WINDOW_FULL}
