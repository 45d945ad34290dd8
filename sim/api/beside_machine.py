"""What the host computes before and after the machine, when a model is verified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import INPUT
from mapper.importers import Network
from mapper.importers.onnx.model import with_results

Image = npt.NDArray[Any]
Int8 = npt.NDArray[np.int8]


def machine_image(network: Network, image: Image) -> Int8:
    """The int8 image that the machine reads, (C, H, W).

    Parameters
    ----------
    network : with the integers of its input.
    image : one image as the model takes it, without the batch.
    """
    meaning, made = network.tensors[INPUT], network.prepared(image[None])
    if made.dtype.kind == "f":
        return meaning.quantize(made)
    return meaning.from_stored(made)


def model_images(network: Network, count: int, seed: int, stored: bool) -> Iterator[tuple[Int8, Image]]:
    """Images as a model takes them that has steps of the host's before the machine, and what these make of them.

    Parameters
    ----------
    network : with a prologue.
    count, seed : how many, drawn from what.
    stored : whether the model takes bytes. Of real numbers a third is between 0 and 1, a third between 0 and 255, as
        pixels are, and a third about 0, as what was normalised already.
    """
    rng, shape = np.random.default_rng(seed), network.image[1][1:]
    for number in range(count):
        if stored:
            kind = np.int8 if network.tensors[INPUT].offset == 0 else np.uint8
            image: Image = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max + 1, shape).astype(kind)
        else:
            real = (rng.uniform(0, 1, shape), rng.uniform(0, 255, shape), rng.normal(0, 1, shape))[number % 3]
            image = real.astype(np.float32)
        yield machine_image(network, image), image


def with_handed(model: str | Path, network: Network) -> bytes | None:
    """The model as ONNX bytes, with those tensors as further results that the host reads; None if it reads none.

    Parameters
    ----------
    model : the ONNX file.
    network : what import read of it.
    """
    if not network.epilogue:
        return None
    return with_results(model, network.handed)


def host_results(network: Network, tensors: Mapping[str, Int8]) -> dict[str, Image]:
    """The model's results, by name, as the host's steps make them.

    Parameters
    ----------
    network : with an epilogue.
    tensors : the machine's int8 tensors, by layer.
    """
    real = {one.layer: network.tensors[one.layer].dequantize(tensors[one.layer]) for one in network.handed.values()}
    return network.finished(real)
