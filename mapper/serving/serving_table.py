"""The serving table: SushiAbs, and beside each latency its bytes, its joules and what a switch adds to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from mapper.cost.network_costs import Costs, NetworkCosts
from mapper.cost.switch_cost import Switch, Switches, estimated_switches
from mapper.serving.latency_table import BEST, NOTHING, QUICK, SushiAbs

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class SwitchPrograms(Protocol):
    """Knows what a switch costs exactly; :class:`mapper.serving.compiled_table.Programs` is one."""

    def switch(self, row: int, before: int, after: int) -> tuple[int, int]:
        """(cycles, DRAM bytes) of the query in whose Program the SubGraph changes.

        Parameters
        ----------
        row : the SubNet.
        before, after : the SubGraphs.
        """


@dataclass(frozen=True, eq=False)
class ServingTable:
    """Costs of a query by its SubNet (rows) and the SubGraph that is cached (columns).

    Attributes
    ----------
    sushi : names, cycles and accuracy.
    vectors : each SubNet as a SubGraph's vector, int64 (SubNets, 2 × layers).
    dram_bytes : of a query, int64 (SubNets, SubGraphs).
    hit_bytes : that the PB spared it, int64 (SubNets, SubGraphs).
    energy_j : joules, float64 (SubNets, SubGraphs).
    switches : what a query takes beyond that if the SubGraph changes with it.
    byte_j : joules of a byte of DRAM.
    facts : what else results say of the table, by name.
    programs : what can make a switch exact. None: switches stay estimates.
    """

    sushi: SushiAbs
    vectors: Ints
    dram_bytes: Ints
    hit_bytes: Ints
    energy_j: Floats
    switches: Switches
    byte_j: float
    facts: Mapping[str, Any] = field(default_factory=dict)
    programs: SwitchPrograms | None = None

    @property
    def latency_s(self) -> Floats:
        """Seconds without a switch, (SubNets, SubGraphs)."""
        return self.sushi.latency_s

    @property
    def accuracy(self) -> Floats:
        """(SubNets,), fractions."""
        return self.sushi.accuracy

    @property
    def switch_s(self) -> Floats:
        """Seconds that a switch adds, (SubNets or 1, SubGraphs before, SubGraphs after)."""
        return self.switches.cycles / self.sushi.clock_hz

    @property
    def shape(self) -> tuple[int, int]:
        """(SubNets, SubGraphs)."""
        rows, columns = self.sushi.cycles.shape
        return rows, columns

    def guessed(self, happened: Iterable[Switch]) -> set[Switch]:
        """The switches among those given whose cost is an estimate, which :meth:`compile` can make exact."""
        exact = self.switches.exact
        if self.programs is None:
            return set()
        return {switch for switch in happened if exact is None or not exact[switch]}

    def compile(self, wanted: Iterable[Switch], on_entry: Callable[[], None] = lambda: None) -> ServingTable:
        """A copy in which some switches cost what their Programs say.

        Parameters
        ----------
        wanted : the switches.
        on_entry : called after each Program.

        Raises
        ------
        ValueError
            The table has no Programs.
        """
        if self.programs is None:
            raise ValueError("this table has no Programs to compile")
        cycles, moved = self.switches.cycles.copy(), self.switches.bytes.copy()
        exact = np.zeros(cycles.shape, np.bool_) if self.switches.exact is None else self.switches.exact.copy()
        for switch in wanted:
            total, all_bytes = self.programs.switch(*switch)
            cycles[switch] = total - self.sushi.cycles[switch.row, switch.before]
            moved[switch] = all_bytes - self.dram_bytes[switch.row, switch.before]
            exact[switch] = True
            on_entry()
        return replace(self, switches=Switches(cycles, moved, exact))

    @classmethod
    def build(
        cls,
        subnets: Mapping[str, SubNet],
        accuracy: Mapping[str, float],
        subgraphs: Mapping[str, SubGraph],
        supernet: SuperNet,
        accelerator: Accelerator,
        cycles: Ints | None = None,
        searched: Costs | None = None,
    ) -> ServingTable:
        """The table of SubNets without Programs that could be compiled: cycles, bytes and joules are those of the
        Programs that would be (:class:`~mapper.cost.network_costs.NetworkCosts`); switches are estimated.

        Parameters
        ----------
        subnets, accuracy : by name; fractions.
        subgraphs : that may be cached, by name, the empty one apart.
        supernet, accelerator : of which the table is.
        cycles : int64 (SubNets from the fewest MACs on, the empty SubGraph and ``subgraphs``), if they are known.
        searched : what Programs cost that were mapped by the policy ``best``, rows and columns as of ``cycles``. None:
            they are mapped by ``quick``.

        Raises
        ------
        MappingError
            For a SubNet that the accelerator cannot run, or a SubGraph that does not fit its PB.
        """
        names = sorted(subnets, key=lambda name: subnets[name].macs)
        nets = [subnets[name] for name in names]
        columns = {NOTHING: SubGraph.empty(supernet), **subgraphs}
        graphs = list(columns.values())
        costs = searched or NetworkCosts(supernet, accelerator).of_subgraphs(nets, graphs)
        policy = BEST if searched else QUICK
        known = costs.cycles if cycles is None else cycles
        return cls(
            SushiAbs.of(names, columns, known, {name: accuracy[name] for name in names}, accelerator, policy),
            vectors_of(nets, supernet),
            costs.dram_bytes,
            costs.hit_bytes,
            costs.energy_j,
            estimated_switches(nets, graphs, supernet, accelerator, known),
            byte_joules(accelerator),
            {
                "accelerator": accelerator.name,
                "accelerator_hash": accelerator.hash(),
                "space": supernet.name,
                "switch_costs": "estimated",
                "mapping_policy": policy,
            },
        )


def vectors_of(subnets: Sequence[SubNet], supernet: SuperNet) -> Ints:
    """Each SubNet as a SubGraph's vector.

    Parameters
    ----------
    subnets : of ``supernet``.
    supernet : gives the layers.

    Returns
    -------
    int64 array
        (SubNets, 2 × layers).
    """
    return np.array([SubGraph.of(subnet, supernet).encode() for subnet in subnets])


def byte_joules(accelerator: Accelerator) -> float:
    """Joules of a byte of DRAM, by the Accelerator's energy table (pJ for 8 bytes).

    >>> round(byte_joules(Accelerator.load("tiny")) * 1e12, 1)
    162.5
    """
    return accelerator.energy.dram.value / 8 * 1e-12
