"""Which statements and branches of the Verilog run: two machines, every operator, stalls, errors, resets.

    python bench/rtl_coverage.py [--out fastswitch-out/coverage]

Needs Verilator. ``tiny/points.csv`` in that folder lists the points that nothing reached, with their lines in the
Verilog that lies beside it. ``tiny`` has every unit in its smallest form; ``wide`` has two stripes a port, two pixels a
cycle, folded images, packed multipliers.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from arch_model.errors import FastSwitchError, MappingError
from arch_model.files.writing import make_folder
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Activation, Kind, Layer, LayerRow
from arch_model.program.isa import ORIGIN_BITS, Command, Memory, Opcode
from arch_model.program.limits import first_broken, limits
from arch_model.program.program import Program
from mapper.layout.dram_image import image_segment, weights_segments, zsb_segments
from mapper.lowering.compile import compile_layer, single_layer
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.tiling import Order, Tiling
from rtl.registers import REGISTERS
from sim.cosim.every_operator import Case
from sim.cosim.layer_tables import LayerJob
from sim.integers.random_integers import random_quant
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import Bench, Build, Job, build
from sim.rtl_bench.coverage import (
    BRANCHES,
    STATEMENTS,
    Covered,
    merged,
    of_design,
    read_coverage,
    source_name,
    summary,
    total,
)
from sim.rtl_bench.outcome import run_program
from sim.rtl_bench.rtl_device import RtlDevice
from sim.rtl_bench.simulators import find_simulator

TINY = Accelerator.load("tiny")
WIDE = TINY.replace(
    name="wide",
    array={"kp": 4, "cp": 9, "dsp_packing": True},
    axi={"data_bits": 64, "max_burst": 8, "stripes": 2, "weight_stripes": 2, "pixels": 2},
    dram={"cycles_per_beat": 1, "latency_cycles": 9},
    buffers={"pb_bytes": 5_184, "db_bytes": 7_776, "sb_bytes": 41_472, "zsb_bytes": 2_560},
)
C = Kind.CONV
LAYERS = (
    Layer("windows", C, 8, 6, 3, 3, 12, 12, padding=1),
    Layer("halves", C, 16, 16, 3, 3, 13, 13, stride=2, padding=1),
    Layer("seven", C, 4, 3, 7, 7, 11, 11, stride=2, padding=3, activation=Activation.HSWISH),
    Layer("point", C, 40, 64, H=7, W=7),
    Layer("point-halves", C, 9, 40, H=8, W=8, stride=2),
    Layer("depthwise", C, 41, 41, 5, 5, 11, 11, stride=2, padding=2, groups=41),
    Layer("depthwise-1", C, 8, 8, 3, 3, 10, 10, padding=1, groups=8),
    Layer("linear", Kind.LINEAR, 30, 200),
    Layer("most", Kind.MAXPOOL, 8, 8, 3, 3, 20, 20, stride=2, padding=1),
    Layer("few", Kind.MAXPOOL, 8, 8, 1, 2, 9, 9, stride=2),
    Layer("mean", Kind.AVGPOOL, 8, 8, 2, 2, 9, 9),
    Layer("edge", Kind.AVGPOOL, 8, 8, 3, 3, 10, 10, stride=2, padding=1, ceil_mode=True),
    Layer("pool", Kind.POOL, 9, 9, H=5, W=7),
    Layer("scale", Kind.SCALE, 6, 6, H=8, W=8),
    Layer("product", Kind.MUL, 6, 6, H=8, W=8),
)
STALL = 90
UNUSED, BEYOND = 0x200000, 0x40000000
"""Byte addresses of DRAM where nothing is, and where no DRAM is."""

FOLDER = Path("fastswitch-out/coverage")


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=FOLDER, show_default=True)
@click.option("--machine", "names", type=click.Choice(["tiny", "wide"]), multiple=True, help="One alone.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
def main(out: Path, names: tuple[str, ...], seed: int) -> None:
    """Print the coverage of each module and in total."""
    try:
        make_folder(out)
        for machine in (TINY, WIDE):
            if machine.name in names or not names:
                measure(machine, seed, out / machine.name)
    except FastSwitchError as error:
        raise SystemExit(str(error)) from None


def measure(machine: Accelerator, seed: int, folder: Path) -> None:
    """Run everything on a machine and print its table."""
    make_folder(folder)
    click.echo(f"building {machine.name} {machine.hash()}")
    built = build(machine, find_simulator("verilator"), coverage=True)
    shutil.copy(built.folder / "fastswitch.v", folder)
    runs = [*operators(built, machine, seed, folder), *errors(built, machine, seed, folder)]
    runs += registers(built, machine, folder)
    counts = merged(read_coverage(run / "coverage.dat") for run in runs)
    counts = of_design(counts, folder / "fastswitch.v")
    statements, branches = summary(counts, STATEMENTS), summary(counts, BRANCHES)
    click.echo(f"\n{machine.name} {machine.hash()}, seed {seed}\n| module | statements | branches |\n|---|---|---|")
    for name in sorted(statements.keys() | branches.keys()):
        both = (found.get(name, Covered(0, 0)) for found in (statements, branches))
        click.echo(f"| {name} | " + " | ".join(map(told, both)) + " |")
    sums = (total(counts, STATEMENTS), total(counts, BRANCHES))
    click.echo("| **total** | " + " | ".join(map(told, sums)) + " |")
    click.echo(f"both: {told(total(counts, STATEMENTS, BRANCHES))}")
    lines = (folder / "fastswitch.v").read_text().splitlines()
    with (folder / "points.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("module", "line", "kind", "what", "text"))
        for point in sorted(point for point, n in counts.items() if not n):
            text = lines[point.line - 1].strip()
            table.writerow((source_name(point.module), point.line, point.kind, point.what, text))


def told(covered: Covered) -> str:
    """A part and of how many."""
    return f"{100 * covered.part:.1f} % of {covered.points}" if covered.points else "-"


def operators(built: Build, machine: Accelerator, seed: int, folder: Path) -> Iterator[Path]:
    """Networks and layers of every operator, without and with random stalls; everything is right."""
    for stall in (0, STALL):
        run = folder / f"operators-{stall}"
        with Bench(built, folder=run, stall=stall, seed=seed) as bench:
            for draw in range(2):
                case = Case.of(machine, seed + draw)
                for outcome in (*case.run(bench), case.run_stalled(bench, STALL)):
                    assert outcome.exact, outcome
            for line, layer in enumerate(LAYERS):
                job = LayerJob(LayerRow(line, "", None, None, layer, {}), machine, seed, Path("layers"), False)
                assert run_program(bench, job.program, *job.tensors(), stall=stall).exact, layer
            run_interleaved(bench, machine, seed)
        yield run


def run_interleaved(bench: Bench, machine: Accelerator, seed: int) -> None:
    """Four K-tiles that take parts of the channels in turns, each with its own sums in the OB, if the DB allows it."""
    layer = Layer("interleaved", C, 31, 64, H=7, W=7)
    rng = np.random.default_rng(seed)
    chunk = next(int(chunk) for chunk in LayerOnMachine(layer, machine).chunks if chunk >= 4)
    quant = random_quant(layer, rng)
    try:
        program, places = compile_layer(layer, machine, quant, Tiling(4, chunk, 0, 4, Order.ROWS, interleave=4))
    except MappingError:
        return
    _, subnet = single_layer(layer)
    weights = {"interleaved": rng.integers(-127, 128, (31, 64, 1, 1), dtype=np.int8)}
    image = rng.integers(-128, 128, (64, 7, 7), dtype=np.int8)
    segments = [
        *weights_segments(places, weights),
        *zsb_segments(places, subnet, weights, {"interleaved": quant}),
        image_segment(places, subnet, image),
    ]
    expected = {INPUT: image, **run_layers(subnet.layers, weights, {"interleaved": quant}, image)}
    assert run_program(bench, program, segments, expected).exact


def errors(built: Build, machine: Accelerator, seed: int, folder: Path) -> Iterator[Path]:
    """Every error, after which a reset makes the machine right again; resets in the middle of a Program."""
    case = Case.of(machine, seed)
    program = case.programs[0]
    run = folder / "errors"
    with Bench(built, folder=run, stall=STALL, seed=seed, beyond=True) as bench:
        run_program(bench, program, case.segments, case.expected)

        def fail(**changes: object) -> None:
            """Whatever the machine says, a reset ends it."""
            job = Job(program.address, program.beats, program=program.encode(), weight_bytes=program.weight_bytes)
            bench.run(replace(job, watchdog_cycles=200_000, patience_cycles=3_000, **changes))
            bench.reset()

        for address in (UNUSED, BEYOND):
            slverr = (UNUSED, UNUSED + machine.beat_bytes)
            for opcode, field, has in (
                (Opcode.LOAD_WGT, "addr", "runs"),
                (Opcode.LOAD_ACT, "addr", "groups"),
                (Opcode.STORE, "b_addr", "use_b"),
                (Opcode.STORE, "addr", "use_a"),
            ):
                at = [i for i, c in enumerate(program.commands) if c.opcode is opcode and c[has]][-1]
                fail(program=edited(program, at, **{field: address}), error_range=slverr)
            fail(program=b"", program_address=address, error_range=slverr)
        encoded = program.encode()
        fail(program=bytes([15]) + encoded[1:])
        fail(program=b"", program_address=0x1002)
        for beats in (0, 1, program.beats // 2):
            fail(program_beats=beats)
        for broken in illegal(machine, program):
            fail(program=broken)
        passes = [i for i, c in enumerate(program.commands) if c.opcode is Opcode.PASS and not c["depthwise"]]
        for origin in range(-(1 << ORIGIN_BITS - 1), 1 << ORIGIN_BITS - 1):
            fail(program=edited(program, passes[0], y0=origin, x0=origin))
        for store in (i for i, c in enumerate(program.commands) if c.opcode is Opcode.STORE):
            fail(program=edited(program, store, lo=100))  # a clamp from below
        waits = next(i for i, c in enumerate(program.commands) if c.opcode is Opcode.LOAD_WGT and c["signal_full"])
        fail(program=edited(program, waits, signal_full=0))
        early = replace(program, commands=(*program.commands[: waits + 1], Command(Opcode.END, {})))
        fail(program=early.encode(), program_beats=early.beats)  # a token remains
        for after in range(50, 4_000, 230):
            fail(reset_after=after)
        outcome = run_program(bench, program, case.segments, case.expected)
        assert outcome.exact
    yield run


def edited(program: Program, at: int, **fields: int) -> bytes:
    """The Program with some fields of one command changed."""
    commands = list(program.commands)
    commands[at] = Command(commands[at].opcode, {**commands[at].fields, **fields})
    return replace(program, commands=tuple(commands)).encode()


def illegal(machine: Accelerator, program: Program) -> Iterator[bytes]:
    """Programs in which a command breaks a limit of the machine, each limit once, if a command can."""
    known = limits(machine)
    for limit in known:
        at = next(i for i, c in enumerate(program.commands) if c.opcode is limit.opcode)
        command = program.commands[at]
        changes = dict(limit.when)
        if changes.get("memory") is Memory.PB and not machine.pb_tiles:
            continue
        for value in (*((1,) if limit.multiple > 1 else ()), limit.low - 1, (limit.high or 0) + 1):
            new = {**command.fields, **changes, limit.field: value, **({limit.plus: 0} if limit.plus else {})}
            try:
                broken = Command(limit.opcode, new)
                broken.encode()
            except (FastSwitchError, ValueError):
                continue  # no field can say it
            if first_broken(broken, known) is not None:
                yield edited(program, at, **new)
                break


def registers(built: Build, machine: Accelerator, folder: Path) -> Iterator[Path]:
    """Every register written and read, and addresses where there is none."""
    run = folder / "registers"
    with RtlDevice(built, folder=run) as device:
        for register in REGISTERS:
            if register.name != "CTRL":
                for value in (0xFFFFFFFF, 0):
                    device.write(register.address, value)
                    device.read(register.address)
        for address in (0x3C, 0xF0, 0xFC):
            device.write(address, 1)
            assert device.read(address) == 0
        device.write(0x08, 2)
        device.wait(200)
    yield run


if __name__ == "__main__":
    main()
