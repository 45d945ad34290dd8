"""The package and the machine that the driver's tests share."""

from __future__ import annotations

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.network.weights import load_weights
from arch_model.spaces import get_space
from rtl.driver import Package
from rtl.driver_package import make_package

TINY, FASHION, WEIGHTS = Accelerator.load("tiny"), get_space("fashion"), load_weights()
SMALL, DEEPER = "fashion-d111-w222", "fashion-d211-w222"


def part_of(subnet: str, layers: range) -> SubGraph:
    """The weights of these layers (places in the SuperNet) of a SubNet."""
    slices = SubGraph.of(FASHION.subnet(subnet), FASHION).slices
    return SubGraph(FASHION.name, tuple(size if i in layers else (0, 0) for i, size in enumerate(slices)))


def fashion_package() -> Package:
    """Two SubNets, and two SubGraphs that share layers: ``front`` is the first four, ``next`` the third to seventh."""
    subgraphs = {"front": part_of(DEEPER, range(4)), "next": part_of(DEEPER, range(2, 7))}
    return make_package(FASHION, WEIGHTS, TINY, (SMALL, DEEPER), subgraphs)
