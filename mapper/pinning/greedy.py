"""What to pin: SubGraphs of a SubNet that fit the Persistent Buffer."""

from __future__ import annotations

from functools import lru_cache

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from mapper.layout.tensors import slice_grid, tile_grid
from mapper.lowering.quick_choice import choose
from mapper.workload.fusion import is_dense


@lru_cache(maxsize=1 << 14)
def _worth(shape: tuple[int, ...], accelerator: Accelerator) -> tuple[int, int]:
    """What a pinned tile of a layer saves: (cycles, fetches). ``shape``: K, C, R, S, H, W, stride, padding."""
    k, c, r, s, h, w, stride, padding = shape
    layer = Layer("layer", Kind.CONV, k, c, r, s, h, w, stride, padding)
    stays = tile_grid(layer, accelerator).tiles <= accelerator.db_half_tiles
    fetches = 1 if stays else -(-layer.P // choose(layer, accelerator).rows)
    fetch_cycles = fetches * accelerator.tile_beats * accelerator.dram.cycles_per_beat
    return max(0, fetch_cycles - layer.P * layer.Q), fetches


def fit_subgraph(subnet: SubNet, supernet: SuperNet, accelerator: Accelerator) -> SubGraph:
    """The slice of a SubNet's weights worth most in the PB, as large as fits.

    Layers are taken in the order of what a pinned tile saves: first the cycles by which DRAM brings it more slowly than
    the array uses it up (few pixels), then how often it would be fetched (once for every spatial tile, unless the
    layer's tiles stay in one half of the DB). The last layer taken is cut to leading K-tiles. A PB of 0 bytes pins
    nothing.

    Parameters
    ----------
    subnet : that will run.
    supernet : gives the layers.
    accelerator : with the PB.

    Raises
    ------
    MappingError
        The machine cannot run a layer.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> pinned = fit_subgraph(fashion.subnet("fashion-d111-w222"), fashion, tiny)
    >>> 0 < pinned.bytes(fashion) <= tiny.buffers.pb_bytes
    True
    """
    whole = SubGraph.of(subnet, supernet)
    free = accelerator.pb_tiles
    slices = [(0, 0)] * len(supernet.layers)

    worth = {}
    for layer in subnet.weight_layers:
        if is_dense(layer):
            shape = layer.K, layer.C, layer.R, layer.S, layer.H, layer.W, layer.stride, layer.padding
            try:
                worth[layer.name] = _worth(shape, accelerator)
            except MappingError:
                choose(layer, accelerator)  # says the same of this layer, by its name
                raise
    for name in sorted(worth, key=lambda name: worth[name], reverse=True):
        index = supernet.index(name)
        k, c = whole.slices[index]
        grid = slice_grid(supernet.layers[index], k, c, accelerator)
        rows = min(grid.kt, free // (grid.windows * grid.ct))
        if rows:
            slices[index] = (min(k, rows * accelerator.kp), c)
            free -= rows * grid.windows * grid.ct
    return SubGraph(supernet.name, tuple(slices))


def candidates(subnets: dict[str, SubNet], supernet: SuperNet, accelerator: Accelerator) -> dict[str, SubGraph]:
    """The SubGraphs that a scheduler may choose from: for each SubNet its own best slice.

    SubNets whose slices are equal share one candidate.

    Parameters
    ----------
    subnets : by name.
    supernet : of all of them.
    accelerator : with the PB.

    Returns
    -------
    dict
        SubGraphs by the name of the first SubNet that they are of.
    """
    found: dict[SubGraph, str] = {}
    for name, subnet in subnets.items():
        found.setdefault(fit_subgraph(subnet, supernet, accelerator), name)
    return {name: subgraph for subgraph, name in found.items()}
