"""Errors on the whole machine: a code and a command, no hang, and after a reset the machine is as good as new."""

import re
from dataclasses import replace

import pytest

from arch_model.errors import SimulatorError
from arch_model.program.isa import SLOT_BYTES, Command, Opcode
from rtl.errors import MEANING, ErrorCode, error_table
from sim.rtl_bench.bench import Bench, Job, build
from sim.rtl_bench.simulators import find_simulator
from tests.machines import TINY, WIDE
from tests.rtl.machine_jobs import Net

UNUSED = 0x200000  # DRAM in which the network has nothing
BEYOND = 0x40000000
BEAT = TINY.beat_bytes

PORTS = {  # error: (opcode, field with the address, field that a command must have set)
    ErrorCode.READ_WGT: (Opcode.LOAD_WGT, "addr", "run_beats"),
    ErrorCode.READ_ACT: (Opcode.LOAD_ACT, "addr", "run_beats"),
    ErrorCode.READ_B: (Opcode.STORE, "b_addr", "use_b"),
    ErrorCode.WRITE_OUT: (Opcode.STORE, "addr", "use_a"),
}


@pytest.fixture(scope="module")
def net():
    made = Net(TINY)
    assert made.program.address + 0x10000 < UNUSED
    return made


@pytest.fixture(scope="module")
def bench(net):
    """One machine for all: every test leaves it usable, which the next one proves."""
    with Bench(build(TINY, find_simulator()), beyond=True) as running:
        yield running


@pytest.fixture(autouse=True)
def _usable_afterwards(request):
    yield
    if "bench" in request.fixturenames:
        net, bench = request.getfixturevalue("net"), request.getfixturevalue("bench")
        bench.reset()
        net.assert_right(bench.run(net.job()))


def failing(bench: Bench, net: Net, **changes) -> tuple[int, int]:
    """The error and its command; STATUS can be read, and the machine is busy until it is reset."""
    result = bench.run(net.job(dump=(0, 0), **changes))
    assert result.status & 0b111 == 0b101
    return result.error_code, result.error_command


def index(net: Net, opcode: Opcode, field: str, which: int) -> tuple[int, int]:
    """A command's number in the Program, and among the commands of its opcode."""
    same = [i for i, c in enumerate(net.program.commands) if c.opcode is opcode]
    at = [i for i in same if net.program.commands[i][field]][which]
    return at, same.index(at)


@pytest.mark.parametrize("code", PORTS, ids=lambda code: code.name)
@pytest.mark.parametrize(("address", "answer"), [(UNUSED, (UNUSED, UNUSED + BEAT)), (BEYOND, (0, 0))],
                         ids=["SLVERR", "DECERR"])  # fmt: skip
def test_an_error_response(code, address, answer, net, bench):
    opcode, field, has = PORTS[code]
    at, number = index(net, opcode, has, -1)
    program = net.edited(at, **{field: address})
    assert failing(bench, net, program=program, error_range=answer) == (code, number)


@pytest.mark.parametrize("code", PORTS, ids=lambda code: code.name)
def test_after_an_error_response_the_machine_can_be_started_without_a_reset(code, net, bench):
    """At the first, a middle and the last beat of a command's transfers, of the first and the last command that has
    any: the Program runs to its end, one interrupt for the error and one for that, and the next start is a sound run.
    """
    opcode, field, has = PORTS[code]
    prefix = field.removesuffix("addr")
    for which in (0, -1):
        at, number = index(net, opcode, has, which)
        command = net.program.commands[at]
        runs = command["runs" if opcode is Opcode.LOAD_WGT else "groups"]
        run, stride = command[f"{prefix}run_beats"] * BEAT, command[f"{prefix}run_stride"]
        last = UNUSED + (runs - 1) * stride + run - BEAT
        middle = UNUSED + runs // 2 * stride + run // BEAT // 2 * BEAT
        program = net.edited(at, **{field: UNUSED})
        for beat in dict.fromkeys((UNUSED, middle, last)):
            failed = {"program": program, "error_range": (beat, beat + BEAT), "until_over": True}
            result = bench.run(net.job(**failed, dump=(0, 0), stall=which & 90))
            assert (result.status, result.error_command) == (code << 8 | 0b110, number), f"beat at 0x{beat:x}"
            assert result.counters["COMMANDS"] == len(net.program.commands)
            net.assert_right(bench.run(net.job(stall=0)))


def test_of_several_error_responses_the_first_is_kept(net, bench):
    """Every beat of the last loads fails, and of the last results."""
    fields = {}
    for opcode, field, has in PORTS.values():
        fields.setdefault(index(net, opcode, has, -1)[0], {})[field] = BEYOND
    commands = list(net.program.commands)
    for at, changed in fields.items():
        commands[at] = Command(commands[at].opcode, {**commands[at].fields, **changed})
    program = replace(net.program, commands=tuple(commands)).encode()
    result = bench.run(net.job(program=program, dump=(0, 0), until_over=True))
    first = min(PORTS, key=lambda code: index(net, PORTS[code][0], PORTS[code][2], -1)[0])
    _, number = index(net, PORTS[first][0], PORTS[first][2], -1)
    assert (result.status, result.error_command) == (first << 8 | 0b110, number)
    net.assert_right(bench.run(net.job()))


@pytest.mark.parametrize("what", ["opcode", "address", "deadlock"])
def test_a_start_of_a_machine_that_only_a_reset_helps_is_ignored(what, net, bench):
    at, _ = index(net, Opcode.LOAD_WGT, "signal_full", 0)
    job = {
        "opcode": {"program": bytes([9]) + net.program.encode()[1:]},
        "address": {"program": b"", "program_address": 0x1002},
        "deadlock": {"program": net.edited(at, signal_full=0), "patience_cycles": 2000},
    }[what]
    first = bench.run(net.job(dump=(0, 0), **job))
    assert first.status & 0b111 == 0b101
    again = bench.run(net.job(dump=(0, 0), watchdog_cycles=3000, may_hang=True))
    assert (again.status, again.error_command) == (first.status, first.error_command)
    assert again.counters["COMMANDS"] == first.counters["COMMANDS"]
    assert again.counters["CYCLES"] > first.counters["CYCLES"] + 3000, "not started anew"


@pytest.mark.parametrize("address", [UNUSED, BEYOND])
def test_an_error_response_to_the_program(address, net, bench):
    inside = {"error_range": (UNUSED, UNUSED + BEAT)} if address == UNUSED else {}
    assert failing(bench, net, program=b"", program_address=address, **inside) == (ErrorCode.READ_PROG, 0)


def test_unknown_opcode(net, bench):
    program, third = net.program.encode(), len(b"".join(c.encode() for c in net.program.commands[:2]))
    program = program[:third] + bytes([9]) + program[third + 1 :]
    assert failing(bench, net, program=program) == (ErrorCode.OPCODE, 2)


def test_no_end(net, bench):
    beats = len(b"".join(c.encode() for c in net.program.commands[:7])) // BEAT
    assert failing(bench, net, program_beats=beats) == (ErrorCode.NO_END, 7)


def test_cut_inside_a_command(net, bench):
    store, _ = index(net, Opcode.STORE, "groups", 0)
    size = len(b"".join(c.encode() for c in net.program.commands[:store])) + SLOT_BYTES
    assert failing(bench, net, program_beats=size // BEAT) == (ErrorCode.NO_END, store)


@pytest.mark.parametrize(
    ("opcode", "field", "value", "code"),
    [
        (Opcode.LOAD_ACT, "addr", 0x1002, ErrorCode.UNALIGNED),
        (Opcode.STORE, "run_stride", 6, ErrorCode.UNALIGNED),
        (Opcode.LOAD_WGT, "slot", 128, ErrorCode.RANGE),
        (Opcode.PASS, "reps", 0, ErrorCode.RANGE),
        (Opcode.STORE, "rows", 0, ErrorCode.RANGE),
    ],
)
def test_an_illegal_command(opcode, field, value, code, net, bench):
    at, _ = index(net, opcode, {Opcode.PASS: "reps", Opcode.LOAD_WGT: "runs"}.get(opcode, "groups"), 1)
    assert failing(bench, net, program=net.edited(at, **{field: value})) == (code, at)


def test_a_program_at_an_odd_address(net, bench):
    assert failing(bench, net, program=b"", program_address=0x1002) == (ErrorCode.UNALIGNED, 0)


def test_a_program_that_deadlocks(net, bench):
    """PASS waits for weights whose LOAD_WGT does not say that they are there."""
    at, _ = index(net, Opcode.LOAD_WGT, "signal_full", 0)
    code, command = failing(bench, net, program=net.edited(at, signal_full=0), patience_cycles=2000)
    assert code == ErrorCode.STUCK and 0 < command <= len(net.program.commands)


def test_sizes_that_contradict_each_other(net, bench):
    """STORE has more beats to write than pixels: nothing in hardware says so, but it does not hang for ever."""
    at, _ = index(net, Opcode.STORE, "use_a", 0)
    beats = net.program.commands[at]["run_beats"]
    assert failing(bench, net, program=net.edited(at, run_beats=beats + 3), patience_cycles=2000)[0] == ErrorCode.STUCK


def test_a_program_that_ends_too_early(net, bench):
    """END where a PASS was: the tokens of what came before it are left, and the next Program would find them."""
    at, _ = index(net, Opcode.PASS, "wait_weights", 0)
    commands = (*net.program.commands[:at], Command(Opcode.END, {}))
    program = replace(net.program, commands=commands).encode()
    assert failing(bench, net, program=program, program_beats=len(program) // BEAT) == (ErrorCode.RESIDUAL, at + 1)


@pytest.mark.parametrize(
    ("opcode", "field"),
    [
        (Opcode.LOAD_ACT, "signal_full"),
        (Opcode.LOAD_WGT, "signal_full"),
        (Opcode.PASS, "signal_weights"),
        (Opcode.PASS, "signal_sb"),
        (Opcode.PASS, "signal_out"),
        (Opcode.STORE, "signal_free"),
        (Opcode.STORE, "signal_stored"),
    ],
)
def test_a_token_too_many(opcode, field, net, bench):
    """Each of the seven: the last command that signals it is there a second time, and waits for nothing."""
    at, _ = index(net, opcode, field, -1)
    commands = list(net.program.commands)
    alone = {name: value for name, value in commands[at].fields.items() if not name.startswith(("wait_", "signal_"))}
    commands.insert(at + 1, Command(opcode, {**alone, field: 1}))
    program = replace(net.program, commands=tuple(commands)).encode()
    error = failing(bench, net, program=program, program_beats=len(program) // BEAT, patience_cycles=2000)
    assert error == (ErrorCode.RESIDUAL, len(commands))


@pytest.mark.parametrize(("field", "more"), [("run_beats", -1), ("b_run_beats", 5)])
def test_data_that_no_command_takes(field, more, net, bench):
    """The STORE of most beats with an operand b writes one fewer than its rows have, or reads more of b."""
    stores = [i for i, c in enumerate(net.program.commands) if c.opcode is Opcode.STORE and c["use_b"]]
    at = max(stores, key=lambda i: net.program.commands[i]["run_beats"])
    value = net.program.commands[at][field] + more
    code, _ = failing(bench, net, program=net.edited(at, **{field: value}), patience_cycles=2000)
    assert code in (ErrorCode.RESIDUAL, ErrorCode.STUCK)


def test_a_stripe_that_is_not_whole_bursts():
    wide = Net(WIDE)
    running = Bench(build(WIDE, find_simulator()))
    with running as bench:
        # A byte range of weights that is not whole bursts puts every stripe of the tensors a little off.
        result = bench.run(Job(program_address=0, program_beats=wide.program.beats, weight_bytes=4 * WIDE.beat_bytes))
    assert (result.error_code, result.error_command) == (ErrorCode.UNALIGNED, 0)


def test_a_dram_that_dies_is_named_and_what_waits_for_it(net):
    """Bounded by a multiple of the predicted cycles."""
    waits = rf"not ended after {6 * net.cycles + 10_000} cycles \({net.cycles} predicted\).*ports that move: none"
    with Bench(build(TINY, find_simulator())) as bench, pytest.raises(SimulatorError, match=waits) as seen:
        bench.run(net.job(silent_after=net.cycles // 3))
    assert re.search("executing a command: .*(LOAD|STORE)", str(seen.value))


def test_a_reset_that_waits_for_a_dead_dram_ends_too(net):
    with (
        Bench(build(TINY, find_simulator())) as bench,
        pytest.raises(SimulatorError, match="reset has given up: a transfer never ends"),
    ):
        bench.run(net.job(silent_after=net.cycles // 3, reset_after=net.cycles // 2, patience_cycles=2000))


def test_every_code_is_explained_once():
    assert set(MEANING) == set(ErrorCode) and len(error_table().splitlines()) == len(ErrorCode) + 2
