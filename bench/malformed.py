"""Malformed Programs on the RTL: how each ended, and that the machine then runs a sound one bit-exactly.

    python bench/malformed.py --count 2000 --seed 7 --out malformed.csv

Every operator's network (``sim/cosim/every_operator.py``) is compiled, spoilt in one of eight ways
(``sim/cosim/fuzz_programs.py``) and run with pauses on every DRAM handshake in half of the cases; after each the sound
Program must give every integer in the cycles that are predicted, after a reset if the machine is still busy. A row is
on disk when it is done.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import numpy as np

from arch_model.errors import FastSwitchError
from arch_model.files.tables import whole_table
from arch_model.machine.accelerator import Accelerator
from sim.cosim.every_operator import Case
from sim.cosim.fuzz_programs import KINDS, Patient, malformed
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.simulators import find_simulator

STALLS = (0, 0, 60, 200)
"""Pauses in 256 cycles of each DRAM handshake."""


@click.command()
@click.option("--accelerator", default="tiny", show_default=True)
@click.option("--count", type=click.IntRange(1), default=2000, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--simulator", type=click.Choice(["verilator", "icarus"]), default="verilator", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("malformed.csv"))
def main(accelerator: str, count: int, seed: int, simulator: str, out: Path) -> None:
    """Simulate them and print how many ended how."""
    ends: Counter[tuple[str, str]] = Counter()
    try:
        machine = Accelerator.load(accelerator)
        case = Case.of(machine, seed)
        rng, kinds = np.random.default_rng(seed), list(KINDS)
        facts = {"command": f"bench/malformed.py --accelerator {accelerator} --count {count} --seed {seed}"}
        with (
            whole_table(out, facts) as writer,
            Bench(build(machine, find_simulator(simulator)), seed=seed, beyond=True) as bench,
        ):
            patient = Patient(case, bench)
            for number in range(count):
                kind = kinds[number % len(kinds)]
                spoilt, stall = malformed(case.programs[0], kind, rng), int(rng.choice(STALLS))
                end = patient.survive(spoilt, stall)
                ends[kind, end] += 1
                writer.write({"number": number, "kind": kind, "stall": stall, "end": end, "what": spoilt.what})
    except (FastSwitchError, AssertionError) as error:
        raise SystemExit(f"after {ends.total()} Programs: {error}") from None
    columns = sorted({end for _, end in ends})
    click.echo("| spoilt | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1))
    for kind in kinds:
        click.echo(f"| {kind} | " + " | ".join(str(ends[kind, end] or "") for end in columns) + " |")


if __name__ == "__main__":
    main()
