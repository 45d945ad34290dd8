"""Random layers, cached tiles and tilings of them, for the tests of the mapper's search."""

from __future__ import annotations

import numpy as np

from arch_model.network.layer import Kind, Layer
from arch_model.network.weights import ConvQuant
from mapper.layout.tensors import tile_grid
from mapper.lowering.tiling import Order, Tiling, chunk_unit
from mapper.workload.depthwise import has_tiles, k_tiles_of


def plain_quant(layer):
    """Integers that cost nothing: only the compiler's fields matter here."""
    zeros = np.zeros(layer.K, np.int32)
    return ConvQuant(zeros, np.ones(layer.K, np.int32), zeros, 0, 0, -128, 127)


def random_layer(rng, most=80, size=20):
    r = int(rng.choice([1, 3, 5]))
    k, c, stride = int(rng.integers(1, most)), int(rng.integers(1, most)), int(rng.integers(1, 3))
    c = int(rng.choice([c, c, c, 1 + c % 3]))  # some images, which may be folded
    h, w = int(rng.integers(r, max(size, r + 1))), int(rng.integers(r, max(size, r + 1)))
    return Layer("a", Kind.CONV, k, c, r, r, h, w, stride, r // 2)


def random_add(layer, rng):
    """An add behind the layer, or None."""
    other = Layer("b", Kind.ADD, layer.K, layer.K, H=layer.P, W=layer.Q, inputs=("a", "c"))
    return other if rng.integers(2) else None


def no_hits(layer, accelerator):
    grid = tile_grid(layer, accelerator)
    return np.full((grid.rows, grid.ct), -1, np.int64)


def random_hits(layer, accelerator, rng):
    """PB slots of a leading part of the tiles, of any part or of none."""
    hits = no_hits(layer, accelerator)
    kind = int(rng.integers(3))
    rows, ct = (int(rng.integers(0, n + 1)) for n in hits.shape)
    if kind == 1 and rows * ct <= accelerator.pb_tiles:
        hits[:rows, :ct] = np.arange(rows * ct).reshape(rows, ct)
    if kind == 2:
        some = np.flatnonzero(rng.integers(0, 2, hits.size))[: accelerator.pb_tiles]
        hits.flat[some] = rng.permutation(accelerator.pb_tiles)[: len(some)]
    return hits


def random_windows(rng, most=40, size=14):
    """A depthwise conv, a pool over windows, a scaling or a product."""
    kind = Kind(rng.choice([Kind.CONV, Kind.MAXPOOL, Kind.AVGPOOL, Kind.SCALE, Kind.MUL]))
    k, stride, r = int(rng.integers(1, most)), int(rng.integers(1, 3)), int(rng.choice([1, 2, 3]))
    h, w = int(rng.integers(4, size)), int(rng.integers(4, size))
    if kind.is_product:
        return Layer("a", kind, k, k, H=h, W=w, inputs=("b", "c"))
    if kind is not Kind.CONV:
        return Layer("a", kind, k, k, r, r, h, w, stride)
    r = int(rng.choice([3, 5]))
    return Layer("a", kind, k, k, r, r, max(h, r), max(w, r), stride, r // 2, groups=k)


def chunks_of(layer, accelerator):
    """Every number of K-tiles that a chunk can have."""
    kt, unit = k_tiles_of(layer, accelerator), chunk_unit(accelerator)
    return sorted({min(n * unit, kt) for n in range(1, kt + 1)})


def random_tiling(layer, accelerator, rng):
    """A tiling of a dense layer: it may be illegal."""
    rows = max(1, int(rng.integers(1, layer.P + 1)) // int(rng.integers(1, 4)))
    chunk = int(rng.choice(chunks_of(layer, accelerator)))
    ct = tile_grid(layer, accelerator).ct
    prologue = int(rng.choice([1, 2, rng.integers(1, 2 * ct + 2), 2 * ct]))
    order = (Order.ROWS, Order.FILTERS)[int(rng.integers(2))]
    interleave = 4 if prologue > 1 and chunk >= 4 and rng.integers(2) else 1
    prefetch = int(rng.choice([-1, 0, 1, 2, 4, rng.integers(1, 20)])) if prologue > 1 else 0
    return Tiling(rows, chunk, 0, prologue, order, prefetch, interleave)


def any_tiling(layer, accelerator, rng):
    """A tiling of a layer of any kind: it may be illegal."""
    if has_tiles(layer):
        return random_tiling(layer, accelerator, rng)
    rows = max(1, int(rng.integers(1, layer.P + 1)) // int(rng.integers(1, 4)))
    return Tiling(rows, int(rng.choice(chunks_of(layer, accelerator))), stays=bool(rng.integers(2)))
