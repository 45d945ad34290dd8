"""Errors on the whole machine: a code and a command, no hang, and after a reset the machine is as good as new."""

import re

import pytest

from arch_model.errors import SimulatorError
from mapper.isa import SLOT_BYTES, Opcode
from rtl.errors import MEANING, ErrorCode, error_table
from sim.bench import Bench, Job, build
from sim.simulators import find_simulator
from tests.rtl.machine_jobs import TINY, WIDE, Net

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
    assert re.search("with a command in hand: .*(LOAD|STORE)", str(seen.value))


def test_a_reset_that_waits_for_a_dead_dram_ends_too(net):
    with (
        Bench(build(TINY, find_simulator())) as bench,
        pytest.raises(SimulatorError, match="reset has not ended after 100000 cycles: a transfer never ends"),
    ):
        bench.run(net.job(silent_after=net.cycles // 3, reset_after=net.cycles // 2))


def test_every_code_is_explained_once():
    assert set(MEANING) == set(ErrorCode) and len(error_table().splitlines()) == len(ErrorCode) + 2
