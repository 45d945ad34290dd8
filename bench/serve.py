"""How fast serving decisions are, and how good: python bench/serve.py [--decisions] [--million] [--streams].

Without options all three. Times are of this machine as it is now; --cpu counts processor time instead of wall time,
for a machine that is shared.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from arch_model.machine.accelerator import Accelerator
from mapper.cost.switch_cost import Switches
from mapper.serving.latency_table import SushiAbs
from mapper.serving.serving_table import ServingTable, byte_joules
from sim.serving.schedulers import Schedulers, gap
from sim.serving.simulator import serve
from sim.serving.streams import Stream, Targets, draw_stream
from sim.serving.tables import fashion_table

STREAMS = 20
QUERIES = 1000
SLOW = 16
"""Shares of the mean service time that lie between two arrivals, so that no query waits for another."""


def made_up(subnets: int, subgraphs: int, layers: int = 60, seed: int = 0) -> ServingTable:
    """A table of random SubNets: what is cached of a SubNet saves up to a third of its time."""
    rng = np.random.default_rng(seed)
    accelerator = Accelerator.load("zcu104")
    vectors = rng.integers(0, 512, (subnets, 2 * layers)) * rng.random((subnets, 1))
    cached = np.vstack([np.zeros((1, 2 * layers)), vectors[rng.integers(subnets, size=subgraphs - 1)] / 2])
    vectors, cached = vectors.astype(np.int64), cached.astype(np.int64)
    weights = vectors.sum(axis=1)
    common = np.array([np.minimum(vectors, one).sum(axis=1) for one in cached]).T
    cycles = (1000 * (weights[:, None] - common / 1.5)).astype(np.int64)
    accuracy = 0.7 + 0.1 * np.argsort(np.argsort(weights + rng.normal(0, 500, subnets))) / subnets
    new = cached.sum(axis=1) - np.array([np.minimum(cached, one).sum(axis=1) for one in cached])
    moved = np.maximum(cycles // 10, 1)
    return ServingTable(
        SushiAbs(
            tuple(f"n{i}" for i in range(subnets)),
            tuple(f"g{i}" for i in range(subgraphs)),
            cached,
            cycles,
            accuracy,
            accelerator.clock_hz,
        ),
        vectors,
        moved,
        np.zeros_like(moved),
        moved * byte_joules(accelerator),
        Switches(200 * new[None], 20 * new[None]),
        byte_joules(accelerator),
    )


def targets_of(table: ServingTable, stay: float = 0.8) -> Targets:
    latency = table.latency_s[:, 0]
    return Targets((table.accuracy.min(), table.accuracy.max()), (latency.min(), latency.max()), stay)


def decisions(clock: Callable[[], int]) -> None:
    table = made_up(1000, 500)
    begin = time.perf_counter()
    schedulers = Schedulers(table)
    stream = draw_stream("poisson:10", targets_of(table), 20_000, 1)
    asked = list(zip(stream.accuracy.tolist(), stream.latency_s.tolist(), strict=True))
    table_of = dict.fromkeys(range(1000), 0)
    looks = np.empty(len(asked))
    for i in range(len(asked)):
        before = clock()
        table_of[i % 1000]
        looks[i] = clock() - before
    print(f"a decision among {table.shape[0]} SubNets and {table.shape[1]} SubGraphs, microseconds")
    print(
        f"{'policy':<17}{'cache':<10}{'median':>8}{'p99':>8}{'most':>9}{'ready in s':>12}{'x dictionary look-up':>22}"
    )
    for policy, cache in (
        ("strict-accuracy", "sushi"),
        ("strict-latency", "sushi"),
        ("slackfit", "sushi"),
        ("strict-accuracy", "forecast"),
        ("strict-latency", "forecast"),
        ("slackfit", "forecast"),
    ):
        begin = time.perf_counter()
        scheduler = schedulers.make(policy, cache, stream)
        scheduler.decide(*asked[0])
        ready = time.perf_counter() - begin
        times = np.empty(len(asked))
        for i, (accuracy, limit) in enumerate(asked):
            before = clock()
            scheduler.decide(accuracy, limit)
            times[i] = clock() - before
        median, high = np.percentile(times, (50, 99)) / 1000
        print(
            f"{policy:<17}{cache:<10}{median:>8.2f}{high:>8.2f}{times.max() / 1000:>9.1f}{ready:>12.2f}"
            f"{np.median(times) / np.median(looks):>22.0f}"
        )


def million(clock: Callable[[], int]) -> None:
    table = made_up(1000, 500)
    schedulers = Schedulers(table)
    stream = draw_stream("poisson:10", targets_of(table), 1_000_000, 1)
    print("a million queries, 1,000 SubNets, 500 SubGraphs, queue and summary included")
    for policy, cache in (("strict-accuracy", "sushi"), ("strict-latency", "sushi"), ("strict-accuracy", "forecast")):
        scheduler = schedulers.make(policy, cache, stream)
        scheduler.decide(0.7, 1.0)
        scheduler = schedulers.make(policy, cache, stream)
        before = clock()
        summary = serve(table, stream, scheduler).summary()
        print(f"{policy:<17}{cache:<10}{(clock() - before) / 1e9:>8.2f} s, {summary['switches']:,} switches")


def streams() -> None:
    table = fashion_table(Accelerator.load("tiny"), candidates=6, exact=True)
    schedulers = Schedulers(table)
    apart = 1 / (SLOW * table.latency_s.max())
    print(f"fashion on tiny: {table.shape[0]} SubNets, {table.shape[1]} SubGraphs, {QUERIES} queries a stream")
    print("mean latency in ms, and how far above the offline optimum")
    for stay in (0.0, 0.8, 0.95):
        better = worse = 0
        most = 0.0
        print(f"temporal locality {stay}")
        for seed in range(STREAMS):
            stream: Stream = draw_stream(f"deterministic:{apart}", targets_of(table, stay), QUERIES, seed)
            best = schedulers.offline(stream)
            sushi, ours = (schedulers.run("strict-accuracy", cache, stream) for cache in ("sushi", "forecast"))
            better += ours.latency_s.mean() < sushi.latency_s.mean()
            worse += ours.latency_s.mean() > sushi.latency_s.mean()
            most = max(most, gap(ours, best))
            text = f"  seed {seed:>2}  best {1e3 * best.latency_s.mean():.4f}"
            for name, run in (("sushi", sushi), ("forecast", ours)):
                text += f"  {name} {1e3 * run.latency_s.mean():.4f} ({100 * gap(run, best):.2f} %)"
            print(text)
        print(f"  forecast is better on {better}, worse on {worse} of {STREAMS}; largest gap {100 * most:.2f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = ("decisions", "million", "streams")
    for part in (*parts, "cpu"):
        parser.add_argument(f"--{part}", action="store_true")
    chosen = parser.parse_args()
    wanted = [part for part in parts if getattr(chosen, part)] or parts
    clock = time.process_time_ns if chosen.cpu else time.perf_counter_ns
    if "decisions" in wanted:
        decisions(clock)
    if "million" in wanted:
        million(clock)
    if "streams" in wanted:
        streams()


if __name__ == "__main__":
    main()
