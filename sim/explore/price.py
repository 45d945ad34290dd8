"""What points cost: estimates of all points of a task together (:mod:`sim.explore.screening`), or exact prices of whole
Programs (:mod:`sim.explore.programs`); from either the objectives.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from arch_model.cost.activity import TOTALS, activity_of
from arch_model.cost.area import UM2_PER_MM2, asic_area
from arch_model.cost.energy import energy
from arch_model.cost.resources import fpga_resources
from arch_model.errors import AcceleratorError, MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.dram import Dram
from arch_model.machine.memories import memories
from mapper.lowering.quick_choice import why_none
from sim.explore.knobs import SUBNET, Number, set_knobs
from sim.explore.programs import program_sums
from sim.explore.question import ESTIMATE, EXACT, Question
from sim.explore.screening import screen
from sim.explore.workload import Workload

Ints = npt.NDArray[np.int64]


class Pricer:
    """A question's SubNets, and what it takes to price points of it."""

    def __init__(self, question: Question) -> None:
        self.question, self.work = question, Workload(question.nets)

    def frame(self, points: Sequence[int], cells: Sequence[int], exact: bool = False) -> pd.DataFrame:
        """Rows of points: knobs, ``legal``, ``why``, objectives, ``price``, estimates; the index is ``point``.

        Parameters
        ----------
        points : their numbers.
        cells : their places in the grid.
        exact : whether they are priced exactly.
        """
        q = self.question
        places = q.places(np.array(cells, np.int64))
        columns: dict[str, list[Number]] = {
            knob.name: [knob.values[place] for place in places[:, i].tolist()] for i, knob in enumerate(q.knobs)
        }
        values = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        machines: dict[int, Accelerator] = {}
        why, prices = [""] * len(cells), [""] * len(cells)
        for i, knobs in enumerate(values):
            try:
                machines[i] = set_knobs(q.base, knobs)
            except AcceleratorError as error:
                why[i] = str(error)
        found = np.full((len(cells), len(q.objectives)), np.nan)
        nets = {i: [int(values[i][SUBNET])] if SUBNET in values[i] else list(range(len(q.nets))) for i in machines}
        self._estimate(machines, nets, found, why)
        estimated = found.copy()
        for i in machines:
            if not why[i]:
                prices[i] = ESTIMATE
                if exact:
                    prices[i], why[i] = EXACT, self._price(machines[i], nets[i], found[i])
        table: dict[str, object] = {
            knob.name: np.array(columns[knob.name], np.int64 if all(isinstance(v, int) for v in knob.values) else float)
            for knob in q.knobs
        }
        table |= {"legal": [not text for text in why], "why": why}
        table |= {name: found[:, i] for i, name in enumerate(q.objectives)}
        table |= {"price": prices}
        table |= {f"estimated_{name}": estimated[:, q.objectives.index(name)] for name in q.estimated}
        return pd.DataFrame(table, index=pd.Index(points, name="point", dtype=np.int64))

    def warm(self) -> None:
        """Have all loops compiled and kept on disk, before several processes would each do it."""
        screen([self.question.base], self.work, self.question.cached)
        try:
            program_sums(self.question.base, self.work, [0], self.question.cached)
        except MappingError:
            return

    def _estimate(
        self,
        machines: dict[int, Accelerator],
        nets: dict[int, list[int]],
        found: npt.NDArray[np.float64],
        why: list[str],
    ) -> None:
        """Fill the estimated objectives of points, or say why they are not legal."""
        if not machines:
            return
        screened = screen(list(machines.values()), self.work, self.question.cached)
        for row, (i, machine) in enumerate(machines.items()):
            misfits = screened.misfits[row, nets[i]]
            if (misfits >= 0).any():
                use = int(misfits[misfits >= 0][0])
                why[i] = str(why_none(self.work.step(use).layer, machine))
            else:
                sums = screened.cycles[row, nets[i]], screened.totals[row, nets[i]]
                found[i] = self._objectives(machine, *sums, nets[i])

    def _price(self, machine: Accelerator, nets: Sequence[int], found: npt.NDArray[np.float64]) -> str:
        """Fill the exact objectives of a point, and say why it is not legal if it turns out so."""
        try:
            found[:] = self._objectives(machine, *program_sums(machine, self.work, nets, self.question.cached), nets)
        except MappingError as error:
            found[:] = np.nan
            return str(error)
        return ""

    def _objectives(self, machine: Accelerator, cycles: Ints, totals: Ints, nets: Sequence[int]) -> list[float]:
        """The objectives of a point that runs SubNets ``nets``, each with its cycles and totals."""
        mean_cycles, mean = cycles.sum().item() / len(nets), (totals.sum(axis=0) / len(nets)).tolist()
        found: dict[str, float] = {}
        for name in self.question.objectives:
            if name == "latency":
                found[name] = mean_cycles / machine.clock_hz
            elif name == "energy":
                activity = activity_of(dict(zip(TOTALS, mean, strict=True)), machine)
                found[name] = energy(activity, machine, mean_cycles).total_j
            elif name == "area":
                found[name] = area_mm2(machine)
            elif name == "accuracy":
                found[name] = sum(self.question.accuracy[net] for net in nets) / len(nets)
            else:
                found[name] = _fpga(machine)[name]
        return [found[name] for name in self.question.objectives]


def area_mm2(machine: Accelerator) -> float:
    """:func:`arch_model.cost.area.asic_area` of a machine, all of it; logic that several have in common is looked up.

    >>> round(area_mm2(Accelerator.load("tiny")), 3)
    0.951
    """
    built = memories(machine)
    sram = sum(memory.bits for memory in built.values()) * machine.area.sram.value / UM2_PER_MM2
    # Logic knows nothing of these: LOAD_WGT and FEED have addresses of a fixed width, and time costs no area.
    buffers = machine.buffers.model_copy(update={"pb_bytes": 0, "db_bytes": 0, "zsb_bytes": 0})
    dram = Dram(bytes=1, latency_cycles=1, cycles_per_beat=1)
    logic = machine.model_copy(update={"name": "logic", "clock_hz": 1.0, "buffers": buffers, "dram": dram})
    return _logic_mm2(logic) + sram


@lru_cache(maxsize=1 << 12)
def _logic_mm2(machine: Accelerator) -> float:
    built = memories(machine)
    return sum(mm2 for name, mm2 in asic_area(machine).mm2.items() if name not in built)


def _fpga(machine: Accelerator) -> dict[str, float]:
    total = fpga_resources(machine).total
    return {"dsp": float(total.dsps), "bram": total.bram36, "lut": float(total.luts)}


@lru_cache(maxsize=4)
def _pricer(question: Question) -> Pricer:
    return Pricer(question)


def warm(question: Question) -> None:
    """:meth:`Pricer.warm`, of this process's pricer."""
    _pricer(question).warm()


def price(question: Question, points: Sequence[int], cells: Sequence[int], exact: bool = False) -> pd.DataFrame:
    """Rows of points: knobs, ``legal``, ``why``, objectives, ``price`` and the estimates of latency and energy, if they
    are objectives.

    The rows depend on their cells alone, to the bit, whatever else is in the task.

    Parameters
    ----------
    question : what is asked.
    points : their numbers.
    cells : their places in the question's grid.
    exact : price whole Programs; else estimate.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> from sim.explore.knobs import parse_vary
    >>> nets = (get_space("fashion").subnet("fashion-d111-w222"),)
    >>> asked = Question("fashion", nets, Accelerator.load("tiny"), parse_vary("KP=2,4"), ("latency",))
    >>> price(asked, [0, 1], [0, 1])["latency"].round(7).tolist()
    [0.0004931, 0.0004045]
    """
    return _pricer(question).frame(points, cells, exact)
