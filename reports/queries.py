"""One served query, as the reports see it: a row of ``fastswitch run`` with types and what follows from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import networkx as nx

from arch_model.files.cifar10 import CLASSES as CIFAR10_CLASSES

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
"""The classes of Fashion-MNIST, by label."""
_OF_SUPERNET = {"fashion": CLASSES, "cifar": CIFAR10_CLASSES}
"""By what the names of its SubNets begin with."""


@dataclass(frozen=True)
class Query:
    """A row of the stream; times in seconds, sizes in bytes, accuracies and errors as fractions.

    Attributes
    ----------
    query : its number.
    min_accuracy, max_latency_s : its targets. None: not asked for, which counts as met.
    subnet, subnet_accuracy : what served it.
    cached_subgraph : in the PB.
    pb_layers : bytes in the PB by layer, without layers of which nothing is there.
    layer_order : all layers that the row names.
    switched : whether the SubGraph changed with it.
    dram_bytes, pb_saved_bytes : moved, and spared by the PB.
    predicted_cycles, simulated_cycles, cycle_error : by the model, on the RTL, and their difference over the latter.
    predicted_class, label : what the network said, and what is right.
    bit_exact : whether every integer was the reference's.
    image : uint8 (rows, columns), or None.
    latency_s : on the RTL.
    """

    query: int
    min_accuracy: float | None
    max_latency_s: float | None
    subnet: str
    subnet_accuracy: float | None
    cached_subgraph: str
    pb_layers: Mapping[str, int]
    layer_order: tuple[str, ...]
    switched: bool
    dram_bytes: int
    pb_saved_bytes: int
    predicted_cycles: int
    simulated_cycles: int
    cycle_error: float
    predicted_class: int
    label: int | None
    bit_exact: bool
    image: Any
    latency_s: float

    @classmethod
    def of(cls, row: Mapping[str, Any], clock_hz: float) -> Query:
        """Read a row.

        Parameters
        ----------
        row : as ``fastswitch run`` writes it.
        clock_hz : turns its cycles into seconds.
        """
        accuracy, latency = row["min_accuracy"], row["max_latency_s"]
        cycles = int(row["simulated_cycles"])
        return cls(
            query=int(row["query"]),
            min_accuracy=None if accuracy is None else float(accuracy),
            max_latency_s=None if latency is None else float(latency),
            subnet=str(row["subnet"]),
            subnet_accuracy=None if row["subnet_accuracy"] is None else float(row["subnet_accuracy"]),
            cached_subgraph=str(row["cached_subgraph"]),
            pb_layers={str(layer): int(size) for layer, size in row["pb_layers"].items() if size},
            layer_order=tuple(str(layer) for layer in row["pb_layers"]),
            switched=bool(row["switched"]),
            dram_bytes=int(row["dram_bytes"]),
            pb_saved_bytes=int(row["pb_saved_bytes"]),
            predicted_cycles=int(row["predicted_cycles"]),
            simulated_cycles=cycles,
            cycle_error=float(row["cycle_error"]),
            predicted_class=int(row["predicted_class"]),
            label=None if row["label"] is None else int(row["label"]),
            bit_exact=bool(row["bit_exact"]),
            image=row.get("image"),
            latency_s=cycles / clock_hz,
        )

    @property
    def latency_met(self) -> bool:
        """The query was answered within its time."""
        return self.max_latency_s is None or self.latency_s <= self.max_latency_s

    @property
    def accuracy_met(self) -> bool:
        """The SubNet is as accurate as was asked for."""
        return self.min_accuracy is None or (self.subnet_accuracy or 0) >= self.min_accuracy

    @property
    def right(self) -> bool:
        """The class is the image's label."""
        return self.predicted_class == self.label

    @property
    def bytes_without_pb(self) -> int:
        """DRAM bytes that the query would have moved without a PB."""
        return self.dram_bytes + self.pb_saved_bytes

    @property
    def saved_fraction(self) -> float:
        """Part of :attr:`bytes_without_pb` that the PB saved."""
        return self.pb_saved_bytes / self.bytes_without_pb if self.bytes_without_pb else 0.0


def class_name(label: int, subnet: str) -> str:
    """The name of a class of the images that a SubNet is for.

    Parameters
    ----------
    label : its number.
    subnet : name of the SubNet.

    Examples
    --------
    >>> class_name(9, "fashion-d111-w222"), class_name(9, "cifar-d111-e101010"), class_name(9, "mine")
    ('Ankle boot', 'truck', 'class 9')
    """
    names = _OF_SUPERNET.get(subnet.partition("-")[0], ())
    return names[label] if 0 <= label < len(names) else f"class {label}"


def subnets_by_accuracy(queries: Iterable[Query]) -> list[str]:
    """The SubNets that served, the most accurate first; equals by name."""
    accuracy = {query.subnet: query.subnet_accuracy or 0.0 for query in queries}
    return sorted(accuracy, key=lambda name: (-accuracy[name], name))


def merged_order(orders: Iterable[Sequence[str]]) -> list[str]:
    """One order of all names that keeps the order of each list; what no list decides goes by name.

    Numbers in names count as numbers. If the lists contradict each other, all goes by first appearance.

    >>> merged_order([["stem", "s1b2", "s10b1"], ["stem", "s2b1"], ["s2b1", "linear"], ["s10b1", "linear"]])
    ['stem', 's1b2', 's2b1', 's10b1', 'linear']
    """
    graph = nx.DiGraph()
    for order in orders:
        graph.add_nodes_from(order)
        graph.add_edges_from(pairwise(order))
    try:
        return list(nx.lexicographical_topological_sort(graph, key=_natural))
    except nx.NetworkXUnfeasible:
        return list(graph)


def _natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """A key that sorts the numbers in names as numbers, before letters."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple((not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts)
