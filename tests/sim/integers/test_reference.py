from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.weights import AddQuant, ConvQuant, MaxPoolQuant, PoolQuant, ScaleQuant
from sim.integers.reference import accumulate, add, average_pool, conv, max_pool, pool, product, run_layers
from tests.mapper.random_nets import random_network, random_quant, random_weights


def test_conv_by_hand():
    """2 x 2 image [[1, 2], [3, 4]], zero-point 1, padding 1: centred [[0, 1], [2, 3]] in a ring of zeros."""
    x = np.array([[[1, 2], [3, 4]]], np.int8)
    w = np.arange(1, 10, dtype=np.int8).reshape(1, 1, 3, 3)
    # output (0, 0): taps 5, 6, 8, 9 meet 0, 1, 2, 3: 6 + 16 + 27 = 49; (1, 1): 1, 2, 4, 5 meet them: 2 + 8 + 15 = 25
    assert accumulate(x, w, 1, 1, 1).tolist() == [[[49, 5 + 14 + 24], [3 + 10 + 18, 25]]]
    assert accumulate(x, w, 2, 1, 1).tolist() == [[[49]]]
    layer = Layer("a", Kind.CONV, 1, 1, 3, 3, 2, 2, padding=1)
    # (sum + 1) / 4: 12.5 -> 12 (tie to even), 11, 8, 6.5 -> 6; plus 100, at most 110
    q = ConvQuant(np.array([1]), np.array([1]), np.array([2]), 1, 100, -128, 110)
    assert conv(x, w, layer, q).tolist() == [[[110, 110], [108, 106]]]


def test_add_by_hand():
    a, b = np.array([[[10, -10]]], np.int8), np.array([[[4, 5]]], np.int8)
    # ((10 - 2) * 3 + (4 - 1) * 2) / 4 = 7.5 -> 8; ((-12) * 3 + 4 * 2) / 4 = -7; plus -1
    assert add(a, b, AddQuant(3, 2, 2, 2, 1, -1, -128, 127)).tolist() == [[[7, -8]]]
    assert add(a, b, AddQuant(3, 2, 2, 2, 1, -1, -1, 127)).tolist() == [[[7, -1]]]


def test_pool_by_hand():
    x = np.array([[[1, 2], [3, 5]], [[-1, -1], [-1, -1]]], np.int8)
    # (11 - 4) * 3 / 8 = 2.625 -> 3; (-4 - 4) * 3 / 8 = -3; plus 2
    assert pool(x, PoolQuant(3, 3, 1, 2, -128, 127)).tolist() == [[[5]], [[-1]]]


def brute_round(value: int, shift: int) -> int:
    """Round half to even by Python's own rule on exact fractions."""
    from fractions import Fraction

    return round(Fraction(value, 1 << shift))


def brute(layers, weights, ops, image):
    """Every output of every layer by loops over Python integers."""
    tensors = {"input": image.tolist()}
    for layer in layers:
        q, x = ops[layer.name], tensors[layer.inputs[0]]
        out = []
        for k in range(layer.K):
            rows = []
            for p in range(layer.P):
                row = []
                for s in range(layer.Q):
                    if layer.kind.has_weights:
                        total = int(q.bias[k])
                        for c in range(layer.C):
                            for i in range(layer.R):
                                for j in range(layer.S):
                                    y, z = p * layer.stride - layer.padding + i, s * layer.stride - layer.padding + j
                                    if 0 <= y < layer.H and 0 <= z < layer.W:
                                        total += int(weights[layer.name][k, c, i, j]) * (x[c][y][z] - q.z_in)
                        total, shift = total * int(q.multiplier[k]), int(q.shift[k])
                    elif layer.kind is Kind.ADD:
                        b = tensors[layer.inputs[1]]
                        total, shift = (x[k][p][s] - q.z_a) * q.m_a + (b[k][p][s] - q.z_b) * q.m_b, q.shift
                    else:
                        total, shift = sum(v - q.z_in for line in x[k] for v in line) * q.m, q.shift
                    row.append(min(max(brute_round(total, shift) + q.z_out, q.lo), q.hi))
                rows.append(row)
            out.append(rows)
        tensors[layer.name] = out
    return tensors


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 2**32))
def test_equals_loops_over_python_integers(seed):
    rng = np.random.default_rng(seed)
    supernet, subnet = random_network(rng)
    weights, ops = random_weights(supernet, rng), random_quant(subnet, rng)
    first = subnet.layers[0]
    image = rng.integers(-128, 128, (first.C, first.H, first.W), dtype=np.int8)
    expected = brute(subnet.layers, weights, ops, image)
    got = run_layers(subnet.layers, weights, ops, image)
    assert list(got) == [layer.name for layer in subnet.layers]
    for name, tensor in got.items():
        assert tensor.dtype == np.int8 and tensor.tolist() == expected[name], name


def test_depthwise_by_hand_with_a_table():
    """Two channels of 1 x 2 pixels under a 1 x 2 kernel each; sums 1 + 4 and 30 - 20, then the table."""
    x = np.array([[[1, 2]], [[10, 20]]], np.int8)
    w = np.array([[[[1, 2]]], [[[3, -1]]]], np.int8)
    layer = Layer("a", Kind.CONV, 2, 2, 1, 2, 1, 2, groups=2)
    plain = ConvQuant(np.zeros(2), np.ones(2), np.zeros(2), 0, 0, -128, 7)
    assert conv(x, w, layer, plain).tolist() == [[[5]], [[7]]]  # the second at most 7
    table = np.arange(-128, 128).astype(np.int8)[::-1]  # value v becomes -1 - v
    assert conv(x, w, layer, replace(plain, table=table)).tolist() == [[[-6]], [[-8]]]


def test_max_pool_by_hand():
    x = np.array([[[1, 5, -3, 2], [0, 4, 7, -9]]], np.int8)
    layer = Layer("a", Kind.MAXPOOL, 1, 1, 3, 3, 2, 4, stride=2, padding=1)
    # columns -1..1 and 1..3
    assert max_pool(x, layer, MaxPoolQuant()).tolist() == [[[5, 7]]]
    assert max_pool(x, layer, MaxPoolQuant(-128, 6)).tolist() == [[[5, 6]]]
    overhang = Layer("b", Kind.MAXPOOL, 1, 1, 3, 3, 3, 4, stride=2, ceil_mode=True)
    tall = np.concatenate([x, [[[-128, -128, -128, -128]]]], axis=1).astype(np.int8)
    assert max_pool(tall, overhang, MaxPoolQuant()).tolist() == [[[7, 7]]]  # columns 0..2 and 2..4


def test_average_pool_by_hand():
    x = np.array([[[1, 2, 9, 9], [3, 5, 9, -9]]], np.int8)
    layer = Layer("a", Kind.AVGPOOL, 1, 1, 2, 2, 2, 4, stride=2)
    # (11 - 4) / 4 = 1.75 -> 2, (18 - 4) / 4 = 3.5 -> 4; plus 1
    assert average_pool(x, layer, PoolQuant(1, 2, 1, 1, -128, 127)).tolist() == [[[3, 5]]]


def test_average_pool_beyond_the_tensor_by_hand():
    """Multiplier 12 and shift 4 are a product of 3/4 for four taps, so 3/2 for two and 3 for one."""
    x = np.array([[[1, 2, 9], [3, 5, -9], [7, 0, 4]]], np.int8)
    q = PoolQuant(12, 4, 1, 10, -128, 127)
    layer = Layer("a", Kind.AVGPOOL, 1, 1, 2, 2, 3, 3, stride=2, ceil_mode=True)
    # columns 0, 1 and 2 alone: 7 * 3 / 4 = 5.25, -2 * 3 / 2; 5 * 3 / 2 = 7.5 -> 8, 3 * 3
    assert average_pool(x, layer, q).tolist() == [[[15, 7], [18, 19]]]
    padded = Layer("a", Kind.AVGPOOL, 1, 1, 2, 2, 3, 3, stride=2, padding=1)
    # 0 * 3, (1 + 8) * 3 / 2 = 13.5 -> 14; (2 + 6) * 3 / 2, (4 - 10 - 1 + 3) * 3 / 4
    assert average_pool(x, padded, q).tolist() == [[[10, 24], [22, 7]]]


def test_scale_by_hand():
    x, s = np.array([[[4, -6]], [[10, 0]]], np.int8), np.array([[[11]], [[-100]]], np.int8)
    q = ScaleQuant(z_s=1, m_f=3, shift_f=1, z_x=2, shift=2, z_out=-1, lo=-90, hi=127)
    # f = 10 * 3 / 2 = 15; 15 * 2 / 4 = 7.5 -> 8, 15 * -8 / 4 = -30. f = -151.5 -> -128; -128 * 8 / 4, -128 * -2 / 4
    assert product(x, s, q).tolist() == [[[7, -31]], [[-90, 63]]]


def test_product_by_hand():
    """f = 10 * 3 / 2 = 15 and -101 * 3 / 2 = -151.5 -> -128: 15 * 2 / 4 = 7.5 -> 8, -128 * -8 / 4 = 256; less one."""
    x, s = np.array([[[4, -6]]], np.int8), np.array([[[11, -100]]], np.int8)
    q = ScaleQuant(z_s=1, m_f=3, shift_f=1, z_x=2, shift=2, z_out=-1, lo=-90, hi=127)
    layer = Layer("c", Kind.MUL, 1, 1, H=1, W=2, inputs=(INPUT, INPUT))
    assert product(x, s, q).tolist() == [[[7, 127]]]
    # of itself: f = 3 * 3 / 2 = 4.5 -> 4 and -7 * 3 / 2 = -10.5 -> -10; 4 * 2 / 4 and -10 * -8 / 4; less one
    assert run_layers([layer], {}, {"c": q}, x)["c"].tolist() == [[[1, 19]]]


def test_a_smaller_kernel_is_the_middle_of_the_weights():
    """Of a 3x3 kernel a 1x1 layer sees the fifth weight alone: x = 2, z_in = 0, multiplier 2**25 and shift 25 are 1."""
    layer = Layer("deep", Kind.CONV, K=2, C=2, R=1, S=1, H=1, W=1, groups=2, inputs=(INPUT,))
    ones = np.ones(2, np.int32)
    quant = ConvQuant(0 * ones, ones << 25, 25 * ones, z_in=0, z_out=0, lo=-128, hi=127)
    weights = np.arange(27, dtype=np.int8).reshape(3, 1, 3, 3)
    image = np.full((2, 1, 1), 2, np.int8)
    assert run_layers([layer], {"deep": weights}, {"deep": quant}, image)["deep"].ravel().tolist() == [8, 26]
