"""The RTL in the loop: the schedule that the serving simulator made, executed query by query and compared with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from arch_model.network.supernet import SubGraph
from sim.rtl_bench.bench import Bench
from sim.serving.executed import Executed
from sim.serving.session import Session

Row = dict[str, Any]


@dataclass(frozen=True)
class Replayed:
    """What the RTL made of a served stream: one row a query, and the sums."""

    rows: tuple[Row, ...]

    @property
    def bit_exact(self) -> bool:
        """Every integer of every query is the reference's, and every byte was predicted."""
        return all(row["bit_exact"] for row in self.rows)

    @property
    def cycle_error(self) -> float:
        """(cycles of the serving simulator - cycles of the RTL) / cycles of the RTL, over the whole stream."""
        return self._error("table_cycles", "simulated_cycles")

    @property
    def byte_error(self) -> float:
        """(DRAM bytes of the serving simulator - those of the RTL) / those of the RTL, over the whole stream."""
        return self._error("table_dram_bytes", "dram_bytes")

    def _error(self, said: str, found: str) -> float:
        true = sum(int(row[found]) for row in self.rows)
        return (sum(int(row[said]) for row in self.rows) - true) / true


def replay(
    served: Executed, session: Session, bench: Bench, seed: int = 0, on_row: Callable[[Row], None] = lambda row: None
) -> Replayed:
    """Run every query of a schedule on the RTL, the PB going from one query to the next.

    Parameters
    ----------
    served : the schedule.
    session : of the table's SuperNet and accelerator, its PB empty, as the simulator began.
    bench : the machine.
    seed : of the images.
    on_row : called with each query's row.
    """
    sushi = served.table.sushi
    subgraphs = [SubGraph.decode(session.supernet, vector) for vector in sushi.vectors]
    images = np.random.default_rng(seed).integers(len(session.images), size=len(served.rows))
    rows = []
    for query, image in enumerate(images.tolist()):
        name, column = sushi.subnets[served.rows[query]], int(served.columns[query])
        outcome = session.run(bench, name, subgraphs[column], session.image(image, name))
        row = {
            "query": query,
            "subnet": name,
            "image_index": image,
            "cached_subgraph": sushi.subgraphs[column],
            "switched": bool(served.switched[query]),
            "table_cycles": int(served.cycles[query]),
            "predicted_cycles": outcome.predicted.cycles,
            "simulated_cycles": outcome.result.cycles,
            "table_dram_bytes": int(served.dram_bytes[query]),
            "predicted_dram_bytes": sum(outcome.program.dram_bytes.values()),
            "dram_bytes": sum(outcome.simulated_bytes.values()),
            "bit_exact": outcome.exact,
        }
        rows.append(row)
        on_row(row)
    return Replayed(tuple(rows))
