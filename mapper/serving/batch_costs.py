"""What a batch costs: cycles, DRAM bytes and joules by SubNet, size of the batch and cached SubGraph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError
from mapper.serving.serving_table import ServingTable

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BatchCosts:
    """Costs of batches of images of one SubNet, each (SubNets, sizes, SubGraphs) in the rows and columns of a table.

    A machine whose Programs take several images gives its own numbers here; nothing else knows what a batch costs.

    Parameters
    ----------
    sizes : images of a batch, ascending from 1.
    cycles : int64, of the whole batch.
    dram_bytes : int64.
    energy_j : float64.
    together : whether all answers come when the batch ends. False: the Programs of its images run one after another,
        and each answer comes when its own Program ends.

    Raises
    ------
    FastSwitchError
        The sizes do not ascend from 1, or an array has another shape.
    """

    sizes: tuple[int, ...]
    cycles: Ints
    dram_bytes: Ints
    energy_j: Floats
    together: bool = True

    def __post_init__(self) -> None:
        if not self.sizes or self.sizes[0] != 1 or any(np.diff(self.sizes) <= 0):
            raise FastSwitchError(f"batch sizes are {','.join(map(str, self.sizes))}; give sizes that ascend from 1")
        for name in ("cycles", "dram_bytes", "energy_j"):
            shape = getattr(self, name).shape
            if len(shape) != 3 or shape[1] != len(self.sizes):
                raise FastSwitchError(
                    f"{name} of batches have shape {shape}; give (SubNets, {len(self.sizes)} sizes, SubGraphs)"
                )

    @classmethod
    def one_after_another(cls, table: ServingTable, sizes: Sequence[int] = (1,)) -> BatchCosts:
        """Batches on a machine whose Programs take one image: as many Programs one after another.

        Parameters
        ----------
        table : what one image costs.
        sizes : of batches.
        """
        times = np.array(sizes, np.int64)[None, :, None]
        cycles, moved = table.sushi.cycles[:, None] * times, table.dram_bytes[:, None] * times
        return cls(tuple(sizes), cycles, moved, table.energy_j[:, None] * times, together=False)
