"""Labelled images: the test set where Fashion-MNIST is installed, else the thousand that ship with the weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arch_model.errors import AnalogError
from arch_model.files.npz_file import read_npz
from arch_model.files.text import gunzipped, read_bytes
from arch_model.files.wanted import Wanted, one_line
from arch_model.network.layer import INPUT
from arch_model.network.supernet import SuperNet
from arch_model.network.weights import SuperNetWeights
from arch_model.spaces import get_space
from arch_model.spaces.fashion import NAME as FASHION
from arch_model.spaces.registry import ships
from mapper.importers import Network as Imported
from sim.noise.engine.network import Network

DATA = Path("/usr/share/datasets/fashion-mnist")
"""Where the Debian package dataset-fashion-mnist puts its files."""


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images and their classes.

    Attributes
    ----------
    images : uint8 (N, H, W) or (N, C, H, W).
    labels : uint8 (N,).
    source : where they are from.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    source: str

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits of all pixels and labels."""
        whole = sha256(repr((self.images.shape, self.images.dtype.str)).encode())
        for array in (self.images, self.labels):
            whole.update(array.tobytes())
        return whole.hexdigest()[:12]

    def first(self, count: int) -> LabelledImages:
        """The first images.

        Raises
        ------
        AnalogError
            There are fewer, or ``count`` is below 1.
        """
        if not 1 <= count <= len(self.images):
            raise AnalogError(f"images is {count}; give 1..{len(self.images)}, what there is in {self.source}")
        return LabelledImages(self.images[:count], self.labels[:count], self.source)


def find_test_images(weights: SuperNetWeights, count: int, data: Path | None = DATA) -> LabelledImages:
    """The first test images: of those in the weights, or of all 10,000 if more are wanted and installed.

    Parameters
    ----------
    weights : a weights file as it was read.
    count : of images.
    data : where Fashion-MNIST would be. None: the weights are of another task, whose images are all that there are.
    """
    shipped = _shipped(weights)
    if data is None or count <= len(shipped.images) or not _is_there(data, "t10k"):
        return shipped.first(count)
    return _read(data, "t10k", "the test set of Fashion-MNIST").first(count)


def find_ranking_images(weights: SuperNetWeights, count: int, data: Path | None = DATA) -> LabelledImages:
    """Images for gradients: of the training set where it is installed, else of the weights' test images.

    Parameters
    ----------
    weights : a weights file as it was read.
    count : of images; of another task, as many as there are.
    data : as :func:`find_test_images` takes it.
    """
    if data is not None and _is_there(data, "train"):
        return _read(data, "train", "the training set of Fashion-MNIST").first(count)
    shipped = _shipped(weights)
    return shipped.first(min(count, len(weights.images)) if data is None else count)


def _shipped(weights: SuperNetWeights) -> LabelledImages:
    if not len(weights.images):
        raise AnalogError("the weights come without test images; give --data FILE.npz with images and labels")
    source = weights.metadata.get("images_from", "the shipped test images")
    return LabelledImages(weights.images, weights.labels, source)


def with_images(weights: SuperNetWeights, network: Network, data: Path) -> SuperNetWeights:
    """Weights that come without test images with those of an npz file.

    Parameters
    ----------
    weights : of SubNets.
    network : one of them.
    data : an npz file with ``images`` (N, C, H, W), pixels as uint8 or as 0 to 1, and ``labels`` (N,).

    Returns
    -------
    SuperNetWeights
        The same with images and labels.

    Raises
    ------
    AnalogError
        The weights have images of their own, or the file's are none that the network takes.
    """
    if len(weights.images):
        raise AnalogError(f"data is {data}; it goes with --onnx, these SubNets have images of their own")
    real, labels = read_images(data)
    first = next(layer for layer in network.layers if INPUT in layer.inputs)
    if real.shape[1:] != (first.C, first.H, first.W):
        wanted = (first.C, first.H, first.W)
        raise AnalogError(f"SubNet {network.name} takes images of {wanted} (C, H, W); {data} has {real.shape[1:]}")
    if real.min() < 0 or real.max() > 1:
        raise AnalogError(f"{data}: its images go from {real.min():g} to {real.max():g}; give pixels, uint8 or 0 to 1")
    pixels = np.rint(real * 255).astype(np.uint8)
    return replace(weights, images=pixels, labels=labels, metadata={**weights.metadata, "images_from": str(data)})


def data_of(supernet: SuperNet | str) -> Path | None:
    """Where more images of a SuperNet's task would be: those of ``fashion`` are known."""
    return DATA if ships(supernet) and get_space(supernet).name == FASHION else None


def read_images(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """``images`` (N, C, H, W), as real numbers or uint8 pixels, and ``labels`` (N,) of an npz file.

    Pixels are taken as 0..1.

    Raises
    ------
    AnalogError
        The file has anything else.
    """
    wanted = Wanted(f"{path}: no labelled images: it", "an npz file with images and labels", AnalogError)
    arrays = read_npz(path, wanted, ("images", "labels"))
    images, labels = arrays["images"], arrays["labels"]
    if images.ndim != 4 or labels.shape != images.shape[:1] or not len(labels) or labels.dtype.kind not in "iu":
        raise AnalogError(
            f"{path}: images are {images.shape}, labels {labels.dtype} {labels.shape}; give (N, C, H, W) and N integers"
        )
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise wanted.wrong(f"its images are {images.dtype}", right="uint8 pixels or real numbers")
    if labels.min() < 0 or labels.max() > 255:
        raise wanted.wrong(f"its labels go from {labels.min()} to {labels.max()}", right="labels in 0..255")
    with np.errstate(over="ignore"):
        real = images.astype(np.float32)
    if not np.isfinite(real).all():
        raise wanted.wrong("its images have numbers that are not finite", right="finite numbers")
    return (real / np.float32(255) if images.dtype == np.uint8 else real), labels.astype(np.uint8)


def images_for(
    imported: Imported, real: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8], source: str
) -> LabelledImages:
    """Real images as an imported network takes them: int8 by its input's scale, plus 128.

    Parameters
    ----------
    imported : the network.
    real : images, float32 (N, C, H, W).
    labels : uint8 (N,).
    source : where they are from.

    Raises
    ------
    AnalogError
        The network reads another shape.
    """
    first = next(layer for layer in imported.subnet.layers if INPUT in layer.inputs)
    shape = (first.C, first.H, first.W)
    if real.shape[1:] != shape:
        raise AnalogError(
            f"network {imported.subnet.name} takes images of {shape} (C, H, W); {source} has {real.shape[1:]}; give "
            "others with --data FILE.npz"
        )
    pixels = imported.tensors[INPUT].quantize(real).astype(np.int16) + 128
    return LabelledImages(pixels.astype(np.uint8), labels, source)


def _paths(data: Path, split: str) -> tuple[Path, Path]:
    return data / f"{split}-images-idx3-ubyte.gz", data / f"{split}-labels-idx1-ubyte.gz"


def _is_there(data: Path, split: str) -> bool:
    return all(path.is_file() for path in _paths(data, split))


def _read(data: Path, split: str, source: str) -> LabelledImages:
    images, labels = (_read_idx(path) for path in _paths(data, split))
    return LabelledImages(images, labels, source)


def _read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """A gzipped idx file: 0, 0, 8 (uint8), the number of dimensions, big-endian int32 sizes, data."""
    wanted = Wanted(f"{path}: not an idx file of bytes: it", "another, or install it anew", AnalogError)
    try:
        raw = gunzipped(read_bytes(path, wanted), wanted)
        shape = np.frombuffer(raw, ">i4", count=raw[3], offset=4)
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)
    except (ValueError, IndexError) as error:
        raise wanted.wrong(one_line(error)) from None
