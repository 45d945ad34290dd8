"""What a number can be in this world: the range of every quantity that a user gives, and why it ends there.

The ranges are far wider than what anyone builds; a number outside is a slip of the pen or of the unit, and would turn
into results without meaning, infinities or divisions by zero. Every check of such a quantity asks this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any


@dataclass(frozen=True)
class Range:
    """A range of legal numbers for a quantity.

    Attributes
    ----------
    low, high : its ends, both legal.
    unit : of the numbers, for the error.

    Examples
    --------
    >>> 5e9 in CLOCK_HZ, 100e6 in CLOCK_HZ, float("nan") in CLOCK_HZ
    (False, True, False)
    >>> print(CLOCK_HZ)
    1000 to 4e+09 hertz
    """

    low: float
    high: float
    unit: str
    why: str
    """Why it ends there."""

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, Real):  # NumPy's numbers are real, its arrays are not
            return False
        number: Any = value.item() if hasattr(value, "item") else value  # so that no end is cast to a narrower type
        return bool(self.low <= number <= self.high)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} {self.unit}".rstrip()


CLOCK_HZ = Range(1e3, 4e9, "hertz", "a whole array is one clock domain: FPGAs end below 1 GHz, 45 nm logic below 4 GHz")
BYTES_PER_S = Range(1e3, 1e14, "bytes a second", "eight stacks of HBM3E give 1e13, a serial port 1e3")
LATENCY_CYCLES = Range(1, 100_000, "clock cycles", "DRAM answers within a microsecond, and a clock has at most 4 a ns")
LATENCY_NS = Range(0.25, 1e8, "nanoseconds", "one cycle of the fastest clock; the slowest one has 1e5 in 0.1 s")
CYCLES_PER_BEAT = Range(1, 100_000, "clock cycles", "a beat of 4 bytes in so many is 160 kB/s at the fastest clock")
START_S = Range(0, 3600, "seconds", "a host that takes an hour to start a layer waits for something else")

TABLE_VALUE = Range(0, 1e9, "", "pJ, nW or um2 of one bit, gate or access; the dearest, DRAM's, has some 1e3 pJ")
NODE_NM = Range(1, 10_000, "nanometres", "10 um was the process of 1971; 1 nm is below what is named today")
MEMORY_BYTES = Range(1, 2**40, "bytes", "no SRAM has a tebibyte")

SIZE = Range(1, 2**24, "", "channels, rows, columns: the largest vocabularies have 3e5 entries, images 1e5 rows")
MACS = Range(0, 2**62, "multiply-accumulates", "sums of layers are int64")

SIGMA = Range(0, 10, "", "a lognormal of sigma 10 spans 1e4 within one deviation; measured cells have 0.01 to 1")
EXPONENT = Range(0, 10, "", "phase change memory drifts with 0.1")
DRIFT_S = Range(1, 1e10, "seconds", "the law starts at 1 s; 300 years are 1e10 s")
ON_OFF = Range(1, 1e12, "", "insulators end there")
WIRE = Range(0, 1, "", "a piece of wire that resists as a cell does leaves no signal")

RATE = Range(1e-6, 1e9, "queries a second", "one in 12 days; one in a nanosecond")
BURSTINESS = Range(1e-6, 1e6, "", "squared coefficient of variation: a gap of 1e3 deviations")
PERIOD_S = Range(1e-6, 1e9, "seconds", "30 years are 1e9 s")
DEADLINE_S = Range(1e-12, 1e9, "seconds", "less than a cycle of any clock; 30 years")
ARRIVAL_S = Range(0, 1e12, "seconds", "float64 still tells milliseconds apart")
