"""Who worked when, read from a waveform of the RTL: the same intervals that the model predicts.

The waveform is one that a :class:`sim.rtl_bench.bench.Bench` has written with ``trace``. A unit takes a command in the
cycle in which ``command``'s valid and ready are both high, and executes it as long as its counter BUSY counts.
Counters are what is read because their names in the Verilog are those of the registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError
from arch_model.program.isa import Command
from arch_model.timing.reference_timing import UNITS, Interval

if TYPE_CHECKING:
    from pywellen import Waveform

Bits = npt.NDArray[np.bool_]

MACHINE = "bench.dut.dut.machine."
MODULES = dict(zip(UNITS, ("load_act", "load_weights", "feed", "compute.run", "store"), strict=True))
OPCODES = dict(zip(UNITS, ("LOAD_ACT", "LOAD_WGT", "PASS", "PASS", "STORE"), strict=True))
"""What each unit executes."""

CAUSES = ("sb", "weights", "out")
CYCLE_PS = 10_000


@dataclass(frozen=True)
class Observed:
    """What a waveform shows of one Program; cycle 0 is that of the start pulse, as in the model.

    Attributes
    ----------
    cycles : from start to done, both counted.
    timeline : every command in every unit that executed it, by start: accepted in cycle ``start``, executed up to cycle
        ``end``.
    waits : by cause, the stretches (first cycle, last cycle) in which RUN stood still.
    """

    cycles: int
    timeline: tuple[Interval, ...]
    waits: dict[str, tuple[tuple[int, int], ...]]


def require_reader() -> None:
    """Refuse if waveforms cannot be read.

    Raises
    ------
    FastSwitchError
        Pywellen is not installed; the line says how to get it.
    """
    try:
        import pywellen  # noqa: F401
    except ImportError:
        raise FastSwitchError(
            "reading a waveform needs pywellen, which is not installed: pip install 'fastswitch[trace]'"
        ) from None


def read_waveform(path: Path, commands: Sequence[Command]) -> Observed:
    """What a waveform shows of the one Program that ran in it.

    Parameters
    ----------
    path : the file.
    commands : of the Program.

    Raises
    ------
    FastSwitchError
        The file is no waveform of the machine, there is no finished Program in it, or a unit took another number of
        commands than the Program has for it.
    """
    require_reader()
    import pywellen

    try:
        waveform = pywellen.Waveform(str(path))
    except Exception as error:  # the library raises whatever its parser does
        raise FastSwitchError(f"{path} is not a waveform: {error}") from None
    signals = _Signals(path, waveform)
    timeline = []
    for unit in UNITS:
        own = [i for i, command in enumerate(commands) if command.opcode.name == OPCODES[unit]]
        module = MODULES[unit]
        taken = signals.values(f"{module}.command__valid") & signals.values(f"{module}.command__ready")
        spans = command_spans(taken, signals.counting(f"busy_{unit.lower()}"))
        if len(spans) != len(own):
            raise FastSwitchError(f"{path}: {unit} took {len(spans)} commands; the Program has {len(own)} for it")
        timeline += [Interval(unit, command, *span) for command, span in zip(own, spans, strict=True)]
    return Observed(
        signals.cycles,
        tuple(sorted(timeline, key=lambda interval: (interval.start, interval.command))),
        {cause: stretches(signals.counting(f"wait_{cause}")) for cause in CAUSES},
    )


class _Signals:
    """Signals of the machine by name, a value a cycle from the start pulse to done."""

    def __init__(self, path: Path, waveform: Waveform) -> None:
        self._path = path
        self._variables = {variable.full_name: variable for variable in waveform.all_vars()}
        start = [at for at, value in self._changes("control.start") if value]
        done = [at for at, value in self._changes("control.done") if value]
        if len(start) != 1 or len(done) != 1:
            raise FastSwitchError(f"{path}: {len(start)} Programs start and {len(done)} end; give a file with one")
        self._start = start[0]
        self.cycles = (done[0] - self._start) // CYCLE_PS + 1

    def values(self, name: str) -> Bits:
        """Whether it is high, in every cycle."""
        high: Bits = self._numbers(name)[:-1] != 0
        return high

    def counting(self, counter: str) -> Bits:
        """Whether a counter counts, in every cycle; it shows that in the next one, and starts anew with the Program."""
        count = self._numbers(f"control.{counter}")
        count[0] = 0
        counts: Bits = np.diff(count) != 0
        return counts

    def _changes(self, name: str) -> list[tuple[int, int]]:
        """(picoseconds, value) of every change; what is not known counts as 0."""
        variable = self._variables.get(MACHINE + name)
        if variable is None:
            raise FastSwitchError(f"{self._path} has no signal {MACHINE}{name}; give a waveform of the machine")
        return [(at, value if isinstance(value, int) else 0) for at, value in variable.signal]

    def _numbers(self, name: str) -> npt.NDArray[np.int64]:
        """Its value in every cycle, and in the one after: the last one before the next clock edge."""
        changes = np.array(self._changes(name), np.int64).reshape(-1, 2)
        at = np.searchsorted(changes[:, 0], self._start + CYCLE_PS * np.arange(1, self.cycles + 2)) - 1
        return np.where(at < 0, 0, changes[at, 1])


def stretches(values: Bits) -> tuple[tuple[int, int], ...]:
    """First and last cycle of every stretch in which ``values`` (one a cycle) are true.

    >>> stretches(np.array([0, 1, 1, 0, 1], bool))
    ((1, 2), (4, 4))
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], values, [False]]).astype(np.int8)))
    return tuple((int(first), int(after) - 1) for first, after in edges.reshape(-1, 2))


def command_spans(taken: Bits, busy: Bits) -> list[tuple[int, int]]:
    """(cycle of acceptance, last cycle) of a unit's commands.

    A command that is accepted while the one before still executes begins in that one's last cycle.

    Parameters
    ----------
    taken : handshakes, bool (cycles,).
    busy : whether the unit is, bool (cycles,).

    Examples
    --------
    >>> taken = np.array([1, 0, 0, 1, 0, 0, 0], bool)
    >>> command_spans(taken, np.array([0, 1, 1, 1, 1, 1, 0], bool))
    [(0, 3), (3, 5)]
    """
    starts = np.flatnonzero(taken)
    idle = np.append(np.flatnonzero(~busy), busy.size)
    ends = idle[np.searchsorted(idle, starts, "right")] - 1
    ends[:-1] = np.minimum(ends[:-1], starts[1:])
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]
