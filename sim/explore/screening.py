"""Estimates of points: all points of a task together, each different layer on each different machine once.

An estimate depends on the array, the ports and DRAM, on the buffers that limit how a layer is tiled, on how many of
its K-tiles are in the PB, and on whether half the DB holds the others. Clock and area come in after, so a grid has far
fewer layers to estimate than points times layers. What is the same is found with ``np.unique``; what is left is
:mod:`mapper.cost.estimate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.compiled import Ints
from arch_model.cost.activity import TOTALS
from arch_model.machine.accelerator import Accelerator
from arch_model.timing.rows import DB, NEVER, machine_row
from mapper.cost.estimate import COSTS, CYCLES, add_up, estimate_each, fit_hits, held_at_once, rows_uncached
from sim.explore.workload import Workload, array_of


@dataclass(frozen=True, eq=False)
class Machines:
    """Machines as rows of numbers, and the rows of a workload's layers on each different array.

    Attributes
    ----------
    ms : (machines, columns), rows of :data:`arch_model.timing.rows.MACHINE`.
    xs : (arrays, layers, columns), rows of :data:`mapper.lowering.rows.LAYER`.
    arrays : of each machine, its place in ``xs``.
    """

    ms: Ints
    xs: Ints
    arrays: Ints

    @classmethod
    def of(cls, machines: Sequence[Accelerator], work: Workload) -> Machines:
        """Machines, and what of a workload runs on them.

        Parameters
        ----------
        machines : the Accelerators.
        work : what runs.
        """
        places: dict[tuple[int, int, int], int] = {}
        arrays = np.array([places.setdefault(array_of(machine), len(places)) for machine in machines], np.int64)
        first = [machines[int(np.argmax(arrays == place))] for place in range(len(places))]
        ms = np.array([machine_row(machine) for machine in machines], np.int64)
        return cls(ms, np.array([work.rows(machine) for machine in first], np.int64), arrays)

    def without_sizes(self) -> tuple[Ints, Ints]:
        """The first of each different machine, DB and PB apart; which one each machine is."""
        rest = np.delete(self.ms, [DB, self.ms.shape[1] - 1], axis=1)
        _, first, place = np.unique(rest, axis=0, return_index=True, return_inverse=True)
        return first, place.reshape(-1)


@dataclass(frozen=True, eq=False)
class Screened:
    """What an estimate says of machines (rows) and SubNets (columns).

    Attributes
    ----------
    misfits : the first use that does not fit the machine, -1 if all do.
    hits : (machines, uses), leading K-tiles of each use that the PB holds.
    cycles : sums over layers.
    totals : (machines, SubNets, totals), of :data:`arch_model.cost.activity.TOTALS`.
    """

    misfits: Ints
    hits: Ints
    cycles: Ints
    totals: Ints


def cached_hits(machines: Machines, work: Workload, cached: str) -> tuple[Ints, Ints]:
    """Which layers fit, and what of each the PB holds.

    Parameters
    ----------
    machines : of one task.
    work : what runs.
    cached : what the PB holds, one of :data:`sim.explore.layers.CACHED`.

    Returns
    -------
    fits, hits
        0 or 1, and leading K-tiles in the PB, both (machines, uses).
    """
    first, place = machines.without_sizes()
    rows = rows_uncached(machines.ms[first], machines.xs, machines.arrays[first])[place]
    fits = (rows > 0)[:, work.uses].astype(np.int64)
    if cached == "none":
        return fits, np.zeros(fits.shape, np.int64)
    return fits, fit_hits(machines.ms, machines.xs, machines.arrays, rows, work.uses, work.starts)


def screen(accelerators: Sequence[Accelerator], work: Workload, cached: str) -> Screened:
    """Estimates of all SubNets of a workload on machines.

    Parameters
    ----------
    accelerators : the machines.
    work : what runs.
    cached : what the PB holds, one of :data:`sim.explore.layers.CACHED`.
    """
    machines = Machines.of(accelerators, work)
    fits, hits = cached_hits(machines, work, cached)
    held = held_at_once(machines.ms, machines.xs, machines.arrays, work.uses, hits)
    first, place = machines.without_sizes()
    fine = fits > 0
    keys = np.stack([np.broadcast_to(place[:, None], hits.shape), np.broadcast_to(work.uses, hits.shape), hits, held])
    kinds, kind = _unique(keys[:, fine])
    where = first[kinds[0]]
    table = np.zeros((kinds.shape[1] + 1, COSTS), np.int64)
    estimate_each(machines.ms, machines.xs, np.stack([where, machines.arrays[where], *kinds[1:]]), table)
    index = np.full(hits.shape, len(table) - 1, np.int64)
    index[fine] = kind
    sums, misfits = add_up(table, index, work.starts), _misfits(fine & (table[index, CYCLES] < NEVER), work)
    return Screened(misfits, hits, sums[..., CYCLES], sums[..., : len(TOTALS)])


def _misfits(good: npt.NDArray[np.bool_], work: Workload) -> Ints:
    """The first use of each SubNet that does not fit; ``good`` (machines, uses)."""
    found = np.full((len(good), len(work.starts) - 1), -1, np.int64)
    for net, (low, high) in enumerate(zip(work.starts, work.starts[1:], strict=False)):
        bad = ~good[:, low:high]
        found[:, net] = np.where(bad.any(axis=1), low + bad.argmax(axis=1), -1)
    return found


def _unique(keys: Ints) -> tuple[Ints, Ints]:
    """The different columns of numbers (m, n), none negative; which one each column is, (n,)."""
    code, size = np.zeros(keys.shape[1], np.int64), 1
    for row in keys:
        most = int(row.max(initial=0)) + 1
        if size * most >= 1 << 62:
            different, code = np.unique(code, return_inverse=True)
            size = len(different)
        code, size = code * most + row, size * most
    _, first, place = np.unique(code, return_index=True, return_inverse=True)
    return keys[:, first], place.reshape(-1)
