"""The serving table of a SuperNet on an accelerator, from what ships with the project."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from arch_model.accelerator import Accelerator
from arch_model.errors import SpaceError
from arch_model.spaces import get_space, read_subnets
from arch_model.supernet import SubNet
from arch_model.weights import SuperNetWeights, load_weights
from mapper.pinning import candidates as pin
from mapper.serving_table import ServingTable
from sim.session import Session
from sim.streams import STAY, Targets

FASHION = "fashion"


def spread(subnets: Mapping[str, SubNet], count: int) -> dict[str, SubNet]:
    """``count`` SubNets spread evenly from the smallest to the largest; all if there are no more."""
    order = sorted(subnets, key=lambda name: subnets[name].macs)
    places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return {order[i]: subnets[order[i]] for i in places}


def fashion_table(
    accelerator: Accelerator,
    candidates: int = 6,
    weights: SuperNetWeights | None = None,
    exact: bool = False,
    on_entry: Callable[[], None] = lambda: None,
) -> ServingTable:
    """The SubNets of ``fashion`` that ship trained, compiled, with SubGraphs of ``candidates`` of them.

    ``exact``: switches are compiled too, else estimated (:mod:`mapper.switch_cost`).
    """
    session = Session(FASHION, weights or load_weights(), accelerator)
    nets = session.weights.subnets
    return ServingTable.compiled(
        session.subnets,
        {name: net.top1 for name, net in nets.items()},
        pin(spread(session.subnets, candidates), session.supernet, accelerator),
        session.supernet,
        accelerator,
        {name: net.ops for name, net in nets.items()},
        session.memory_map,
        exact,
        on_entry,
    )


def load_table(
    accelerator: Accelerator,
    space: str | None = None,
    subnets: Path | None = None,
    candidates: int = 6,
    exact: bool = False,
) -> ServingTable:
    """The serving table of a SuperNet (``space``) or of the SubNets of a JSON file (``subnets``).

    The SubNets of ``fashion`` are compiled and have their measured accuracies; others need an accuracy, the file's
    key ``top1`` (per cent, or a fraction), and are taken layer by layer. ``candidates``: SubNets that SubGraphs are
    made of; ``exact``: as in :func:`fashion_table`. Raises :class:`SpaceError` for SubNets of several SuperNets or
    without an accuracy.
    """
    if subnets is None:
        if space not in (None, FASHION):
            get_space(str(space))
            raise SpaceError(f"SuperNet {space} comes without accuracies; give --subnets FILE.json with top1 of each")
        return fashion_table(accelerator, candidates, exact=exact)
    nets = {net.name: net for net in read_subnets(subnets)}
    names = {net.supernet for net in nets.values()}
    if len(names) > 1 or (space and space not in names):
        legal = f"of {space}" if space else "of one SuperNet"
        raise SpaceError(f"SubNets {subnets} are of {' and '.join(sorted(names))}; give SubNets {legal}")
    accuracy = _accuracies(subnets, list(nets))
    supernet = get_space(names.pop())
    subgraphs = pin(spread(nets, candidates), supernet, accelerator)
    return ServingTable.by_layers(nets, accuracy, subgraphs, supernet, accelerator)


def _accuracies(path: Path, names: Sequence[str]) -> dict[str, float]:
    """``top1`` of each entry, as a fraction; the file has been read once and its entries are objects."""
    found = {}
    for i, (name, entry) in enumerate(zip(names, json.loads(path.read_text(encoding="utf-8-sig")), strict=True)):
        top1 = entry.get("top1")
        if isinstance(top1, bool) or not isinstance(top1, (int, float)) or not 0 < top1 <= 100:
            raise SpaceError(f"SubNets {path}, entry {i} ({name}): top1 is {top1}; give its accuracy in per cent")
        found[name] = top1 / 100 if top1 > 1 else float(top1)
    return found


def span(table: ServingTable, locality: float = STAY) -> Targets:
    """What queries of a drawn stream ask for: any accuracy that there is, and the time of the fastest SubNet to twice
    that of the slowest, with nothing cached."""
    latency = table.latency_s[:, 0]
    return Targets(
        (float(table.accuracy.min()), float(table.accuracy.max())),
        (float(latency.min()), 2 * float(latency.max())),
        locality,
    )


def busy(table: ServingTable, load: float = 0.6) -> str:
    """Poisson arrivals that keep the machine busy for that part of the time, if SubNets are used alike."""
    return f"poisson:{load / float(table.latency_s.mean()):.6g}"
