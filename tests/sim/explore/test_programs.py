"""Exact prices are those that tables of SubNets have, for each SubNet with its own part of the PB."""

from __future__ import annotations

import numpy as np
import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.spaces import get_space
from mapper.cost.network_costs import NetworkCosts
from mapper.pinning.greedy import fit_subgraph
from sim.explore.programs import program_sums
from sim.explore.workload import Workload

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")
NETS = FASHION.sample(3, seed=2)


@pytest.mark.parametrize("cached", ["fit", "none"])
def test_cycles_and_activity_are_those_of_the_table(cached: str) -> None:
    cycles, totals = program_sums(TINY, Workload(NETS), [2, 0], cached)
    for place, net in enumerate((NETS[2], NETS[0])):
        graph = fit_subgraph(net, FASHION, TINY) if cached == "fit" else SubGraph.empty(FASHION)
        costs = NetworkCosts(FASHION, TINY).of_subgraphs([net], [graph])
        assert cycles[place] == costs.cycles[0, 0] and np.array_equal(totals[place], costs.totals[0, 0])


def test_a_subnet_that_does_not_fit_is_named_by_its_layer() -> None:
    with pytest.raises(MappingError, match=r"layer s1b1_conv1: its input rows need \d+ bytes of a half of the SB"):
        program_sums(TINY.replace(buffers={"sb_bytes": 54 * 10}), Workload(NETS), [0], "none")
