"""The space is what the compiler accepts: every tiling that it takes gives the commands of one that is searched."""

from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.timing.rows import stream
from mapper.cost.program_cost import ProgramCosts
from mapper.layout.tensors import tile_grid
from mapper.lowering.compile import check_mapping
from mapper.lowering.layer_rows import layer_row
from mapper.lowering.tiling import INTERLEAVES, Order, Tiling
from mapper.search.optimise import optimise, ranked
from mapper.workload.depthwise import has_tiles
from mapper.workload.fusion import Step
from tests.mapper.cut_layers import chunks_of, random_hits, random_layer, random_windows
from tests.mapper.random_nets import random_accelerator

EVERYTHING = 1 << 14


def every_tiling(layer, accelerator):
    """Every value of every field that can make a difference, and some that can't."""
    cuts = product(range(1, layer.P + 1), chunks_of(layer, accelerator))
    if not has_tiles(layer):
        return [Tiling(rows, chunk, stays=stays) for rows, chunk in cuts for stays in (False, True)]
    grid = tile_grid(layer, accelerator)
    parts, prefetches = range(1, grid.ct + 3), range(-1, grid.rows + 2)
    prologues = list(product(parts, Order, prefetches, INTERLEAVES))
    return [Tiling(rows, chunk, 0, *prologue) for rows, chunk in cuts for prologue in prologues]


def commands(costs, tiling):
    costs.cycles([tiling])
    return b"".join(stream(costs.w, unit).tobytes() for unit in range(4))


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_what_the_compiler_accepts_is_searched_and_nothing_else(seed):
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    layer = random_layer(rng, most=24, size=5) if rng.integers(4) else random_windows(rng, 16, 8)
    slots = random_hits(layer, a, rng) if has_tiles(layer) else None
    step = Step(layer)
    accepted = set()
    costs = ProgramCosts([step], a, None if slots is None else [slots], rows=(layer_row(step, a)[None], layer.P))
    for tiling in every_tiling(layer, a):
        try:
            check_mapping(step, a, slots, tiling)
            accepted.add(commands(costs, tiling))
        except MappingError:
            continue
    if not accepted:
        with pytest.raises(MappingError):
            optimise(layer, a, hits=slots)
        return
    searched = ranked(step, a, slots, count=EVERYTHING)
    assert {commands(costs, tiling) for tiling in searched} == accepted
    assert optimise(layer, a, hits=slots).certificate.space == len(searched)


def test_each_prologue_is_there_once():
    """11 C-tiles come in parts of 1, 2, 3, 4 or 6; 3 rows of weight tiles in parts of 1 or all that there are."""
    tiny = Accelerator.load("tiny").replace(buffers={"db_bytes": 2 * 40 * 4 * 27})
    found = ranked(Step(Layer("a", Kind.CONV, K=12, C=33, R=3, S=3, H=3, W=3)), tiny, count=EVERYTHING)
    assert {tiling.rows for tiling in found} == {1} and {tiling.chunk for tiling in found} == {3}
    parts = {-(-11 // tiling.prologue_parts) for tiling in found if tiling.prologue_parts > 1}
    assert parts == {1, 2, 3, 4, 6}
    assert len({(t.prologue_parts, t.prefetch_rows) for t in found}) == len(found)
