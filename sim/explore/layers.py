"""The layer table of one point: the rows of ``fastswitch predict``, with the mapping that the point was priced with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from arch_model.accelerator import Accelerator
from arch_model.layer import Layer
from arch_model.supernet import SubNet, SuperNet
from mapper.bounds import BOUNDS, Bounds, Candidates
from mapper.compile import cut_weights
from mapper.costed import Costed
from mapper.pack import tile_grid
from mapper.persistent import PersistentBuffer, Slots
from mapper.pinning import fit_subgraph
from mapper.predict import predict_subnet
from mapper.steps import Step, check_supported
from mapper.tiling import Tiling
from mapper.walk import Walk, walk_layer
from mapper.weights_plan import LayerWeights

CACHED = ("best", "none")
"""What the PB holds while a SubNet runs: the part of its weights that :func:`mapper.pinning.fit_subgraph` puts there,
or nothing."""


@dataclass(frozen=True, eq=False)
class CompiledLayer(Costed):
    """A layer cut as the compiler does by itself (:func:`mapper.tiling.choose`), and its cost."""

    layer: Layer
    accelerator: Accelerator
    weights: LayerWeights
    tiling: Tiling
    walk: Walk
    bound: str


def as_compiled(
    layer: Layer, accelerator: Accelerator, add: Layer | None = None, hits: Slots | None = None
) -> CompiledLayer:
    """What :func:`mapper.optimise.optimise` gives, for the compiler's own choice instead of the best one.

    Raises :class:`arch_model.errors.MappingError` for a layer that the machine cannot run.

    >>> from arch_model.layer import Kind
    >>> layer = Layer("a", Kind.CONV, K=6, C=9, R=3, S=3, H=8, W=8, padding=1)
    >>> as_compiled(layer, Accelerator.load("tiny")).tiling.rows
    4
    """
    check_supported(layer)
    step, grid = Step(layer, add), tile_grid(layer, accelerator)
    none = np.full((grid.rows, grid.ct), -1, np.int64)
    weights, tiling = cut_weights(step, accelerator, none if hits is None else hits, none)
    walk = walk_layer(step, weights, tiling, accelerator)
    numbers = (tiling.rows, tiling.chunk, tiling.lead, tiling.part, 0, tiling.weave)
    bounds = Bounds(layer, accelerator, weights, add is not None, Candidates(*(np.array([n]) for n in numbers)))
    return CompiledLayer(layer, accelerator, weights, tiling, walk, BOUNDS[int(bounds.cycles[:, 0].argmax())])


def layer_rows(
    subnet: SubNet, supernet: SuperNet, accelerator: Accelerator, cached: str = "best"
) -> Iterator[dict[str, Any]]:
    """Rows with :data:`mapper.predict.COLUMNS`, one a layer; ``cached``: one of :data:`CACHED`.

    >>> from arch_model.spaces import get_space
    >>> fashion = get_space("fashion")
    >>> rows = list(layer_rows(fashion.subnet("fashion-d111-w222"), fashion, Accelerator.load("tiny"), "none"))
    >>> rows[0]["name"], rows[0]["cycles"]
    ('stem', 8192)
    """
    resident = None
    if cached == "best":
        resident = PersistentBuffer.of(fit_subgraph(subnet, supernet, accelerator), supernet, accelerator)
    yield from predict_subnet(subnet, accelerator, resident, as_compiled)
