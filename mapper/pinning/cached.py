"""What the Persistent Buffer (PB) holds while a SubNet runs, by a word, a SubGraph or a file with one."""

from __future__ import annotations

from pathlib import Path

from arch_model.errors import MappingError, SpaceError
from arch_model.files.json_file import read_json
from arch_model.files.wanted import Wanted
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.pinning.greedy import fit_subgraph
from mapper.pinning.search import Pin, pin_best

Cached = str | Path | SubGraph
"""``"none"``, ``"fit"``, ``"best"``, a SubGraph, or a JSON file with one: see :func:`cached_buffer`."""

WORDS = "none", "fit", "best"
"""What is no file."""


def cached_buffer(cached: Cached, subnet: SubNet, supernet: SuperNet, accelerator: Accelerator) -> PersistentBuffer:
    """The PB with what is cached in it.

    Parameters
    ----------
    cached : ``"none"``: nothing; ``"fit"``: as much of the SubNet as fits
        (:func:`~mapper.pinning.greedy.fit_subgraph`); ``"best"``: the part that saves most (:func:`best_cached`); a
        SubGraph; or the path of one (:func:`read_subgraph`).
    subnet, supernet, accelerator : what runs where.

    Raises
    ------
    MappingError
        For a SubGraph that does not fit the PB, and for a layer that the machine cannot run.
    SpaceError
        For a file that holds no SubGraph of this SuperNet.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> net = fashion.subnet("fashion-d111-w222")
    >>> [len(cached_buffer(word, net, fashion, tiny).slots) for word in ("none", "fit")]
    [0, 421]
    """
    if isinstance(cached, SubGraph):
        return PersistentBuffer.of(cached, supernet, accelerator)
    if str(cached) == "none":
        return PersistentBuffer.empty(supernet)
    if str(cached) == "fit":
        return PersistentBuffer.of(fit_subgraph(subnet, supernet, accelerator), supernet, accelerator)
    if str(cached) == "best":
        return best_cached(subnet, supernet, accelerator)
    return PersistentBuffer.of(read_subgraph(cached, supernet), supernet, accelerator)


def best_cached(subnet: SubNet, supernet: SuperNet, accelerator: Accelerator) -> PersistentBuffer:
    """A PB with the slice of a SubNet's weights in it that makes its Program fastest, as far as :func:`pin_best` finds
    that without exact search.

    If the machine cannot run some layer, the sum of the others' cycles counts.

    Parameters
    ----------
    subnet : that will run.
    supernet : gives the layers.
    accelerator : with the PB.
    """
    try:
        best = pin_best(supernet, [subnet], accelerator, objective=Pin.LATENCY, exact=False)
    except MappingError:
        best = pin_best(supernet, [subnet], accelerator, objective=Pin.LAYERS, exact=False)
    return PersistentBuffer.of(best.subgraph, supernet, accelerator)


def read_subgraph(path: str | Path, supernet: SuperNet) -> SubGraph:
    """A SubGraph from JSON: a list with [K, C] of each SuperNet layer, or one that is [K1, C1, K2, C2, ...].

    Parameters
    ----------
    path : the file.
    supernet : whose SubGraph it must be.

    Raises
    ------
    SpaceError
        It holds something else; the line names the file.
    """
    source = f"SubGraph {path}"
    data = read_json(path, Wanted(source, "a JSON list of [K, C]", SpaceError))
    layers = len(supernet.layers)
    flat = data if isinstance(data, list) else []
    if flat and all(isinstance(pair, list) and len(pair) == 2 for pair in flat):
        flat = [number for pair in flat for number in pair]
    if len(flat) != 2 * layers or not all(isinstance(n, int) and not isinstance(n, bool) for n in flat):
        raise SpaceError(
            f"{source} holds {len(flat)} numbers; give K and C of each of the {layers} layers of {supernet.name}"
        )
    try:
        return SubGraph.decode(supernet, flat)
    except SpaceError as error:
        raise SpaceError(f"{source}: {error}") from None
