"""Which input rows a spatial tile reads: the compiled lowering and the plain functions say the same."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.timing.rows import machine_row
from mapper.lowering.choice import header
from mapper.lowering.dense_input import input_span
from mapper.lowering.layer_rows import layer_row
from mapper.lowering.tiling import input_rows
from mapper.workload.fusion import Step

span = getattr(input_span, "py_func", input_span)  # only compiled functions call it compiled


@given(st.integers(1, 7), st.integers(1, 3), st.integers(0, 3), st.integers(1, 20), st.data())
def test_the_rows_that_output_rows_read_are_taps_inside_the_tensor(kernel, stride, padding, size, data):
    assume(size + 2 * padding >= kernel > padding)
    layer = Layer("a", Kind.CONV, 4, 4, kernel, 1, size, 8, stride, padding)
    first = data.draw(st.integers(0, layer.P - 1))
    rows = data.draw(st.integers(1, layer.P - first))
    tiny = Accelerator.load("tiny")
    low, high = span(header(machine_row(tiny), np.asarray(layer_row(Step(layer), tiny))), first, rows)
    taps = {p * stride - padding + r for p in range(first, first + rows) for r in range(kernel)} & set(range(size))
    assert (low, high - low) == input_rows(layer, first, rows)
    assert taps <= set(range(low, high))
    if kernel >= stride:  # no row lies between two windows
        assert (low, high) == (min(taps), max(taps) + 1)
