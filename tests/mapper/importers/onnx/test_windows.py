"""Kernels in larger ones, against a plain convolution, for random windows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.network.layer import Kind, Layer
from mapper.importers.onnx.model import Unsupported
from mapper.importers.onnx.windows import window_of
from mapper.workload.fusion import LARGEST_KERNEL
from tests.mapper.importers.float_network import convolve

SIZE = (9, 8)


def plain(x, weights, pads, strides, dilations):
    """Every tap of every window, one by one."""
    k, _, r, s = weights.shape
    top, left, bottom, right = pads
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right)))
    p = (padded.shape[1] - (r - 1) * dilations[0] - 1) // strides[0] + 1
    q = (padded.shape[2] - (s - 1) * dilations[1] - 1) // strides[1] + 1
    made = np.zeros((k, p, q))
    for i in range(p):
        for j in range(q):
            rows = i * strides[0] + dilations[0] * np.arange(r)
            columns = j * strides[1] + dilations[1] * np.arange(s)
            made[:, i, j] = np.einsum("crs,kcrs->k", padded[:, rows][:, :, columns], weights)
    return made


@given(
    st.tuples(*[st.integers(1, 5)] * 2),
    st.tuples(*[st.integers(0, 3)] * 4),
    st.integers(1, 2),
    st.tuples(*[st.integers(1, 2)] * 2),
)
def test_the_window_gives_the_sums(kernel, pads, stride, dilations):
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=(2, *SIZE)), rng.normal(size=(3, 2, *kernel))
    try:
        window = window_of(SIZE, kernel, pads, (stride, stride), dilations)
    except Unsupported as error:
        spans = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilations, strict=True)]
        text = str(error)
        if "spans" in text:
            assert any(span > size + before + after for size, span, before, after in zip(
                SIZE, spans, pads[:2], pads[2:], strict=True))  # fmt: skip
        else:
            assert f"more than {LARGEST_KERNEL} rows or columns" in text
            assert max(spans) + max(pads) + 1 >= LARGEST_KERNEL or max(pads) >= min(spans)
        return
    layer = Layer("a", Kind.CONV, 3, 2, *window.sizes, *SIZE, window.stride, window.padding)
    made = convolve(x, window.embedded(weights), layer)
    np.testing.assert_allclose(made, plain(x, weights, pads, (stride, stride), dilations), atol=1e-9)


def test_same_at_stride_two():
    """An even size: one row of padding below and none above becomes one on all sides and a first row of zeros."""
    window = window_of((8, 8), (3, 3), (0, 0, 1, 1), (2, 2), (1, 1))
    assert (window.sizes, window.first, window.padding) == ((4, 4), (1, 1), 1)
    assert window_of((9, 9), (3, 3), (1, 1, 1, 1), (2, 2), (1, 1)).sizes == (3, 3)


def test_one_window_has_any_stride():
    assert window_of((7, 7), (7, 7), (0, 0, 0, 0), (32, 16), (1, 1)).stride == 1


@pytest.mark.parametrize(("strides", "text"), [((1, 2), "strides are 1, 2; give one"), ((3, 3), "its stride is 3")])
def test_strides(strides, text):
    with pytest.raises(Unsupported, match=text):
        window_of((8, 8), (3, 3), (1, 1, 1, 1), strides, (1, 1))
