"""int8 scales for results that a quantised file leaves real: between two operators, or at its end.

Some quantisers leave the last layer's result real, or add a convolution's sum to a tensor before anything is rounded.
The machine's layers make int8, so such a result gets a scale here, from what the file says:

* A sum, product or average is bounded by the ranges of its operands, which their scales give; a function of one tensor
  is known for all 256 values.
* A convolution's sums are not used up to their bound, by far. Its operand's scale says how far values go; they are
  taken as normally distributed about zero with the far end of that range at 4 sigma (one side of it, if the range has
  one side). The sums then have a mean and a sigma each, and the range holds every channel's within 10 sigma. That is
  wide, because trained weights follow what they look for: a clamped logit is worse than one that is 2 % coarser.
* Before an activation that a table makes, the sums have 255 steps, too: of the range in which the result changes.
* Where an addition alone reads it, the range that the addition can use, if that is narrower.

Where the scales before it are powers of two, so is the new one: what was exact stays so.

What is rounded here and not in the file is said of each layer, and nothing is claimed of such a layer's integers. For a
result of the network the claim is that of a QuantizeLinear with this scale behind it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from arch_model.network.layer import Kind
from mapper.importers.network import Function, TensorQuant
from mapper.importers.onnx.ops import EVERY, Curve, Operator, Value, same_quant

FAR = 4.0
"""Sigmas of an operand that its range holds."""
WIDE = 10.0
"""Sigmas of a sum that its range holds."""
_TRIED = 1 << 14
"""Places of a range where a function is looked at."""
_BITS = 5
"""Of the mantissa of a scale that is made here: float32 products of few bits are exact."""

Range = tuple[float, float]


def ends_of(quant: TensorQuant) -> Range:
    """The least and the greatest real number of an int8 tensor.

    >>> ends_of(TensorQuant(np.float32(0.5), -128))
    (0.0, 127.5)
    """
    return tuple(float(quant.scale) * (end - quant.zero_point) for end in (-128, 127))  # type: ignore[return-value]


def made_for(ends: Range, offset: int, bits: int = _BITS) -> TensorQuant:
    """A scale whose mantissa has so many bits, with 0 among its steps, whose 255 steps hold a range.

    Parameters
    ----------
    ends : the least and the greatest real value.
    offset : 128 for a tensor that is uint8 in the file, else 0.
    bits : of the scale's mantissa.

    Examples
    --------
    >>> made_for((-1.0, 14.0), 0)
    TensorQuant(scale=np.float32(0.060546875), zero_point=-111, offset=0)
    """
    low, high = min(ends[0], 0.0), max(ends[1], 0.0)
    wanted = (high - low) / 255 if high > low else 1.0
    mantissa, exponent = np.frexp(wanted)
    scale = np.ldexp(np.ceil(mantissa * 2**bits), int(exponent) - bits)
    return TensorQuant(np.float32(scale), int(np.clip(np.rint(-128 - low / scale), -128, 127)), offset)


def give_scales(operators: list[Operator]) -> None:
    """Give each operator a result in int8, and each operand its meaning, where the file leaves them real.

    Operators without int8 weights, and what follows them, stay real. ``inner`` of an operator says that its result was
    given a scale here.
    """
    by_name = {operator.layer.name: operator for operator in operators}
    readers: dict[str, list[Operator]] = {}
    for operator in operators:
        for name in operator.layer.inputs:
            readers.setdefault(name, []).append(operator)
    for operator in operators:
        operator.sources = tuple(
            source if source is not None else _taken(by_name, name)
            for source, name in zip(operator.sources, operator.layer.inputs, strict=True)
        )
        if None in operator.sources or (operator.layer.kind.has_weights and operator.steps is None):
            continue
        if operator.function is not None:
            _before_function(operator, operator.function)
        elif operator.out is None and not operator.no_integers:
            _give(operator, readers.get(operator.layer.name, []))


def _taken(by_name: Mapping[str, Operator], name: str) -> TensorQuant | None:
    """The meaning of a result that was read as a real one."""
    maker = by_name.get(name)
    if maker is None or maker.meaning is None:
        return None
    maker.inner |= maker.layer.kind is not Kind.MAXPOOL and not maker.layer.kind.is_view and not maker.only_maxima
    return maker.meaning


def _give(operator: Operator, readers: list[Operator]) -> None:
    kind = operator.layer.kind
    sources = [source for source in operator.sources if source is not None]
    maxima = {reader.out for reader in readers if reader.layer.kind is Kind.MAXPOOL}
    if readers and len(maxima) == 1 and all(reader.layer.kind is Kind.MAXPOOL for reader in readers):
        (only,) = maxima
        if only is not None:  # the greatest of rounded numbers is the greatest, rounded
            operator.out, operator.only_maxima = only, True
            return
    if kind is Kind.MAXPOOL or (kind.is_view and all(same_quant(source, sources[0]) for source in sources)):
        operator.out = sources[0]
        return
    if kind in (Kind.POOL, Kind.AVGPOOL):
        ends = ends_of(sources[0])
        ends = ends[0] * float(operator.gain), ends[1] * float(operator.gain)
    elif kind.is_view:
        every = [ends_of(source) for source in sources]
        ends = min(low for low, _ in every), max(high for _, high in every)
    elif kind is Kind.ADD:
        (a, b), (c, d) = (ends_of(source) for source in sources)
        ends = a + c, b + d
    elif kind.is_product:
        corners = [one * other for one in ends_of(sources[0]) for other in ends_of(sources[1])]
        ends = min(corners), max(corners)
    else:
        ends = _within(_sums(operator, sources[0]), readers)
    low, high = max(ends[0], operator.lo), min(ends[1], operator.hi)
    scales = [source.scale for source in sources]
    scales += [] if operator.step_scale is None else list(operator.step_scale)
    bits = 0 if all(np.frexp(scale)[0] == 0.5 for scale in scales) else _BITS
    operator.out, operator.inner = made_for((low, high), sources[0].offset, bits), True


def _before_function(operator: Operator, function: Function) -> None:
    """A scale for a convolution's sums before an activation, as fine as the steps of its result allow."""
    x = operator.sources[0]
    assert x is not None
    low, high = _sums(operator, x)
    reals = np.linspace(min(low, 0.0), max(high, 0.0), _TRIED)
    made = function(reals)
    out = operator.out or made_for((float(made.min()), float(made.max())), x.offset)
    steps = out.quantize(made)
    changes = np.flatnonzero(np.diff(steps))
    if changes.size:  # beyond these it is constant, as a clamped sum is
        low, high = float(reals[changes[0]]), float(reals[changes[-1] + 1])
    before = made_for((low, high), x.offset)
    base = Value(operator.layer.name, (operator.layer.K, operator.layer.P, operator.layer.Q), quant=before)
    real = function(before.dequantize(EVERY).astype(np.float64))
    operator.curve = Curve(base, real, name=operator.layer.name).quantized(out)
    operator.out, operator.after, operator.inner, operator.no_integers = before, out, True, ""


def _sums(operator: Operator, x: TensorQuant) -> Range:
    """Where a convolution's results lie, by its weights and its operand's range."""
    assert operator.steps is not None and operator.step_scale is not None
    w = operator.steps.reshape(operator.layer.K, -1).astype(np.float64) * operator.step_scale[:, None].astype(
        np.float64
    )
    bias = np.zeros(operator.layer.K) if operator.bias is None else operator.bias
    low, high = ends_of(x)
    sigma = max(-low, high) / FAR
    one_sided = min(-low, high) < sigma
    mean = w.sum(axis=1) * (np.sign(low + high) * sigma * np.sqrt(2 / np.pi) if one_sided else 0.0)
    far = WIDE * np.sqrt(np.square(w).sum(axis=1)) * sigma * (np.sqrt(1 - 2 / np.pi) if one_sided else 1.0)
    least, most = np.minimum(w * low, w * high).sum(axis=1), np.maximum(w * low, w * high).sum(axis=1)
    lower, upper = np.maximum(mean - far, least) + bias, np.minimum(mean + far, most) + bias
    return float(lower.min()), float(upper.max())


def _within(ends: Range, readers: list[Operator]) -> Range:
    """The part of a range that an addition can use, if it alone reads it."""
    if len(readers) != 1 or readers[0].layer.kind is not Kind.ADD or readers[0].out is None:
        return ends
    others = [source for source in readers[0].sources if source is not None]
    if len(others) != 1:
        return ends
    (low, high), (least, most) = ends_of(others[0]), ends_of(readers[0].out)
    narrow = max(ends[0], least - high), min(ends[1], most - low)
    return narrow if narrow[0] < narrow[1] else ends
