"""The layer table of one point: the rows of ``fastswitch predict``, with the mapping that the point was priced with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Layer
from arch_model.network.supernet import SubNet, SuperNet
from mapper.cost.layer_cost import LayerCosts
from mapper.layout.persistent_buffer import Slots
from mapper.layout.tensors import tile_grid
from mapper.lowering.quick_choice import quick_tiling
from mapper.pinning.cached import cached_buffer
from mapper.search.costed import Costed
from mapper.search.predict import predict_subnet
from mapper.workload.fusion import Step, check_supported

CACHED = ("fit", "none")
"""What the PB holds while a SubNet runs: the part of its weights that :func:`mapper.pinning.greedy.fit_subgraph` puts
there, or nothing."""


def as_compiled(layer: Layer, accelerator: Accelerator, add: Layer | None = None, hits: Slots | None = None) -> Costed:
    """What :func:`mapper.search.optimise.optimise` gives, for the compiler's own choice instead of the best one.

    Parameters
    ----------
    layer : to compile.
    accelerator : for which.
    add : an ADD in its STORE.
    hits : PB slots of its weight tiles. None: none is in the PB.

    Raises
    ------
    MappingError
        The machine cannot run the layer.

    Examples
    --------
    >>> from arch_model.network.layer import Kind
    >>> layer = Layer("a", Kind.CONV, K=6, C=9, R=3, S=3, H=8, W=8, padding=1)
    >>> as_compiled(layer, Accelerator.load("tiny")).tiling.rows
    4
    """
    check_supported(layer)
    step = Step(layer, add)
    tiling, streamed = quick_tiling(step, accelerator, hits), tile_grid(layer, accelerator).tiles
    if hits is not None:
        streamed = int((hits < 0).sum())
    return Costed(layer, add, accelerator, tiling, streamed, LayerCosts(step, accelerator, hits).cost(tiling))


def layer_rows(
    subnet: SubNet, supernet: SuperNet, accelerator: Accelerator, cached: str = "fit"
) -> Iterator[dict[str, Any]]:
    """Rows with :data:`mapper.search.predict.COLUMNS`, one a layer.

    Parameters
    ----------
    subnet : whose layers they are.
    supernet : of the SubNet.
    accelerator : that runs it.
    cached : what the PB holds, one of :data:`CACHED`.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> fashion = get_space("fashion")
    >>> rows = list(layer_rows(fashion.subnet("fashion-d111-w222"), fashion, Accelerator.load("tiny"), "none"))
    >>> rows[0]["name"], rows[0]["cycles"]
    ('stem', 8192)
    """
    resident = None if cached == "none" else cached_buffer(cached, subnet, supernet, accelerator)
    yield from predict_subnet(subnet, accelerator, resident, as_compiled)
