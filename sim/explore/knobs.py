"""Knobs: the numbers of an Accelerator that an exploration varies, how they are written, what they set.

``KP=8,16,32 PB=0:8MB:0.5MB DRAM=2.4,9.6GB/s``: a list, or ``start:stop:step`` with both ends. Bytes, bytes a second and
hertz need a unit (``docs/how-to/explore.md``).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from arch_model.errors import AcceleratorError, FastSwitchError
from arch_model.files.shown import plain, shown
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.dram import changed
from arch_model.physical import BYTES_PER_S

Number = int | float


class ExploreError(FastSwitchError):
    """An exploration that makes no sense or cannot be written: names what is wrong, its value, what would be right."""


@dataclass(frozen=True)
class Knob:
    """One number of an Accelerator that is varied.

    Attributes
    ----------
    name : such as ``"KP"`` or ``"PB"``.
    values : in base units, in the order given.
    unit : ``""``, ``"B"``, ``"B/s"`` or ``"Hz"``.
    """

    name: str
    values: tuple[Number, ...]
    unit: str


SUBNET = "SUBNET"
"""The knob that says which SubNet a point runs (an index), where accuracy is an objective."""

FIELDS: Mapping[str, tuple[str, str, str]] = {
    "KP": ("array", "kp", ""),
    "CP": ("array", "cp", ""),
    "PB": ("buffers", "pb_bytes", "B"),
    "DB": ("buffers", "db_bytes", "B"),
    "SB": ("buffers", "sb_bytes", "B"),
    "OB": ("buffers", "ob_bytes", "B"),
    "OUT": ("buffers", "ob_out_bytes", "B"),
    "ZSB": ("buffers", "zsb_bytes", "B"),
    "CLOCK": ("", "clock_hz", "Hz"),
    "DRAM": ("", "", "B/s"),
    "LATENCY": ("dram", "latency_cycles", ""),
    "INTERVAL": ("dram", "cycles_per_beat", ""),
    "BITS": ("axi", "data_bits", ""),
    "STRIPES": ("axi", "stripes", ""),
    "WSTRIPES": ("axi", "weight_stripes", ""),
    "PIXELS": ("axi", "pixels", ""),
}
"""By knob: section and key of the Accelerator, and the unit. DRAM sets two keys (:func:`set_knobs`)."""

_SCALES: Mapping[str, Mapping[str, int]] = {
    "B": {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30},
    "Hz": {"Hz": 1, "kHz": 10**3, "MHz": 10**6, "GHz": 10**9},
}
_NUMBER = re.compile(r"([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([A-Za-z/]*)")

MOST_DIGITS = 30
"""More digits, or an exponent beyond that, no number of a machine has."""

MOST_VALUES = 100_000
"""More values of one knob are taken for a slip of the pen."""


def parse_vary(text: str) -> tuple[Knob, ...]:
    """The knobs of a text such as ``"KP=8,16 PB=0:8MB:0.5MB"``, in its order.

    Raises
    ------
    ExploreError
        A knob is unknown or given twice, a unit is missing or wrong, or a range is empty.

    Examples
    --------
    >>> parse_vary("KP=8,16 DRAM=2.4,9.6GB/s PB=0:1MiB:512KiB")[1:]
    (Knob(name='DRAM', values=(2400000000, 9600000000), unit='B/s'),
     Knob(name='PB', values=(0, 524288, 1048576), unit='B'))
    """
    knobs: dict[str, Knob] = {}
    for part in text.split():
        name, equals, values = part.partition("=")
        if not equals and name not in FIELDS and knobs:
            raise ExploreError(f"{shown(part)} is no KNOB=VALUES; write a knob's values and their unit without blanks")
        if name not in FIELDS:
            near = difflib.get_close_matches(name.upper(), FIELDS, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ExploreError(f"knob {plain(name)} does not exist; {hint}give some of {', '.join(FIELDS)}")
        if not equals or not values:
            raise ExploreError(f"knob {name} has no values; give {name}=8,16,32 or {name}=start:stop:step")
        if name in knobs:
            raise ExploreError(f"knob {name} is given twice; give all its values once")
        knobs[name] = Knob(name, _values(name, values), FIELDS[name][2])
    if not knobs:
        raise ExploreError("nothing is varied; give at least one knob, such as KP=8,16,32")
    if "DRAM" in knobs and "INTERVAL" in knobs:
        raise ExploreError("knobs DRAM and INTERVAL both set the cycles of a beat; give one of them")
    return tuple(knobs.values())


def _values(name: str, text: str) -> tuple[Number, ...]:
    ranged = ":" in text
    parts = text.split(":" if ranged else ",")
    unit, last = FIELDS[name][2], ""
    numbers: list[Fraction] = []
    for part in reversed(parts):  # a unit holds for the numbers before it that have none
        found = _NUMBER.fullmatch(part)
        if not part:
            raise ExploreError(f"knob {name}: a value is missing in {shown(text)}; write all of them without blanks")
        if not found:
            raise ExploreError(f"knob {name}: {shown(part)} is no number{_units(unit)}")
        last = re.sub("^k(?=B)", "K", found[2]) or last
        number = _number(name, found[1])
        numbers.insert(0, number * _scale(name, unit, last, part, number))
    if ranged:
        numbers = _range(name, text, numbers)
    whole = all(number.denominator == 1 for number in numbers)
    if not whole and unit not in ("B/s", "Hz"):
        odd = next(number for number in numbers if number.denominator != 1)
        raise ExploreError(f"knob {name} is {float(odd):g}{unit}; give whole numbers{' of bytes' if unit else ''}")
    found_values = tuple(int(n) if n.denominator == 1 else float(n) for n in numbers)
    seen: set[Number] = set()
    for value in found_values:
        if value in seen:
            raise ExploreError(f"knob {name} has the value {value:g}{unit} twice; give each once")
        seen.add(value)
    return found_values


def _number(name: str, text: str) -> Fraction:
    """A number of a knob; one of which a fraction would have thousands of digits is refused before it is made."""
    mantissa, _, exponent = text.replace("_", "").lower().partition("e")
    if len(mantissa) > MOST_DIGITS or len(exponent) > 4 or abs(int(exponent or 0)) > MOST_DIGITS:
        raise ExploreError(f"knob {name} is {plain(text)}; give a number of at most {MOST_DIGITS} digits")
    return Fraction(f"{mantissa}e{exponent or 0}")


def _scale(name: str, unit: str, written: str, part: str, number: Fraction) -> int:
    scales = {} if not unit else _SCALES[unit.removesuffix("/s")]
    tail = "/s" if unit.endswith("/s") else ""
    known = {key + tail: scale for key, scale in scales.items()} or {"": 1}
    if written in known:
        return known[written]
    if not written and number == 0:
        return 1
    raise ExploreError(
        f"knob {name}: {shown(part)} has {f'the unit {plain(written)}' if written else 'no unit'}{_units(unit)}"
    )


def _units(unit: str) -> str:
    if not unit:
        return "; give plain numbers"
    tail = "/s" if unit.endswith("/s") else ""
    return f"; give one in {', '.join(key + tail for key in _SCALES[unit.removesuffix('/s')])}"


def _range(name: str, text: str, numbers: Sequence[Fraction]) -> list[Fraction]:
    if len(numbers) != 3:
        raise ExploreError(f"knob {name}: range {plain(text)} has {len(numbers)} numbers; give start:stop:step")
    start, stop, step = numbers
    if step <= 0 or stop < start:
        raise ExploreError(
            f"knob {name}: range {plain(text)} is empty; give start:stop:step, upwards by a step above 0"
        )
    count = (stop - start) // step + 1
    if count > MOST_VALUES:
        raise ExploreError(f"knob {name}: range {plain(text)} has {count} values; give at most {MOST_VALUES}")
    return [start + i * step for i in range(count)]


def set_knobs(base: Accelerator, values: Mapping[str, Number], name: str | None = None) -> Accelerator:
    """A machine with some knobs set, checked as any Accelerator is.

    DRAM, the bytes a second of weights, activations and results together, is kept to exactly: ``cycles_per_beat`` is
    the ports' bytes a second at a beat a cycle by it. If that is below 1, the ports are widened first (powers of two),
    unless BITS is varied. A memory that is described in nanoseconds and bytes a second stays as it is when CLOCK or the
    ports are varied; of one that is described in cycles the cycles stay.

    Parameters
    ----------
    base : the machine whose other numbers stay.
    values : of the knobs, in base units.
    name : of the new machine. None: the old one's.

    Raises
    ------
    AcceleratorError
        DRAM is no whole number of cycles a beat, or no machine can have these numbers.

    Examples
    --------
    >>> made = set_knobs(Accelerator.load("zcu104"), {"KP": 32, "DRAM": 2_400_000_000})
    >>> made.kp, made.axi.data_bits, made.dram.cycles_per_beat
    (32, 128, 4)
    """
    called = name or base.name
    data: dict[str, object] = {"name": called, "clock_hz": base.clock_hz, "energy": base.energy, "area": base.area}
    sections = {key: dict(getattr(base, key)) for key in ("array", "buffers", "axi")} | {"dram": base.dram.given}
    for knob, value in values.items():
        if knob in (SUBNET, "DRAM"):
            continue
        section, key, _ = FIELDS[knob]
        if section == "dram":
            sections[section] = changed(sections[section], {key: value})
        elif section:
            sections[section][key] = value
        else:
            data[key] = float(value)
    if "DRAM" in values:
        clock = data["clock_hz"]
        assert isinstance(clock, float | int)
        _set_bandwidth(called, values["DRAM"], clock, sections, widen="BITS" not in values)
    return Accelerator.model_validate(data | sections)


def _set_bandwidth(
    name: str, bandwidth: Number, clock_hz: float, sections: Mapping[str, dict[str, Any]], widen: bool
) -> None:
    if bandwidth not in BYTES_PER_S:
        raise AcceleratorError(f"accelerator {name}: DRAM is {bandwidth:g} B/s; give {BYTES_PER_S}")
    axi = sections["axi"]
    bits, stripes = axi["data_bits"], axi["stripes"]
    beats = 2 + Fraction(axi["weight_stripes"] or stripes, stripes)  # weights' may be wider
    full = float(beats * bits / 8) * clock_hz
    while widen and full < bandwidth * (1 - 1e-9) and bits < 1024:
        bits, full = 2 * bits, 2 * full
    cycles = full / bandwidth
    moved = float(beats * bits / 8)
    if round(cycles) < 1 or abs(cycles - round(cycles)) > 1e-9 * cycles:
        raise AcceleratorError(
            f"accelerator {name}: DRAM is {bandwidth:g} B/s; {moved:g} bytes a cycle at {clock_hz:g} Hz are {full:g} "
            "B/s or a whole part of it"
        )
    sections["axi"]["data_bits"] = bits
    beside = "bytes_per_s" in sections["dram"]
    sections["dram"] |= {"bytes_per_s": float(bandwidth)} if beside else {"cycles_per_beat": round(cycles)}


def bandwidth_of(accelerator: Accelerator) -> float:
    """Bytes a second that DRAM gives the three wide ports together.

    >>> bandwidth_of(Accelerator.load("zcu104"))
    9600000000.0
    """
    return accelerator.dram_bytes_per_s
