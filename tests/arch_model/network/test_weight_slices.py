"""Which weights of a SuperNet's layer a SubNet's uses, by hand."""

import numpy as np
import pytest

from arch_model.errors import SpaceError
from arch_model.network.layer import Kind, Layer
from arch_model.network.weight_slices import weight_slice


def test_a_slice_is_leading_in_channels_and_centred_in_the_kernel() -> None:
    whole = Layer("w", Kind.CONV, 6, 5, 7, 5, 9, 9, padding=3)
    part = Layer("w", Kind.CONV, 2, 3, 3, 5, 9, 9, padding=3)
    weights = np.arange(6 * 5 * 7 * 5).reshape(6, 5, 7, 5)
    used = weights[weight_slice(part, whole)]
    assert used.shape == (2, 3, 3, 5) and used[0, 0, 1, 2] == weights[0, 0, 3, 2]
    assert np.array_equal(used, weights[:2, :3, 2:5, :])
    even = Layer("w", Kind.CONV, 2, 3, 4, 5, 9, 9)
    for layer, text in ((even, "R is 4; its SuperNet's layer has 7"), (whole, "R is 7; its SuperNet's layer has 4")):
        with pytest.raises(SpaceError, match=f"layer w: {text}"):
            weight_slice(layer, whole if layer is even else Layer("w", Kind.CONV, 6, 5, 4, 5, 9, 9))
