"""What the ADCs meet on noiseless images, and the ranges that follow."""

from __future__ import annotations

import numpy as np

from arch_model.analog import Conversion, Variation
from sim.noise.engine.adc import Adc
from sim.noise.engine.bit_serial import BitSerialEngine
from sim.noise.engine.chip import Chip
from sim.noise.engine.effective_weight import FastEngine
from sim.noise.engine.hybrid import Adcs, Hybrid, HybridEngine, Values, adcs_from, sliced_adcs
from sim.noise.engine.network import Bytes

IMAGES = 32
"""Images that ranges are calibrated on: the first of the evaluation."""

SAMPLES = 1 << 17
"""Conversions of one matrix product that are kept at most, evenly spaced."""


def observe(hybrid: Hybrid, variation: Variation, images: Bytes, chip: Chip | None = None) -> dict[str, list[Values]]:
    """Samples of the inputs of each layer's ADCs (for each cell slice, if they convert slices), before conversion.

    Activations are those of ideal conversion. Layers that are wholly digital have none.

    Parameters
    ----------
    hybrid : the network and its crossbars.
    variation : of the cells.
    images : uint8 (N, H, W) or (N, C, H, W).
    chip : what was drawn for the cells. None: the chip as intended, whose ranges are calibrated so.
    """
    seen: dict[str, list[list[Values]]] = {}

    class Observer(_engine_class(hybrid)):  # type: ignore[misc]
        def _adc(self, layer: str, index: int, x: Values) -> Adc | None:
            each = seen.setdefault(layer, [[] for _ in range(sliced_adcs(hybrid.crossbar))])
            flat = x.ravel()
            each[index].append(flat[:: -(-flat.size // SAMPLES)].copy())
            return None

    engine = Observer(hybrid, variation, chip, None)
    hybrid.network.predict(images, engine)
    return {name: [np.concatenate(values) for values in each] for name, each in seen.items()}


def calibrate_adcs(hybrid: Hybrid, variation: Variation, images: Bytes) -> Adcs:
    """The ADCs of every layer that needs them, on the first :data:`IMAGES` images.

    Parameters
    ----------
    hybrid : the network and its crossbars.
    variation : of the cells.
    images : uint8 (N, H, W) or (N, C, H, W).
    """
    if not hybrid.crossbar.has_adc:
        return {}
    return adcs_from(observe(hybrid, variation, images[:IMAGES]), hybrid.crossbar)


def _engine_class(hybrid: Hybrid) -> type[HybridEngine]:
    return BitSerialEngine if hybrid.crossbar.conversion is Conversion.SLICE else FastEngine
