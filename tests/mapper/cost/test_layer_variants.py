"""Different layers are worked out once, and what they do adds up to what their Program does."""

import numpy as np
import pytest

from arch_model.cost.activity import TOTALS
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from mapper.cost.cached_layers import SLOTS
from mapper.cost.layer_cost import layer_cost
from mapper.cost.layer_variants import LayerVariants
from mapper.workload.fusion import Step

TINY = Accelerator.load("tiny")
TOTALS_AT = {name: number for number, name in enumerate(TOTALS)}
CONV = Step(Layer("a", Kind.CONV, K=16, C=9, R=3, S=3, H=8, W=8, padding=1, inputs=(INPUT,)))  # 4 by 3 tiles


def test_what_is_held_counts_in_tiles_of_the_layer():
    """More than it has of a layer is all of it, and nothing of one side is nothing."""
    variants = LayerVariants(TINY)
    shape = variants.cached_layers.shape(CONV, folded=False)
    numbers = variants.numbers((shape,), np.array([[0, 0], [4, 0], [2, 1], [4, 3], [9, 9], [2, 1]]))
    assert numbers[[0, 2, 3]].tolist() == numbers[[1, 5, 4]].tolist() and len(variants) == 3
    tile = TOTALS_AT["db_tiles_loaded"]
    assert variants.totals[numbers[[0, 2, 3]], tile].tolist() == [12, 10, 0]
    assert variants.hit_tiles[numbers[[0, 2, 3]]].tolist() == [0, 2, 12]


def test_totals_are_those_of_the_layer_by_itself():
    pool = Step(Layer("p", Kind.POOL, K=16, C=16, H=8, W=8, inputs=("a",)))
    variants = LayerVariants(TINY)
    both = variants.numbers(
        [variants.cached_layers.shape(step, folded=False) for step in (CONV, pool)], np.zeros((1, 2), np.int64)
    )[0]
    one, other = layer_cost(CONV, TINY), layer_cost(pool, TINY)
    for name, at in TOTALS_AT.items():
        if name != "prog_bytes":
            assert variants.totals[both, at] == one.totals[name] + other.totals[name]
    slots = (one.totals["prog_bytes"] + other.totals["prog_bytes"]) // 32
    assert variants.totals[both, SLOTS] == slots - 2  # each has an END


def test_a_layer_too_large_is_named():
    large = Step(Layer("large", Kind.CONV, K=4, C=4, R=3, S=3, H=8, W=4000, padding=1, inputs=(INPUT,)))
    variants = LayerVariants(TINY)
    shape = variants.cached_layers.shape(large, folded=False)
    with pytest.raises(MappingError, match=r"layer large: .* tiny has"):
        variants.numbers((shape,), np.zeros((1, 2), np.int64))
