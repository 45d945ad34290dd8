"""A bus that breaks AXI's rules under a sound Program: what the machine reports, and whether the next run is right.

Every fault of :mod:`sim.rtl_bench.faults` is injected at one burst of one port. Whatever it is, a run whose tensors are
wrong must report an error, a reset must end or say that it has given up, and the next start must be right or refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from arch_model.timing.reference_timing import time_program
from mapper.layout.dram_image import read_tensor
from rtl.errors import ErrorCode
from sim.cosim.every_operator import Case
from sim.rtl_bench.bench import Bench, Job, JobResult
from sim.rtl_bench.faults import BusFault, Fault, port_indices

PATIENCE_CYCLES = 1_000
"""WATCHDOG meanwhile: far more than a DRAM's latency, pauses at random included."""

WIPED = 0x5A
"""What tensors hold before each run, so that none is right by the run before."""


class After(StrEnum):
    """What came after a faulty run. All but WRONG is as it should be."""

    RIGHT = "right"
    """The next start, after a reset if the machine was busy, gave every integer in the predicted cycles."""
    REFUSED = "refused, right after a reset"
    """A start was an error at once, as a port broke a rule in between; the one after CTRL's reset was right."""
    BROKEN = "bus broken, right after aresetn"
    """CTRL's reset gave up, a start was ignored, and after ``aresetn`` the machine was right."""
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """A faulty run and what came of it.

    Attributes
    ----------
    struck : the fault has happened: there was a burst fit for it, such as one of two beats for an early RLAST.
    error : the error's name, or empty.
    late : it came after *done*, while counters were read.
    right : every tensor was.
    after : what became of the run after it.
    reset_cycles : what CTRL's reset took, 0 if there was none.
    """

    struck: bool
    error: str
    late: bool
    right: bool
    after: After
    reset_cycles: int

    @property
    def silent(self) -> bool:
        """A wrong tensor and no error."""
        return not self.right and not self.error


@dataclass(frozen=True, eq=False)
class FaultyBus:
    """A sound Program on a machine whose bus is to be spoilt.

    Parameters
    ----------
    case : the Program.
    bench : the machine.
    """

    case: Case
    bench: Bench

    def cases(self) -> Iterator[tuple[str, BusFault]]:
        """Every fault of every port, by the port's name, at its first, a middle and its last burst."""
        accelerator = self.case.programs[0].accelerator
        for writes in (False, True):
            indices = port_indices(accelerator.stripes, accelerator.weight_stripes, writes=writes)
            for name, index in indices.items():
                bursts = self._run(0, BusFault(Fault.COUNTED, index)).bursts
                assert bursts, f"{name} has nothing to do"
                for fault in Fault:
                    if fault.writes == writes and not fault.legal:
                        for burst in sorted({0, bursts // 2, bursts - 1}):
                            yield name, BusFault(fault, index, burst)

    def run(self, fault: BusFault, stall: int) -> Finding:
        """Run the Program on the spoilt bus, and then once more on a sound one.

        Parameters
        ----------
        fault : what the bus does wrong.
        stall : of every DRAM handshake in the first run, 0 to 255 in 256.

        Raises
        ------
        SimulatorError
            The machine breaks a rule of AXI itself, or does not answer.
        """
        result = self._run(stall, fault)
        right = self._is_right(result)
        error, late = result.error_code, False
        if not error and result.later >> 8 & 0xFF:
            error, late = result.later >> 8 & 0xFF, True
        cycles = 0
        if result.later & 1:  # busy
            cycles, broken = self.bench.drain()
            if broken:
                ignored = self._is_ignored()
                self.bench.power()
                after = After.BROKEN if ignored and self._is_sound() else After.WRONG
                return Finding(result.struck, _name(error), late, right, after, cycles)
        following = self._run(0)
        after = After.RIGHT if self._is_exact(following) else After.WRONG
        if following.error_code and ErrorCode(following.error_code).of_port and not following.counters["BEATS_OUT"]:
            again, broken = self.bench.drain()
            after = After.REFUSED if not broken and self._is_sound() else After.WRONG
            cycles = max(cycles, again)
        if after is After.WRONG:  # the next fault is to find a sound machine
            self.bench.power()
        return Finding(result.struck, _name(error), late, right, after, cycles)

    def _run(self, stall: int, fault: BusFault | None = None) -> JobResult:
        program = self.case.programs[0]
        size = program.address - program.weight_bytes
        return self.bench.run(
            Job(
                program_address=program.address,
                program_beats=program.beats,
                program=program.encode(),
                segments=((program.weight_bytes, np.full(size, WIPED, np.uint8)), *self.case.segments),
                weight_bytes=program.weight_bytes,
                dump=(program.weight_bytes, size),
                watchdog_cycles=20 * self._cycles,
                patience_cycles=PATIENCE_CYCLES,
                stall=stall,
                until_over=True,
                may_hang=True,
                fault=fault,
            )
        )

    @property
    def _cycles(self) -> int:
        program = self.case.programs[0]
        return time_program(program.commands, program.accelerator).cycles

    def _is_right(self, result: JobResult) -> bool:
        program = self.case.programs[0]
        memory = np.concatenate([np.zeros(program.weight_bytes, np.uint8), result.memory])
        return all(
            np.array_equal(read_tensor(memory, program, name), self.case.expected[name]) for name in program.stored
        )

    def _is_exact(self, result: JobResult) -> bool:
        return result.later == 0b010 and result.cycles == self._cycles and self._is_right(result)

    def _is_sound(self) -> bool:
        return self._is_exact(self._run(0))

    def _is_ignored(self) -> bool:
        """A start of a machine whose bus is broken begins nothing."""
        before = self._run(0)
        return bool(before.status & 1) and not self._is_right(before)


def _name(code: int) -> str:
    return ErrorCode(code).name if code else ""
