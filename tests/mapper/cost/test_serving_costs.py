"""Sums over layers are those of the layers on their own, whichever SubNets and SubGraphs share them."""

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.spaces import get_space
from mapper.cost.serving_costs import summed_costs
from mapper.pinning.greedy import fit_subgraph

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")
NETS = FASHION.sample(4, seed=5)
GRAPHS = [SubGraph.empty(FASHION), *(fit_subgraph(net, FASHION, TINY) for net in NETS)]


def test_many_at_once_are_each_alone():
    together = summed_costs(NETS, GRAPHS, FASHION, TINY)
    for row, column in np.ndindex(len(NETS), len(GRAPHS)):
        alone = summed_costs([NETS[row]], [GRAPHS[column]], FASHION, TINY)
        for name in ("cycles", "dram_bytes", "weight_bytes", "hit_bytes"):
            assert getattr(together, name)[row, column] == getattr(alone, name)[0, 0]


def test_what_the_pb_spares_does_not_move():
    costs = summed_costs(NETS, GRAPHS, FASHION, TINY)
    assert (costs.hit_bytes[:, 0] == 0).all() and (costs.hit_bytes.diagonal(1) > 0).all()
    weights = costs.weight_bytes + costs.hit_bytes
    assert weights == pytest.approx(np.broadcast_to(weights[:, :1], weights.shape), rel=0.05)
    # Weights are what differs: what is not fetched is what was spared, but for inputs and commands of other cuts.
    moved = costs.dram_bytes + costs.hit_bytes
    assert moved == pytest.approx(np.broadcast_to(moved[:, :1], moved.shape), rel=0.05)
    assert (costs.cycles <= costs.cycles[:, :1]).all()
