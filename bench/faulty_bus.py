"""A bus that breaks AXI's rules under the RTL: every fault, port, and place, and whether anything was wrong in silence.

    python bench/faulty_bus.py --out build/faulty_bus              # all of them; the same command goes on
    python bench/faulty_bus.py --sample 60 --seed 3                # some, drawn

``tiny``, and a machine whose beats lie over two and four ports, run a network of every operator
(``sim/cosim/every_operator.py``). Once in each run the DRAM does what AXI forbids
(``sim/rtl_bench/faults.py``) on one port, at its
first, a middle or its last burst, without pauses or with pauses on every handshake. Then the machine is reset if it is
still busy, and runs the network again on a sound bus (``sim/cosim/faulty_bus.py``). A row is on disk when it is done.
The exit status is 1 if a tensor was wrong and no error reported, or a run after that was wrong.
"""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import click

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from sim.cosim.every_operator import Case
from sim.cosim.faulty_bus import After, FaultyBus
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.faults import BusFault, Fault
from sim.rtl_bench.simulators import find_simulator

STALLS = (0, 90)
"""Pauses in 256 cycles of each DRAM handshake."""

TINY = Accelerator.load("tiny")
MACHINES = {
    "tiny": TINY,
    "wide": TINY.replace(
        name="wide",
        array={"kp": 6, "cp": 4},
        axi={"data_bits": 64, "max_burst": 8, "stripes": 2, "weight_stripes": 4, "pixels": 4},
        dram={"cycles_per_beat": 1, "latency_cycles": 40},
        buffers={"pb_bytes": 4_500, "db_bytes": 5_400, "sb_bytes": 18_432, "zsb_bytes": 2_560},
    ),
}

Row = dict[str, str]
KEY = ("machine", "simulation", "port", "fault", "burst", "stall")


@click.command()
@click.option("--sample", type=click.IntRange(1), help="So many of a machine's cases, drawn; all by default.")
@click.option("--seed", type=int, default=3, show_default=True, help="Of the integers, the pauses and the draw.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("build/faulty_bus"))
def main(sample: int | None, seed: int, out: Path) -> None:
    """Simulate them and print what was reported."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "cases.csv"
    done = _read(path)
    rows: list[Row] = []
    try:
        with path.open("a", newline="") as file:
            for name, machine in MACHINES.items():
                for row in _rows(name, machine, sample, seed, done):
                    if not path.stat().st_size:
                        csv.DictWriter(file, row).writeheader()
                    if tuple(row[key] for key in KEY) not in done:
                        csv.DictWriter(file, row).writerow(row)
                        file.flush()
                    rows.append(row)
    except FastSwitchError as error:
        raise SystemExit(f"after {len(rows)} cases: {error}") from None
    for line in _table(rows):
        click.echo(line)
    if any(row["silent"] == "True" or row["after"] == After.WRONG for row in rows):
        raise SystemExit(1)


def _read(path: Path) -> dict[tuple[str, ...], Row]:
    """Cases that are on disk, whole rows alone."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        return {tuple(row[key] for key in KEY): row for row in csv.DictReader(file) if None not in row.values()}


def _rows(
    name: str, machine: Accelerator, sample: int | None, seed: int, done: Mapping[tuple[str, ...], Row]
) -> Iterator[Row]:
    built = build(machine, find_simulator())
    with Bench(built, seed=seed) as bench:
        bus = FaultyBus(Case.of(machine, seed=1), bench)
        cases = [(port, fault, stall) for port, fault in bus.cases() for stall in STALLS]
        cases += [("all", BusFault(Fault.READY_AFTER_VALID), stall) for stall in (*STALLS, 200)]
        if sample is not None:
            cases = random.Random(seed).sample(cases, min(sample, len(cases)))
        for port, fault, stall in cases:
            key = (name, built.folder.name, port, fault.fault.name, str(fault.burst), str(stall))
            if key in done:
                yield done[key]
                continue
            found = bus.run(fault, stall)
            values = {**asdict(found), "silent": found.silent}
            yield {**dict(zip(KEY, key, strict=True)), **{name: str(value) for name, value in values.items()}}


def _table(rows: list[Row]) -> Iterator[str]:
    """A line for each fault and machine."""
    columns = ("machine", "fault", "cases", "protocol error", "STUCK", "no error", "wrong in silence")
    columns += ("next right", "refused", "broken")
    yield "| " + " | ".join(columns) + " |\n|" + "---|" * len(columns)
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["machine"], row["fault"]].append(row)
    for (machine, fault), group in groups.items():
        errors = Counter(row["error"].partition("_")[0] for row in group)
        after = Counter(row["after"] for row in group)
        silent = sum(row["silent"] == "True" for row in group)
        counts = [len(group), errors["PROTOCOL"], errors["STUCK"], errors[""], silent]
        counts += [after[After.RIGHT], after[After.REFUSED], after[After.BROKEN]]
        yield f"| {machine} | {fault} | " + " | ".join(map(str, counts)) + " |"
    wrong = sum(row["after"] == After.WRONG for row in rows)
    silent = sum(row["silent"] == "True" for row in rows)
    longest = max((int(row["reset_cycles"]) for row in rows), default=0)
    yield f"\n{len(rows)} cases: {silent} wrong in silence, {wrong} wrong next runs, longest reset {longest} cycles"


if __name__ == "__main__":
    main()
