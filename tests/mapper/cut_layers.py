"""Random layers, cached tiles and tilings of them, for the tests of the mapper's search."""

from __future__ import annotations

import numpy as np

from arch_model.network.layer import Kind, Layer
from arch_model.network.weights import ConvQuant
from mapper.layout.tensors import tile_grid
from mapper.lowering.tiling import Order, Tiling, chunks_of, prologues_of


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


def random_tiling(layer, accelerator, rng):
    """Any tiling: it may be illegal."""
    rows = max(1, int(rng.integers(1, layer.P + 1)) // int(rng.integers(1, 4)))
    chunk, lead = int(rng.choice(chunks_of(layer, accelerator))), int(rng.choice(prologues_of(layer, accelerator)))
    order = (Order.ROWS, Order.FILTERS)[int(rng.integers(2))]
    weave = 4 if lead > 1 and chunk >= 4 and rng.integers(2) else 1
    return Tiling(rows, chunk, 0, lead, order, int(rng.choice([-1, 0, 1, 2, 4])) if lead > 1 else 0, weave)
