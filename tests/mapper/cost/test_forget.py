"""States without what nobody can notice lead to the cycles of the whole recurrence, and there are fewer of them."""

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from mapper.cost.memo import STATE_AT, STATE_WORDS, used
from mapper.cost.network_costs import NetworkCosts, cached_tiles
from mapper.pinning.sampling import draw_subgraphs


def test_what_is_cached_is_forgotten_where_the_array_hides_it():
    """A SubNet whose weights hide behind its array: for 40 contents of the PB most layers begin in few states."""
    supernet, zcu104 = get_space("ofa-resnet50"), Accelerator.load("zcu104")
    net = supernet.subnet("resnet50D_MAC@0.6B")
    graphs = list(draw_subgraphs(supernet, [net], 40, zcu104, seed=1).values())
    costs, tiles = NetworkCosts(supernet, zcu104), cached_tiles(supernet, graphs, zcu104)
    cycles = costs.cycles([net], tiles)[0]
    variants, *_ = costs._laid_out(net, tiles)
    for column in np.linspace(0, 39, 5).astype(int):
        assert cycles[column] == costs._by_itself(net, variants[:, column].tolist())
    layers, columns = variants.shape
    assert used(costs.variants.memo, STATE_AT) // STATE_WORDS < layers * columns / 4
