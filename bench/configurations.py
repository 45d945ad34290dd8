"""Random legal accelerators on the RTL, each with a small network of every operator: cycles, bytes, integers.

    python bench/configurations.py --count 24 --seed 4 --out configurations.csv
    python bench/configurations.py --accelerator u50 --simulator verilator --out u50.csv

Each machine runs the network with an empty PB, which that fills, then with its weights found there, then with random
pauses on every DRAM handshake (no prediction for that one: its integers and bytes alone are looked at). Icarus is the
quickest for small machines: it reads one in a second where Verilator's C++ takes most of a minute. For one named by
``--accelerator`` Verilator is, and its build is kept. A row is on disk when it is done.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import click

from arch_model.errors import FastSwitchError
from arch_model.files.tables import whole_table
from arch_model.machine.accelerator import Accelerator
from sim.cosim.configurations import draw_configurations, knobs
from sim.cosim.every_operator import Case, fits
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.simulators import Simulator, find_simulator

STALL = 70
"""Pauses in 256 cycles of each DRAM handshake."""


@click.command()
@click.option("--count", type=click.IntRange(1), default=24, show_default=True)
@click.option("--first", type=click.IntRange(0), default=0, show_default=True, help="Go on with this machine.")
@click.option("--seed", type=int, default=4, show_default=True, help="Of the machines and of all integers.")
@click.option("--simulator", type=click.Choice(["verilator", "icarus"]), default="icarus", show_default=True)
@click.option("--accelerator", help="This machine alone, a preset or a file, instead of random ones.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("configurations.csv"))
def main(count: int, first: int, seed: int, simulator: str, accelerator: str | None, out: Path) -> None:
    """Simulate the machines and print a row for each."""
    chosen = f"--accelerator {accelerator}" if accelerator else f"--count {count}"
    try:
        found = find_simulator(simulator)
        machines = [Accelerator.load(accelerator)] if accelerator else draw_configurations(count, seed, fits=fits)
        with whole_table(out, {"command": f"bench/configurations.py {chosen} --seed {seed}"}) as writer:
            for number, machine in enumerate(machines):
                if number < first:
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    row = measure(machine, seed, found, None if accelerator else Path(folder))
                writer.write(row)
                if number == first:
                    click.echo("| " + " | ".join(row) + " |\n|" + "---|" * len(row))
                click.echo("| " + " | ".join(map(str, row.values())) + " |")
    except FastSwitchError as error:
        raise SystemExit(str(error)) from None


def measure(machine: Accelerator, seed: int, simulator: Simulator, build_dir: Path | None) -> dict[str, Any]:
    """The row of a machine, its simulation built in ``build_dir``, by default where builds are kept."""
    begin = time.monotonic()
    case = Case.of(machine, seed)
    with Bench(build(machine, simulator, build_dir), seed=seed) as bench:
        outcomes, stalled = case.run(bench), case.run_stalled(bench, STALL)
    return {
        "machine": machine.name,
        **{key: int(value) for key, value in knobs(machine).items() if key != "pb"},
        "pb_tiles": machine.pb_tiles,
        "predicted": " / ".join(f"{outcome.predicted.cycles}" for outcome in outcomes),
        "simulated": " / ".join(f"{outcome.result.cycles}" for outcome in outcomes),
        "bytes": " / ".join(f"{sum(outcome.simulated_bytes.values())}" for outcome in outcomes),
        "wrong_bytes": sum(
            abs(outcome.simulated_bytes[port] - bytes_)
            for outcome in (*outcomes, stalled)
            for port, bytes_ in outcome.program.dram_bytes.items()
        ),
        "mismatches": sum(outcome.mismatches for outcome in (*outcomes, stalled)),
        "seconds": round(time.monotonic() - begin, 1),
    }


if __name__ == "__main__":
    main()
