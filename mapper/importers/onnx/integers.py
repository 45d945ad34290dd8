"""The machine's integers of an operator whose operands, weights and result are int8.

The accumulator is the same in both arithmetics (int32 sums of int8 products), so what is to be matched is the step
from it to int8. onnxruntime's scales are float32: ``x_scale * w_scale / y_scale`` a channel (QLinearConv, QGemm,
QLinearMatMul), ``x_scale / (y_scale * pixels)`` (QLinearGlobalAveragePool), ratios ``a_scale / y_scale`` and
``b_scale / y_scale`` (QLinearAdd); :mod:`mapper.importers.float32` finds integers for them and says where none fit.
A QDQ graph may mean these operators or float32 ones: :mod:`mapper.importers.onnx.proof`. A maximum is the same in all
of them. Averages over windows and products have the nearest integers, and nothing is claimed.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import cast

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import Kind
from arch_model.network.quant import PAIR_BITS, SHIFT_MAX, encode_multiplier, encode_pair
from arch_model.network.weights import AddQuant, ConvQuant, MaxPoolQuant, OpQuant, PoolQuant, ScaleQuant
from mapper.importers.float32 import fit_add, fit_multiplier
from mapper.importers.network import TensorQuant
from mapper.importers.onnx.finish import copied
from mapper.importers.onnx.ops import Operator
from mapper.importers.onnx.proof import float_wrong, product_errors

_FACTOR_MAX = 127.49
"""Steps of a factor that int8 still holds, rounded."""


class NoIntegers(Exception):
    """Why an operator has none."""


def integers(op: Operator) -> tuple[OpQuant, int]:
    """An operator's integers, and at how many steps (pairs) they differ from onnxruntime's integer operator.

    Where they must differ, those that are proven for the float32 of a QDQ file are preferred.

    Raises
    ------
    NoIntegers
        It has none; the text says why.
    """
    if op.no_integers:
        raise NoIntegers(op.no_integers)
    made, wrong = (copied(op.layer.K), 0) if op.lookup else _integers(op)
    if op.curve is not None:
        made = replace(cast(ConvQuant, made), table=op.curve.steps)
    return made, wrong


def _integers(op: Operator) -> tuple[OpQuant, int]:
    if any(source is None for source in op.sources):
        raise NoIntegers("an operand is not int8 (no QuantizeLinear before it)")
    if op.out is None:
        raise NoIntegers("its result is not int8 (no QuantizeLinear after it)")
    if op.layer.kind.has_weights and op.steps is None:
        raise NoIntegers("its weights are not int8")
    try:
        made, wrong = _fitted(op, op.out, True)
        known = op.layer.kind.has_weights or op.layer.kind in (Kind.ADD, Kind.POOL)
        if known and wrong and op.node is not None and not op.node.op.startswith("Q"):
            plain, others = _fitted(op, op.out, False)
            if float_wrong(op, plain) == 0:
                return plain, others
    except ValueError as error:
        raise NoIntegers(f"its scales are out of range ({error})") from None
    return made, wrong


def _fitted(op: Operator, out: TensorQuant, nudge: bool) -> tuple[OpQuant, int]:
    sources = [source for source in op.sources if source is not None]
    lo, hi = _clamp(op, out)
    if op.layer.kind is Kind.ADD:
        return _add(op, sources[0], sources[1], out, (lo, hi), nudge)
    if op.layer.kind in (Kind.POOL, Kind.AVGPOOL):
        return _pool(op, sources[0], out, (lo, hi), nudge)
    if op.layer.kind is Kind.MAXPOOL:
        return MaxPoolQuant(lo, hi), 0
    if op.layer.kind.is_product:
        return _product(sources[0], sources[1], out, (lo, hi))
    return _conv(op, sources[0], out, (lo, hi), nudge)


def _clamp(op: Operator, out: TensorQuant) -> tuple[int, int]:
    """The int8 bounds of the result: QuantizeLinear of the real ones, and those set on the int8 tensor itself."""
    lo, hi = op.low, op.high
    if op.lo > -inf:
        lo = max(lo, int(out.quantize(op.lo)))
    if op.hi < inf:
        hi = min(hi, int(out.quantize(op.hi)))
    return min(lo, hi), hi


def _conv(op: Operator, x: TensorQuant, out: TensorQuant, ends: tuple[int, int], nudge: bool) -> tuple[ConvQuant, int]:
    lo, hi = ends
    assert op.steps is not None and op.step_scale is not None
    bias = np.zeros(op.layer.K, np.int64) if op.step_bias is None else op.step_bias
    if np.any(np.abs(bias) >= 1 << 31):
        raise NoIntegers(f"its bias is {int(np.abs(bias).max())} steps; give one that fits int32")
    scale = np.asarray(x.scale * op.step_scale / out.scale, np.float32)
    w = op.steps.reshape(op.layer.K, -1).astype(np.int64)
    sums = w * (-128 - x.zero_point), w * (127 - x.zero_point)
    smallest, greatest = (np.minimum(*sums).sum(axis=1) + bias, np.maximum(*sums).sum(axis=1) + bias)
    steps = range(lo - out.zero_point + 1, hi - out.zero_point + 1)
    m, shift, wrong = fit_multiplier(scale, smallest, greatest, steps, nudge=nudge)
    small = (bias.astype(np.int32), m.astype(np.int32), shift.astype(np.int32))
    return ConvQuant(*small, x.zero_point, out.zero_point, lo, hi), int(wrong.sum())


def _pool(op: Operator, x: TensorQuant, out: TensorQuant, ends: tuple[int, int], nudge: bool) -> tuple[PoolQuant, int]:
    """An average; over windows nothing is known of onnxruntime's, so no step of it is wrong."""
    lo, hi = ends
    pixels = op.layer.H * op.layer.W if op.layer.kind is Kind.POOL else op.layer.R * op.layer.S
    scale: npt.NDArray[np.float32] = np.array(
        [x.scale * op.gain / np.float32(out.scale * np.float32(pixels))], np.float32
    )
    smallest, greatest = (np.array([pixels * (end - x.zero_point)], np.int64) for end in (-128, 127))
    steps = range(lo - out.zero_point + 1, hi - out.zero_point + 1)
    m, shift, wrong = fit_multiplier(scale, smallest, greatest, steps, PAIR_BITS, nudge=nudge)
    known = int(wrong[0]) if op.layer.kind is Kind.POOL else 0
    return PoolQuant(int(m[0]), int(shift[0]), x.zero_point, out.zero_point, lo, hi), known


def _product(x: TensorQuant, s: TensorQuant, out: TensorQuant, ends: tuple[int, int]) -> tuple[ScaleQuant, int]:
    """A product, and for how many of the 65,536 pairs of operands it is not the exact one, rounded once.

    The factors are rounded to int8 on the way, so as finely as they fit: in steps of ``1 / 2**shift`` of the product's.
    """
    lo, hi = ends
    ratio = float(x.scale) * float(s.scale) / float(out.scale)
    far = max(abs(end - s.zero_point) for end in (-128, 127))
    shift = min(int(np.floor(np.log2(_FACTOR_MAX / (far * ratio)))), SHIFT_MAX)
    if shift < 0:
        raise NoIntegers(f"its factors are up to {far * ratio:.3g} steps of the result; give a scale that makes fewer")
    (m_f,), (shift_f,) = encode_multiplier([ratio * 2**shift])
    q = ScaleQuant(s.zero_point, int(m_f), int(shift_f), x.zero_point, shift, out.zero_point, lo, hi)
    return q, int(np.count_nonzero(product_errors(x, s, out, q)))


def _add(
    op: Operator, a: TensorQuant, b: TensorQuant, out: TensorQuant, ends: tuple[int, int], nudge: bool
) -> tuple[AddQuant, int]:
    lo, hi = ends
    if len({a.offset, b.offset, out.offset}) > 1:  # onnxruntime has no integer operator for that
        m_a, m_b, shift = encode_pair(float(a.scale) / float(out.scale), float(b.scale) / float(out.scale))
        return AddQuant(m_a, m_b, shift, a.zero_point, b.zero_point, out.zero_point, lo, hi), 0
    first, second = (b, a) if op.swapped else (a, b)  # onnxruntime's order of operands decides its roundings
    scales, zeros = (first.scale, second.scale, out.scale), (first.zero_point, second.zero_point, out.zero_point)
    m_first, m_second, shift, wrong = fit_add(scales, zeros, out.offset, lo, hi, nudge=nudge)
    m_a, m_b = (m_second, m_first) if op.swapped else (m_first, m_second)
    return AddQuant(m_a, m_b, shift, a.zero_point, b.zero_point, out.zero_point, lo, hi), wrong
