"""How fast points are screened and priced, how that grows, what a second worker brings, and what a search finds.

    python bench/explore.py [--only speed|ray|search] [--rounds 1] [--seeds 5] [--samplers nsga2 ...]

All on OFA-ResNet50, ten SubNets drawn with seed 1, on variations of `zcu104`. ``cpu`` is the time of all processes on
their cores, which others who use the machine disturb less than the clock on the wall. bench/explore.md has what it
printed.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import choose_subnets
from mapper.workload.fusion import is_runnable
from sim.explore import explore, load_study, pareto_front
from sim.explore.knobs import parse_vary
from sim.explore.pareto import hypervolume
from sim.explore.price import warm
from sim.explore.question import Question
from sim.explore.run import PRICING
from sim.explore.samplers import Search, random_cells
from sim.explore.study import screened_rows

SPACE, SUBNETS, SEED = "ofa-resnet50", 10, 1
OBJECTIVES = ("latency", "energy", "area")
CORE = "KP=8,12,16,24,32 CP=4,6,9,12,16 DRAM=2.4,4.8,9.6,19.2GB/s"
SIZES = "SB=0.5:1.3MB:0.2MB DB=160,240,320,480,640KiB PB=0:4.5MB:0.5MB"
SEARCHED = f"{CORE} PB=0:4.5MB:0.5MB SB=0.5,0.8,1.1,1.4MB DB=160,240,320,480,640KiB"


def run(vary: str, backend: str) -> tuple[float, float, pd.DataFrame]:
    """Seconds on the wall and on cores (0 where they cannot be known), and the points."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), _cpu()
        found = explore(SPACE, SUBNETS, vary, OBJECTIVES, folder, seed=SEED, backend=backend)
        wall = time.perf_counter() - wall
        if backend.startswith("joblib"):
            from joblib.externals.loky import get_reusable_executor

            get_reusable_executor().shutdown(wait=True)
        return wall, _cpu() - cpu if backend.startswith("joblib") else 0.0, found


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def say(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def speed(spaces: Sequence[str] = (SPACE, "ofa-mobilenetv3")) -> None:
    """In this process alone, so that both stages can be timed."""
    say("space", "points", "legal", "screening: cpu s", "ms a point", "exact prices: points", "cpu s", "load average")
    say(*["---"] * 8)
    runs = [(spaces[0], "40"), (spaces[0], "40,80"), (spaces[0], "20,40,60,80"), *((name, "40") for name in spaces[1:])]
    for space, latencies in runs:
        begin, screened = time.process_time(), 0.0

        def count(stage: str, done: int, total: int) -> None:
            nonlocal screened
            if stage == PRICING and not screened:
                screened = time.process_time()

        with tempfile.TemporaryDirectory() as folder:
            vary = f"{CORE} LATENCY={latencies} {SIZES}"
            found = explore(space, SUBNETS, vary, OBJECTIVES, folder, seed=SEED, backend="joblib:1", on_count=count)
            errors = load_study(folder).errors
        end, exact = time.process_time(), int((found["price"] == "exact").sum())
        first = screened - begin
        each = f"{1000 * first / len(found):.3f}"
        say(
            *(space, f"{len(found):,}", f"{found['legal'].sum():,}", f"{first:.1f}", each),
            *(f"{exact:,}", f"{end - screened:.1f}", load()),
        )
        for name, error in errors.items():
            print(f"  estimated {name}: {error}", flush=True)


def ray(rounds: int) -> None:
    """Workers are started first, so that what is measured is the work."""
    import ray as cluster

    say("Ray workers", "points", "wall s", "load average")
    say(*["---"] * 4)
    walls: dict[int, list[float]] = {1: [], 2: []}
    for workers in (1, 2) * rounds:
        cluster.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=50)
        explore_small = run("KP=8,16 CP=4,9 PB=0:4MB:0.5MB LATENCY=20,40", f"ray:{workers}")
        assert len(explore_small[2])
        wall, _, found = run(f"{CORE} {SIZES}", f"ray:{workers}")
        cluster.shutdown()
        walls[workers].append(wall)
        say(workers, f"{len(found):,}", f"{wall:.1f}", load())
    print(f"\ntwo against one: {sum(walls[1]) / sum(walls[2]):.2f}x")


def search(seeds: int, samplers: list[str]) -> None:
    """How much of the grid's hypervolume 5 % of its points reach; the corner is the worst legal value of each."""
    _, _, grid = run(SEARCHED, "joblib:2")
    grid = screened_rows(grid, OBJECTIVES)  # what a search is answered with
    nets = choose_subnets(SUBNETS, SPACE, SEED, accept=is_runnable).subnets
    asked = Question(SPACE, nets, Accelerator.load("zcu104"), parse_vary(SEARCHED), OBJECTIVES)
    values, legal = grid[list(OBJECTIVES)].to_numpy(), grid["legal"].to_numpy()
    least, most = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    scales = {"linear": (values - least) / (most - least), "log": np.log(values / least) / np.log(most / least)}
    whole = {name: hypervolume(scaled[legal], [1, 1, 1]) for name, scaled in scales.items()}
    count = len(grid) // 20
    front = int(pareto_front(grid, OBJECTIVES).sum())
    print(f"{len(grid):,} points, {legal.sum():,} legal, {front} on the front; {count:,} evaluated\n")
    say("sampler", "seed", "evaluated", "linear", "log")
    say(*["---"] * 5)
    for name in samplers:
        for seed in range(seeds):
            if name == "random":
                cells = random_cells(len(grid), count, seed).tolist()
            else:
                batches = Search(asked, name, seed).batches(
                    count, lambda new: {cell: tuple(values[cell]) if legal[cell] else None for cell in new}
                )
                cells = [cell for batch in batches for cell in batch]
            at = np.array(cells)
            at = at[legal[at]]
            shares = [f"{hypervolume(scales[kind][at], [1, 1, 1]) / whole[kind]:.2%}" for kind in scales]
            say(name, seed, f"{len(cells):,}", *shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["speed", "ray", "search"])
    parser.add_argument("--rounds", type=int, default=1, help="of Ray, whose runs are timed in turns")
    parser.add_argument("--samplers", nargs="+", default=["random", "nsga2", "nsga3", "tpe"])
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    nets = choose_subnets(SUBNETS, SPACE, SEED, accept=is_runnable).subnets
    warm(Question(SPACE, nets, Accelerator.load("zcu104"), parse_vary("KP=16"), OBJECTIVES))
    parts = {
        "speed": speed,
        "ray": lambda: ray(options.rounds),
        "search": lambda: search(options.seeds, options.samplers),
    }
    for name, part in parts.items():
        if options.only in (None, name):
            print(f"\n## {name}\n")
            part()


if __name__ == "__main__":
    main()
