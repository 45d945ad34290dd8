"""64 queries of one stream on the RTL beside the serving simulator: python bench/serve_rtl.py [QUERIES] [CACHE ...].

``fashion`` on ``tiny``, scheduled as ``fastswitch serve`` does: switches that happen are compiled, others estimated.
Printed beside it: the same schedule priced with estimates alone. Exit status 1 if an integer differs or total cycles
are further apart than 1 %.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from arch_model.machine.accelerator import Accelerator
from arch_model.network.weights import load_weights
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.simulators import find_simulator
from sim.serving.exact_switches import serve_exactly
from sim.serving.schedule_on_rtl import replay
from sim.serving.session import Session
from sim.serving.streams import draw_stream
from sim.serving.tables import FASHION, fashion_table, span

ALLOWED = 0.01


@click.command()
@click.argument("queries", type=click.IntRange(1), default=64)
@click.argument("caches", nargs=-1, metavar="[CACHE ...]")
def main(queries: int, caches: tuple[str, ...]) -> None:
    """Print a line a cache policy: sushi and forecast unless others are given."""
    tiny, weights = Accelerator.load("tiny"), load_weights()
    table = fashion_table(tiny, candidates=6)
    stream = draw_stream("poisson:400", span(table), queries, seed=7)
    built = build(tiny, find_simulator())
    wrong = False
    for cache in caches or ("sushi", "forecast"):
        served = serve_exactly(table, stream, "strict-accuracy", cache)
        with Bench(built) as bench:
            result = replay(served, Session(FASHION, weights, tiny), bench)
        exact = sum(row["bit_exact"] for row in result.rows)
        cycles = sum(row["simulated_cycles"] for row in result.rows)
        print(
            f"cache {cache}: {exact} of {queries} queries bit-exact, {int(served.switched.sum())} switches, cycles "
            f"{int(served.cycles.sum()):,} by table, {cycles:,} by RTL: {100 * result.cycle_error:+.3f} %, "
            f"DRAM bytes {100 * result.byte_error:+.3f} %",
            flush=True,
        )
        estimated = int(replace(served, table=table).cycles.sum()) / cycles - 1
        print(f"  with estimated switches alone: cycles {100 * estimated:+.3f} %", flush=True)
        wrong |= not result.bit_exact or abs(result.cycle_error) > ALLOWED
    sys.exit(int(wrong))


if __name__ == "__main__":
    main()
