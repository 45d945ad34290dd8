"""Where integers differ from the module: each layer's int8 tensor beside what the floats make of the same inputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import INPUT, Kind
from arch_model.network.weights import OpQuant
from sim.integers.reference import run_layers
from sim.quantise.errors import need_torch
from sim.quantise.floats import FloatRun, Span
from sim.quantise.images import Pixels
from sim.quantise.integers import Meaning


def layer_ratios(
    run: FloatRun,
    spans: Mapping[str, tuple[Span, Span]],
    weights: Mapping[str, npt.NDArray[np.int8]],
    ops: Mapping[str, OpQuant],
    image: Pixels,
) -> dict[str, float]:
    """The signal-to-noise ratio of each layer by itself, in dB.

    Parameters
    ----------
    run : the SubNet in floats, with the statistics that the integers were made with.
    spans : the ranges that the integers were made with.
    weights, ops : the integers.
    image : one image.

    Returns
    -------
    dict
        By layer, 20 log10 of the standard deviation of what the floats make of the layer's int8 inputs over that of
        the difference. 8 bits over a range of 8 deviations are 41 dB.
    """
    torch = need_torch()
    layers = [one.layer for one in run.net.layers]
    int8 = {INPUT: image.int8[0], **run_layers(layers, weights, ops, image.int8[0])}
    meanings, ratios = {INPUT: image.meaning}, {}
    for one in run.net.layers:
        layer = one.layer
        inputs = [
            torch.from_numpy(((int8[name].astype(np.float32) - meanings[name].zero) * meanings[name].scale)[None])
            for name in layer.inputs
        ]
        right = run.layer(one, [x.float() for x in inputs])[0].numpy().astype(np.float64)
        out = meanings[layer.inputs[0]] if layer.kind is Kind.MAXPOOL else Meaning.of(spans[layer.name][1])
        meanings[layer.name] = out
        made = (int8[layer.name].astype(np.float64) - out.zero) * out.scale
        ratios[layer.name] = float(20 * np.log10(max(right.std(), 1e-30) / max((made - right).std(), 1e-30)))
    return ratios
