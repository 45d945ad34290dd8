"""What ONNX says of stored integers: their types, the axis of their scales, and their zero points."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mapper.importers.onnx.model import Array, Unsupported


def scales_along(shape: tuple[int, ...], axis: int, scale: Array, zero: Array) -> list[int]:
    """The shape in which scales stand beside a tensor: -1 at the axis that they run along, 1 elsewhere.

    Parameters
    ----------
    shape : of the tensor.
    axis : along which several scales run; negative ones count from the end.
    scale : (n,), one, or one for each index of the axis.
    zero : zero points, one or as many as scales.

    Raises
    ------
    Unsupported
        There is another number of scales or of zero points.

    Examples
    --------
    >>> scales_along((8, 3, 3, 3), 0, np.ones(8), np.zeros(1))
    [-1, 1, 1, 1]
    """
    if zero.size not in (1, scale.size):
        raise Unsupported(f"it has {scale.size} scales and {zero.size} zero points; give one for each")
    if scale.size != 1 and (not shape or scale.size != shape[axis % len(shape)]):
        raise Unsupported(f"its operand has shape {shape} and {scale.size} scales along axis {axis}; give one for each")
    return [-1 if place == axis % len(shape) and scale.size > 1 else 1 for place in range(len(shape))]


def quantized(real: npt.NDArray[np.float32], scale: Array, zero: Array, along: list[int]) -> Array:
    """What a QuantizeLinear makes of real numbers, in the type of its zero points.

    Parameters
    ----------
    real : a tensor.
    scale : float32 (n,).
    zero : zero points, one or as many as scales.
    along : of :func:`scales_along`.

    Examples
    --------
    >>> quantized(np.float32([[0.5, 2.0]]), np.float32([0.5]), np.zeros(1, np.int8), [1, 1]).tolist()
    [[1, 4]]
    """
    stored = np.rint(real / scale.reshape(along)) + zero.astype(np.float32).reshape(along if zero.size > 1 else ())
    info = np.iinfo(zero.dtype)
    array: Array = np.clip(stored, info.min, info.max).astype(zero.dtype)
    return array


def element_type(kind: int) -> np.dtype[Any]:
    """NumPy's type of a number of onnx.TensorProto.DataType."""
    import onnx

    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind))


def steps_of(array: Array, zero: Array, axis: int) -> npt.NDArray[np.int64]:
    """Stored weights without their zero point, which may run along ``axis``.

    Parameters
    ----------
    array : integers as the file has them.
    zero : one zero point, or one for each index of ``axis``.
    axis : along which the zero points run.
    """
    zeros = np.asarray(zero, np.int64).reshape(-1)
    if zeros.size > 1:
        zeros = zeros.reshape([-1 if place == axis % array.ndim else 1 for place in range(array.ndim)])
    return np.asarray(array.astype(np.int64) - zeros.reshape(zeros.shape if zeros.size > 1 else ()))
