"""Images as a model reads them, and as int8: pixels in uint8, or real numbers that are ready for the first layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.files.npz_file import read_npz
from arch_model.files.wanted import Wanted
from sim.quantise.errors import ModelError
from sim.quantise.floats import Span
from sim.quantise.integers import Meaning

Images = str | Path | npt.NDArray[Any]
"""(N, C, H, W) or (N, H, W), uint8 or real; or an npz file with an array ``images``."""

Labelled = str | Path | tuple[npt.NDArray[Any], npt.NDArray[Any]]
"""Images and the class of each; or an npz file with arrays ``images`` and ``labels``."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """Images of one kind.

    Attributes
    ----------
    images : uint8 or float32, (N, C, H, W).
    meaning : of the int8 tensor that the first layer reads.
    """

    images: npt.NDArray[Any]
    meaning: Meaning

    @property
    def real(self) -> npt.NDArray[np.float32]:
        """(N, C, H, W) float32, as the model reads them."""
        if self.images.dtype == np.uint8:
            zero, scale = np.float32(self.meaning.zero + 128), np.float32(self.meaning.scale)
            return (self.images.astype(np.float32) - zero) * scale
        return self.images.astype(np.float32)

    @property
    def int8(self) -> npt.NDArray[np.int8]:
        """(N, C, H, W) int8, as the machine reads them: pixel - 128, or the nearest step."""
        if self.images.dtype == np.uint8:
            return (self.images.astype(np.int16) - 128).astype(np.int8)
        steps = np.rint(self.images / self.meaning.scale) + self.meaning.zero
        made: npt.NDArray[np.int8] = np.clip(steps, -128, 127).astype(np.int8)
        return made

    @property
    def stored(self) -> npt.NDArray[np.uint8]:
        """uint8, int8 + 128: what an archive holds."""
        return (self.int8.astype(np.int16) + 128).astype(np.uint8)


def calibration(images: Images, scale: float, zero: int) -> Pixels:
    """Calibration images; of real ones the range gives the int8 meaning.

    Parameters
    ----------
    images : an array (N, C, H, W), uint8 pixels or real numbers, or an npz file with one.
    scale, zero : of uint8 pixels: the model reads ``scale * (pixel - zero)``.

    Raises
    ------
    ModelError
        They are no images; scale or zero is out of range.
    """
    array, source = (
        (_read(images, ("images",))[0], str(images)) if isinstance(images, str | Path) else (images, "images")
    )
    array = _checked(array, source)
    if array.dtype == np.uint8:
        if not (np.isfinite(scale) and scale > 0) or not 0 <= zero <= 255:
            raise ModelError(
                f"pixels are read as ({zero} away from 0) * {scale}; give a positive scale and a zero of 0..255"
            )
        return Pixels(array, Meaning(float(scale), int(zero) - 128))
    return Pixels(array, Meaning.of(Span(float(array.min()), float(array.max()))))


def labelled(test: Labelled, like: Pixels) -> tuple[Pixels, npt.NDArray[np.uint8]]:
    """Test images of the calibration images' shape and kind, and their labels.

    Parameters
    ----------
    test : images and labels, or an npz file with them.
    like : the calibration images.

    Raises
    ------
    ModelError
        They are of another shape or kind, or the labels do not fit.
    """
    if isinstance(test, str | Path):
        array, labels = _read(test, ("images", "labels"))
        source = str(test)
    else:
        (array, labels), source = test, "test images"
    array, labels = _checked(array, source), np.asarray(labels)
    if array.shape[1:] != like.images.shape[1:] or (array.dtype == np.uint8) != (like.images.dtype == np.uint8):
        kinds = [f"{one.dtype} (N, {', '.join(map(str, one.shape[1:]))})" for one in (array, like.images)]
        raise ModelError(
            f"{source}: images are {kinds[0]}, and those for calibration {kinds[1]}; give images of one kind"
        )
    if labels.shape != (len(array),) or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 255:
        raise ModelError(
            f"{source}: labels are {labels.dtype} {labels.shape}; give {len(array)} whole numbers of 0..255"
        )
    return Pixels(array, like.meaning), labels.astype(np.uint8)


def _read(path: str | Path, names: Sequence[str]) -> list[npt.NDArray[Any]]:
    right = f"an npz file with {' and '.join(names)}, (N, C, H, W) and one for each image"
    arrays = read_npz(path, Wanted(f"{path}: no images: it", right, ModelError), names)
    return [arrays[name] for name in names]


def _checked(given: Any, source: str) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = np.asarray(given)
    array: npt.NDArray[Any] = found[:, None] if found.ndim == 3 else found
    if array.ndim != 4 or not array.size:
        raise ModelError(f"{source}: images are of shape {array.shape}; give (N, C, H, W), at least one")
    if array.dtype != np.uint8 and (array.dtype.kind != "f" or not np.isfinite(array).all()):
        raise ModelError(f"{source}: images are {array.dtype}; give uint8 pixels or finite real numbers")
    return array
