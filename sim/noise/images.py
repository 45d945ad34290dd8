"""Labelled images: the test set where Fashion-MNIST is installed, else the thousand that ship with the weights."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arch_model.errors import AnalogError
from arch_model.weights import SuperNetWeights

DATA = Path("/usr/share/datasets/fashion-mnist")
"""Where the Debian package dataset-fashion-mnist puts its files."""


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """``images`` uint8 (N, H, W), ``labels`` uint8 (N,), and where they are from."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    source: str

    def first(self, count: int) -> LabelledImages:
        """The first ``count``; :class:`~arch_model.errors.AnalogError` if there are fewer, or ``count`` is below 1."""
        if not 1 <= count <= len(self.images):
            raise AnalogError(f"images is {count}; give 1..{len(self.images)}, what there is in {self.source}")
        return LabelledImages(self.images[:count], self.labels[:count], self.source)


def find_test_images(weights: SuperNetWeights, count: int, data: Path = DATA) -> LabelledImages:
    """The first ``count`` test images: of those that ship, or of all 10,000 if more are wanted and installed."""
    shipped = LabelledImages(weights.images, weights.labels, "the shipped test images")
    if count <= len(shipped.images) or not _is_there(data, "t10k"):
        return shipped.first(count)
    return _read(data, "t10k", "the test set of Fashion-MNIST").first(count)


def find_ranking_images(weights: SuperNetWeights, count: int, data: Path = DATA) -> LabelledImages:
    """Images for gradients: of the training set where it is installed, else of the shipped test images."""
    if _is_there(data, "train"):
        return _read(data, "train", "the training set of Fashion-MNIST").first(count)
    return LabelledImages(weights.images, weights.labels, "the shipped test images").first(count)


def _paths(data: Path, split: str) -> tuple[Path, Path]:
    return data / f"{split}-images-idx3-ubyte.gz", data / f"{split}-labels-idx1-ubyte.gz"


def _is_there(data: Path, split: str) -> bool:
    return all(path.is_file() for path in _paths(data, split))


def _read(data: Path, split: str, source: str) -> LabelledImages:
    images, labels = (_read_idx(path) for path in _paths(data, split))
    return LabelledImages(images, labels, source)


def _read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """A gzipped idx file: 0, 0, 8 (uint8), the number of dimensions, big-endian int32 sizes, data."""
    try:
        raw = gzip.decompress(path.read_bytes())
        shape = np.frombuffer(raw, ">i4", count=raw[3], offset=4)
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
    except (OSError, EOFError, ValueError, IndexError) as error:
        why = " ".join(str(error).split())
        raise AnalogError(f"{path}: not an idx file of bytes ({why}); install it anew") from None
