"""What the PB is worth on machines like ``zcu104`` whose PB and DRAM vary: the rows behind docs/studies/sushi.md.

Each row is on disk when it is known, so that a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.spaces import get_space, space_top1
from mapper.cost.network_costs import NetworkCosts
from mapper.pinning.greedy import candidates
from mapper.pinning.sampling import draw_subgraphs
from mapper.serving.serving_table import ServingTable
from sim.serving.schedulers import Schedulers
from sim.serving.streams import Stream, Targets, draw_stream

PRESET = "zcu104"
SHIPPED_GB_S = 9.6
"""The board's six ports of 16 bytes at 100 MHz."""

EVEN_STRIPES = 2
"""Ports for each of weights, activations and results. The preset has four for weights, one for each of the others."""

PB_MB = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Sizes beside the preset's own; every figure is against 0."""

BANDWIDTHS: Mapping[float, tuple[int, int]] = {2.4: (4, 1), 4.8: (2, 1), 9.6: (1, 1), 19.2: (1, 2)}
"""GB/s, and what makes the preset have them: cycles a beat and bytes a beat, times the preset's."""

WINDOWS = (1, 2, 4, 8, 16, 32)
CANDIDATES = (10, 50, 100, 500)
QUERIES, SEEDS = 1000, (1, 2, 3)
APART = "deterministic:0.1"
"""Queries that never wait for one another."""


@dataclass(frozen=True)
class Family:
    """SubNets of one SuperNet.

    Attributes
    ----------
    supernet : of all of them.
    subnets : by name.
    accuracy : of each, a fraction.
    """

    supernet: SuperNet
    subnets: Mapping[str, SubNet]
    accuracy: Mapping[str, float]

    def table(self, a: Accelerator, drawn: int = 0) -> ServingTable:
        """The serving table on a machine.

        Parameters
        ----------
        a : the machine.
        drawn : SubGraphs. 0: the best slice of each SubNet.
        """
        if drawn:
            graphs = draw_subgraphs(self.supernet, self.subnets.values(), drawn, a, seed=0)
        else:
            graphs = candidates(dict(self.subnets), self.supernet, a)
        return ServingTable.build(self.subnets, self.accuracy, graphs, self.supernet, a)


def published(name: str) -> Family:
    """The SubNets of a SuperNet, which ships by this name, whose accuracies are published."""
    space, top1 = get_space(name), space_top1(name)
    return Family(space, {subnet: space.subnet(subnet) for subnet in top1}, top1)


def resnet50() -> Family:
    """The six SubNets that SUSHI used."""
    return published("ofa-resnet50")


def mobilenetv3() -> Family:
    """The released SubNets; SUSHI's own are not published."""
    return published("ofa-mobilenetv3")


def families() -> dict[str, Family]:
    """The two families of SubNets of the sweep, by the titles of their tables."""
    return {"OFA-ResNet50": resnet50(), "OFA-MobileNetV3": mobilenetv3()}


def pb_sizes() -> tuple[float, ...]:
    """MB: :data:`PB_MB` and the preset's, ascending."""
    return tuple(sorted({*PB_MB, shipped_mb()}))


def shipped_mb() -> float:
    """The preset's PB in MB."""
    return Accelerator.load(PRESET).buffers.pb_bytes / 1e6


def machine(pb_mb: float, gb_s: float) -> Accelerator:
    """The preset with another PB and its ports shared evenly, maybe slower or wider.

    Parameters
    ----------
    pb_mb : megabytes of the PB.
    gb_s : one of :data:`BANDWIDTHS`.
    """
    preset = Accelerator.load(PRESET)
    slower, wider = BANDWIDTHS[gb_s]
    bits = 8 * wider * EVEN_STRIPES * preset.port_bytes
    return preset.replace(
        buffers={"pb_bytes": round(pb_mb * 1e6)},
        dram={"cycles_per_beat": slower * preset.dram.cycles_per_beat},
        axi={"data_bits": bits, "stripes": EVEN_STRIPES, "weight_stripes": EVEN_STRIPES},
    )


def streams(table: ServingTable, seeds: Sequence[int] = SEEDS) -> list[Stream]:
    """Streams with temporal locality whose deadlines lie within what the SubNets need without a PB.

    Parameters
    ----------
    table : latencies and accuracies.
    seeds : one a stream.
    """
    latency = table.latency_s[:, 0]
    targets = Targets(
        (float(table.accuracy.min()), float(table.accuracy.max())), (float(latency.min()), float(latency.max()))
    )
    return [draw_stream(APART, targets, QUERIES, seed) for seed in seeds]


def gains(table: ServingTable, window: int = 4, seeds: Sequence[int] = SEEDS) -> dict[str, float]:
    """What the PB is worth on one machine, each against the same machine with nothing in it.

    ``alone``: the most that any SubNet's latency falls with its best SubGraph; ``sushi``, ``forecast``: how much the
    mean latency of STRICT_ACCURACY falls; ``accuracy``: points gained by STRICT_LATENCY with SUSHI's cache; ``energy``
    and ``energy_alone``: DRAM bytes saved by ``forecast``, and at most by one SubNet; ``gap`` of it to the optimum.

    Parameters
    ----------
    table : costs of each query.
    window : queries between two choices of SUSHI's cache rule.
    seeds : one a stream.
    """
    schedulers = Schedulers(table)
    rows = []
    for stream in streams(table, seeds):
        none, sushi, ours = (
            schedulers.run("strict-accuracy", cache, stream, window).summary()
            for cache in ("none", "sushi", "forecast")
        )
        before, after = (
            schedulers.run("strict-latency", cache, stream, window).summary() for cache in ("none", "sushi")
        )
        best = schedulers.offline(stream).summary()
        rows.append(
            {
                "sushi": 1 - sushi["mean_latency_s"] / none["mean_latency_s"],
                "forecast": 1 - ours["mean_latency_s"] / none["mean_latency_s"],
                "accuracy": 100 * (after["accuracy"] - before["accuracy"]),
                "energy": 1 - ours["dram_bytes"] / none["dram_bytes"],
                "gap": ours["mean_service_s"] / best["mean_service_s"] - 1,
            }
        )
    cycles, moved = table.sushi.cycles, table.dram_bytes
    alone = float((1 - cycles.min(axis=1) / cycles[:, 0]).max())
    return {
        "alone": alone,
        **{str(key): float(value) for key, value in pd.DataFrame(rows).mean().items()},
        "energy_alone": float((1 - moved.min(axis=1) / moved[:, 0]).max()),
    }


def weights_saved(family: Family, table: ServingTable, a: Accelerator) -> float:
    """The most that any SubNet's weight traffic falls with its best SubGraph, a fraction.

    Parameters
    ----------
    family : the SubNets.
    table : theirs on the machine.
    a : the machine.
    """
    nets = [family.subnets[name] for name in table.sushi.subnets]
    nothing = [SubGraph.empty(family.supernet)]
    without = NetworkCosts(family.supernet, a).of_subgraphs(nets, nothing).weight_bytes[:, 0]
    return float((table.hit_bytes.max(axis=1) / without).max())


@dataclass(frozen=True)
class Point:
    """A point of the sweep, which gives one row of a table.

    Attributes
    ----------
    what : ``pb`` (the sweep), ``q`` (a Q), ``candidates`` (a number of them) or ``preset`` (the preset as it is).
    family : its name.
    gb_s, pb_mb : of the machine.
    number : the Q or the number of candidates.
    """

    what: str
    family: str
    gb_s: float
    pb_mb: float
    number: int = 0

    def work_out(self, family: Family, seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
        """The gains of this point.

        Parameters
        ----------
        family : the SubNets.
        seeds : one a stream.
        """
        a = Accelerator.load(PRESET) if self.what == "preset" else machine(self.pb_mb, self.gb_s)
        if self.what == "q":
            return gains(family.table(a), self.number, seeds)
        made = family.table(a, self.number)
        return {**gains(made, seeds=seeds), "weights_alone": weights_saved(family, made, a)}


def points(titles: Sequence[str]) -> Iterator[Point]:
    """Everything that the page shows, in order; Q and candidates with the preset's own PB and bandwidth."""
    here = SHIPPED_GB_S, shipped_mb()
    for title in titles:
        for gb_s in BANDWIDTHS:
            for pb_mb in pb_sizes():
                yield Point("pb", title, gb_s, pb_mb)
        yield Point("preset", title, *here)
        for window in WINDOWS:
            yield Point("q", title, *here, window)
        for count in CANDIDATES:
            yield Point("candidates", title, *here, count)


def rows(
    kept: Path, on_row: Callable[[int, int], None] = lambda done, total: None, only: Sequence[Point] | None = None
) -> pd.DataFrame:
    """The gains of every point, one row each.

    Parameters
    ----------
    kept : a file of JSON lines that holds what is known already, of this version and this preset; new rows are added to
        it.
    on_row : called with how many rows are known and how many there will be.
    only : some points. None: all.
    """
    members = families()
    wanted = list(points(list(members))) if only is None else list(only)
    made_by = {"version": version("fastswitch"), "preset": Accelerator.load(PRESET).hash()}
    known: dict[Point, dict[str, Any]] = {}
    if kept.exists():
        for text in kept.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(text)
            except ValueError:  # the last line of a run that was killed
                continue
            if entry["made_by"] == made_by:
                known[Point(**entry["point"])] = entry["gains"]
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.open("a", encoding="utf-8") as file:
        for done, point in enumerate(wanted):
            on_row(done, len(wanted))
            if point not in known:
                known[point] = point.work_out(members[point.family])
                file.write(json.dumps({"made_by": made_by, "point": vars(point), "gains": known[point]}) + "\n")
                file.flush()
    on_row(len(wanted), len(wanted))
    return pd.DataFrame([{**vars(point), **known[point]} for point in wanted])
