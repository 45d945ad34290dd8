import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.quick_choice import choose
from mapper.lowering.tiling import chunk_unit, input_rows, out_words
from tests.mapper.random_nets import random_accelerator

TINY = Accelerator.load("tiny")


def conv(k, c, size, r=3, **rest):
    return Layer("a", Kind.CONV, k, c, r, r, size, size, padding=r // 2, **rest)


@given(st.integers(1, 7), st.integers(1, 2), st.integers(7, 30), st.data())
def test_input_rows_are_those_that_some_tap_reads(r, stride, size, data):
    padding = data.draw(st.integers(0, r - 1))
    layer = Layer("a", Kind.CONV, 1, 1, r, r, size, size, stride=stride, padding=padding)
    first = data.draw(st.integers(0, layer.P - 1))
    rows = data.draw(st.integers(1, layer.P - first))
    taps = {p * stride - padding + i for p in range(first, first + rows) for i in range(r)} & set(range(size))
    low, count = input_rows(layer, first, rows)
    assert taps <= set(range(low, low + count))
    assert low == min(taps) and low + count - 1 == max(taps)


def test_chunk_unit_and_output_words_by_hand():
    assert [chunk_unit(TINY.replace(array={"kp": k, "cp": c})) for k, c in ((4, 3), (4, 4), (8, 3), (3, 5))] == [
        3,
        1,
        3,
        5,
    ]
    assert out_words(3, 10, TINY) == 20  # 12 channels, 4 groups, 2 banks: two words a pixel
    assert out_words(1, 10, TINY) == 10  # channels 0..3 touch groups 0 and 1: a word in either bank


def test_weights_that_would_come_again_for_each_tile_make_one_tile():
    layer = conv(96, 96, 4)  # 24 x 32 = 768 tiles of 54 cycles; passes of 16 cycles; a half of the DB holds 64 tiles
    assert choose(layer, TINY).rows == 4


@given(st.integers(0, 2**32), st.sampled_from([1, 3, 5]), st.integers(1, 2))
def test_the_choice_fits_every_buffer(seed, r, stride):
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    layer = conv(int(rng.integers(1, 60)), int(rng.integers(1, 60)), int(rng.integers(5, 30)), r, stride=stride)
    try:
        tiling = choose(layer, a)
    except MappingError as error:
        assert re.match(r"layer a: its .* need \d+ bytes of .*; random has \d+$", str(error))
        return
    for first in range(0, layer.P, tiling.rows):
        rows = min(tiling.rows, layer.P - first)
        words = LayerOnMachine(layer, a).sb_shape(input_rows(layer, first, rows)[1])[2]
        assert words <= a.sb_half_words
        passes = -(-layer.C // (9 * a.cp)) if r == 1 else -(-layer.C // a.cp) * (4 if r == 5 else 1)
        assert passes == 1 or rows * layer.Q <= a.ob_pixels
    k_tiles = -(-layer.K // a.kp)
    assert tiling.chunk == k_tiles or tiling.chunk * a.kp % a.cp == 0
    banks = [0] * a.nb  # fill the output side pixel by pixel, group by group
    for group in range(-(-tiling.chunk * a.kp // a.cp)):
        banks[group % a.nb] += tiling.rows * layer.Q
    assert max(banks) <= a.out_half_words


@pytest.mark.parametrize(
    ("change", "layer", "message"),
    [
        (
            {"sb_bytes": 27 * 2 * 10},
            conv(4, 9, 28),
            "layer a: its input rows need 810 bytes of a half of the SB; tiny has 270",
        ),
        (
            {"ob_bytes": 16 * 20},
            conv(4, 9, 28),
            "layer a: its partial sums of a row need 448 bytes of the OB; tiny has 320",
        ),
        (
            {"ob_out_bytes": 12 * 50},
            conv(12, 3, 28),
            "layer a: its outputs of a row need 336 bytes of a half of the OB's output side; tiny has 300",
        ),
        (
            {"zsb_bytes": 64 * 3},
            conv(16, 3, 28),
            "layer a: its ZSB entries need 128 bytes of a half of the ZSB; tiny has 96",
        ),
    ],
)
def test_what_does_not_fit_is_named(change, layer, message):
    with pytest.raises(MappingError) as error:
        choose(layer, TINY.replace(buffers=change))
    assert str(error.value) == message
