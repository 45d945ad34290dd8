"""What layers cost that no closed form covers, each as a Program of its own: channelwise layers and global pools."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.network.supernet import SubNet
from arch_model.timing.reference_timing import (
    FETCH_ADDRESS,
    FETCH_DECODE,
    FETCH_END,
    FETCH_QUEUE,
    SLOT_BYTES,
)
from mapper.cost.layer_cost import layer_cost
from mapper.workload.depthwise import is_channelwise
from mapper.workload.fusion import Step, check_supported


@lru_cache(maxsize=1 << 14)
def lone_cost(layer: Layer, accelerator: Accelerator) -> tuple[int, int]:
    """(cycles, DRAM bytes) of a channelwise layer or a global pool whose operands are in DRAM.

    Raises :class:`~arch_model.errors.MappingError` for a layer too large for the accelerator.

    >>> pool = Layer("p", Kind.POOL, K=6, C=6, H=8, W=8)
    >>> lone_cost(pool, Accelerator.load("tiny"))[1]      # 2 groups of 8 rows of 24 and one of 4, 3 slots
    488
    """
    cost = layer_cost(Step(layer), accelerator)
    return cost.cycles, cost.dram_bytes


def chained_cycles(layer: Layer, accelerator: Accelerator) -> int:
    """Cycles of a channelwise layer from its input's being stored to its output's, in a Program with others.

    Those of a Program of its own without its first command's way through FETCH. What such a layer does before all of
    its input is there, and weights that come meanwhile, are not taken off: it is somewhat more than in a Program.
    """
    a, dram = accelerator, accelerator.dram
    slot = dram.cycles_per_beat * (-(-SLOT_BYTES // a.program_beat_bytes) - 1)
    begin = FETCH_ADDRESS + dram.latency_cycles + slot + FETCH_DECODE + FETCH_QUEUE
    return lone_cost(replace(layer, name="layer", inputs=()), a)[0] - begin - FETCH_END - 1


def alone(subnet: SubNet, accelerator: Accelerator, kinds: Collection[Kind] = tuple(Kind)) -> tuple[int, int]:
    """(cycles, DRAM bytes) of a SubNet's channelwise layers and global pools that are of these kinds, each by itself.

    Raises :class:`~arch_model.errors.MappingError` for one that the machine cannot run.
    """
    for layer in subnet.layers:
        check_supported(layer)
    costs = [
        lone_cost(replace(layer, name="layer", inputs=()), accelerator)
        for layer in subnet.layers
        if layer.kind in kinds and (is_channelwise(layer) or layer.kind is Kind.POOL)
    ]
    return sum(cost[0] for cost in costs), sum(cost[1] for cost in costs)
