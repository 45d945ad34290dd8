"""Energy by component: what a Program does, times what each thing costs.

``docs/concepts/energy.md`` has the table of costs with its sources and what the model leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arch_model.cost.activity import (
    REQUANTISER_BITS,
    STORE_LANE_BITS,
    TOTALS,
    UNITS,
    Activity,
    activity_of,
    count_activity,
)
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.memories import BUFFERS, memories
from arch_model.program.isa import Command

if TYPE_CHECKING:
    import pandas as pd

PICO, NANO = 1e-12, 1e-9

# Arithmetic of one requantised value (rtl/requantiser.py): bias added, 33 × 26 bits multiplied, rounded, z_out added.
REQUANTISE_ADD_BITS, REQUANTISE_PRODUCT_BITS = 33 + 59 + 60, 33 * 26
# Of one value of STORE (rtl/store_lane.py): an operand less its zero-point, times 24 bits; then sum, total and z_out.
OPERAND_ADD_BITS, OPERAND_PRODUCT_BITS = 9, 9 * 24
STORE_ADD_BITS = 34 + 48 + 12


@dataclass(frozen=True)
class Energy:
    """Energy by component, each a count times picojoules.

    Attributes
    ----------
    activity : the counts.
    pj_each : picojoules of one, by the names of :data:`arch_model.cost.activity.UNITS`.
    joules : by the same names, and of "leakage" if the time was given.
    """

    activity: Activity
    pj_each: Mapping[str, float]
    joules: Mapping[str, float]

    @property
    def total_j(self) -> float:
        """Joules of everything that was counted, leakage included if the time was given."""
        return sum(self.joules.values())

    @property
    def dynamic_j(self) -> float:
        """Joules without leakage."""
        return self.total_j - self.joules.get("leakage", 0.0)

    @property
    def dram_j(self) -> float:
        """Joules of all DRAM ports."""
        return sum(joules for name, joules in self.joules.items() if name.startswith("dram."))

    def to_frame(self) -> pd.DataFrame:
        """One row a component: component, count, unit, pj_each, joules. Leakage has neither count nor pj_each."""
        import pandas as pd  # a third of a second: only those who ask for a table wait for it

        rows = [
            (name, self.activity[name] if name in UNITS else None, UNITS.get(name), self.pj_each.get(name), joules)
            for name, joules in self.joules.items()
        ]
        frame = pd.DataFrame(rows, columns=["component", "count", "unit", "pj_each", "joules"])
        return frame.astype({"count": "Int64"})


def energy_costs(accelerator: Accelerator) -> dict[str, float]:
    """Picojoules of one unit of each count of an :class:`Activity`, by the Accelerator's energy table.

    >>> costs = energy_costs(Accelerator.load("zcu104"))
    >>> costs["array.multiply"], costs["dram.act"]      # 1300 pJ for 8 bytes
    (0.2, 162.5)
    """
    table = accelerator.energy
    add_bit, register = table.add_int32.value / 32, table.flip_flop.value
    product_bit = table.multiply_int32.value / 32**2
    costs = {name: table.dram.value / 8 for name in UNITS if name.startswith("dram.")}
    built = memories(accelerator)
    for buffer in BUFFERS:
        byte = 8 * table.sram_pj_per_bit(built[buffer].bank_bits / 8)
        costs[f"{buffer}.read"] = costs[f"{buffer}.write"] = byte
    operand = OPERAND_ADD_BITS * add_bit + OPERAND_PRODUCT_BITS * product_bit
    requantise = REQUANTISE_ADD_BITS * add_bit + REQUANTISE_PRODUCT_BITS * product_bit + REQUANTISER_BITS * register
    return costs | {
        "lb": register,
        "weight_registers": register,
        "array.multiply": table.multiply_int8.value,
        "array.add": add_bit,
        "array.registers": register,
        "accumulate": add_bit,
        "requantise": requantise,
        "store.a": operand,
        "store.b": operand,
        "store.out": STORE_ADD_BITS * add_bit + STORE_LANE_BITS * register,
    }


def leakage_w(accelerator: Accelerator) -> float:
    """Watts that the on-chip memories leak, whatever they do: bits times ``sram_leakage``.

    >>> round(leakage_w(Accelerator.load("tiny")), 4)      # 1.24 million bits
    0.0292
    """
    return sum(m.bits for m in memories(accelerator).values()) * accelerator.energy.sram_leakage.value * NANO


def energy(activity: Activity, accelerator: Accelerator, cycles: float | None = None) -> Energy:
    """The energy of an activity.

    Parameters
    ----------
    activity : what the machine did.
    accelerator : the machine, with its energy table.
    cycles : how long it took, for the leakage. None: without leakage.

    Examples
    --------
    >>> from arch_model.cost.activity import Activity
    >>> tiny = Accelerator.load("tiny")
    >>> energy(Activity({"dram.act": 8}), tiny).total_j
    1.3e-09
    """
    costs = energy_costs(accelerator)
    joules = {name: activity[name] * costs[name] * PICO for name in UNITS}
    if cycles is not None:
        joules["leakage"] = leakage_w(accelerator) * cycles / accelerator.clock_hz
    return Energy(activity, costs, joules)


def energy_of(commands: Iterable[Command], accelerator: Accelerator, cycles: float | None = None) -> Energy:
    """The energy of a Program's commands, or of some of them.

    Parameters
    ----------
    commands : whose activity counts.
    accelerator : the machine, with its energy table.
    cycles : how long they take, for the leakage. None: without leakage.
    """
    return energy(count_activity(commands, accelerator), accelerator, cycles)


def joules_each(accelerator: Accelerator) -> dict[str, float]:
    """Joules of one unit of each of :data:`arch_model.cost.activity.TOTALS`: energy without leakage is their weighted
    sum.

    For models that have the totals of many layers as arrays.

    >>> each = joules_each(Accelerator.load("zcu104"))
    >>> each["act_bytes"]
    1.625e-10
    """
    return {name: energy(activity_of({name: 1}, accelerator), accelerator).total_j for name in TOTALS}
