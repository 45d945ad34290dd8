"""Time, energy, area and power of a network all analog, hybrid and all digital, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arch_model.analog import AnalogCost, Conversion, Crossbar, Encoding, Isaac, analog_cost, layer_load
from arch_model.cost.area import asic_area
from arch_model.cost.energy import energy_costs
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubNet
from mapper.hybrid.digital_half import DigitalHalf
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.search.predict import check_whole, predict_subnet

PICO = 1e-12
ISAAC = Crossbar(encoding=Encoding.OFFSET, conversion=Conversion.SLICE, adc_bits=8)
"""ISAAC's crossbars, with weights and inputs of 8 bits instead of its 16."""

PUBLISHED = {
    "time": -26.0,
    "energy": -52.0,
    "area": -28.0,
    "power": -57.0,
    "area_efficiency": 43.0,
    "power_efficiency": 81.0,
}
"""HybridAC (IPDPS 2024, arXiv 2208.13896) against ISAAC, per cent."""


@dataclass(frozen=True)
class Figures:
    """What one image costs on a machine.

    Attributes
    ----------
    time_s : seconds from one image to the next.
    energy_j, dram_j : joules, and those of DRAM among them.
    area_mm2 : square millimetres.
    operations : two a MAC.
    """

    time_s: float
    energy_j: float
    dram_j: float
    area_mm2: float
    operations: int

    @property
    def power_w(self) -> float:
        """Mean power while busy, in watts."""
        return self.energy_j / self.time_s

    @property
    def area_efficiency(self) -> float:
        """GOPS a square millimetre."""
        return self.operations / self.time_s / self.area_mm2 / 1e9

    @property
    def power_efficiency(self) -> float:
        """GOPS a watt."""
        return self.operations / self.energy_j / 1e9

    def to_dict(self) -> dict[str, float]:
        """The table's columns."""
        return {
            "time_s": self.time_s,
            "energy_j": self.energy_j,
            "dram_j": self.dram_j,
            "area_mm2": self.area_mm2,
            "power_w": self.power_w,
            "area_efficiency": self.area_efficiency,
            "power_efficiency": self.power_efficiency,
        }


def analog_half(subnet: SubNet, crossbar: Crossbar, half: DigitalHalf | None = None, words: int = 1) -> AnalogCost:
    """What of a SubNet is analog, each layer once.

    Parameters
    ----------
    subnet : to price.
    crossbar : the arrays.
    half : what is digital. None: nothing.
    words : as :func:`arch_model.analog.cost.layer_load` takes them.
    """
    digital = {layer.name: half.count(layer) if half else 0 for layer in subnet.weight_layers}
    loads = [layer_load(layer, layer.C - digital[layer.name], crossbar, words) for layer in subnet.weight_layers]
    return analog_cost(loads, crossbar, Isaac())


def digital_figures(rows: list[dict[str, Any]], accelerator: Accelerator, macs: int) -> Figures:
    """The sums of :mod:`mapper.search.predict`'s rows, with the accelerator's ASIC area.

    Parameters
    ----------
    rows : a layer each.
    accelerator : that runs them.
    macs : multiply-accumulates of an image.
    """
    pj = energy_costs(accelerator)["dram.wgt"]
    seconds = sum(float(row["latency_s"]) for row in rows)
    joules = sum(float(row["energy_j"]) for row in rows)
    dram = sum(int(row["dram_bytes"]) for row in rows) * pj * PICO
    return Figures(seconds, joules, dram, asic_area(accelerator).total_mm2, 2 * macs)


def all_analog(subnet: SubNet, crossbar: Crossbar, words: int = 1) -> Figures:
    """Everything on crossbars.

    Parameters
    ----------
    subnet : to price.
    crossbar : the arrays.
    words : as :func:`arch_model.analog.cost.layer_load` takes them.
    """
    cost = analog_half(subnet, crossbar, words=words)
    return Figures(cost.interval_s, cost.energy_j, 0.0, cost.area_mm2, 2 * subnet.macs)


def all_digital(subnet: SubNet, accelerator: Accelerator, resident: PersistentBuffer | None) -> Figures:
    """Everything on the accelerator.

    Parameters
    ----------
    subnet : to price.
    accelerator : that runs it.
    resident : what the PB holds.

    Raises
    ------
    MappingError
        The machine cannot run some layer.
    """
    rows = list(predict_subnet(subnet, accelerator, resident))
    check_whole(rows, f"SubNet {subnet.name} on {accelerator.name}")
    return digital_figures(rows, accelerator, subnet.macs)


def hybrid(
    subnet: SubNet,
    half: DigitalHalf,
    crossbar: Crossbar,
    accelerator: Accelerator,
    resident: PersistentBuffer | None,
) -> Figures:
    """Digital and analog half at once: the slower one's time, the sum of energies and areas.

    An accelerator that has nothing to do for a SubNet still leaks.

    Parameters
    ----------
    subnet : to price.
    half : what is digital.
    crossbar : the arrays of the rest.
    accelerator : of the digital half.
    resident : what its PB holds.
    """
    analog = analog_half(subnet, crossbar, half)
    digital = digital_figures(half.price(subnet, accelerator, resident), accelerator, subnet.macs)
    return Figures(
        max(analog.interval_s, digital.time_s),
        analog.energy_j + digital.energy_j,
        digital.dram_j,
        analog.area_mm2 + digital.area_mm2,
        2 * subnet.macs,
    )


def changes(ours: Figures, base: Figures) -> dict[str, float]:
    """Per cent against a base, as :data:`PUBLISHED`.

    Parameters
    ----------
    ours, base : the two to compare.

    Examples
    --------
    >>> a, b = Figures(2.0, 1.0, 0.0, 4.0, 10), Figures(4.0, 4.0, 0.0, 4.0, 10)
    >>> changes(a, b)["time"], changes(a, b)["power_efficiency"]
    (-50.0, 300.0)
    """
    pairs = {
        "time": (ours.time_s, base.time_s),
        "energy": (ours.energy_j, base.energy_j),
        "area": (ours.area_mm2, base.area_mm2),
        "power": (ours.power_w, base.power_w),
        "area_efficiency": (ours.area_efficiency, base.area_efficiency),
        "power_efficiency": (ours.power_efficiency, base.power_efficiency),
    }
    return {name: 100 * (a / b - 1) for name, (a, b) in pairs.items()}
