import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.layout.tensors import (
    activation_bytes,
    fold_zero_point,
    folds,
    pack_activations,
    pack_weights,
    pack_zsb,
    slice_grid,
    tile_grid,
    unpack_activations,
    weight_tiles,
)
from tests.mapper.random_nets import random_accelerator

TINY = Accelerator.load("tiny")  # KP 4, CP 3, beats of 4 bytes


def test_windows_tile_holds_each_weight_where_the_page_says():
    rng = np.random.default_rng(1)
    w = rng.integers(-128, 128, (5, 7, 3, 3), dtype=np.int8)
    tiles = weight_tiles(w, kp=4, cp=3)
    assert tiles.shape == (2, 1, 3, 4, 27)
    assert tiles[1, 0, 1, 0, 5 * 3 + 2] == w[4, 5, 1, 2]  # filter 4, channel 5, tap 5 = (1, 2)
    assert tiles[0, 0, 2, 3, 8 * 3 + 0] == w[3, 6, 2, 2]
    assert not tiles[1, 0, :, 1:].any()  # filters 5..7 do not exist
    assert not tiles[0, 0, 2].reshape(4, 9, 3)[:, :, 1:].any()  # nor do channels 7 and 8


def test_pointwise_tile_holds_nine_groups():
    w = np.arange(60, dtype=np.int8).reshape(2, 30, 1, 1)
    tiles = weight_tiles(w, kp=4, cp=3)
    assert tiles.shape == (1, 1, 2, 4, 27)
    assert tiles[0, 0, 0, 1, 8 * 3 + 2] == w[1, 26, 0, 0]  # byte b * CP + c: group 8, lane 2
    assert tiles[0, 0, 1, 0, :4].tolist() == [27, 28, 29, 0]


def test_five_by_five_is_four_windows():
    w = np.arange(1, 26, dtype=np.int8).reshape(1, 1, 5, 5)
    tiles = weight_tiles(w, kp=1, cp=1)[0, :, 0, 0]
    assert tiles.tolist() == [
        [1, 2, 3, 6, 7, 8, 11, 12, 13],
        [4, 5, 0, 9, 10, 0, 14, 15, 0],
        [16, 17, 18, 21, 22, 23, 0, 0, 0],
        [19, 20, 0, 24, 25, 0, 0, 0, 0],
    ]


@given(st.integers(0, 2**32), st.sampled_from([1, 3, 5]))
def test_a_slice_is_a_prefix_of_each_row(seed, r):
    """Rows of the packed SuperNet layer begin with those of the packed slice, as far as its tiles reach."""
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    whole = Layer("l", Kind.CONV, int(rng.integers(1, 40)), int(rng.integers(1, 40)), r, r, 8, 8, padding=r // 2)
    k, c = int(rng.integers(1, whole.K + 1)), int(rng.integers(1, whole.C + 1))
    w = rng.integers(-128, 128, (whole.K, whole.C, r, r), dtype=np.int8)
    part, full = slice_grid(whole, k, c, a), tile_grid(whole, a)
    masked = np.zeros_like(w)
    lanes = a.cp * (9 if r == 1 else 1)
    masked[: part.kt * a.kp, : part.ct * lanes] = w[: part.kt * a.kp, : part.ct * lanes]
    packed = pack_weights(w, a).reshape(full.rows, full.ct, a.tile_bytes)
    again = pack_weights(masked, a).reshape(full.rows, full.ct, a.tile_bytes)
    assert np.array_equal(packed[: part.rows, : part.ct], again[: part.rows, : part.ct])
    assert not again[part.rows :].any() and not again[:, part.ct :].any()


def test_tiles_are_padded_to_beats():
    a = TINY.replace(array={"kp": 2, "cp": 3}, axi={"data_bits": 64})  # 54 bytes in beats of 8
    data = pack_weights(np.full((4, 3, 3, 3), -1, np.int8), a).reshape(2, 56)
    assert (data[:, :54] == 255).all() and not data[:, 54:].any()


def test_zsb_entry_by_hand():
    data = pack_zsb([1, -1], [(1 << 26) - 1, 0], [63, 5], kp=4)
    assert data.tolist() == [1, 0, 0, 0, 255, 255, 255, 255, *[255] * 4, 0, 0, 0, 20, *[0] * 16]


def test_fold_zero_point_refuses_what_leaves_int32():
    w = np.full((1, 1, 1, 1), 127, np.int8)
    assert fold_zero_point([0], w, -128)[0] == 16256
    with pytest.raises(MappingError, match="layer a: bias 2147499903 does not fit"):
        fold_zero_point([2**31 - 1], w, -128, "a")


@given(st.integers(0, 2**32))
def test_activations_come_back(seed):
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    shape = tuple(int(n) for n in rng.integers(1, 20, 3))
    x = rng.integers(-128, 128, shape, dtype=np.int8)
    data = pack_activations(x, a)
    assert len(data) == activation_bytes(*shape, a) and len(data) % a.beat_bytes == 0
    assert np.array_equal(unpack_activations(np.append(data, np.uint8(7)), shape, a), x)
    c, y, col = (int(rng.integers(n)) for n in shape)
    place = (c // a.cp * shape[1] + y) * a.pitch(shape[2]) + col * a.cp + c % a.cp
    assert data.view(np.int8)[place] == x[c, y, col]
    assert np.count_nonzero(data) == np.count_nonzero(x)  # lanes above C and the padding of rows are 0


def test_a_folded_image_by_hand():
    """CP 7: two pixels of 3 bytes a word, a byte left; 3 pixels are two words, 14 bytes in beats of 4."""
    a = TINY.replace(array={"cp": 7}, axi={"pixels": 4})
    assert (a.fold, a.fold_bytes, a.pitch(3, folded=True)) == (2, 3, 16)
    image = np.array([[[1, 2, 3]], [[4, 5, 6]]], np.int8)  # 2 channels, a row of 3
    data = pack_activations(image, a, folded=True)
    assert data.tolist() == [1, 4, 0, 2, 5, 0, 0, 3, 6, 0, 0, 0, 0, 0, 0, 0]
    assert np.array_equal(unpack_activations(data, (2, 1, 3), a, folded=True), image)


@pytest.mark.parametrize(
    ("c", "r", "groups", "folded"), [(3, 3, 1, True), (1, 7, 1, True), (4, 3, 1, False), (3, 1, 1, False),
                                     (3, 3, 3, False)],
)  # fmt: skip
def test_which_layers_take_a_folded_image(c, r, groups, folded):
    zcu104 = Accelerator.load("zcu104")  # three pixels of three channels
    layer = Layer("a", Kind.CONV, K=3, C=c, R=r, S=r, H=8, W=8, padding=r // 2, groups=groups)
    assert folds(layer, zcu104) is folded and not folds(layer, zcu104.replace(axi={"pixels": 1}))
