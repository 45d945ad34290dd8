"""``fastswitch.serve``: a stream of queries on one machine, as fast as its latency table says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.load import load_accelerator
from arch_model.network.supernet import SuperNet
from arch_model.network.weights import SuperNetWeights
from arch_model.spaces import choose_subnets
from arch_model.spaces.chosen import Asked
from mapper.importers.network import Network
from mapper.importers.spaces import Source, load_supernet
from mapper.serving.policies import Scheduler
from mapper.serving.serving_table import ServingTable
from sim.serving.exact_switches import serve_exactly, serve_until_exact
from sim.serving.schedulers import check_names
from sim.serving.session import Session
from sim.serving.simulator import Served, screen
from sim.serving.simulator import serve as run_scheduler
from sim.serving.streams import Stream, draw_stream, parse_arrivals, read_trace
from sim.serving.tables import busy, load_table, session_table, span


def serve(
    supernet: Source | Sequence[Network | str | Path],
    subnets: Asked | None = None,
    accelerator: Accelerator | str | Path = "tiny",
    accuracy: Mapping[str, float] | None = None,
    weights: SuperNetWeights | None = None,
    stream: Stream | str | Path | None = None,
    arrivals: str | None = None,
    queries: int = 1000,
    policy: str | Callable[[ServingTable], Scheduler] = "strict-accuracy",
    cache: str = "forecast",
    window: int = 4,
    candidates: int = 6,
    on_infeasible: str = "error",
    seed: int = 0,
    table: ServingTable | None = None,
    mapping: str = "quick",
) -> Served:
    """Serve a stream of queries, each with an accuracy and a deadline, and see what it took.

    Parameters
    ----------
    supernet : the SuperNet; or its name, a file that makes it, ONNX models or imported networks.
    subnets : what may serve: SubNets, names, a JSON file, or how many to draw. None: all whose accuracy is known.
    accelerator : the machine, the name of a preset, or a YAML file.
    accuracy : top-1 of each SubNet by its name, a fraction, where it is not known otherwise.
    weights : integers of the SubNets, whose Programs then give the latencies. None: ``fashion`` has those that ship;
        the latencies of other SuperNets are added up from their layers.
    stream : recorded queries: a Stream, or a CSV file with ``arrival_s``, ``accuracy`` and ``latency_s``. None: drawn.
    arrivals : how drawn queries arrive, such as ``"poisson:200"`` (a second). None: the machine is 60 % busy.
    queries : how many to draw.
    policy : which SubNet serves: ``"strict-accuracy"``, ``"strict-latency"``, ``"slackfit"``, ``"static"`` or
        ``"random"``. Or a scheduler of your own, as a function (or a class) that is called with the serving table and
        gives an object with ``decide(accuracy, slack_s)``, which returns the SubNet's row and the SubGraph's column.
    cache : what the PB holds next: ``"none"``, ``"static"``, ``"sushi"``, ``"forecast"``; your own scheduler says it.
    window : queries between two choices of ``"sushi"``.
    candidates : SubNets of which the SubGraphs are made that the PB may hold.
    on_infeasible : ``"error"``, ``"best-effort"`` or ``"drop"``: queries that no SubNet can serve as asked.
    seed : of all that is random.
    mapping : who tiles the layers of a Program, ``"quick"`` or ``"best"``; the latter searches each SubNet for each
        SubGraph, some tenths of a second for each pair.
    table : the latency table of an earlier call (``served.table``), if only stream or schedule are others.

    Returns
    -------
    Served
        ``summary()`` has the figures of the whole stream, ``to_frame()`` a row a query.

    Raises
    ------
    SpaceError
        A SubNet is not there, or its accuracy is not known.
    StreamError
        The stream is malformed, or asks for what no SubNet has.
    MappingError
        The machine cannot run a SubNet.

    Examples
    --------
    >>> served = serve("fashion", "fashion-d111-w222,fashion-d222-w444", "tiny", queries=20, candidates=1)
    >>> served.summary()["queries"], served.summary()["accuracy_attainment"]
    (20, 1.0)
    """
    if isinstance(policy, str):
        check_names(policy, cache)
    if arrivals is not None:
        parse_arrivals(arrivals)
    space, machine = load_supernet(supernet), load_accelerator(accelerator)
    if table is not None:
        _check_table(table, space, machine)
    elif weights is None:
        table = load_table(machine, space, subnets, candidates, seed=seed, accuracy=accuracy, policy=mapping)
    else:
        table = _compiled_table(space, subnets, machine, weights, candidates, seed, mapping)
    if stream is None:
        wanted = draw_stream(arrivals or busy(table), span(table), queries, seed)
    else:
        wanted = stream if isinstance(stream, Stream) else read_trace(Path(stream))
    wanted = screen(wanted, table, on_infeasible)
    if isinstance(policy, str):
        return serve_exactly(table, wanted, policy, cache, window, seed)
    (served,) = serve_until_exact(table, lambda known: [run_scheduler(known, wanted, policy(known))])
    return served


def _compiled_table(
    supernet: SuperNet,
    subnets: Asked | None,
    machine: Accelerator,
    weights: SuperNetWeights,
    candidates: int,
    seed: int,
    mapping: str,
) -> ServingTable:
    """The table of Programs of these SubNets, or of all that the weights have integers of."""
    nets = None if subnets is None else {net.name: net for net in choose_subnets(subnets, supernet, seed).subnets}
    held = weights if nets is None else weights.only(nets)
    return session_table(Session(supernet, held, machine, nets), candidates, policy=mapping)


def _check_table(table: ServingTable, supernet: SuperNet, machine: Accelerator) -> None:
    """Raise :class:`FastSwitchError` for the table of another SuperNet or another machine."""
    facts = table.facts
    if (facts["space"], facts["accelerator_hash"]) != (supernet.name, machine.hash()):
        raise FastSwitchError(
            f"table is of {facts['space']} on {facts['accelerator']}; this is {supernet.name} on {machine.name}, "
            "give a table of these"
        )
