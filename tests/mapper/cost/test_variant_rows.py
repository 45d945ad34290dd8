"""A layer's block by hand: what it waits for of its own commands, and of those that came before it."""

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.timing.rows import LOAD_ACT_UNIT, LOAD_WGT_UNIT, PASS_UNIT, STORE_UNIT
from mapper.cost.layer_variants import LayerVariants
from mapper.cost.memo import AT_BLOCK, AT_STORES, BLOCK_AT, BLOCKS, MAPS, segment_of
from mapper.cost.variant_rows import (
    B_DRAINED,
    B_HALVES,
    B_REPS,
    B_WORK,
    BLOCK_HEADER,
    LEAST,
    NEXT,
    OTHER,
    SHIFT,
    ZSB_LEFT,
)
from mapper.workload.fusion import Step

TINY = Accelerator.load("tiny")  # KP 4, CP 3
STEP = Step(Layer("a", Kind.CONV, K=3, C=3, R=3, S=3, H=4, W=4, padding=1, inputs=(INPUT,)))


def columns(block, begin, words):
    """A row's columns."""
    return [half + LEAST for word in block[begin : begin + words].tolist() for half in divmod(word, 1 << SHIFT)]


def block_of(kt, ct):
    variants = LayerVariants(TINY)
    variants.numbers((variants.cached_layers.shape(STEP, folded=False),), np.array([[kt, ct]]))
    row = segment_of(variants.memo, BLOCK_AT)
    assert row[AT_STORES] == 1
    return segment_of(variants.memo, BLOCKS)[row[AT_BLOCK] :], segment_of(variants.memo, MAPS)


def test_one_tile_that_is_streamed():
    """Input to the next half of the SB once its last row is stored; ZSB entry and weight tile; a PASS and a STORE."""
    block, maps = block_of(0, 0)
    assert block[[LOAD_ACT_UNIT, LOAD_WGT_UNIT, PASS_UNIT, STORE_UNIT]].tolist() == [1, 2, 1, 1]
    need, after, row, _ = columns(block, BLOCK_HEADER, 2)
    assert (need, after, row) == (0, NEXT, 3)
    entries, tile = columns(block, BLOCK_HEADER + 2, 2), columns(block, BLOCK_HEADER + 4, 2)
    assert entries[:2] == [0, ZSB_LEFT] and tile[:2] == [0, NEXT]
    refs, rest = block[BLOCK_HEADER + 6 : BLOCK_HEADER + 8].tolist()
    assert [(refs >> shift & (1 << 21) - 1) + LEAST for shift in (42, 21, 0)] == [0, 1, NEXT]
    assert (rest >> 51, rest >> 31 & (1 << 20) - 1, rest & (1 << 31) - 1) == (
        1,
        16,
        0,
    )  # once, 16 pixels, the first one
    assert columns(block, BLOCK_HEADER + 8, 2)[:2] == [0, 0]
    assert block[B_HALVES : B_HALVES + 6].tolist() == [OTHER, 0, OTHER, 0, OTHER, 0]
    assert block[[B_REPS, B_WORK]].tolist() == [1, 16] and block[B_DRAINED : B_DRAINED + 3].tolist() == [0, -1, -1]
    assert maps[:5].tolist() == [1, 1, 1, 1, 1]  # every row is complete with the last STORE but none


def test_one_tile_that_is_cached():
    """No load of weights, and the halves of the DB are those of before."""
    block, _ = block_of(1, 1)
    assert block[LOAD_WGT_UNIT] == 1
    assert block[B_HALVES + 2 : B_HALVES + 4].tolist() == [NEXT, OTHER]
