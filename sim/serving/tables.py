"""The serving table of a SuperNet on an accelerator, from what ships with the project."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from arch_model.errors import SpaceError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.network.weights import SuperNetWeights, load_weights
from arch_model.spaces import choose_subnets, get_space, space_top1
from arch_model.spaces.chosen import Asked
from arch_model.spaces.shipped_weights import weights_file
from mapper.pinning.greedy import candidates as pin
from mapper.search.policy import Policy
from mapper.search.program_table import SearchedPrograms, search_programs
from mapper.serving.compiled_table import compiled_table
from mapper.serving.latency_table import NOTHING
from mapper.serving.serving_table import ServingTable
from mapper.serving.table_file import load_table as read_table
from mapper.workload.fusion import is_runnable
from sim.serving.session import Session
from sim.serving.streams import STAY, Targets

FASHION = "fashion"

OnCount = Callable[[str, int, int], None]
"""Called with a stage of the work, what is done of it and what there is to do."""


def spread(subnets: Mapping[str, SubNet], count: int) -> dict[str, SubNet]:
    """SubNets spread evenly from the smallest to the largest; all if there are no more.

    Parameters
    ----------
    subnets : by name.
    count : of SubNets.
    """
    order = sorted(subnets, key=lambda name: subnets[name].macs)
    places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return {order[i]: subnets[order[i]] for i in places}


def fashion_table(
    accelerator: Accelerator,
    candidates: int = 6,
    weights: SuperNetWeights | None = None,
    exact: bool = False,
    on_count: OnCount = lambda stage, done, total: None,
) -> ServingTable:
    """The SubNets of ``fashion`` that ship trained, compiled.

    Parameters
    ----------
    accelerator : the machine.
    candidates : SubNets that SubGraphs are made of.
    weights : a weights file as it was read. None: the one that ships.
    exact : compile all switches, too; else those that happen (:mod:`sim.serving.exact_switches`).
    on_count : called with the stage of the work, what is done and what there is to do.
    """
    return session_table(Session(FASHION, weights or load_weights(), accelerator), candidates, exact, on_count)


def session_table(
    session: Session,
    candidates: int = 6,
    exact: bool = False,
    on_count: OnCount = lambda stage, done, total: None,
    policy: Policy | str = Policy.QUICK,
) -> ServingTable:
    """The table of any SubNets with their weights, compiled.

    Parameters
    ----------
    session : their SuperNet on an accelerator.
    candidates : SubNets that SubGraphs are made of.
    exact : compile all switches, too.
    on_count : called with the stage of the work, what is done and what there is to do.
    policy : who tiles the layers of a Program.
    """
    nets, accelerator = session.weights.subnets, session.accelerator
    subgraphs = pin(spread(session.subnets, candidates), session.supernet, accelerator)
    switches, done = len(nets) * (len(subgraphs) + 1) * len(subgraphs), 0
    total = len(nets) + (switches if exact else 0)

    def on_entry() -> None:
        nonlocal done
        done += 1
        on_count("compiling", done, total)

    searched = None
    if Policy(policy) is Policy.BEST:
        found = _searched(session.subnets, subgraphs, session.supernet, accelerator, on_count)
        searched = found.costs, found.tilings
    return compiled_table(
        session.subnets,
        {name: net.top1 for name, net in nets.items()},
        subgraphs,
        session.supernet,
        accelerator,
        {name: net.ops for name, net in nets.items()},
        session.memory_map,
        exact,
        on_entry,
        searched,
    )


def _searched(
    subnets: Mapping[str, SubNet],
    subgraphs: Mapping[str, SubGraph],
    supernet: SuperNet,
    accelerator: Accelerator,
    on_count: OnCount,
) -> SearchedPrograms:
    """Programs by the policy ``best``, SubNets in the order of their MACs, the empty SubGraph first."""
    nets = [subnets[name] for name in sorted(subnets, key=lambda name: subnets[name].macs)]
    graphs, done = [SubGraph.empty(supernet), *subgraphs.values()], 0

    def on_program() -> None:
        nonlocal done
        done += 1
        on_count("searching mappings", done, len(nets) * len(graphs))

    return search_programs(supernet, accelerator, nets, graphs, on_program)


def load_table(
    accelerator: Accelerator,
    space: str | SuperNet | None = None,
    subnets: Asked | None = None,
    candidates: int = 6,
    exact: bool = False,
    saved: Path | None = None,
    on_count: OnCount = lambda stage, done, total: None,
    seed: int = 0,
    accuracy: Mapping[str, float] | None = None,
    policy: Policy | str = Policy.QUICK,
) -> ServingTable:
    """The serving table of a SuperNet or of SubNets that are asked for.

    Parameters
    ----------
    accelerator : the machine.
    space : the SuperNet, or its name. None: that of the SubNets, or ``fashion``.
    subnets : as :func:`arch_model.spaces.choose_subnets` takes them, a number draws with ``seed``; None: those of the
        space that have a known accuracy (``accuracy``, :func:`arch_model.spaces.space_top1`). Those that
        ship with weights are compiled; others need an accuracy, the file's key ``top1`` (per cent, or a fraction) or a
        known one.
    candidates : SubNets that SubGraphs are made of.
    exact : as in :func:`fashion_table`.
    saved : a table that ``fastswitch table`` wrote; SubGraphs and cycles are its own then, and nothing is compiled.
    on_count : called with the stage of the work, what is done and what there is to do.
    seed : of SubNets that are drawn.
    accuracy : of SubNets by name, a fraction; it comes before what a file says and what is known.
    policy : who tiles the layers of a Program; of a saved table it is known.

    Returns
    -------
    ServingTable

    Raises
    ------
    SpaceError
        SubNets of several SuperNets, or without an accuracy.
    FastSwitchError
        A saved table of another accelerator or SuperNet.
    """
    given = dict(accuracy or {})
    if exact and saved is not None:
        raise SpaceError(f"table {saved}: exact switches need Programs; leave out --exact or the table")
    if subnets is None and saved is None and not (given or space_top1(space or FASHION)):
        name = space.name if isinstance(space, SuperNet) else space
        raise SpaceError(f"SuperNet {name} comes without accuracies; give --subnets FILE.json with top1 of each")
    file = weights_file(FASHION if space is None else space)
    weights = None if file is None else load_weights(file)
    if subnets is None:
        supernet = get_space(space or FASHION)
        known: Mapping[str, float] = {**space_top1(supernet), **given}
        named = () if saved is not None or weights else known
        nets: dict[str, SubNet] = {name: supernet.subnet(name) for name in named}
    else:
        number = isinstance(subnets, int) or (isinstance(subnets, str) and subnets.isdecimal())
        among = list(weights.subnets) if weights and saved is None else None
        chosen = choose_subnets(subnets, space or (FASHION if number else None), seed, among, is_runnable)
        supernet, nets = chosen.supernet, {net.name: net for net in chosen.subnets}
        if (found := weights_file(supernet)) != file:  # no SuperNet was given, and these are not fashion's
            weights = None if found is None else load_weights(found)
        known = {**chosen.accuracy, **given}
    for name, value in given.items():
        if not 0 < value <= 1:
            raise SpaceError(f"accuracy of SubNet {name} is {value!r}; give a fraction above 0 and up to 1")
    if saved is None and weights and _all_trained(nets, supernet, weights):
        held = weights.only(nets) if nets else weights
        told = {name: replace(net, top1=known[name]) for name, net in held.subnets.items()}
        session = Session(supernet, replace(held, subnets=told), accelerator)
        return session_table(session, candidates, exact, on_count, policy)
    if exact:
        what = f"SubNets {subnets}" if subnets else f"SuperNet {supernet.name}"
        raise SpaceError(f"{what}: exact switches need Programs; leave out --exact, or serve fashion or cifar")
    on_count("building the latency table", 0, 1)
    if saved is not None:
        return _from_saved(saved, accelerator, supernet, nets, known, on_count)
    for name in nets:
        if name not in known:
            raise SpaceError(f"SubNet {name} comes without an accuracy; give --subnets FILE.json with top1 of each")
    subgraphs = pin(spread(nets, candidates), supernet, accelerator)
    costs = None
    if Policy(policy) is Policy.BEST:
        costs = _searched(nets, subgraphs, supernet, accelerator, on_count).costs
    return ServingTable.build(nets, known, subgraphs, supernet, accelerator, searched=costs)


def _all_trained(nets: Mapping[str, SubNet], supernet: SuperNet, weights: SuperNetWeights) -> bool:
    """Whether the weights have every SubNet, as its name says it is."""
    return all(name in weights.subnets and supernet.subnet(name) == net for name, net in nets.items())


def _from_saved(
    path: Path,
    accelerator: Accelerator,
    supernet: SuperNet,
    nets: dict[str, SubNet],
    accuracy: Mapping[str, float],
    on_count: OnCount,
) -> ServingTable:
    """The table of a file, of ``nets`` alone if there are any: cycles as they stand there, bytes worked out."""
    sushi = read_table(path, accelerator, supernet)
    held = {name: row for row, name in enumerate(sushi.subnets)}
    for name in nets:
        if name not in held:
            raise SpaceError(f"table {path} has no SubNet {name}; give SubNets among its {len(held)}")
    nets = nets or {name: supernet.subnet(name) for name in held}
    own = {name: float(sushi.accuracy[held[name]]) for name in nets}
    found = {name: accuracy.get(name, own[name]) for name in nets}
    for name, value in found.items():
        if not 0 < value <= 1:
            raise SpaceError(f"table {path}: no accuracy of SubNet {name}; give --subnets FILE.json with top1 of each")
    rows = [held[name] for name in sorted(nets, key=lambda name: nets[name].macs)]
    subgraphs = {
        name: SubGraph.decode(supernet, vector) for name, vector in zip(sushi.subgraphs, sushi.vectors, strict=True)
    }
    empty = sushi.subgraphs.index(NOTHING)
    order = [empty, *(column for column in range(len(subgraphs)) if column != empty)]
    del subgraphs[NOTHING]
    costs = None
    if sushi.policy == Policy.BEST:
        costs = _searched(nets, subgraphs, supernet, accelerator, on_count).costs
    table = ServingTable.build(nets, found, subgraphs, supernet, accelerator, sushi.cycles[rows][:, order], costs)
    return replace(table, facts={**table.facts, "table": str(path)})


def span(table: ServingTable, locality: float = STAY) -> Targets:
    """What queries of a drawn stream ask for: any accuracy that there is, and the time of the fastest SubNet to twice
    that of the slowest, with nothing cached.

    Parameters
    ----------
    table : latencies and accuracies.
    locality : probability that a query's wishes lie near those of the one before.
    """
    latency = table.latency_s[:, 0]
    return Targets(
        (float(table.accuracy.min()), float(table.accuracy.max())),
        (float(latency.min()), 2 * float(latency.max())),
        locality,
    )


def busy(table: ServingTable, load: float = 0.6) -> str:
    """Poisson arrivals that keep the machine busy for a part of the time, if SubNets are used alike.

    Parameters
    ----------
    table : latencies.
    load : that part, 0 to 1.
    """
    return f"poisson:{load / float(table.latency_s.mean()):.6g}"
