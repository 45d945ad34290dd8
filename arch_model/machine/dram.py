"""DRAM as an Accelerator describes it: in cycles of its clock, or in nanoseconds and bytes a second beside the clock.

Model, bench and RTL count clock cycles: ``latency_cycles`` and ``cycles_per_beat``. A description in nanoseconds and
bytes a second is turned into them by rounding up, so what is predicted is never faster than the memory; another clock
then gives other cycles and the same memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from pydantic import Field

from arch_model.machine.description import Misfit, Section, within
from arch_model.physical import BYTES_PER_S, CYCLES_PER_BEAT, LATENCY_CYCLES, LATENCY_NS, Range

DRAM_ADDRESS_BITS = 32
"""Bits of an AXI address."""

NOT_GIVEN = 0
"""Cycles that a description does not say; :func:`in_cycles` works them out."""

FORMS = {"latency_cycles": "latency_ns", "cycles_per_beat": "bytes_per_s"}
"""What is said in cycles of the clock, and the same beside the clock."""

_ROUNDING = Fraction(1, 10**9)
"""So little above a whole number is that number: 66.6666667 ns are one cycle of 15 MHz."""


class Dram(Section):
    """DRAM as each port sees it: a latency from an accepted address to its first beat, then beats at a steady rate.

    ``latency_cycles`` or ``latency_ns``; ``cycles_per_beat``, or ``bytes_per_s`` of the ports of weights, activations
    and results together. Of an Accelerator ``latency_cycles`` and ``cycles_per_beat`` are always there.
    """

    bytes: int = Field(ge=1, le=1 << DRAM_ADDRESS_BITS, description="1 to 2**32 bytes, a whole number")
    latency_cycles: int = within(LATENCY_CYCLES, example=", a whole number", default=NOT_GIVEN)
    cycles_per_beat: int = within(CYCLES_PER_BEAT, example=", a whole number", default=NOT_GIVEN)
    latency_ns: float | None = within(LATENCY_NS, example=", a number such as 200", default=None)
    bytes_per_s: float | None = within(BYTES_PER_S, example=", a number such as 9_600_000_000", default=None)

    @property
    def given(self) -> dict[str, Any]:
        """What describes the memory: the keys beside the clock where they are there, else those in cycles.

        >>> Dram(bytes=4096, latency_cycles=40, latency_ns=200, cycles_per_beat=1).given
        {'bytes': 4096, 'latency_ns': 200.0, 'cycles_per_beat': 1}
        """
        keys = [beside if getattr(self, beside) is not None else cycles for cycles, beside in FORMS.items()]
        return {"bytes": self.bytes} | {key: getattr(self, key) for key in keys}


def changed(dram: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a DRAM with some changed: a quantity that is given in another form is no longer in its old one.

    Parameters
    ----------
    dram : keys and values as they were described.
    changes : keys and values to put in their place.

    Examples
    --------
    >>> changed({"latency_ns": 200, "cycles_per_beat": 1}, {"latency_cycles": 60})
    {'cycles_per_beat': 1, 'latency_cycles': 60}
    """
    others = {**FORMS, **{beside: cycles for cycles, beside in FORMS.items()}}
    gone = {others[key] for key in changes if key in others} - set(changes)
    return {key: value for key, value in dram.items() if key not in gone} | dict(changes)


def in_cycles(dram: Dram, clock_hz: float, cycle_bytes: int) -> Dram:
    """The DRAM with its cycles.

    Parameters
    ----------
    dram : as it is described
    clock_hz : hertz
    cycle_bytes : bytes of a beat of weights, activations and results together

    Returns
    -------
    Dram
        The same, with ``latency_cycles`` and ``cycles_per_beat`` worked out where they were not given.

    Examples
    --------
    >>> made = in_cycles(Dram(bytes=4096, latency_ns=200, bytes_per_s=57.5e9), 250e6, 256)
    >>> made.latency_cycles, made.cycles_per_beat
    (50, 2)
    """
    found = {key: _derived(dram, key, clock_hz, cycle_bytes) for key in FORMS if getattr(dram, key) == NOT_GIVEN}
    return dram.model_copy(update={key: cycles for key, cycles in found.items() if cycles is not None})


def misfits(dram: Dram, clock_hz: float, cycle_bytes: int) -> Iterator[Misfit]:
    """What of a description is missing, contradicts itself or is out of range in cycles; before :func:`in_cycles`.

    Parameters
    ----------
    dram : as it is described.
    clock_hz : hertz.
    cycle_bytes : bytes of a beat of weights, activations and results together.

    Yields
    ------
    key, value, legal
        Of each misfit, as the error shows them.
    """
    for key, beside in FORMS.items():
        said, value, limits = getattr(dram, key), getattr(dram, beside), _LIMITS[key]
        cycles = _derived(dram, key, clock_hz, cycle_bytes)
        if cycles is None:
            if said == NOT_GIVEN:
                yield f"dram.{key}", "missing", f"{limits}, a whole number, or dram.{beside} in {_UNITS[beside]}"
            continue
        if cycles not in limits:
            yield f"dram.{beside}", f"{value:g}", f"what is {limits} at {clock_hz:g} Hz: it would be {cycles}"
        elif said not in (NOT_GIVEN, cycles):
            legal = f"{cycles}, as dram.{beside} = {value:g} says at {clock_hz:g} Hz, or one of the two keys alone"
            yield f"dram.{key}", said, legal


def _derived(dram: Dram, key: str, clock_hz: float, cycle_bytes: int) -> int | None:
    """The cycles that the form beside the clock means; None if it is not given."""
    value = getattr(dram, FORMS[key])
    if value is None:
        return None
    clock, number = Fraction(repr(float(clock_hz))), Fraction(repr(float(value)))
    exact = number * clock / 10**9 if key == "latency_cycles" else cycle_bytes * clock / number
    whole = round(exact)
    up = whole if abs(exact - whole) <= _ROUNDING * exact else -(-exact.numerator // exact.denominator)
    return max(1, up)


_LIMITS: Mapping[str, Range] = {"latency_cycles": LATENCY_CYCLES, "cycles_per_beat": CYCLES_PER_BEAT}
_UNITS = {"latency_ns": "nanoseconds", "bytes_per_s": "bytes a second"}
