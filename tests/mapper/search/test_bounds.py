"""No bound is above the exact cost, whatever the layer, the machine, the tiling and the PB hold."""

from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.cost.program_cost import ProgramCosts
from mapper.lowering.compile import check_mapping
from mapper.lowering.layer_rows import layer_row, tiling_row
from mapper.lowering.rows import LAYER, LAYER_AT, TILING, TILING_AT
from mapper.lowering.tiling import Tiling
from mapper.search.bounds import BOUND_PLACES, STORE_PLACES, bounds
from mapper.workload.fusion import Step
from tests.mapper.cut_layers import any_tiling, random_add, random_hits, random_layer, random_windows
from tests.mapper.random_nets import random_accelerator

TINY = Accelerator.load("tiny")


def bounds_of(step, accelerator, slots, tiling):
    """The bound of the cut, that of the mapping, and the exact cycles."""
    costs = ProgramCosts(
        [step], accelerator, None if slots is None else [slots], rows=(layer_row(step, accelerator)[None], step.layer.P)
    )
    cycles, w = costs.cycles([tiling]), costs.w
    w[LAYER_AT : LAYER_AT + len(LAYER)] = costs.xs[0]
    w[TILING_AT : TILING_AT + len(TILING)] = tiling_row(tiling)
    tiles = 0 if slots is None else slots.size
    s = np.zeros(BOUND_PLACES + STORE_PLACES + 12 * (2 * tiles + 4), np.int64)
    bounds(w, s, BOUND_PLACES)
    return s[BOUND_PLACES], s[BOUND_PLACES + 1], cycles


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_no_bound_is_above_the_exact_cost(seed):
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    layer = random_layer(rng) if rng.integers(3) else random_windows(rng)
    slots = random_hits(layer, a, rng) if layer.groups == 1 and layer.kind is Kind.CONV else None
    step = Step(layer, random_add(layer, rng) if layer.kind is Kind.CONV else None)
    for tiling in (any_tiling(layer, a, rng) for _ in range(4)):
        try:
            check_mapping(step, a, slots, tiling)
            cut, mapping, cycles = bounds_of(step, a, slots, tiling)
        except MappingError:
            continue
        assert cut <= cycles and mapping <= cycles, tiling


def test_by_hand():
    """One K-tile, one C-tile, one spatial tile of 8 x 8 pixels on `tiny`: KP 4, CP 3, B 4, latency 24, a beat in 2."""
    layer = Layer("a", Kind.CONV, K=4, C=3, R=3, S=3, H=8, W=8, padding=1)
    none = np.full((1, 1), -1)
    cut, mapping, cycles = bounds_of(Step(layer), TINY, none, Tiling(8, 1))
    # A slot of 32 bytes: 8 beats, the last 14 cycles after the first, that in 1 + 24; decoded in one, queued in two.
    begin = 1 + 24 + 14 + 1 + 2
    # One ZSB entry: address 1, latency 24; 4 words of 2 beats, the last beat 14 cycles later, a word one later; given.
    # Then a tile: 27 beats, the last 52 later. The token one later; FEED reads 4 words from the next cycle on, the
    # shadow is full 2 after the last.
    entry, tile = 1 + 24 + 15 + 1, 1 + 24 + 53 + 1
    pixel = begin + tile + 1 + 1 + 3 + 2
    # The input comes on a port of its own: 8 rows of 6 beats, the last 94 cycles after the first, two words behind it.
    assert begin + (1 + 24 + 96 + 1) + 1 + 1 < pixel + entry
    # The last pixel 63 later, written 12 later, token 1; STORE of two groups: words from 1 later, 10 to the beat, 2 * 8
    # rows of 6 beats every 2 cycles behind the second word, acknowledged 24 + 1 later.
    after = 63 + 12 + 1 + (1 + 1 + 10 + 2 * 95) + 24 + 1 + 2
    assert mapping == pixel + entry + after
    assert cycles == mapping + 16  # FETCH reads LOAD_ACT's slot before that of the first LOAD_WGT: 8 beats
    # Whatever the prologue: the ZSB entry may come behind the tile, so the pixel waits for the input.
    assert cut == begin + (1 + 24 + 96 + 1) + 1 + 1 + after


def test_more_that_is_there_gives_no_greater_bound():
    layer = Layer("a", Kind.CONV, K=24, C=30, R=3, S=3, H=12, W=12, padding=1)
    none, there = np.full((6, 10), -1), np.arange(60).reshape(6, 10)
    machine = TINY.replace(buffers={"pb_bytes": 60 * TINY.tile_bytes_raw})
    for tiling in (Tiling(4, 3), Tiling(4, 3, prologue_parts=5)):
        without, cached = (bounds_of(Step(layer), machine, slots, tiling) for slots in (none, there))
        assert cached[0] <= without[0] and cached[1] <= without[1]
    assert replace(Tiling(4, 3), prologue_parts=5) != Tiling(4, 3)
