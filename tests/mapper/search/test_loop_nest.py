"""Mappings as nested loops: how often each loop turns is what the layer has of it."""

import re

import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.lowering.tiling import Order, Tiling
from mapper.search.loop_nest import loop_nest

TINY = Accelerator.load("tiny")  # KP 4, CP 3
CONV = Layer("a", Kind.CONV, K=24, C=9, R=5, S=5, H=8, W=8, padding=2)


def turns(text):
    return {name: int(last) + 1 for name, last in re.findall(r"for (\w+) in 0\.\.(\d+)", text)}


def test_a_dense_layer():
    """6 K-tiles, 4 windows of 3 x 3 taps, 3 C-tiles: 72 weight tiles, more than half the DB (64) holds."""
    text = loop_nest(CONV, Tiling(3, 3, prologue_parts=2), 72, TINY)
    assert turns(text) == {"tile": 3, "chunk": 2, "k_tile": 3, "window": 4, "c_tile": 3, "pixel": 24}
    assert "3 output rows: LOAD_ACT, the first in 2 parts" in text and "(DB, loaded 3 times)" in text


def test_the_order_and_where_weights_are():
    text = loop_nest(CONV, Tiling(8, 3, order=Order.FILTERS), 30, TINY)
    assert list(turns(text))[:2] == ["chunk", "tile"] and "(PB and DB, loaded once)" in text
    assert "(PB)" in loop_nest(CONV, Tiling(8, 6), 0, TINY)


@pytest.mark.parametrize(
    ("layer", "windows"),
    [
        (Layer("d", Kind.CONV, K=10, C=10, R=5, S=5, H=8, W=8, padding=2, groups=10), {"window": 4}),
        (Layer("m", Kind.MAXPOOL, K=10, C=10, R=3, S=3, H=8, W=8, padding=1), {}),
        (Layer("x", Kind.MUL, K=10, C=10, H=8, W=8), {}),
    ],
    ids=["depthwise", "maxpool", "mul"],
)
def test_layers_whose_outputs_have_one_input_channel(layer, windows):
    text = loop_nest(layer, Tiling(2, 3, stays=True), 0, TINY)
    expected = {"chunk": 1, "tile": 4, "k_tile": 3, **windows, "pixel": 16}
    assert turns(text) == expected and list(turns(text)) == list(expected) and "of the rows that are new" in text


def test_a_global_pool_is_one_store():
    text = loop_nest(Layer("p", Kind.POOL, K=10, C=10, H=7, W=6), Tiling(1, 1), 0, TINY)
    assert turns(text) == {"group": 4, "pixel": 42} and "one STORE" in text
