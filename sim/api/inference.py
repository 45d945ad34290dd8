"""``fastswitch.infer``: what a SubNet computes, integer for integer, in NumPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError, WeightsError
from arch_model.network.layer import INPUT
from arch_model.network.supernet import SubNet
from mapper.importers.network import Network
from mapper.importers.spaces import Source
from sim.api.asked import Weights, asked
from sim.api.programs import integers_of
from sim.integers.reference import run_layers


def infer(
    supernet: Source, subnet: SubNet | Network | str, image: npt.ArrayLike, weights: Weights | None = None
) -> dict[str, npt.NDArray[np.int8]]:
    """Run a SubNet on an image with the integers that the accelerator has, in NumPy.

    Parameters
    ----------
    supernet, subnet : as of ``fastswitch.compile``.
    image : int8 (C, H, W), as the first layer reads it.
    weights : a weights file as it was read, or an imported network. None: those of a quantised model.

    Returns
    -------
    dict
        The tensor that each layer makes, int8 (K, P, Q) by the layer's name, in order. The RTL leaves the same
        integers in DRAM.

    Raises
    ------
    FastSwitchError
        The image is of another shape.
    WeightsError
        The weights have no integers of the SubNet, or there are none.

    Examples
    --------
    >>> from arch_model.network.weights import load_weights
    >>> shipped = load_weights()
    >>> image = (shipped.images[:1].astype(np.int16) - 128).astype(np.int8)
    >>> tensors = infer("fashion", "fashion-d222-w444", image, shipped)
    >>> int(tensors["linear"].argmax()), int(shipped.labels[0])
    (9, 9)
    """
    _, net, found = asked(supernet, subnet, weights)
    if found is None:
        raise WeightsError(f"SubNet {net.name}: there are no weights; give those of a file, or a quantised network")
    quant, weights = integers_of(net, found), found
    layers = weights.weights if isinstance(weights, Network) else weights.layers
    return dict(run_layers(net.layers, layers, quant, checked_image(image, net)))


def checked_image(image: npt.ArrayLike, subnet: SubNet) -> npt.NDArray[np.int8]:
    """The image as an array.

    Parameters
    ----------
    image : int8 (C, H, W).
    subnet : that reads it.

    Raises
    ------
    FastSwitchError
        The SubNet reads another shape or another type.
    """
    array = np.asarray(image)
    reader = next(layer for layer in subnet.layers if INPUT in layer.inputs)
    wanted = reader.C, reader.H, reader.W
    if array.shape != wanted or array.dtype != np.int8:
        raise FastSwitchError(f"image is {array.dtype} {array.shape}; SubNet {subnet.name} reads int8 {wanted}")
    return array
