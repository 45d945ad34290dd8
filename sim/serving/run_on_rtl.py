"""Serve a stream of queries on the RTL: schedule, compile, predict, simulate, compare."""

from __future__ import annotations

import operator
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from arch_model.errors import SpaceError
from arch_model.files.question import argument, asked, file_digest, machine_facts
from arch_model.files.results_folder import ResultsFolder
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph, SuperNet
from arch_model.network.weights import SuperNetWeights
from arch_model.spaces.registry import ships, space_facts
from arch_model.spaces.trained import check_weights, choose_weights, weights_of
from mapper.pinning.greedy import candidates
from mapper.search.policy import Policy as Tiler
from mapper.search.program_table import search_programs
from mapper.serving.compiled_table import Tilings
from mapper.serving.latency_table import NOTHING, SushiAbs
from mapper.serving.sushi_sched import Policy, SushiSched
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.outcome import Outcome
from sim.rtl_bench.simulators import Simulator
from sim.serving.queries import ImageQuery, draw_queries
from sim.serving.session import RANDOM, Session

SPACE = "fashion"
WINDOW = 4
"""Q: queries between two choices of a SubGraph."""

CANDIDATES = 6
"""SubGraphs to choose from: of SubNets spread evenly from the smallest to the largest."""

ROWS, TABLE = "queries.jsonl", "queries.csv"
"""What a stream leaves in its folder: every finished query as soon as it is, then all of them as a table."""

GREY, RGB = 1, 3
"""Channels of images that a page can show."""

NOT_KEPT = ("image", "pb_layers")
"""Of a row, what follows from the rest of it."""

Row = dict[str, Any]


def stream_question(
    accelerator: Accelerator,
    *,
    queries: int,
    policy: str,
    seed: int,
    weights: Path | None = None,
    subnets: str | None = None,
    supernet: SuperNet | str = SPACE,
    mapping: Tiler | str = Tiler.QUICK,
) -> Row:
    """All that the results of :func:`run_stream` depend on.

    Parameters
    ----------
    accelerator : the machine.
    queries : how many.
    policy : ``strict-accuracy`` or ``strict-latency``.
    seed : of the queries.
    weights : a weights file. None: the one that ships.
    subnets : those to serve with. None: all.
    supernet : whose the weights are.
    mapping : who tiles the layers of a Program.

    Raises
    ------
    WeightsError
        The weights file cannot be read.
    """
    check_weights(supernet, weights)
    return asked(
        "run",
        **machine_facts(accelerator),
        seed=seed,
        policy=policy,
        queries=queries,
        weights=file_digest(weights) if weights else "those that ship",
        subnets=argument(subnets) if subnets else "all",
        **({} if ships(supernet) else space_facts(supernet)),
        mapping_policy=str(Tiler(mapping)),
    )


def run_stream(
    accelerator: Accelerator,
    *,
    queries: int,
    policy: str,
    seed: int,
    results: ResultsFolder,
    simulator: Simulator,
    on_row: Callable[[Row], None],
    on_stage: Callable[[str], None] = lambda stage: None,
    weights: Path | None = None,
    subnets: str | None = None,
    supernet: SuperNet | str = SPACE,
    mapping: Tiler | str = Tiler.QUICK,
) -> Row:
    """Serve queries drawn from a seed; returns the summary.

    Queries that are in the folder already are not simulated anew. A single SubNet may be of unknown accuracy, and
    images may have no labels, as of imported networks: what is not known of a row is None.

    Parameters
    ----------
    accelerator : the machine.
    queries : how many.
    policy : ``strict-accuracy`` or ``strict-latency``.
    seed : of the queries.
    results : the folder, opened for :func:`stream_question`, with :data:`ROWS` and :data:`TABLE` among its files.
    simulator : that runs the RTL.
    on_row : called with every query's row when it is in the folder.
    on_stage : called with what long work begins.
    weights : a weights file. None: the one that ships.
    subnets : those to serve with, as :func:`~arch_model.spaces.trained.choose_weights` takes them. None: all.
    supernet : whose the weights are.
    mapping : who tiles the layers of a Program; those in which the SubGraph changes are the quick choice's.

    Raises
    ------
    FastSwitchError
        Weights, an accelerator or a simulator cannot be used.
    """
    held = weights_of(supernet, weights)
    used = held if subnets is None else choose_weights(held, subnets, seed, supernet)
    unknown = _unknown_accuracy(used)
    if unknown:  # one SubNet serves whatever is asked for
        used = replace(used, subnets={unknown: replace(used.subnets[unknown], top1=0.0)})
    session = Session(supernet, used, accelerator)
    with ThreadPoolExecutor(1) as aside:  # the compilers of the simulator work while the table is made
        built = aside.submit(build, accelerator, simulator)
        on_stage("building the latency table and the simulation")
        table, subgraphs, tilings = build_table(session, mapping)
        bench_build = built.result()
    vectors = np.array([SubGraph.of(session.subnets[name], session.supernet).encode() for name in table.subnets])
    scheduler = SushiSched(table, vectors, Policy(policy), WINDOW)
    wishes = draw_queries(table, len(session.images), queries, seed)

    rows: list[Row] = []
    on_stage("serving")
    with results.journal(ROWS) as finished, Bench(bench_build) as bench:
        for number, query in enumerate(wishes):
            before = scheduler.column
            chosen, column = scheduler.serve(query.targets)
            name, subgraph = table.subnets[chosen], subgraphs[table.subgraphs[column]]
            key = f"{bench_build.folder.name} {number}"  # simulated by this very machine
            if key in finished:
                session.pass_over(subgraph)
            else:
                tiling = tilings[chosen][before] if tilings and column == before else None  # a switch is quick's
                outcome = session.run(bench, name, subgraph, session.image(query.image, name), tiling)
                kept = _row(number, query, name, table.subgraphs[column], column != before, outcome, session)
                if unknown:
                    kept |= {"min_accuracy": None, "subnet_accuracy": None}
                finished.add(key, kept)
            row = {**finished.get(key), **_not_kept(query, session, subgraph)}
            rows.append(row)
            on_row(row)
    results.write_table(TABLE, ({key: row[key] for key in row if key not in NOT_KEPT} for row in rows))
    facts = {key: results.question[key] for key in ("version", "accelerator_hash", "seed", "policy", "mapping_policy")}
    if session.labels is None:
        facts |= {"images": RANDOM}
    return {**_summary(rows, accelerator), **facts, "accelerator": accelerator.name, "simulator": simulator.describe()}


def _unknown_accuracy(weights: SuperNetWeights) -> str | None:
    """The only SubNet, if its accuracy is not known; :class:`SpaceError` where several are to choose from."""
    unknown = [name for name, net in weights.subnets.items() if isnan(net.top1)]
    if unknown and len(weights.subnets) > 1:
        raise SpaceError(
            f"the accuracy of SubNet {unknown[0]} is not known, by which queries choose; give --subnets FILE.json with "
            "top1 of each, which `fastswitch subnets --json` begins"
        )
    return unknown[0] if unknown else None


def build_table(
    session: Session, mapping: Tiler | str = Tiler.QUICK
) -> tuple[SushiAbs, dict[str, SubGraph], Tilings | None]:
    """SushiAbs of a session's SubNets, smallest first; its SubGraphs by name, the empty one first; and the tilings of
    each row and column, None where they are the quick choice.

    Parameters
    ----------
    session : its SubNets and their machine.
    mapping : who tiles the layers of a Program.
    """
    subnets = session.subnets
    order = sorted(subnets, key=lambda name: subnets[name].macs)
    spread = {order[i]: subnets[order[i]] for i in np.linspace(0, len(order) - 1, CANDIDATES).round().astype(int)}
    subgraphs = candidates(spread, session.supernet, session.accelerator)
    columns = {NOTHING: SubGraph.empty(session.supernet), **subgraphs}
    accuracy = {name: net.top1 for name, net in session.weights.subnets.items()}
    if Tiler(mapping) is Tiler.QUICK:
        table = SushiAbs.build(subnets, accuracy, subgraphs, session.supernet, session.accelerator, order)
        return table, columns, None
    nets, graphs = [subnets[name] for name in order], list(columns.values())
    found = search_programs(session.supernet, session.accelerator, nets, graphs)
    table = SushiAbs.of(order, columns, found.costs.cycles, accuracy, session.accelerator, str(Tiler.BEST))
    return table, columns, found.tilings


def _row(
    number: int,
    query: ImageQuery,
    name: str,
    cached: str,
    switched: bool,
    outcome: Outcome,
    session: Session,
) -> Row:
    return {
        "query": number,
        "min_accuracy": query.targets.min_accuracy,
        "max_latency_s": query.targets.max_latency_s,
        "subnet": name,
        "subnet_accuracy": session.weights.subnets[name].top1,
        "cached_subgraph": cached,
        "switched": switched,
        "dram_bytes": sum(outcome.simulated_bytes.values()),
        "predicted_dram_bytes": sum(outcome.program.dram_bytes.values()),
        "pb_saved_bytes": outcome.program.pb_hit_bytes,
        "predicted_cycles": outcome.predicted.cycles,
        "simulated_cycles": outcome.result.cycles,
        "cycle_error": outcome.cycle_error,
        "latency_s": outcome.result.cycles / session.accelerator.clock_hz,
        "predicted_class": int(np.argmax(session.logits(outcome, name))),
        "label": None if session.labels is None else int(session.labels[query.image]),
        "image_index": query.image,
        "bit_exact": outcome.exact,
    }


def _not_kept(query: ImageQuery, session: Session, subgraph: SubGraph) -> Row:
    pinned = {
        layer.name: k * c * layer.R * layer.S
        for layer, (k, c) in zip(session.supernet.layers, subgraph.slices, strict=True)
    }
    image = session.images[query.image]
    drawable = image.ndim == 2 or len(image) in (GREY, RGB)
    if drawable and image.ndim == 3 and len(image) == GREY:
        image = image[0]
    return {"pb_layers": pinned, "image": image if drawable else None}


def _summary(rows: list[Row], accelerator: Accelerator) -> Row:
    classes, labels = ([row[key] for row in rows] for key in ("predicted_class", "label"))
    saved = sum(row["pb_saved_bytes"] for row in rows)
    moved = sum(row["dram_bytes"] for row in rows)
    return {
        "queries": len(rows),
        "bit_exact": all(row["bit_exact"] for row in rows),
        "max_cycle_error": max(abs(row["cycle_error"]) for row in rows),
        "dram_bytes": moved,
        "bytes_saved_fraction": saved / (saved + moved),
        "accuracy": None if None in labels else sum(map(operator.eq, classes, labels)) / len(rows),
        "mean_latency_s": sum(row["latency_s"] for row in rows) / len(rows),
        "switches": sum(row["switched"] for row in rows),
        "clock_hz": accelerator.clock_hz,
        "pb_bytes": accelerator.buffers.pb_bytes,
    }
