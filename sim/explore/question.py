"""What is asked: which SubNets, which knobs, which objectives; every point that there is, by number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubNet, SuperNet
from sim.explore.knobs import Knob, Number

Ints = npt.NDArray[np.int64]

OBJECTIVES = ("latency", "energy", "area", "accuracy", "dsp", "bram", "lut")
"""``latency`` (s) and ``energy`` (J): means over the SubNets; ``area``: mm2 of an ASIC; ``accuracy``: %; ``dsp``,
``bram`` (of 36 Kb), ``lut``: of an FPGA."""

ESTIMATED = ("latency", "energy")
"""Objectives that points are screened by an estimate of; all others are exact at once."""

EXACT, ESTIMATE = "exact", "estimate"
"""Values of a point's ``price``; that of one that is not legal is empty."""


@dataclass(frozen=True)
class Question:
    """All that a worker needs, which is data alone and so can be sent to any process.

    Attributes
    ----------
    space : the name of a SuperNet, or one that has these SubNets and no functions of a user's
        (:func:`arch_model.network.fixed_supernet.fixed_supernet`).
    nets : the SubNets.
    base : the machine whose other numbers stay.
    knobs : what is varied.
    objectives : what is asked for.
    cached : what the PB holds.
    accuracy : per cent, one a SubNet, if it is an objective.
    """

    space: str | SuperNet
    nets: tuple[SubNet, ...]
    base: Accelerator
    knobs: tuple[Knob, ...]
    objectives: tuple[str, ...]
    cached: str = "fit"
    accuracy: tuple[float, ...] = field(default=())

    @property
    def shape(self) -> tuple[int, ...]:
        """Values of each knob."""
        return tuple(len(knob.values) for knob in self.knobs)

    @property
    def estimated(self) -> tuple[str, ...]:
        """The objectives of which points have an estimate."""
        return tuple(name for name in self.objectives if name in ESTIMATED)

    @property
    def size(self) -> int:
        """Points of the whole grid."""
        return math.prod(self.shape)

    def places(self, cells: Ints) -> Ints:
        """Which value of each knob cells (n,) of the grid have, (n, knobs); the last knob changes fastest."""
        return np.array(np.unravel_index(cells, self.shape), np.int64).T.reshape(len(cells), len(self.knobs))

    def cell(self, places: Sequence[int]) -> int:
        """The cell with these places."""
        return int(np.ravel_multi_index(tuple(places), self.shape))

    def values(self, cell: int) -> dict[str, Number]:
        """The knobs of a cell, in base units."""
        places = self.places(np.array([cell], np.int64))[0].tolist()
        return {knob.name: knob.values[place] for knob, place in zip(self.knobs, places, strict=True)}
