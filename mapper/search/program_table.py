"""Programs of many SubNets, each for many contents of the PB, mapped as the policy ``best`` maps one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from arch_model.cost.activity import TOTALS
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from mapper.cost.network_costs import Costs
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.tiling import Tiling
from mapper.search.policy import Policy, map_network

MOST = 1_000
"""Programs that are searched at most: each takes some tenths of a second."""


@dataclass(frozen=True, eq=False)
class SearchedPrograms:
    """Programs of SubNets (rows) for SubGraphs in the PB (columns).

    Attributes
    ----------
    costs : what they cost.
    tilings : of each row and column, by layer, as ``compile_subnet`` takes them.
    """

    costs: Costs
    tilings: Sequence[Sequence[Mapping[str, Tiling]]]


def check_searchable(subnets: int, subgraphs: int) -> None:
    """Raise :class:`MappingError` for more Programs than can be searched in minutes.

    Parameters
    ----------
    subnets : how many.
    subgraphs : how many contents of the PB, the empty one among them.

    Raises
    ------
    MappingError
        It says how many there are.

    Examples
    --------
    >>> check_searchable(100, 10)
    >>> check_searchable(100, 101)
    Traceback (most recent call last):
    arch_model.errors.MappingError: policy best searches a mapping of each Program, some tenths of a second each: ...
    """
    if subnets * subgraphs > MOST:
        raise MappingError(
            f"policy best searches a mapping of each Program, some tenths of a second each: {subnets:,} SubNets by "
            f"{subgraphs:,} contents of the PB are {subnets * subgraphs:,}; give at most {MOST:,}, or quick"
        )


def search_programs(
    supernet: SuperNet,
    accelerator: Accelerator,
    subnets: Sequence[SubNet],
    subgraphs: Sequence[SubGraph],
    on_program: Callable[[], None] = lambda: None,
) -> SearchedPrograms:
    """Map each SubNet for each SubGraph in the PB, as :func:`~mapper.search.policy.map_network` does.

    Parameters
    ----------
    supernet, accelerator : of which they are, and what runs them.
    subnets, subgraphs : the rows and the columns.
    on_program : called after each Program.

    Returns
    -------
    SearchedPrograms

    Raises
    ------
    MappingError
        The machine cannot run a SubNet, a SubGraph does not fit the PB, or there are too many Programs
        (:func:`check_searchable`).

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> net = fashion.subnet("fashion-d111-w222")
    >>> found = search_programs(fashion, tiny, [net], [SubGraph.empty(fashion)])
    >>> found.costs.cycles.shape, int(found.costs.cycles[0, 0]) == map_network(net, tiny).cost.cycles
    ((1, 1), True)
    """
    check_searchable(len(subnets), len(subgraphs))
    buffers = [PersistentBuffer.of(subgraph, supernet, accelerator) for subgraph in subgraphs]
    shape = len(subnets), len(subgraphs)
    cycles, hits = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    totals = np.zeros((*shape, len(TOTALS)), np.int64)
    tilings: list[list[Mapping[str, Tiling]]] = []
    for row, net in enumerate(subnets):
        tilings.append([])
        for column, buffer in enumerate(buffers):
            mapped = map_network(net, accelerator, buffer, Policy.BEST)
            cycles[row, column], hits[row, column] = mapped.cost.cycles, mapped.hit_bytes
            totals[row, column] = [mapped.cost.totals[name] for name in TOTALS]
            tilings[-1].append(mapped.tilings)
            on_program()
    return SearchedPrograms(Costs(accelerator, cycles, totals, hits), tilings)
