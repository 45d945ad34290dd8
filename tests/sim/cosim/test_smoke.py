"""What the bench expects is what another executor of the same Programs leaves in memory."""

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from sim.cosim.smoke import smoke_case
from sim.integers.program_interpreter import Machine

TINY = Accelerator.load("tiny")


def flat(memory, case):
    """The machine's addresses in order, as the registers of stripes say where they are: of weights, then of tensors."""
    machine, bases = case.accelerator, case.bases
    port, weights = machine.port_bytes, 0
    if machine.weight_stripes > 1:
        weights = machine.weight_stripes * bases["WGT_BASE_1"]
    made = np.zeros(len(memory), np.uint8)
    for address in range(0, len(memory), port):
        name, count = ("WGT_BASE", machine.weight_stripes) if address < weights else ("BASE", machine.stripes)
        beat, i = divmod(address // port, count)
        start = bases[f"{name}_{i}"] + beat * port
        made[address : address + port] = memory[start : start + port]
    return made


@pytest.mark.parametrize(
    "machine",
    [
        TINY,
        Accelerator.load("zcu104"),
        TINY.replace(buffers=dict(pb_bytes=0)),
        TINY.replace(buffers=dict(pb_bytes=20 * 108)),
        TINY.replace(array=dict(kp=8), axi=dict(data_bits=64, stripes=2, pixels=2)),
    ],
    ids=["tiny", "zcu104", "no-pb", "small-pb", "stripes"],
)
def test_programs_leave_what_is_expected(machine):
    case = smoke_case(machine)
    held = machine.buffers.pb_bytes > 0
    assert len(case.runs) == 1 + held
    executor = None
    for run in case.runs:
        length = run.beats * machine.program_beat_bytes
        program = case.before[run.address : run.address + length]
        size = -(-length // machine.beat_bytes) * machine.beat_bytes
        dram = np.concatenate([flat(case.before, case), np.zeros(size, np.uint8)])
        start = len(dram) - size
        dram[start : start + length] = program
        if executor is None:
            executor = Machine(machine, dram, 0)
        executor.dram = dram  # the PB stays as it is
        executor.run(start, length)
        assert (executor.dram[:start] == flat(case.after, case)).all()
    assert (case.before != case.after).any()
    if held:
        first, second = case.runs
        assert second.transfers[0] < first.transfers[0] and second.cycles < first.cycles
        assert second.transfers[1:] == first.transfers[1:]


def test_each_base_and_program_is_a_multiple_of_a_longest_burst():
    for machine in (TINY, Accelerator.load("zcu104")):
        case = smoke_case(machine)
        burst = machine.axi.max_burst * machine.port_bytes
        assert all(at % burst == 0 for at in [*case.bases.values(), *(run.address for run in case.runs)])
