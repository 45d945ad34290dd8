"""One Program on the RTL, compared with what the model predicted and the reference computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.errors import SimulatorError
from arch_model.program.program import PORTS, Program
from arch_model.timing.reference_timing import Timing, time_program
from mapper.layout.dram_image import Segment, read_tensor
from rtl.errors import ErrorCode
from sim.rtl_bench.bench import Bench, Job, JobResult, Memory
from sim.rtl_bench.striping import Striping

BEAT_COUNTERS = dict(zip(PORTS, ("BEATS_PROG", "BEATS_WGT", "BEATS_ACT", "BEATS_B", "BEATS_OUT"), strict=True))
"""The counter of each port that :attr:`Program.dram_bytes` counts."""

WATCHDOG = 4
"""A Program that takes this many times its predicted cycles, and :data:`WATCHDOG_LEAST` more, hangs."""

WATCHDOG_LEAST = 10_000

Tensors = Mapping[str, npt.NDArray[np.int8]]


@dataclass(frozen=True, eq=False)
class Outcome:
    """A Program, its prediction, and what the RTL made of it.

    Attributes
    ----------
    program, predicted, result : the three.
    mismatches : int8 values of any tensor in DRAM that differ from the reference's.
    simulated_bytes : DRAM bytes by port, as the hardware counted them.
    memory : DRAM up to the Program, weights as zeros.
    """

    program: Program
    predicted: Timing
    result: JobResult
    mismatches: int
    simulated_bytes: dict[str, int]
    memory: npt.NDArray[np.uint8]

    @property
    def cycle_error(self) -> float:
        """(predicted − simulated) / simulated."""
        return (self.predicted.cycles - self.result.cycles) / self.result.cycles

    @property
    def exact(self) -> bool:
        """Every integer is the reference's, every byte was predicted, and the machine reports no error."""
        return (
            not self.mismatches and not self.result.error_code and self.simulated_bytes == dict(self.program.dram_bytes)
        )


def run_program(
    bench: Bench, program: Program, segments: Iterable[Segment], expected: Tensors, stall: int | None = None
) -> Outcome:
    """Run a Program and compare every tensor that it leaves in DRAM.

    Parameters
    ----------
    bench : the machine.
    program : to run.
    segments : written to DRAM before.
    expected : the tensors by name.
    stall : as the Bench's, from this run on; the prediction is for none.

    Raises
    ------
    SimulatorError
        The machine hangs.
    """
    accelerator = program.accelerator
    predicted = time_program(program.commands, accelerator)
    striping = Striping(Memory.of(accelerator), program.weight_bytes)
    written = [(address, striping.whole_beats(address, data)) for address, data in segments]
    result = bench.run(
        Job(
            program_address=program.address,
            program_beats=program.beats,
            program=program.encode(),
            segments=tuple(written),
            weight_bytes=program.weight_bytes,
            dump=(program.weight_bytes, program.address - program.weight_bytes),
            watchdog_cycles=WATCHDOG * predicted.cycles + WATCHDOG_LEAST,
            predicted_cycles=predicted.cycles,
            stall=stall,
        )
    )
    if result.error_code == ErrorCode.STUCK:
        raise SimulatorError(f"the machine has stood still at command {result.error_command}: {result.counters}")
    memory = np.concatenate([np.zeros(program.weight_bytes, np.uint8), result.memory])
    mismatches = sum(
        int(np.count_nonzero(read_tensor(memory, program, name) != expected[name])) for name in program.stored
    )
    beat = dict.fromkeys(PORTS, accelerator.beat_bytes)
    beat |= {"wgt": accelerator.weight_beat_bytes, "prog": accelerator.program_beat_bytes}
    bytes_ = {port: result.counters[counter] * beat[port] for port, counter in BEAT_COUNTERS.items()}
    return Outcome(program, predicted, result, mismatches, bytes_, memory)
