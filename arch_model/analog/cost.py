"""What the analog layers of a network cost on ISAAC-like tiles: arrays, conversions, time, energy, area.

Layers are a pipeline, as in ISAAC: each has arrays of its own, and copies of them so that layers of many pixels keep
up. The time an image takes is that of the slowest layer; a tile's arrays are counted one by one, so a network may take
a part of a tile. A component takes power while its array reads and none otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from arch_model.analog.cells import outputs_per_array
from arch_model.analog.crossbar import Conversion, Crossbar
from arch_model.analog.isaac import Isaac
from arch_model.errors import AnalogError
from arch_model.network.layer import Layer

PICO, NANO = 1e-12, 1e-9


@dataclass(frozen=True)
class Load:
    """One layer's use of arrays.

    An image's outputs are shared out among copies, so each copy reads ``reads / copies`` times.

    Attributes
    ----------
    name : of the layer.
    arrays : of one copy.
    reads : of each of them, for an image.
    conversions : of all together, for an image.
    """

    name: str
    arrays: int
    reads: int
    conversions: int


def layer_load(layer: Layer, channels: int, crossbar: Crossbar, words: int = 1) -> Load:
    """The load of a layer of which some input channels are analog.

    Parameters
    ----------
    layer : a convolution or a linear layer.
    channels : analog input channels.
    crossbar : the arrays.
    words : weights and inputs have so many times the crossbar's bits (2: the 16 bits of ISAAC), and so as many times
        the cells and the DAC steps.

    Raises
    ------
    AnalogError
        The layer does not have so many channels.

    Examples
    --------
    >>> from arch_model.network.layer import Kind
    >>> conv = Layer("a", Kind.CONV, K=48, C=32, R=3, S=3, H=7, W=7, padding=1)
    >>> isaac = Crossbar(encoding="offset", conversion="slice", adc_bits=8)       # 4 cells a weight: 32 outputs
    >>> layer_load(conv, 32, isaac)          # 3 row blocks x 2; 49 pixels x 8 steps
    Load(name='a', arrays=6, reads=392, conversions=225792)
    """
    if not 0 <= channels <= layer.C:
        raise AnalogError(f"layer {layer.name}: {channels} channels are analog; give 0..{layer.C}")
    blocks = -(-channels * layer.R * layer.S // crossbar.rows)
    pixels = layer.P * layer.Q
    reads = pixels * crossbar.dac_slices * words
    times = reads * crossbar.cell_slices * words if crossbar.conversion is Conversion.SLICE else pixels
    arrays = blocks * -(-layer.K // max(1, outputs_per_array(crossbar) // words))
    return Load(layer.name, arrays, reads, times * blocks * layer.K * crossbar.encoding.conversions)


@dataclass(frozen=True)
class AnalogCost:
    """An image's cost on the analog side.

    Attributes
    ----------
    copies : by layer.
    arrays : taken by all copies.
    conversions : of an image.
    interval_s : seconds from one image to the next in the pipeline.
    latency_s : seconds of one image, layer after layer.
    joules : of an image, by component.
    area_mm2 : square millimetres, the arrays' share of their tiles.
    """

    copies: Mapping[str, int]
    arrays: int
    conversions: int
    interval_s: float
    latency_s: float
    joules: Mapping[str, float]
    area_mm2: float

    @property
    def energy_j(self) -> float:
        """Joules an image."""
        return sum(self.joules.values())


def analog_cost(loads: Sequence[Load], crossbar: Crossbar, tile: Isaac, arrays: int | None = None) -> AnalogCost:
    """The cost of layers on a limited number of arrays, with the copies that make the slowest layer fastest.

    Parameters
    ----------
    loads : one for each layer.
    crossbar : the arrays.
    tile : takes the ADCs of the crossbar, if it has any.
    arrays : the limit. None: one copy of each layer.

    Raises
    ------
    AnalogError
        The layers do not fit, or the component table lacks the ADC.
    """
    bits = crossbar.adc_bits
    tile = tile if bits is None else replace(tile, adc_bits=bits)
    used = [load for load in loads if load.arrays]
    least = sum(load.arrays for load in used)
    if arrays is not None and least > arrays:
        raise AnalogError(f"arrays is {arrays}; the layers need at least {least}")
    reads = _slowest(used, least if arrays is None else arrays)
    copies = {load.name: -(-load.reads // reads) for load in used}
    taken = sum(load.arrays * copies[load.name] for load in used)
    each = tile.read_pj()
    total_reads = sum(load.arrays * load.reads for load in used)
    conversions = sum(load.conversions for load in used)
    joules = {name: total_reads * pj * PICO for name, pj in each.items()}
    joules["adc"] = conversions * tile.conversion_pj * PICO
    read_s = tile.read_ns * NANO
    after_another = sum(-(-load.reads // copies[load.name]) for load in used) * read_s
    area = tile.tile_mm2 * taken / tile.tile_arrays
    return AnalogCost(copies, taken, conversions, reads * read_s if used else 0.0, after_another, joules, area)


def _slowest(loads: Sequence[Load], arrays: int) -> int:
    """The fewest reads an image of the slowest layer on so many arrays: bisected, for more reads need fewer copies."""
    low, high = 0, max((load.reads for load in loads), default=1)
    while high - low > 1:
        middle = (low + high) // 2
        if sum(load.arrays * -(-load.reads // middle) for load in loads) <= arrays:
            high = middle
        else:
            low = middle
    return high
