"""Programs that were executed one after another on a machine, and what the serving table says that they cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mapper.serving.serving_table import ServingTable

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Executed:
    """What Programs cost by their SubNets and SubGraphs; a class that has these attributes inherits the rest.

    Attributes
    ----------
    table : costs.
    rows : the SubNet of each Program.
    before, columns : the SubGraph in the PB before and after it.
    """

    table: ServingTable
    rows: Ints
    before: Ints
    columns: Ints

    @cached_property
    def switched(self) -> npt.NDArray[np.bool_]:
        """Queries whose Program changed the SubGraph."""
        changed: npt.NDArray[np.bool_] = self.before != self.columns
        return changed

    def _of_switch(self, extra: Ints) -> Ints:
        return np.asarray(extra[self.rows if len(extra) > 1 else 0, self.before, self.columns])

    @cached_property
    def cycles(self) -> Ints:
        """Cycles of each query's Program, its switch included."""
        return np.asarray(self.table.sushi.cycles[self.rows, self.before] + self._of_switch(self.table.switches.cycles))

    @property
    def service_s(self) -> Floats:
        """Seconds that the machine works on each query."""
        return self.cycles / self.table.sushi.clock_hz

    @property
    def accuracy(self) -> Floats:
        """Of the SubNet that served."""
        return self.table.accuracy[self.rows]

    @property
    def dram_bytes(self) -> Ints:
        """DRAM bytes, the switch's included."""
        return np.asarray(self.table.dram_bytes[self.rows, self.before] + self._of_switch(self.table.switches.bytes))

    @property
    def energy_j(self) -> Floats:
        """Joules: the table's, and those of the bytes that a switch adds."""
        more = self._of_switch(self.table.switches.bytes) * self.table.byte_j
        return np.asarray(self.table.energy_j[self.rows, self.before] + more)


@dataclass(frozen=True, eq=False)
class MachineRun(Executed):
    """The Programs of one machine in the order in which it runs them.

    Attributes
    ----------
    table, rows, before, columns : as of :class:`Executed`.
    queries : which of the stream each serves.
    """

    table: ServingTable
    rows: Ints
    before: Ints
    columns: Ints
    queries: Ints
