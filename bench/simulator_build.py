"""What it costs to simulate a machine for the first time: CPU seconds from nothing to the first cycle, by stage.

    python bench/simulator_build.py [--machines zcu104 u50] [--run]

Each machine is built in an empty cache, so Verilator's runtime library, which all machines share, is compiled for each
(its part is named). ``--run`` also runs a SubNet, and says how many cycles a second the simulation makes.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import fastswitch as fs
from arch_model.machine.load import load_accelerator
from sim.rtl_bench.bench import Bench, Job, JobResult
from sim.rtl_bench.bench_build import build
from sim.rtl_bench.simulators import find_simulator

BEFORE = {"zcu104": 75.0, "u50": 19 * 60.0}
"""CPU seconds of 0.1.0, to the first cycle (bench/README.md of that version; u50 beside other work)."""


def cpu_s() -> float:
    """CPU seconds of this process and of all that it has waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def measure(name: str, run: bool) -> None:
    """Build one machine in the cache that the environment names, and print its row."""
    machine, stages = load_accelerator(name), {}
    began = cpu_s()

    def on_stage(stage: str) -> None:
        stages.setdefault(stage.split(",")[0], cpu_s() - began)

    made = build(machine, find_simulator(), on_stage=on_stage)
    own = cpu_s() - began
    log = (made.folder / "build.log").read_text()
    verilator = float(re.search(r"cpu ([0-9.]+) s", log)[1])  # type: ignore[index]
    size = re.search(r"into ([0-9.]+) MB in (\d+) C", log)
    with Bench(made) as bench:
        bench.reset()
    total = cpu_s() - began
    generated = resource.getrusage(resource.RUSAGE_SELF)
    before = f"{total / BEFORE[name]:.2f}" if name in BEFORE else "-"
    print(
        f"| {name} | {generated.ru_utime + generated.ru_stime:.1f} | {verilator:.1f} "
        f"| {own - verilator - generated.ru_utime - generated.ru_stime:.1f} | {size[1] if size else '-'} "
        f"| {total:.1f} | {before} | {speed(name) if run else '-'} |",
        flush=True,
    )


def speed(name: str) -> str:
    """Thousand cycles a second of a SubNet on the machine, without a waveform."""
    rates: list[float] = []
    plain = Bench.run

    def timed(bench: Bench, job: Job) -> JobResult:
        began = time.perf_counter()
        result = plain(bench, job)
        rates.append(result.simulated_cycles / (time.perf_counter() - began))
        return result

    Bench.run = timed  # type: ignore[method-assign]
    fs.simulate("ofa-mobilenetv3", "note10_lat-11ms_top1-73.6_finetune-25", name, policy="quick")
    return f"{rates[-1] / 1000:.0f}"


def main() -> None:
    """Measure each machine in a process and a cache of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", nargs="+", default=["tiny", "small", "zcu104", "u50"])
    parser.add_argument("--run", action="store_true", help="run a SubNet, too")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        measure(args.machines[0], args.run)
        return
    print("| machine | Verilog, CPU s | Verilator | C++ | MB of C++ | to the first cycle | of 0.1.0 | k cycles/s |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in args.machines:
        with TemporaryDirectory() as cache:
            command = [sys.executable, __file__, "--here", "--machines", name, *(["--run"] if args.run else [])]
            subprocess.run(
                command,
                check=True,
                env={**os.environ, "XDG_CACHE_HOME": cache, "PYTHONPATH": str(Path(__file__).parents[1])},
            )


if __name__ == "__main__":
    main()
