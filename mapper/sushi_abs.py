"""SushiAbs: the latency table that the scheduler looks at, SubNets by cached SubGraphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from arch_model.accelerator import Accelerator
from arch_model.supernet import SubGraph, SubNet, SuperNet
from arch_model.timing import time_program
from mapper.compile import Quant, compile_subnet
from mapper.memory_map import MemoryMap
from mapper.persistent import PersistentBuffer

NOTHING = "none"
"""The column of an empty PB."""


@dataclass(frozen=True, eq=False)
class SushiAbs:
    """Latency and accuracy of SubNets (rows) for each SubGraph that may be cached (columns).

    ``cycles`` int64 (SubNets, SubGraphs), ``accuracy`` float64 (SubNets), as fractions. ``subgraphs`` begins with the
    empty one, named "none". Source of the idea: SUSHI (MLSys 2023), section "SushiAbs".
    """

    subnets: tuple[str, ...]
    subgraphs: tuple[str, ...]
    vectors: npt.NDArray[np.int64]
    """(SubGraphs, 2 × SuperNet layers): each SubGraph as its vector."""
    cycles: npt.NDArray[np.int64]
    accuracy: npt.NDArray[np.float64]
    clock_hz: float

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
        quant: Mapping[str, Quant],
        memory_map: MemoryMap,
        order: Sequence[str] | None = None,
    ) -> SushiAbs:
        """Compile every SubNet for every SubGraph and take the time that the model gives its Program."""
        names = tuple(order or subnets)
        columns = {NOTHING: SubGraph.empty(supernet), **subgraphs}
        buffers = [PersistentBuffer.of(subgraph, supernet, accelerator) for subgraph in columns.values()]
        cycles = np.array(
            [
                [
                    time_program(
                        compile_subnet(
                            subnets[name], supernet, accelerator, quant[name], memory_map, resident=buffer
                        ).commands,
                        accelerator,
                    ).cycles
                    for buffer in buffers
                ]
                for name in names
            ],
            np.int64,
        )
        return cls(
            names,
            tuple(columns),
            np.array([subgraph.encode() for subgraph in columns.values()]),
            cycles,
            np.array([accuracy[name] for name in names]),
            accelerator.clock_hz,
        )
