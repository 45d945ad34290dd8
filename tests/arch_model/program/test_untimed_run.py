"""The untimed run, on Programs of a few commands: who waits for whom, by hand."""

import pytest

from arch_model.machine.microarchitecture import QUEUE_DEPTH
from arch_model.program.isa import Command, Opcode
from arch_model.program.untimed_run import ACT, FEED, RUN, WGT, ProgramError, UntimedRun

END = Command(Opcode.END, {})


def run(*commands):
    made = UntimedRun((*commands, END))
    made.execute()
    return made


def load(**fields):
    return Command(Opcode.LOAD_ACT, fields)


def weights(**fields):
    return Command(Opcode.LOAD_WGT, fields)


def one_pass(reps=1, **fields):
    return Command(Opcode.PASS, {"reps": reps, **fields})


def test_a_token_orders_what_its_units_do():
    made = run(load(signal_full=1), weights(signal_full=1), one_pass(wait_sb=1, wait_weights=1))
    (feed,), (passed,) = made.nodes["feed"], made.nodes["run"]
    assert (feed.start[WGT], feed.start[ACT]) == (1, 0)  # FEED has waited for weights alone
    # RUN for its input, and for FEED to begin; so weights are there, although nobody says that FEED is done with them.
    assert (passed.start[ACT], passed.start[WGT], passed.start[FEED]) == (1, 1, 0)


def test_without_a_token_nothing_is_known():
    made = run(load(), one_pass())
    assert made.nodes["run"][0].start[ACT] == 0


def test_repetitions_are_counted_through():
    made = run(one_pass(reps=3), one_pass(reps=2, signal_sb=1), load(wait_free=1))
    assert [node.reps_end for node in made.nodes["run"]] == [3, 5]
    assert made.nodes["load_act"][0].start[RUN] == 5


def test_a_token_that_nobody_releases_hangs_and_names_who_waits():
    with pytest.raises(ProgramError, match=r"Program hangs: load_act at command 1; FETCH at command 2"):
        run(load(), load(wait_free=1))


def test_fetch_stops_at_a_full_queue():
    waiting = [load(wait_free=1)] + [load()] * (QUEUE_DEPTH + 3)
    with pytest.raises(ProgramError, match=rf"load_act at command 0; FETCH at command {QUEUE_DEPTH}$"):
        run(*waiting)


def test_tokens_are_not_left_behind():
    with pytest.raises(ProgramError, match="Program ends with 2 tokens sb_full left"):
        run(load(signal_full=1), load(signal_full=1))


@pytest.mark.parametrize("commands", [(), (load(),), (END, load(), END)])
def test_end_is_the_last_command_and_no_other(commands):
    with pytest.raises(ProgramError, match="its last command, and no other, must be END"):
        UntimedRun(commands)
