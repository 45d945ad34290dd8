"""What a simulation of the machine is asked to do, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.rtl_bench.faults import BusFault


@dataclass(frozen=True, eq=False)
class Job:
    """One run of a Program.

    What no segment covers is as the job before left it, in DRAM and on chip. Addresses are the machine's, whose beats
    lie over stripes (:mod:`sim.rtl_bench.striping`).

    Attributes
    ----------
    program_address, program_beats : for the registers PROG_ADDR and PROG_BEATS.
    segments : (byte address, bytes) pairs written to DRAM before the start; addresses and lengths are whole beats.
    dump : (byte address, bytes) of DRAM to bring back, whole beats.
    watchdog_cycles : the Program hangs if it takes more.
    error_range : reads and writes of these byte addresses on the ports, first to last + 1, are answered SLVERR.
    program : bytes written to ``program_address``, in the first stripe alone.
    weight_bytes : addresses below are of weights, above of tensors, each over their own stripes.
    predicted_cycles : what it should take, for the message.
    silent_after : so many cycles after the start the DRAM dies.
    reset_after : so many cycles after the start, or at its interrupt if that is sooner, the machine is reset through
        CTRL.
    patience_cycles : for the register WATCHDOG, from this job on.
    stall : as the Bench's, from this job on.
    until_over : after an error that leaves the Program running (an error response to a unit) the job goes on until that
        is over.
    may_hang : a Program that has not ended by then is a result, busy in its STATUS, instead of a SimulatorError.
    fault : what the DRAM does wrong on one port, from before the start until the next job.
    """

    program_address: int
    program_beats: int
    segments: tuple[tuple[int, bytes | NDArray[np.uint8] | NDArray[np.int8]], ...] = ()
    dump: tuple[int, int] = (0, 0)
    watchdog_cycles: int = 20_000_000
    error_range: tuple[int, int] = (0, 0)
    program: bytes = b""
    weight_bytes: int = 0
    predicted_cycles: int = 0
    silent_after: int | None = None
    reset_after: int | None = None
    patience_cycles: int | None = None
    stall: int | None = None
    until_over: bool = False
    may_hang: bool = False
    fault: BusFault | None = None


@dataclass(frozen=True, eq=False)
class JobResult:
    """What a job came to.

    Attributes
    ----------
    cycles, status : the registers CYCLES and STATUS.
    counters : every counter by its register's name.
    memory : the bytes of ``Job.dump``.
    simulated_cycles : from the host's write of CTRL to the interrupt.
    seconds : what those took.
    error_command, bus : the registers ERROR_COMMAND and BUS, 0 where there is none.
    later : STATUS once more, after the counters were read.
    bursts : how many the port of ``Job.fault`` has begun.
    struck : the fault has happened.
    """

    cycles: int
    status: int
    counters: Mapping[str, int]
    memory: NDArray[np.uint8]
    simulated_cycles: int
    seconds: float
    error_command: int = 0
    bus: int = 0
    later: int = 0
    bursts: int = 0
    struck: bool = False

    @property
    def error_code(self) -> int:
        """The error code of STATUS, 0 if there is none (table in docs/reference/registers.md)."""
        return (self.status >> 8) & 0xFF
