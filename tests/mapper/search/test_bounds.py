import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.cost.layer_cost import LayerCosts
from mapper.layout.tensors import folds, tile_grid
from mapper.lowering.compile import check_mapping
from mapper.lowering.tiling import Order, Tiling
from mapper.search.bounds import Bounds, Candidates
from mapper.search.weight_plan import plan_layer
from mapper.workload.fusion import Step
from tests.mapper.cut_layers import no_hits, random_add, random_hits, random_layer, random_tiling
from tests.mapper.random_nets import random_accelerator

TINY = Accelerator.load("tiny")


def one_candidate(tiling):
    filters, t = int(tiling.order is Order.FILTERS), tiling
    values = t.rows, t.chunk, t.prologue_parts, t.prefetch_rows, filters, t.interleave
    return Candidates(*(np.array([value]) for value in values))


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
@example(173677)  # woven rows end in a command of their last part, also in later tiles
def test_no_bound_is_above_the_exact_cost(seed):
    """With any tiles cached, with an add or without; refined or not; and the counts are exact."""
    rng = np.random.default_rng(seed)
    a, layer = random_accelerator(rng), random_layer(rng)
    add, hits, none = random_add(layer, rng), random_hits(layer, a, rng), no_hits(layer, a)
    plain = plan_layer(tile_grid(layer, a), hits, none, a.db_half_tiles)
    for tiling in (random_tiling(layer, a, rng) for _ in range(4)):
        try:
            check_mapping(Step(layer, add), a, hits, tiling)
        except MappingError:
            continue
        walk = LayerCosts(Step(layer, add), a, hits).cost(tiling)
        bounds = Bounds(layer, a, plain, add is not None, one_candidate(tiling))
        assert bounds.cycles.max() <= walk.cycles
        bounds.refine(0)
        bounds.walk_halves(0)
        assert bounds.cycles.max() <= walk.cycles, bounds.cycles
        assert bounds.rows_in[0] * a.pitch(layer.W, folds(layer, a)) == walk.activity["dram.act"]
        table = plain.grid.kt * 8 * a.kp
        assert bounds.fetches[0] * plain.streamed * a.tile_bytes + table == walk.activity["dram.wgt"]
        assert bounds.slots[0] * 32 <= walk.activity["dram.prog"]


def test_the_array_bound_by_hand():
    """One K-tile, one C-tile, one spatial tile of 8 x 8 pixels on `tiny`: KP 4, CP 3, B 4, latency 24, a beat in 2."""
    layer = Layer("a", Kind.CONV, K=4, C=3, R=3, S=3, H=8, W=8, padding=1)
    none = no_hits(layer, TINY)
    weights = plan_layer(tile_grid(layer, TINY), none, none, TINY.db_half_tiles)
    bounds = Bounds(layer, TINY, weights, False, one_candidate(Tiling(8, 1)))
    # A slot of 32 bytes: 8 beats, the last 14 cycles after the first, that in 1 + 24; decoded in one, queued in two.
    begin = 1 + 24 + 14 + 1 + 2
    # One ZSB entry: address 1, latency 24; 4 words of 2 beats, the last beat 14 cycles later, a word one later; given.
    # Then a tile: 27 beats, the last 52 later. The token one later; FEED reads 4 words from the next cycle on, the
    # shadow is full 2 after the last. (The input, 8 rows of 6 beats, is there 3 cycles sooner.)
    first_pixel = begin + (1 + 24 + 15 + 1) + (1 + 24 + 53 + 1) + 1 + 1 + 3 + 2
    # The last pixel 63 later, written 12 later, token 1; STORE of two groups: words from 1 later, 10 to the beat, 2 * 8
    # rows of 6 beats every 2 cycles behind the second word, acknowledged 24 + 1 later.
    stored = first_pixel + 63 + 12 + 1 + (1 + 1 + 10 + 2 * 95) + 24 + 1
    assert bounds.cycles[0, 0] == stored + 2
