"""Programs that no mapper would write, and whether a machine survives them.

A Program is taken and spoilt in one of :data:`KINDS`. Whatever it then is, the machine must report an error or come to
an end, and afterwards (unless it came to an end, after a reset) be as good as new: :meth:`Patient.survive` runs the
sound Program after each spoilt one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.random import Generator

from arch_model.program.isa import FIELDS, SLOT_BYTES, Command, Opcode
from arch_model.program.isa import Field as CommandField
from arch_model.program.program import Program
from arch_model.timing.reference_timing import time_program
from mapper.layout.dram_image import read_tensor
from rtl.errors import ErrorCode
from rtl.registers import BEAT_COUNT_BITS
from sim.cosim.every_operator import Case
from sim.rtl_bench.bench import Bench, Job

PAGE = 4096
PATIENCE_CYCLES = 1_000
"""WATCHDOG while spoilt Programs run: far more than a DRAM's latency, pauses at random included."""

MOST_CYCLES = 20_000
"""A spoilt Program is given so many; a command with a huge count is then still at work, and is cut short by a reset."""

ADDRESSES = {"addr", "b_addr", "run_stride", "b_run_stride"}


@dataclass(frozen=True)
class Malformed:
    """A spoilt Program.

    Attributes
    ----------
    what : was done to it.
    program : its bytes.
    beats : for the register PROG_BEATS.
    offset : what is added to its address for the register PROG_ADDR.
    """

    what: str
    program: bytes
    beats: int
    offset: int = 0


class End(StrEnum):
    """How a spoilt Program ended; an error besides by the name of its code."""

    DONE = "done"
    AT_WORK = "at work"


def malformed(program: Program, kind: str, rng: Generator) -> Malformed:
    """Spoil a Program.

    Parameters
    ----------
    program : a sound one.
    kind : of the damage, one of :data:`KINDS`.
    rng : draws it.
    """
    return KINDS[kind](program, rng)


@dataclass(frozen=True, eq=False)
class Patient:
    """A sound Program on a machine that must survive spoilt ones.

    Parameters
    ----------
    case : the Program.
    bench : the machine, whose DRAM tolerates addresses beyond it (``beyond=True``).
    """

    case: Case
    bench: Bench

    def survive(self, spoilt: Malformed, stall: int) -> str:
        """Run a spoilt Program and then the sound one; how the spoilt one ended, by :class:`End` or code.

        In between the machine is reset if it is still busy.

        Parameters
        ----------
        spoilt : the Program.
        stall : of every DRAM handshake while it runs, 0 to 255 in 256.

        Raises
        ------
        AssertionError
            The machine does anything else than it should.
        SimulatorError
            It hangs or breaks a rule of AXI.
        """
        program = self.case.programs[0]
        result = self.bench.run(
            Job(
                program_address=program.address + spoilt.offset,
                program_beats=spoilt.beats,
                program=b"" if spoilt.offset else spoilt.program,
                weight_bytes=program.weight_bytes,
                watchdog_cycles=MOST_CYCLES,
                patience_cycles=PATIENCE_CYCLES,
                stall=stall,
                until_over=True,
                may_hang=True,
            )
        )
        busy, done, error = (result.status >> bit & 1 for bit in range(3))
        assert busy != done and error == (result.error_code != 0), f"{spoilt.what}: STATUS 0x{result.status:x}"
        if busy:
            self.bench.reset()
        self.assert_sound(spoilt.what)
        if error:
            return ErrorCode(result.error_code).name
        return str(End.DONE if done else End.AT_WORK)

    def assert_sound(self, after: str) -> None:
        """The sound Program gives every integer, in the cycles that are predicted."""
        program = self.case.programs[0]
        cycles = time_program(program.commands, program.accelerator).cycles
        result = self.bench.run(
            Job(
                program_address=program.address,
                program_beats=program.beats,
                program=program.encode(),
                segments=self.case.segments,
                weight_bytes=program.weight_bytes,
                dump=(program.weight_bytes, program.address - program.weight_bytes),
                watchdog_cycles=4 * cycles,
                stall=0,
            )
        )
        memory = np.concatenate([np.zeros(program.weight_bytes, np.uint8), result.memory])
        assert result.status == 0b010, f"after {after}: STATUS 0x{result.status:x}"
        assert result.cycles == cycles, f"after {after}: {result.cycles} cycles, {cycles} predicted"
        for name in program.stored:
            found = read_tensor(memory, program, name)
            assert np.array_equal(found, self.case.expected[name]), f"after {after}: {name}"


def _made(what: str, program: Program, data: bytes, beats: int | None = None) -> Malformed:
    """Bytes up to a whole beat of the port, as many as PROG_BEATS says if there is no other word."""
    beat = program.accelerator.program_beat_bytes
    data += bytes(-len(data) % beat)
    return Malformed(what, data, len(data) // beat if beats is None else beats)


def _commands(what: str, program: Program, commands: list[Command]) -> Malformed:
    return _made(what, program, replace(program, commands=tuple(commands)).encode())


def _bits(program: Program, rng: Generator) -> Malformed:
    data = np.frombuffer(program.encode(), np.uint8).copy()
    places = rng.integers(0, 8 * data.size, int(rng.integers(1, 9)))
    for place in places:
        data[place >> 3] ^= 1 << (place & 7)
    return _made(f"bits {places.tolist()} turned", program, data.tobytes())


def _value(field: CommandField, now: int, rng: Generator) -> int:
    """Any value that the field holds, most often one at an edge."""
    low, high = (-(1 << field.bits - 1), (1 << field.bits - 1) - 1) if field.signed else (0, (1 << field.bits) - 1)
    turned, any_value = now ^ 1 << int(rng.integers(field.bits)), int(rng.integers(low, high + 1))
    choices = (low, high, now - 1, now + 1, 2 * now, turned, any_value)
    return min(max(choices[rng.integers(len(choices))], low), high)


def _with(command: Command, values: Mapping[str, int]) -> Command:
    return Command(command.opcode, {**command.fields, **values})


def _field(program: Program, rng: Generator) -> Malformed:
    commands = list(program.commands)
    at = int(rng.integers(len(commands) - 1))
    command = commands[at]
    fields = [field for field in FIELDS[command.opcode] if field.name != "opcode"]
    field = fields[rng.integers(len(fields))]
    now, value = command[field.name], _value(field, command[field.name], rng)
    commands[at] = _with(command, {field.name: value})
    return _commands(f"command {at}, {command.opcode.name}: {field.name} {now} to {value}", program, commands)


def _address(program: Program, rng: Generator) -> Malformed:
    """An address or stride at the end of a page, of the DRAM or of the address space, with a count to pass it."""
    commands = list(program.commands)
    able = [i for i, c in enumerate(commands) if any(f.name in ADDRESSES for f in FIELDS[c.opcode])]
    at = int(rng.choice(able))
    command = commands[at]
    fields = [f for f in FIELDS[command.opcode] if f.name in ADDRESSES]
    field = fields[rng.integers(len(fields))]
    a = program.accelerator
    beat = a.weight_beat_bytes if command.opcode is Opcode.LOAD_WGT else a.beat_bytes
    ends = (1 << field.bits, a.dram.bytes, PAGE * int(rng.integers(1, a.dram.bytes // PAGE)))
    value = (int(ends[rng.integers(3)]) - beat * int(rng.integers(0, 5))) % (1 << field.bits)
    values = {field.name: value}
    if rng.random() < 0.5:
        count = "b_run_beats" if field.name.startswith("b_") else "run_beats"
        values[count] = int(rng.integers(1, 3 * a.axi.max_burst))
    commands[at] = _with(command, values)
    return _commands(f"command {at}, {command.opcode.name}: {values}", program, commands)


def _order(program: Program, rng: Generator) -> Malformed:
    """A command left out, said twice, or exchanged with another."""
    commands = list(program.commands)
    at, other = (int(i) for i in rng.integers(0, len(commands), 2))
    how = ("left out", "twice", f"exchanged with {other}")[rng.integers(3)]
    if how == "left out":
        del commands[at]
    elif how == "twice":
        commands.insert(at, commands[at])
    else:
        commands[at], commands[other] = commands[other], commands[at]
    return _commands(f"command {at} {how}", program, commands)


def _beats(program: Program, rng: Generator) -> Malformed:
    right, most = program.beats, (1 << BEAT_COUNT_BITS) - 1
    choices = (0, 1, int(rng.integers(right)), right - 1, right + int(rng.integers(1, 400)), most)
    chosen = choices[rng.integers(len(choices))]
    return _made(f"PROG_BEATS {chosen} instead of {right}", program, program.encode(), chosen)


def _opcode(program: Program, rng: Generator) -> Malformed:
    data = bytearray(program.encode())
    slot = SLOT_BYTES * int(rng.integers(len(data) // SLOT_BYTES))
    opcode = int(rng.integers(16))
    data[slot] = data[slot] & 0xF0 | opcode
    return _made(f"opcode {opcode} in slot {slot // SLOT_BYTES}", program, bytes(data))


def _noise(program: Program, rng: Generator) -> Malformed:
    size = SLOT_BYTES * int(rng.integers(1, 40))
    data = rng.integers(0, 256, size, np.uint8)
    if rng.random() < 0.8:  # an opcode that there is
        data[::SLOT_BYTES] = data[::SLOT_BYTES] & 0xF0 | rng.integers(0, 5, size // SLOT_BYTES, np.uint8)
    return _made(f"{size} random bytes", program, data.tobytes())


def _place(program: Program, rng: Generator) -> Malformed:
    """PROG_ADDR a little off, or where there is no Program."""
    beat = program.accelerator.program_beat_bytes
    offset = int(rng.choice([1, 2, beat, SLOT_BYTES, -SLOT_BYTES, PAGE, -program.address]))
    return Malformed(f"PROG_ADDR {offset} bytes off", program.encode(), program.beats, offset)


KINDS: Mapping[str, Callable[[Program, Generator], Malformed]] = {
    "bits": _bits,
    "field": _field,
    "address": _address,
    "order": _order,
    "beats": _beats,
    "opcode": _opcode,
    "noise": _noise,
    "place": _place,
}
"""How a Program can be spoilt: bits turned, a field of a command changed, an address put to an edge, commands left out
or exchanged, PROG_BEATS wrong, an opcode changed, random bytes, PROG_ADDR wrong."""
