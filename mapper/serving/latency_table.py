"""SushiAbs: the latency table that the scheduler looks at, SubNets by cached SubGraphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from mapper.cost.network_costs import NetworkCosts, cached_tiles

NOTHING = "none"
"""The column of an empty PB."""

QUICK, BEST = "quick", "best"
"""The policies by which Programs of a table can be mapped; quick unless it is asked for."""


@dataclass(frozen=True, eq=False)
class SushiAbs:
    """Latency and accuracy of SubNets (rows) for each SubGraph that may be cached (columns).

    Source of the idea: SUSHI (MLSys 2023), section "SushiAbs".

    Attributes
    ----------
    subnets : names of the rows.
    subgraphs : names of the columns; the first is the empty SubGraph, named "none".
    vectors : int64 (SubGraphs, 2 × SuperNet layers), each SubGraph as its vector.
    cycles : int64 (SubNets, SubGraphs).
    accuracy : float64 (SubNets), fractions; NaN where it is not known.
    clock_hz : hertz, of the machine.
    policy : by which the Programs were mapped, ``quick`` or ``best`` (:class:`mapper.search.policy.Policy`).
    """

    subnets: tuple[str, ...]
    subgraphs: tuple[str, ...]
    vectors: npt.NDArray[np.int64]
    """(SubGraphs, 2 × SuperNet layers): each SubGraph as its vector."""
    cycles: npt.NDArray[np.int64]
    accuracy: npt.NDArray[np.float64]
    clock_hz: float
    policy: str = QUICK

    @property
    def latency_s(self) -> npt.NDArray[np.float64]:
        """Seconds, (SubNets, SubGraphs)."""
        return self.cycles / self.clock_hz

    def to_frame(self) -> pd.DataFrame:
        """Cycles as a table, with the accuracy as its first column."""
        frame = pd.DataFrame(self.cycles, index=pd.Index(self.subnets, name="subnet"), columns=list(self.subgraphs))
        frame.insert(0, "accuracy", self.accuracy)
        return frame

    @classmethod
    def build(
        cls,
        subnets: Mapping[str, SubNet],
        accuracy: Mapping[str, float],
        subgraphs: Mapping[str, SubGraph],
        supernet: SuperNet,
        accelerator: Accelerator,
        order: Sequence[str] | None = None,
    ) -> SushiAbs:
        """The table of whole Programs: thousands of SubNets by hundreds of SubGraphs in seconds.

        Each entry is exactly the cycles of the Program that ``compile_subnet`` makes for it
        (:class:`~mapper.cost.network_costs.NetworkCosts`).

        Parameters
        ----------
        subnets : by name.
        accuracy : fractions by SubNet; may lack SubNets (NaN).
        subgraphs : by name; the empty one comes before them.
        supernet : of all of them.
        accelerator : that runs them.
        order : names of the rows. None: all SubNets as they come.

        Raises
        ------
        MappingError
            The machine cannot run a SubNet, or a SubGraph does not fit the PB.

        Examples
        --------
        >>> from arch_model.spaces import get_space
        >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
        >>> subnets = {name: fashion.subnet(name) for name in fashion.subnet_names()[:2]}
        >>> SushiAbs.build(subnets, {}, {}, fashion, tiny).cycles.shape
        (2, 1)
        """
        names, columns = tuple(order or subnets), {NOTHING: SubGraph.empty(supernet), **subgraphs}
        tiles = cached_tiles(supernet, list(columns.values()), accelerator)
        cycles = NetworkCosts(supernet, accelerator).cycles([subnets[name] for name in names], tiles)
        return cls.of(names, columns, cycles, accuracy, accelerator)

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        columns: Mapping[str, SubGraph],
        cycles: npt.NDArray[np.int64],
        accuracy: Mapping[str, float],
        accelerator: Accelerator,
        policy: str = QUICK,
    ) -> SushiAbs:
        """The table of cycles that are known.

        Parameters
        ----------
        names : of the rows, the SubNets.
        columns : all SubGraphs, the empty one first.
        cycles : int64 (SubNets, SubGraphs).
        accuracy : fractions by SubNet; may lack SubNets (NaN).
        accelerator : gives the clock.
        policy : by which the Programs were mapped.
        """
        vectors = np.array([subgraph.encode() for subgraph in columns.values()])
        known = np.array([accuracy.get(name, np.nan) for name in names])
        return cls(tuple(names), tuple(columns), vectors, cycles, known, accelerator.clock_hz, policy)
