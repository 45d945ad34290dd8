"""The PNG, decoded by hand."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.errors import FastSwitchError
from reports.thumbnail import png_data_uri


def decode(uri: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pixels of an 8-bit PNG without filters, grey or in colour; checks every chunk's sum."""
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"), validate=True)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        chunks[kind], at = body, at + 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, rest) == (8, [0, 0, 0]) and colour in (0, 2)
    samples = {0: 1, 2: 3}[colour]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, samples * width + 1)
    assert not lines[:, 0].any()
    return lines[:, 1:] if samples == 1 else lines[:, 1:].reshape(height, width, samples).transpose(2, 0, 1)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_pixels_come_back(rows: int, columns: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (rows, columns)).astype(np.uint8)
    assert np.array_equal(decode(png_data_uri(image)), image)
    assert png_data_uri(image.tolist()) == png_data_uri(image)
    colour = np.stack([image, image ^ 1, ~image])
    assert np.array_equal(decode(png_data_uri(colour)), colour)


@pytest.mark.parametrize(
    ("image", "words"),
    [([1, 2], "shape"), (np.zeros((0, 3), int), "shape"), ([[256]], "256"), ([[-1]], "-1"), ([[0.5]], "float64")],
)
def test_what_is_no_image_is_named(image: Any, words: str) -> None:
    with pytest.raises(FastSwitchError, match=words):
        png_data_uri(image)
