"""A grey image as a PNG within the page."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError


def png_data_uri(image: npt.ArrayLike) -> str:
    """An image as a ``data:`` URI of an 8-bit grey PNG.

    Parameters
    ----------
    image : integers 0 .. 255, (rows, columns).

    Raises
    ------
    FastSwitchError
        Its shape or range is another.

    Examples
    --------
    >>> png_data_uri([[0, 255]])[:30]
    'data:image/png;base64,iVBORw0K'
    """
    pixels = np.asarray(image)
    colour = pixels.ndim == 3 and len(pixels) == 3
    if not (pixels.ndim == 2 or colour) or not pixels.size:
        raise FastSwitchError(f"image has shape {pixels.shape}; give (rows, columns) or (3, rows, columns)")
    if not np.issubdtype(pixels.dtype, np.integer) or pixels.min() < 0 or pixels.max() > 255:
        raise FastSwitchError(
            f"image holds {pixels.dtype} from {pixels.min()} to {pixels.max()}; give integers 0 to 255"
        )
    rows, columns = pixels.shape[-2:]
    if colour:
        pixels = pixels.transpose(1, 2, 0).reshape(rows, 3 * columns)
    # Each row begins with its filter type, 0: none (PNG specification, 9.2).
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels.astype(np.uint8)], axis=1)
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2 if colour else 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header)
    png += _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)) + _chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
