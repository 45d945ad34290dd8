"""How the numbers of a study are written: a unit for each column that keeps its figures short."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MEASURES = {
    "latency": ("latency", "s"),
    "energy": ("energy", "J"),
    "area": ("area", "mm2"),
    "accuracy": ("accuracy", "%"),
    "dsp": ("DSP slices", ""),
    "bram": ("block RAMs", ""),
    "lut": ("LUTs", ""),
    "ff": ("flip-flops", ""),
}
"""What an objective is called and its unit in a table of points."""

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))
_WHOLE = frozenset({"B", "B/s", "Hz"})  # no millibytes


@dataclass(frozen=True)
class Scale:
    """How the numbers of a column are written.

    Attributes
    ----------
    factor : by which they are divided.
    unit : behind them.
    """

    factor: float
    unit: str

    def write(self, value: float) -> str:
        """A value with its unit, four significant digits at most unless it is whole.

        >>> Scale(1e-3, "ms").write(0.00123456), Scale(1.0, "").write(1296)
        ('1.235 ms', '1,296')
        """
        figure = value / self.factor
        text = f"{figure:,.0f}" if figure == round(figure) else f"{figure:,.4g}"
        return f"{text} {self.unit}".strip()


def quantity_range(name: str, values: Iterable[float]) -> str:
    """The least and most of an objective, in one unit, of those that are numbers.

    Parameters
    ----------
    name : of the objective.
    values : in its SI unit.

    Examples
    --------
    >>> quantity_range("latency", [0.0004, 0.00062, float("nan")]), quantity_range("dsp", [108, 1300])
    ('400 to 620 µs', '108 to 1,300')
    """
    numbers = [value for value in values if math.isfinite(value)]
    scale = scale_of(numbers, MEASURES[name][1])
    least, most = Scale(scale.factor, "").write(min(numbers)), scale.write(max(numbers))
    return f"{least} to {most}"


def value_labels(values: Sequence[float], unit: str) -> list[str]:
    """The values of a knob, exactly: in one unit, or each in its own where one would need more than four digits.

    Parameters
    ----------
    values : in the base unit.
    unit : the base unit.

    Examples
    --------
    >>> value_labels([0, 24576, 49152], "B"), value_labels([27648, 5_000_000], "B")
    (['0', '24 KiB', '48 KiB'], ['27 KiB', '5 MB'])
    """
    scale = scale_of(values, unit)
    written = [float(f"{value / scale.factor:.4g}") * scale.factor for value in values]
    common = all(abs(w - value) <= 1e-9 * abs(value) for w, value in zip(written, values, strict=True))
    return [(scale if common else scale_of([value], unit)).write(value) if value else "0" for value in values]


def without_unit(labels: Sequence[str]) -> tuple[list[str], str]:
    """Labels without the unit that all have, and that unit; as they are, and "", where they have several.

    >>> without_unit(["0", "24 KiB", "48 KiB"]), without_unit(["27 KiB", "5 MB"])
    ((['0', '24', '48'], 'KiB'), (['27 KiB', '5 MB'], ''))
    """
    units = {label.partition(" ")[2] for label in labels if label != "0"}
    if len(units) != 1:
        return list(labels), ""
    return [label.partition(" ")[0] for label in labels], units.pop()


def scale_of(values: Iterable[float], unit: str) -> Scale:
    """The scale for a column: that of its median size; bytes in KiB and MiB if all are whole in them.

    Parameters
    ----------
    values : in the base unit.
    unit : the base unit.

    Examples
    --------
    >>> scale_of([0.0004, 0.004], "s"), scale_of([0, 65536, 1 << 20], "B"), scale_of([0, 500_000], "B")
    (Scale(factor=0.001, unit='ms'), Scale(factor=1024, unit='KiB'), Scale(factor=1000.0, unit='kB'))
    >>> scale_of([2.4e9, 19.2e9], "B/s").unit, scale_of([1e8], "Hz").unit, scale_of([3], "mm2").unit
    ('GB/s', 'MHz', 'mm²')
    """
    sizes = sorted(abs(value) for value in values if value and math.isfinite(value))
    if unit == "mm2":
        return Scale(1.0, "mm²")
    if not sizes or unit not in _WHOLE | {"s", "J"}:
        return Scale(1.0, unit)
    middle = math.sqrt(sizes[(len(sizes) - 1) // 2] * sizes[len(sizes) // 2])
    if unit == "B":
        for power, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
            if all(size % power == 0 for size in sizes):
                return Scale(power, name)
    for factor, prefix in _PREFIXES:
        if middle >= factor and (factor >= 1 or unit not in _WHOLE):
            return Scale(factor, prefix + unit)
    return Scale(1.0, unit)
