"""What to pin: SubGraphs of a SubNet that fit the Persistent Buffer."""

from __future__ import annotations

from arch_model.accelerator import Accelerator
from arch_model.supernet import SubGraph, SubNet, SuperNet
from mapper.pack import slice_grid, tile_grid
from mapper.steps import unsupported
from mapper.tiling import choose


def fit_subgraph(subnet: SubNet, supernet: SuperNet, accelerator: Accelerator) -> SubGraph:
    """The part of a SubNet's weights worth most in the PB, as large as fits.

    Layers are taken in the order of what a pinned tile saves: first the cycles by which DRAM brings it more slowly
    than the array uses it up (few pixels), then how often it would be fetched (once for every spatial tile, unless
    the layer's tiles stay in one half of the DB). The last layer taken is cut to leading K-tiles. A PB of 0 bytes
    pins nothing.

    >>> from arch_model.spaces import get_space
    >>> fashion, tiny = get_space("fashion"), Accelerator.load("tiny")
    >>> pinned = fit_subgraph(fashion.subnet("fashion-d111-w222"), fashion, tiny)
    >>> 0 < pinned.bytes(fashion) <= tiny.buffers.pb_bytes
    True
    """
    whole = SubGraph.of(subnet, supernet)
    free = accelerator.pb_tiles
    slices = [(0, 0)] * len(supernet.layers)

    def worth(name: str) -> tuple[int, int]:
        layer = subnet.layer(name)
        stays = tile_grid(layer, accelerator).tiles <= accelerator.db_half_tiles
        fetches = 1 if stays else -(-layer.P // choose(layer, accelerator).rows)
        fetch_cycles = fetches * accelerator.tile_beats * accelerator.dram.cycles_per_beat
        return max(0, fetch_cycles - layer.P * layer.Q), fetches

    names = [layer.name for layer in subnet.weight_layers if not unsupported(layer)]
    for name in sorted(names, key=worth, reverse=True):
        index = supernet.index(name)
        k, c = whole.slices[index]
        grid = slice_grid(supernet.layers[index], k, c, accelerator)
        rows = min(grid.kt, free // (grid.windows * grid.ct))
        if rows:
            slices[index] = (min(k, rows * accelerator.kp), c)
            free -= rows * grid.windows * grid.ct
    return SubGraph(supernet.name, tuple(slices))


def candidates(subnets: dict[str, SubNet], supernet: SuperNet, accelerator: Accelerator) -> dict[str, SubGraph]:
    """The SubGraphs that a scheduler may choose from, by name: for each SubNet its own best part.

    SubNets whose parts are equal share one candidate, named after the first.
    """
    found: dict[SubGraph, str] = {}
    for name, subnet in subnets.items():
        found.setdefault(fit_subgraph(subnet, supernet, accelerator), name)
    return {name: subgraph for subgraph, name in found.items()}
