"""A SubNet's integers: from the ranges of its tensors, the scales of the shared weights and its own normalisation.

Scales are real numbers, ``real = scale * (int8 - zero)``. Whatever a SubNet has of its own (batch normalisation,
biases, ranges) goes into its multipliers, shifts, biases and zero points.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import INPUT, Activation, Kind, Layer
from arch_model.network.quant import MULTIPLIER_BITS, SHIFT_MAX, encode_multiplier, encode_pair
from arch_model.network.weights import AddQuant, ConvQuant, MaxPoolQuant, OpQuant, PoolQuant, ScaleQuant
from sim.quantise.curves import Reals, on_reals
from sim.quantise.errors import ModelError
from sim.quantise.floats import Span, Statistics
from sim.quantise.layers import FloatLayer, FloatNet
from sim.quantise.share import SharedLayer

_FACTOR_MAX = 127.49
"""Steps of a factor that int8 still holds, rounded."""


@dataclass(frozen=True)
class Meaning:
    """What an int8 tensor stands for: ``real = scale * (int8 - zero)``.

    Attributes
    ----------
    scale : of a step.
    zero : the int8 of 0.
    """

    scale: float
    zero: int

    @classmethod
    def of(cls, span: Span) -> Meaning:
        """The finest that holds a range and 0.

        >>> Meaning.of(Span(0.0, 510.0)), Meaning.of(Span(-1.0, 3.0)).zero
        (Meaning(scale=2.0, zero=-128), -64)
        """
        low, high = min(span.low, 0.0), max(span.high, 0.0)
        scale = (high - low) / 255
        if not scale > 0:  # nothing but zeros: any scale is right, one of middling size fits beside others
            return cls(2.0**-20, 0)
        return cls(scale, round(-128 - low / scale))


def integers_of(
    net: FloatNet,
    shared: Mapping[str, SharedLayer],
    image: Meaning,
    spans: Mapping[str, tuple[Span, Span]],
    statistics: Statistics,
) -> dict[str, OpQuant]:
    """The integers of every layer.

    Parameters
    ----------
    net : the SubNet, with the SuperNet's names.
    shared : the int8 weights.
    image : of the input tensor.
    spans : of each layer, the range of what goes into its activation and of what comes out.
    statistics : of batch normalisation, in place of the module's own.

    Raises
    ------
    ModelError
        A layer whose scales the machine's integers cannot express.
    """
    meanings, made = {INPUT: image}, {}
    for one in net.layers:
        layer = one.layer
        inputs = [meanings[name] for name in layer.inputs]
        before, after = spans[layer.name]
        out = inputs[0] if layer.kind is Kind.MAXPOOL else Meaning.of(after)
        try:
            made[layer.name] = _op(one, shared, inputs, before, out, statistics)
        except ValueError as error:
            raise ModelError(f"layer {layer.name}: its scales are out of range ({error})") from None
        meanings[layer.name] = out
    return made


def _op(
    one: FloatLayer,
    shared: Mapping[str, SharedLayer],
    inputs: list[Meaning],
    before: Span,
    out: Meaning,
    statistics: Statistics,
) -> OpQuant:
    layer, x = one.layer, inputs[0]
    if layer.kind.has_weights:
        return _conv(one, shared[layer.name], x, before, out, statistics)
    if not layer.activation.is_clamp:
        raise ModelError(
            f"layer {layer.name} is an {layer.kind} with {layer.activation}; only layers with weights have tables"
        )
    lo, hi = bounds(layer.activation, out)
    if layer.kind is Kind.ADD:
        b = inputs[1]
        m_a, m_b, shift = encode_pair(x.scale / out.scale, b.scale / out.scale)
        return AddQuant(m_a, m_b, shift, x.zero, b.zero, out.zero, lo, hi)
    if layer.kind is Kind.MAXPOOL:
        return MaxPoolQuant(lo, hi)
    if layer.kind.is_product:
        return _product(layer, x, inputs[1], out, (lo, hi))
    pixels = layer.H * layer.W if layer.kind is Kind.POOL else layer.R * layer.S
    m, _, shift = encode_pair(x.scale / (out.scale * pixels), 0)
    return PoolQuant(m, shift, x.zero, out.zero, lo, hi)


def bounds(activation: Activation, out: Meaning) -> tuple[int, int]:
    """The int8 bounds that make a clamp.

    Parameters
    ----------
    activation : NONE, RELU or RELU6.
    out : what the result means.

    Examples
    --------
    >>> bounds(Activation.RELU6, Meaning(0.05, -128)), bounds(Activation.NONE, Meaning(1.0, 0))
    ((-128, -8), (-128, 127))
    """
    lo = out.zero if activation in (Activation.RELU, Activation.RELU6) else -128
    hi = min(127, out.zero + round(6 / out.scale)) if activation is Activation.RELU6 else 127
    return lo, hi


def _conv(
    one: FloatLayer, shared: SharedLayer, x: Meaning, before: Span, out: Meaning, statistics: Statistics
) -> ConvQuant:
    layer = one.layer
    sums, table = out, None
    if not layer.activation.is_clamp:
        assert one.function is not None
        curve = on_reals(one.function)
        sums = Meaning.of(bent(curve, before, out.scale))
        table = activation_table(curve, sums, out)
    lo, hi = (-128, 127) if table is not None else bounds(layer.activation, out)
    gain, offset = _affine(one, statistics)
    unit = gain * shared.scale[: layer.K] * x.scale / sums.scale
    assert np.all(unit >= 0)
    offset = offset / sums.scale
    reach = 255 * np.abs(shared.weights[: layer.K].astype(np.int64)).sum((1, 2, 3))
    room = (1 << 31) - 1 - reach
    if np.any(room < 1 << 20):
        raise ModelError(f"layer {layer.name}: sums of its {layer.C * layer.R * layer.S:,} products exceed int32")
    # A filter that training switched off keeps its offset: the bias is as large as int32 allows, the multiplier small.
    unit = np.maximum(unit, np.abs(offset) / room)
    multiplier, shift = encode_multiplier(unit)
    off = multiplier < 1 << (MULTIPLIER_BITS - 1)
    bias = np.rint(offset / np.where(off, np.inf, unit))
    return ConvQuant(
        bias.astype(np.int32),
        np.where(off, 0, multiplier).astype(np.int32),
        np.where(off, 0, shift).astype(np.int32),
        x.zero,
        sums.zero,
        lo,
        hi,
        table,
    )


def _affine(one: FloatLayer, statistics: Statistics) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What a sum of products is multiplied by and then added to: batch normalisation and bias, (K,) each."""
    k = one.layer.K
    gain = np.ones(k)
    offset = np.zeros(k) if one.bias is None else one.bias.astype(np.float64)
    if one.norm is not None:
        mean, var = statistics.get(one.layer.name, (one.norm.mean, one.norm.var))
        gain = np.asarray(one.norm.gamma / np.sqrt(var.astype(np.float64) + one.norm.epsilon), np.float64)
        offset = np.asarray((offset - mean) * gain + one.norm.beta, np.float64)
    return gain, offset


def activation_table(curve: Callable[[Reals], Reals], sums: Meaning, out: Meaning) -> npt.NDArray[np.int8]:
    """int8 (256,): the activation of each value of a tensor ``sums`` as one of ``out``, at index value + 128.

    Parameters
    ----------
    curve : float64 (n,) to float64 (n,).
    sums, out : what the integers before and behind the table mean.

    Examples
    --------
    >>> halved = activation_table(lambda x: x / 2, Meaning(1.0, 0), Meaning(1.0, 3))
    >>> halved[[0, 128, 255]].tolist()   # of -128, 0 and 127
    [-61, 3, 67]
    """
    real: Reals = np.asarray((np.arange(-128, 128) - sums.zero) * sums.scale, np.float64)
    steps = np.rint(curve(real) / out.scale) + out.zero
    made: npt.NDArray[np.int8] = np.clip(np.nan_to_num(steps), -128, 127).astype(np.int8)
    return made


def bent(curve: Callable[[Reals], Reals], span: Span, step: float) -> Span:
    """The part of a range outside of which a function changes by less than half a step: no more must be told apart.

    Parameters
    ----------
    curve : float64 (n,) to float64 (n,).
    span : of its argument.
    step : of its result.

    Examples
    --------
    >>> bent(lambda x: np.clip(x, 0, 1), Span(-4, 4), 2**-9)
    Span(low=0.0, high=1.0)
    """
    if not span.high > span.low:
        return span
    x = np.linspace(span.low, span.high, 4097)
    y = curve(x)
    ends = []
    for points, values in ((x, y), (x[::-1], y[::-1])):
        moved = np.abs(values - values[0]) > step / 2
        ends.append(float(points[max(int(moved.argmax()) - 1, 0)]) if moved.any() else float(points[0]))
    return Span(*ends) if ends[0] < ends[1] else span


def _product(layer: Layer, x: Meaning, s: Meaning, out: Meaning, ends: tuple[int, int]) -> ScaleQuant:
    """Factors are rounded to int8 on the way, as finely as they fit: to ``1 / 2**shift`` of the product's step."""
    ratio = x.scale * s.scale / out.scale
    far = max(abs(end - s.zero) for end in (-128, 127))
    shift = min(int(np.floor(np.log2(_FACTOR_MAX / (far * ratio)))), SHIFT_MAX)
    if shift < 0:
        raise ModelError(
            f"layer {layer.name}: its factors are up to {far * ratio:.3g} steps of the result; more than int8"
        )
    (m_f,), (shift_f,) = encode_multiplier([ratio * 2**shift])
    return ScaleQuant(s.zero, int(m_f), int(shift_f), x.zero, shift, out.zero, *ends)
