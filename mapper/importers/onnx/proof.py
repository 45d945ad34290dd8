"""Of which graph of onnxruntime an operator's integers are proven to be the integers, for every image.

Two arithmetics can be behind an operator. That of onnxruntime's **integer operators** (QLinearConv and so on) has been
compared when the integers were chosen: no wrong step is a proof. The **float32** one of a QDQ file adds in an order
that nobody promises, so it is proven where no order matters: where every dequantised number, every product and every
partial sum is a float32 exactly. Scales of few bits (powers of two above all) with sums below 2**24 steps do it. What
is left is one division by the scale of the result, and it is tried at every step of the output. An addition is tried
for all 65,536 pairs of operands, whatever its scales. A maximum needs no proof; averages over windows and products have
none.

Which of the two a graph takes: ORT_DISABLE_ALL runs every operator as the file has it. ORT_ENABLE_ALL, the default,
makes integer operators of a QDQ file's: of a convolution if image and result are uint8, the bias is absent or an int32
constant at the product of the scales, and nothing but a redundant Relu or Clip comes before the QuantizeLinear.
:func:`arithmetic` knows the forms for which that is certain, and those for which it is certain not to happen. Of others
(int8, which depends on the session's options) both proofs are demanded, and of forms that it does not know nothing is
claimed.
"""

from __future__ import annotations

from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import Kind
from arch_model.network.quant import IntArray, rounding_shift
from arch_model.network.weights import AddQuant, ConvQuant, OpQuant, PoolQuant, ScaleQuant
from mapper.importers.float32 import first_sums, wrong_pairs, wrong_steps
from mapper.importers.network import GRAPHS, TensorQuant
from mapper.importers.onnx.model import Model, Node
from mapper.importers.onnx.ops import Operator

_MANTISSA = 1 << 24
_ROUNDED = 2.0**-18
"""A bias that is nearer than this to a whole number of steps, relatively, is that number, rounded to float32."""
_FUSED = ("Conv", "Gemm", "MatMul", "Add", "GlobalAveragePool")
"""What onnxruntime has an integer operator for whose arithmetic is known here."""


_NOT_KNOWN = "the arithmetic of onnxruntime's operator is not known"
_NOT_KNOWN_FORM = "what onnxruntime's optimisations make of its form is not known"


class Arithmetic(Enum):
    """What ORT_ENABLE_ALL computes an operator in."""

    INTEGER = auto()
    FLOAT = auto()
    EITHER = auto()
    """That depends on onnxruntime's version, the CPU or the session's options."""
    UNKNOWN = auto()


def reasons(op: Operator, quant: OpQuant, wrong: int, optimised: Arithmetic, is_result: bool = False) -> dict[str, str]:
    """{graph: why the integers are not proven to be its}; empty if all is proven.

    If the operator is a result of the graph that the file leaves real, the claim is that of a QuantizeLinear behind it.

    Parameters
    ----------
    op : an operator.
    quant : its integers.
    wrong : the steps (pairs) at which the integer operator gives something else.
    optimised : of :func:`arithmetic`.
    is_result : the graph gives its result.
    """
    if op.inner and (not is_result or op.function is not None):  # behind a function even a result has another scale
        return dict.fromkeys(GRAPHS, "its result is rounded to int8 here, and real in the file")
    if op.inner:
        optimised = Arithmetic.UNKNOWN
    found = {} if op.lookup else _reasons(op, quant, wrong, optimised)
    if op.curve is not None and op.curve.unsure:
        found = (
            dict.fromkeys(GRAPHS, f"{op.curve.unsure} entries of its table are too near to the middle of two steps")
            | found
        )
    elif op.curve is not None and op.curve.direct:  # onnxruntime may join two pairs of QuantizeLinear and Dequantize..
        found = {GRAPHS[1]: _NOT_KNOWN_FORM} | found
    return found


def _reasons(op: Operator, quant: OpQuant, wrong: int, optimised: Arithmetic) -> dict[str, str]:
    assert op.node is not None
    if op.layer.kind is Kind.MAXPOOL:  # of int8 or of what they stand for: the greatest is the same
        return {}
    if op.layer.kind is Kind.AVGPOOL or op.layer.kind.is_product:
        return dict.fromkeys(GRAPHS, _product_reason(op, quant, wrong) if wrong else _NOT_KNOWN)
    integer = _integer_reason(op, wrong)
    if op.node.op.startswith("Q"):
        found = dict.fromkeys(GRAPHS, integer)
    else:
        real = _float_reason(op, quant)
        demanded = {
            Arithmetic.INTEGER: integer,
            Arithmetic.FLOAT: real,
            Arithmetic.EITHER: integer or real,
            Arithmetic.UNKNOWN: _NOT_KNOWN_FORM,
        }
        found = dict(zip(GRAPHS, (real, demanded[optimised]), strict=True))
    return {graph: reason for graph, reason in found.items() if reason}


def may_saturate(op: Operator) -> bool:
    """Whether two products of uint8 and these weights may exceed int16, as AVX2 adds them up without VNNI."""
    return op.steps is not None and bool(np.any(np.abs(op.steps.astype(np.int16)) > 64))


# ---- what onnxruntime makes of it ----


def arithmetic(model: Model, op: Operator) -> Arithmetic:
    """How onnxruntime computes an operator at ORT_ENABLE_ALL.

    Parameters
    ----------
    model : the graph.
    op : an operator with its node.
    """
    node = op.node
    assert node is not None
    if node.op.startswith("Q"):
        return Arithmetic.INTEGER
    weighted = op.layer.kind.has_weights
    if op.layer.kind is Kind.ADD and len({quant.offset for quant in (*op.sources, op.out) if quant is not None}) > 1:
        return Arithmetic.FLOAT  # its integer operator takes tensors of one type
    operands = [node.input(0)] if op.layer.kind is Kind.POOL else [node.input(0), node.input(1)]
    if not all(_is_plain(model.makers.get(name)) for name in operands) or node.op not in (*_FUSED, "ReduceMean"):
        return Arithmetic.UNKNOWN
    if node.op == "ReduceMean":
        return Arithmetic.FLOAT
    if weighted and node.input(2):
        made = model.makers.get(node.input(2))
        if made is None or made.op != "DequantizeLinear":
            return Arithmetic.EITHER  # newer versions make int32 of a real constant
        if op.fused_bias is None:
            return Arithmetic.FLOAT
        if made.domain:
            return Arithmetic.UNKNOWN
        if not op.plain_bias:
            return Arithmetic.EITHER  # older versions disregard its scale, newer ones do not fuse it
    found = _before_quantization(model, op)
    offsets = {source.offset for source in op.sources if source is not None}
    is_result = any(name in model.outputs for name in operands)
    if is_result or op.out is None or {*offsets, op.out.offset} != {128}:  # int8 is fused on some CPUs, by an option
        return Arithmetic.UNKNOWN if found is Arithmetic.UNKNOWN else Arithmetic.EITHER
    return found


def _is_plain(node: Node | None, op: str = "DequantizeLinear") -> bool:
    """Whether a node is that operator, of ONNX's own domain and with a zero point."""
    return node is not None and node.op == op and not node.domain and bool(node.input(2))


def _before_quantization(model: Model, op: Operator) -> Arithmetic:
    """INTEGER if only a QuantizeLinear reads the result, directly or past a redundant Relu or Clip; else FLOAT.

    EITHER if versions differ in it.
    """
    assert op.node is not None
    name = op.node.outputs[0]
    reader = model.reader(name)
    if reader is not None and reader.op in ("Relu", "Clip"):
        if not _is_redundant(op, reader):
            return Arithmetic.EITHER if reader.op == "Clip" else Arithmetic.FLOAT
        reader = model.reader(reader.outputs[0])
    if _is_plain(reader, "QuantizeLinear"):
        return Arithmetic.INTEGER
    return Arithmetic.UNKNOWN if reader is not None and reader.op == "QuantizeLinear" else Arithmetic.EITHER


def _is_redundant(op: Operator, reader: Node) -> bool:
    """Whether the type of the result bounds it at least as much."""
    out = op.out
    if out is None:
        return False
    ends = [float(out.scale) * (end - out.zero_point) for end in (-128, 127)]
    if reader.op == "Relu":
        return ends[0] == 0.0
    return op.lo <= ends[0] - abs(ends[0]) * 1e-6 and op.hi >= ends[1] + abs(ends[1]) * 1e-6


# ---- products ----


def product_errors(x: TensorQuant, s: TensorQuant, out: TensorQuant, quant: ScaleQuant) -> IntArray:
    """For each of the 65,536 pairs of operands, int64 (256, 256): steps from the exact product, rounded once.

    Parameters
    ----------
    x, s : meanings of the tensor and of its factors.
    out : the meaning of the result.
    quant : the integers of the product.
    """
    every, q = np.arange(-128, 128, dtype=np.int64), quant
    f = np.clip(rounding_shift((every - q.z_s) * q.m_f, q.shift_f), -128, 127)[None, :]
    centred = (every - q.z_x)[:, None]
    made = np.clip(rounding_shift(f * centred, q.shift) + q.z_out, q.lo, q.hi)
    ratio = float(x.scale) * float(s.scale) / float(out.scale)
    exact = np.clip(np.rint(centred * (every - q.z_s)[None, :] * ratio) + q.z_out, q.lo, q.hi)
    return np.asarray(made - exact, np.int64)


def _product_reason(op: Operator, quant: OpQuant, wrong: int) -> str:
    assert isinstance(quant, ScaleQuant) and op.out is not None
    x, s = (source for source in op.sources if source is not None)
    most = int(np.abs(product_errors(x, s, op.out, quant)).max())
    return f"{wrong} pairs of operands come elsewhere than in the exact product, by at most {most}"


# ---- the integer operators ----


def _integer_reason(op: Operator, wrong: int) -> str:
    assert op.node is not None
    if op.node.op in ("AveragePool", "QLinearAveragePool"):
        return _NOT_KNOWN
    if wrong:
        what = "pairs of operands" if op.layer.kind is Kind.ADD else "steps of the output"
        return f"{wrong} {what} come elsewhere than in onnxruntime's integer operator"
    if op.real_bias is None:
        return ""
    bias = np.zeros(op.layer.K, np.int64) if op.step_bias is None else op.step_bias
    if op.fused_bias is not None and not np.array_equal(op.fused_bias, bias):
        return "some versions of onnxruntime fuse it and disregard the scale of its bias"
    return ""


# ---- float32 ----


def _float_reason(op: Operator, quant: OpQuant) -> str:
    """Why float32, operator by operator, may give something else; "" if it cannot."""
    wrong = float_wrong(op, quant)
    if wrong is None and _bias_is_rounded(op):
        return "its bias is rounded to whole steps, and its float32 sums may round"
    if wrong is None:
        return "its float32 sums may round"
    if wrong:
        what = "pairs of operands" if op.layer.kind is Kind.ADD else "steps of the output"
        return f"{wrong} {what} come elsewhere than in float32"
    return ""


def _bias_is_rounded(op: Operator) -> bool:
    """Whether a bias in the file is no whole number of steps of the sums, by more than float32 rounds."""
    x = op.sources[0]
    if x is None or op.step_bias is None or op.step_scale is None or op.real_bias is None:
        return False
    steps = op.real_bias.astype(np.float64) / (np.float64(x.scale) * op.step_scale)
    return bool(np.any(np.abs(steps - op.step_bias) > _ROUNDED * np.maximum(np.abs(steps), 1)))


def float_wrong(op: Operator, quant: OpQuant) -> int | None:
    """At how many steps (pairs) float32 gives something else than ``quant``; None if its sums may round.

    Parameters
    ----------
    op : an operator with int8 operands and result.
    quant : its integers.
    """
    out, sources = op.out, [source for source in op.sources if source is not None]
    assert out is not None
    if isinstance(quant, AddQuant):
        return _float_add(sources[0], sources[1], out, quant)
    if isinstance(quant, PoolQuant):
        return _float_pool(op, sources[0], out, quant)
    assert isinstance(quant, ConvQuant)
    return _float_conv(op, sources[0], out, quant)


def _float_add(a: TensorQuant, b: TensorQuant, out: TensorQuant, quant: AddQuant) -> int:
    every = np.arange(-128, 128).astype(np.int8)
    total = a.dequantize(every)[:, None] + b.dequantize(every)[None, :]
    wanted = np.clip(out.quantize(total).astype(np.int64), quant.lo, quant.hi)
    zeros = a.zero_point, b.zero_point, out.zero_point
    return wrong_pairs(wanted, (quant.m_a, quant.m_b, quant.shift), zeros, quant.lo, quant.hi)


def _float_pool(op: Operator, x: TensorQuant, out: TensorQuant, quant: PoolQuant) -> int | None:
    """The mean as a division and as a product with the reciprocal: onnxruntime has both."""
    pixels = op.layer.H * op.layer.W
    mantissa, exponent = _parts(x.scale)
    far = max(-128 - x.zero_point, 127 - x.zero_point, key=abs)
    if not _fits(np.array([pixels * abs(far) * mantissa]), np.array([exponent])):
        return None
    least, most = (np.array([pixels * (end - x.zero_point)], np.int64) for end in (-128, 127))
    steps = range(quant.lo - out.zero_point + 1, quant.hi - out.zero_point + 1)
    count, wrong = np.float32(pixels), 0

    def divided(total: IntArray) -> IntArray:
        return _rounded((total * np.float64(x.scale)).astype(np.float32) / count * op.gain, out)

    def multiplied(total: IntArray) -> IntArray:
        return _rounded((total * np.float64(x.scale)).astype(np.float32) * (np.float32(1) / count) * op.gain, out)

    slope = np.array([float(x.scale) * float(op.gain) / float(out.scale) / pixels])
    for output in (divided, multiplied):
        first = first_sums(output, slope, least, most, steps)
        wrong += int(wrong_steps(first, np.array([quant.m]), np.array([quant.shift]), least, most, steps)[0])
    return wrong


def _float_conv(op: Operator, x: TensorQuant, out: TensorQuant, quant: ConvQuant) -> int | None:
    assert op.steps is not None and op.step_scale is not None and op.real_bias is not None
    w = op.steps.reshape(op.layer.K, -1).astype(np.int64)
    far = max(-128 - x.zero_point, 127 - x.zero_point, key=abs)
    parts = [_parts(scale) for scale in op.step_scale]
    mantissas, exponents = (np.array(column, np.int64) for column in zip(*parts, strict=True))
    mantissa, exponent = _parts(x.scale)
    if not _fits(np.array([abs(far) * mantissa]), np.array([exponent])):
        return None
    if not _fits(np.abs(w).max(axis=1) * mantissas, exponents):
        return None
    # In steps of the finest bit of products and bias no partial sum may need more than 24 bits.
    unit = np.float64(x.scale) * op.step_scale.astype(np.float64)
    bias = op.real_bias.astype(np.float64)
    finest = exponents + exponent
    for channel in np.flatnonzero(bias):
        finest[channel] = min(finest[channel], _parts(op.real_bias[channel])[1])
    most = np.abs(w).sum(axis=1) * abs(far) * unit + np.abs(bias)
    with np.errstate(over="ignore"):
        if np.any(most >= 2.0**126) or np.any(finest < -126) or np.any(np.ldexp(most, -finest) > _MANTISSA):
            return None
    ends = w * (-128 - x.zero_point), w * (127 - x.zero_point)
    added = quant.bias.astype(np.int64)
    smallest, greatest = np.minimum(*ends).sum(axis=1) + added, np.maximum(*ends).sum(axis=1) + added
    steps = range(quant.lo - out.zero_point + 1, quant.hi - out.zero_point + 1)

    def output(total: IntArray) -> IntArray:
        real = (total - added[:, None]) * unit[:, None] + bias[:, None]  # exact, by what was checked
        return _rounded(real.astype(np.float32), out)

    first = first_sums(output, unit / np.float64(out.scale), smallest, greatest, steps)
    multiplier, shift = quant.multiplier.astype(np.int64), quant.shift.astype(np.int64)
    return int(wrong_steps(first, multiplier, shift, smallest, greatest, steps).sum())


def _rounded(real: npt.NDArray[np.float32], out: TensorQuant) -> IntArray:
    """QuantizeLinear before its zero point, held within what int64 and the steps need."""
    with np.errstate(over="ignore"):
        return np.asarray(np.clip(np.rint(real / out.scale), -(2.0**40), 2.0**40), np.int64)


def _parts(scale: np.float32) -> tuple[int, int]:
    """Odd mantissa and exponent: ``scale = mantissa * 2**exponent``.

    >>> _parts(np.float32(0.375))
    (3, -3)
    """
    numerator, denominator = abs(float(scale)).as_integer_ratio()
    zeros = (numerator & -numerator).bit_length() - 1
    return numerator >> zeros, zeros - (denominator.bit_length() - 1)


def _fits(most: IntArray, exponent: IntArray) -> bool:
    """Whether ``most * 2**exponent``, and all below it on that grid, are normal float32 numbers."""
    return bool(np.all(most <= _MANTISSA) and np.all(exponent >= -126) and np.all(exponent <= 100))
