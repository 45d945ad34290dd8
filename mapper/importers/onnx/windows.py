"""Windows of convolutions and pools as the machine has them: one padding, one stride, no dilation, kernels up to 7.

Where a file says something else, the kernel is put into a larger one with zeros around or between its taps: that gives
the same sums. Where windows begin ``t`` rows above the tensor and the padding is ``p``, the file's kernel begins at row
``p - t`` of the larger one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mapper.importers.onnx.model import Node, Unsupported
from mapper.workload.fusion import LARGEST_KERNEL

Pads = tuple[int, int, int, int]
"""Top, left, bottom, right."""


@dataclass(frozen=True)
class Window:
    """A kernel inside the one that the machine runs.

    Attributes
    ----------
    sizes : rows and columns of the machine's.
    first : where the file's kernel begins in it.
    step : rows and columns from one of its taps to the next.
    stride, padding : pixels.
    """

    sizes: tuple[int, int]
    first: tuple[int, int]
    step: tuple[int, int]
    stride: int
    padding: int

    def embedded(self, weights: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Weights (K, C, R, S) of the file as those of the machine's kernel, with zeros for the other taps.

        >>> Window((3, 3), (1, 0), (1, 2), 1, 1).embedded(np.array([[[[5, 6]]]]))[0, 0].tolist()
        [[0, 0, 0], [5, 0, 6], [0, 0, 0]]
        """
        k, c, r, s = weights.shape
        if (r, s) == self.sizes:
            return weights
        made = np.zeros((k, c, *self.sizes), weights.dtype)
        (top, left), (down, across) = self.first, self.step
        made[:, :, top : top + (r - 1) * down + 1 : down, left : left + (s - 1) * across + 1 : across] = weights
        return made


def outputs(size: int, span: int, before: int, after: int, stride: int) -> int:
    """Windows along one axis.

    Parameters
    ----------
    size : pixels of the image.
    span : pixels of a window.
    before, after : pixels of padding.
    stride : pixels.

    Raises
    ------
    Unsupported
        There is no window.
    """
    count = (size + before + after - span) // stride + 1
    if count < 1:
        raise Unsupported(f"its kernel spans {span} pixels of {size + before + after}; give a larger image")
    return count


def window_of(
    sizes: tuple[int, int], kernel: Sequence[int], pads: Pads, strides: Sequence[int], dilations: Sequence[int]
) -> Window:
    """The machine's window that gives the sums of a convolution.

    Parameters
    ----------
    sizes : rows and columns of the tensor.
    kernel, strides, dilations : of rows and of columns.
    pads : around it.

    Raises
    ------
    Unsupported
        There is none: one line says what is too much.

    Examples
    --------
    >>> window_of((8, 8), (3, 3), (0, 0, 1, 1), (2, 2), (1, 1))      # SAME at stride 2
    Window(sizes=(4, 4), first=(1, 1), step=(1, 1), stride=2, padding=1)
    """
    if min(pads) < 0:
        raise Unsupported(f"its padding is {', '.join(map(str, pads))}; give none below 0")
    spans = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilations, strict=True)]
    befores, afters = pads[:2], pads[2:]
    counts = [outputs(*each) for each in zip(sizes, spans, befores, afters, strides, strict=True)]
    stride = _stride(counts, strides)
    wholes: list[tuple[int, int]] | None = None
    for padding in range(min(befores), max(*befores, *afters, 0) + 1):
        found = [
            _enclosing(size, span, before, count, stride, padding)
            for size, span, before, count in zip(sizes, spans, befores, counts, strict=True)
        ]
        wholes = [one for one in found if one is not None]
        if len(wholes) == 2 and padding < max(1, min(whole for whole, _ in wholes)):
            (r, top), (s, left) = wholes
            if max(r, s) > LARGEST_KERNEL and (r, s) != sizes:  # one that covers its image is a matrix product
                break
            return Window((r, s), (top, left), (dilations[0], dilations[1]), stride, padding)
    raise Unsupported(
        f"a kernel of {' x '.join(map(str, kernel))} with padding {', '.join(map(str, pads))} (top, left, bottom, "
        f"right) and dilation {', '.join(map(str, dilations))} needs one of more than {LARGEST_KERNEL} rows or "
        "columns; give a smaller one"
    )


def _stride(counts: Sequence[int], strides: Sequence[int]) -> int:
    """One stride for both directions; that of a direction with one window alone does not matter."""
    wanted = {stride for count, stride in zip(counts, strides, strict=True) if count > 1} or {1}
    if len(wanted) > 1:
        raise Unsupported(f"strides are {', '.join(map(str, strides))}; give one for both directions")
    (stride,) = wanted
    if stride > 2:
        raise Unsupported(f"its stride is {stride}; give 1 or 2, or put it on the image, which the host rearranges")
    return stride


def _enclosing(size: int, span: int, before: int, count: int, stride: int, padding: int) -> tuple[int, int] | None:
    """Rows of the kernel that with this padding has ``count`` windows, and where the file's begins in it.

    None if the padding is too small. The kernel is the smallest: rows that no window reaches may be left.
    """
    first = padding - before
    if first < 0:
        return None
    least = max(first + span, padding + 1)  # no window of the machine's is padding alone
    whole = max(least, size + 2 * padding - count * stride + 1)  # else there would be a window more
    return (whole, first) if (size + 2 * padding - whole) // stride + 1 == count else None


def strides_of(node: Node, rank: int = 2) -> tuple[int, ...]:
    """Strides of a node.

    Parameters
    ----------
    node : the node.
    rank : dimensions that it must have.

    Raises
    ------
    Unsupported
        They are of another number of dimensions.
    """
    return _of(node, "strides", rank)


def dilations_of(node: Node, rank: int = 2) -> tuple[int, ...]:
    """Dilations of a node.

    Parameters
    ----------
    node : the node.
    rank : dimensions that it must have.

    Raises
    ------
    Unsupported
        They are of another number of dimensions.
    """
    return _of(node, "dilations", rank)


def _of(node: Node, key: str, rank: int) -> tuple[int, ...]:
    found = tuple(int(one) for one in node.attributes.get(key, (1,) * rank))
    if len(found) != rank or min(found) < 1:
        raise Unsupported(f"its {key} are {', '.join(map(str, found))}; give {rank} numbers of 1 or more")
    return found
