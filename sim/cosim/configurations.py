"""Random legal accelerators that between them have every value of every knob.

Knobs are drawn one by one and :class:`~arch_model.machine.accelerator.Accelerator` says which combinations are
machines. Of a few machines each the set takes one with most values that it has not had yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import numpy as np

from arch_model.errors import AcceleratorError
from arch_model.machine.accelerator import TAPS, Accelerator

Value = int | bool

KNOBS: Mapping[str, tuple[Value, ...]] = {
    "kp": (1, 2, 3, 4, 5, 6, 8),
    "cp": (1, 2, 3, 4, 5, 7),  # 7: images may be folded, two pixels in a word and a byte left
    "dsp_packing": (False, True),
    "data_bits": (32, 64, 128, 256),
    "stripes": (1, 2, 4),
    "weight_stripes": (1, 2, 4),
    "pixels": (1, 2, 4),
    "max_burst": (2, 4, 8, 16, 32, 64, 128, 256),
    "cycles_per_beat": (1, 2, 3),
    "latency_cycles": (1, 7, 24, 60),
    "pb": (False, True),
}
"""What a set of machines should have had each value of; ``pb``: whether there is a Persistent Buffer."""

CHOICES = 24
"""Machines that each of the set is chosen from."""


def draw_configurations(
    count: int, seed: int, *, fits: Callable[[Accelerator], bool] = lambda _: True
) -> Iterator[Accelerator]:
    """Legal machines named ``random0`` and up; sizes of buffers are random as well.

    The same seed gives the same machines, and the first of a larger set are those of a smaller one.

    Parameters
    ----------
    count : machines.
    seed : of the draws.
    fits : which of the drawn machines are accepted.

    Raises
    ------
    AcceleratorError
        It accepts none of :data:`CHOICES`.

    Examples
    --------
    >>> [(a.name, a.kp, a.cp) for a in draw_configurations(2, seed=1)] == [
    ...     (a.name, a.kp, a.cp) for a in draw_configurations(5, seed=1)][:2]
    True
    """
    rng = np.random.default_rng(seed)
    seen: set[tuple[str, Value]] = set()
    for number in range(count):
        machines: list[Accelerator] = []
        while len(machines) < CHOICES:
            with suppress(AcceleratorError):
                machines.append(_draw(f"random{number}", rng))
        machines.sort(key=lambda machine: len(set(knobs(machine).items()) & seen))
        chosen = next(filter(fits, machines), None)
        if chosen is None:
            raise AcceleratorError(f"machine {number} of seed {seed}: none of {CHOICES} random ones will do")
        seen.update(knobs(chosen).items())
        yield chosen


def knobs(accelerator: Accelerator) -> dict[str, Value]:
    """The value of each of :data:`KNOBS`.

    >>> knobs(Accelerator.load("tiny"))["pb"]
    True
    """
    a = accelerator
    return {
        "kp": a.kp,
        "cp": a.cp,
        "dsp_packing": a.array.dsp_packing,
        "data_bits": a.axi.data_bits,
        "stripes": a.stripes,
        "weight_stripes": a.weight_stripes,
        "pixels": a.pixels,
        "max_burst": a.axi.max_burst,
        "cycles_per_beat": a.dram.cycles_per_beat,
        "latency_cycles": a.dram.latency_cycles,
        "pb": a.pb_tiles > 0,
    }


def _draw(name: str, rng: np.random.Generator) -> Accelerator:
    """A machine with buffers of a few tiles and pixels; AcceleratorError where the knobs do not go together."""
    knob = {key: values[rng.integers(len(values))] for key, values in KNOBS.items()}
    kp, cp = int(knob["kp"]), int(knob["cp"])
    tile = TAPS * kp * cp

    def some(unit: int, low: int, high: int) -> int:
        return unit * int(rng.integers(low, high + 1)) + int(rng.integers(unit))

    return Accelerator.model_validate(
        {
            "name": name,
            "array": {"kp": kp, "cp": cp, "dsp_packing": knob["dsp_packing"]},
            "clock_hz": 1e8,
            "buffers": {
                "pb_bytes": some(tile, 1, 60) if knob["pb"] else 0,
                "db_bytes": some(2 * tile, 4, 40),
                "sb_bytes": some(2 * TAPS * cp, 20, 200),
                "ob_bytes": some(4 * kp, 12, 100),
                "ob_out_bytes": some(6 * cp, 20, 400),
                "zsb_bytes": some(16 * kp, 3, 20),
            },
            "axi": {key: knob[key] for key in ("data_bits", "stripes", "weight_stripes", "pixels", "max_burst")},
            "dram": {"bytes": 1 << 20, **{key: knob[key] for key in ("latency_cycles", "cycles_per_beat")}},
        }
    )
