"""Programs that no mapper would write: the machine says so or ends, and the next sound Program is bit-exact."""

from dataclasses import replace

import numpy as np
import pytest

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.program.check import check_program
from arch_model.program.isa import Command, Opcode
from rtl.errors import ErrorCode
from sim.cosim.every_operator import Case
from sim.cosim.fuzz_programs import KINDS, End, Malformed, Patient, malformed
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.simulators import find_simulator

TINY = Accelerator.load("tiny")
EACH = 8


@pytest.fixture(scope="module")
def case():
    return Case.of(TINY, seed=1)


@pytest.fixture(scope="module")
def patient(case):
    """One machine for all: each spoilt Program finds it as the one before left it."""
    with Bench(build(TINY, find_simulator()), seed=1, beyond=True) as bench:
        made = Patient(case, bench)
        made.assert_sound("power on")
        yield made


@pytest.mark.parametrize("kind", KINDS)
def test_the_machine_survives(kind, case, patient):
    rng = np.random.default_rng(len(kind))
    for number in range(EACH):
        spoilt = malformed(case.programs[0], kind, rng)
        print(spoilt.what)
        end = patient.survive(spoilt, stall=(0, 90)[number % 2])
        assert end in {*End, *(code.name for code in ErrorCode)}


def test_a_sound_program_is_done_and_one_without_commands_is_not(case, patient):
    program = case.programs[0]
    assert patient.survive(Malformed("nothing", program.encode(), program.beats), stall=0) == End.DONE
    assert patient.survive(Malformed("no beats", program.encode(), 0), stall=0) == "NO_END"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_spoils_in_many_ways_and_a_seed_repeats_it(kind, case):
    program = case.programs[0]

    def draw(seed):
        rng = np.random.default_rng(seed)
        return [malformed(program, kind, rng) for _ in range(20)]

    made = draw(3)
    assert made == draw(3)
    sound = Malformed("", program.encode(), program.beats)
    ways = {(m.program, m.beats, m.offset) for m in made} - {(sound.program, sound.beats, sound.offset)}
    assert len(ways) >= 4
    assert all(len(m.program) % TINY.program_beat_bytes == 0 and 0 <= m.beats < 1 << 20 for m in made)


def test_commands_in_the_wrong_order_are_what_the_checker_refuses(case):
    """The checker and the machine know the same rules: an END that comes too early leaves tokens."""
    program = case.programs[0]
    at = next(i for i, command in enumerate(program.commands) if command.opcode is Opcode.PASS)
    early = replace(program, commands=(*program.commands[:at], Command(Opcode.END, {})))
    with pytest.raises(FastSwitchError, match="ends with 1 tokens"):
        check_program(early)
