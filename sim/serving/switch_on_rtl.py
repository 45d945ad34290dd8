"""What a switch of the SubGraph costs on the RTL: the query that does it beside the same query without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

from arch_model.network.supernet import SubGraph
from mapper.layout.persistent_buffer import PersistentBuffer
from sim.rtl_bench.bench import Bench
from sim.rtl_bench.outcome import Outcome
from sim.serving.session import Session
from sim.serving.simulator import Served

Row = dict[str, Any]


def pb_states(served: Served, session: Session) -> Iterator[tuple[PersistentBuffer, PersistentBuffer]]:
    """What is in the PB before and after each query of a stream that begins with an empty one.

    Parameters
    ----------
    served : the schedule.
    session : of the table's SuperNet and accelerator.
    """
    vectors, held = served.table.sushi.vectors, PersistentBuffer.empty(session.supernet)
    for column in served.columns.tolist():
        before, wanted = held, SubGraph.decode(session.supernet, vectors[column])
        if wanted != held.subgraph:
            held = held.switch(wanted, session.supernet, session.accelerator)
        yield before, held


def measure_switch(
    session: Session,
    bench: Bench,
    name: str,
    before: PersistentBuffer,
    after: PersistentBuffer,
    image: npt.NDArray[Any],
) -> Row:
    """Run a SubNet with one SubGraph in the PB, with another in it, from one to the other, and the fill by itself.

    Cycles, predicted and simulated, and DRAM bytes: ``stays`` (``before`` stays), ``switches``, ``had`` (``after`` was
    there already), ``fill`` (a Program that loads ``after`` and computes nothing). ``waits``: cycles in which the array
    stood still for weights. ``hidden``: the part of the fill's cycles that ``switches`` does not take beyond ``had``,
    because the query works meanwhile.

    Parameters
    ----------
    session : of the SuperNet and the accelerator.
    bench : the machine.
    name : of the SubNet.
    before, after : what the PB holds.
    image : int8 (C, H, W).
    """
    session.load(bench, before)
    found = {"stays": session.run(bench, name, before.subgraph, image)}
    found["switches"] = session.run(bench, name, after.subgraph, image)
    found["had"] = session.run(bench, name, after.subgraph, image)
    session.load(bench, before)
    found["fill"] = session.load(bench, after)
    row: Row = {"subnet": name, "tiles": sum(before.slots.get(tile) != slot for tile, slot in after.slots.items())}
    for word, outcome in found.items():
        row |= _measured(word, outcome)
    row["hidden"] = 1 - (row["switches_cycles"] - row["had_cycles"]) / row["fill_cycles"]
    return row


def _measured(word: str, outcome: Outcome) -> Row:
    return {
        f"{word}_predicted": outcome.predicted.cycles,
        f"{word}_cycles": outcome.result.cycles,
        f"{word}_bytes": sum(outcome.simulated_bytes.values()),
        f"{word}_waits": outcome.result.counters["WAIT_WEIGHTS"],
        f"{word}_exact": outcome.exact,
    }
