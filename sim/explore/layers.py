"""The layer table of one point: the rows of ``fastswitch predict``, with the mapping that the point was priced with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Layer
from arch_model.network.supernet import SubNet, SuperNet
from mapper.cost.layer_cost import LayerCost, LayerCosts
from mapper.layout.persistent_buffer import PersistentBuffer, Slots
from mapper.layout.tensors import tile_grid
from mapper.lowering.quick_choice import quick_tiling
from mapper.lowering.tiling import Tiling
from mapper.pinning.greedy import fit_subgraph
from mapper.search.bounds import BOUNDS, Bounds, Candidates
from mapper.search.costed import Costed
from mapper.search.predict import predict_subnet
from mapper.search.weight_plan import LayerWeights, plan_layer
from mapper.workload.fusion import Step, check_supported

CACHED = ("best", "none")
"""What the PB holds while a SubNet runs: the part of its weights that :func:`mapper.pinning.greedy.fit_subgraph` puts
there, or nothing."""


@dataclass(frozen=True, eq=False)
class CompiledLayer(Costed):
    """A layer cut as the compiler does by itself (:func:`mapper.lowering.quick_choice.quick_tiling`), and its cost."""

    layer: Layer
    accelerator: Accelerator
    weights: LayerWeights
    tiling: Tiling
    walk: LayerCost
    bound: str


def as_compiled(
    layer: Layer, accelerator: Accelerator, add: Layer | None = None, hits: Slots | None = None
) -> CompiledLayer:
    """What :func:`mapper.search.optimise.optimise` gives, for the compiler's own choice instead of the best one.

    Raises :class:`arch_model.errors.MappingError` for a layer that the machine cannot run.

    >>> from arch_model.network.layer import Kind
    >>> layer = Layer("a", Kind.CONV, K=6, C=9, R=3, S=3, H=8, W=8, padding=1)
    >>> as_compiled(layer, Accelerator.load("tiny")).tiling.rows
    4
    """
    check_supported(layer)
    step, grid = Step(layer, add), tile_grid(layer, accelerator)
    none = np.full((grid.rows, grid.ct), -1, np.int64)
    hits = none if hits is None else hits
    weights = plan_layer(grid, hits, none, accelerator.db_half_tiles)
    tiling = quick_tiling(step, accelerator, hits)
    walk = LayerCosts(step, accelerator, hits).cost(tiling)
    numbers = (tiling.rows, tiling.chunk, tiling.prologue_parts, tiling.prefetch_rows, 0, tiling.interleave)
    bounds = Bounds(layer, accelerator, weights, add is not None, Candidates(*(np.array([n]) for n in numbers)))
    return CompiledLayer(layer, accelerator, weights, tiling, walk, BOUNDS[int(bounds.cycles[:, 0].argmax())])


def layer_rows(
    subnet: SubNet, supernet: SuperNet, accelerator: Accelerator, cached: str = "best"
) -> Iterator[dict[str, Any]]:
    """Rows with :data:`mapper.search.predict.COLUMNS`, one a layer; ``cached``: one of :data:`CACHED`.

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
