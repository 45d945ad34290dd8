"""The layers of a SubNet in real numbers, on batches of images: PyTorch's result, ranges of tensors, statistics.

Batch normalisation is a step of its own here, so that its statistics can be those of calibration images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.network.layer import INPUT, Kind
from sim.quantise.errors import ModelError, need_torch
from sim.quantise.layers import Float, FloatLayer, FloatNet
from sim.quantise.trace import Tensor, Trace

BATCH = 500
"""Images at once; statistics of batch normalisation are taken over that many."""

COVERED = 0.9999
"""Of a tensor's values at least this fraction lies in its int8 range."""

BINS = 4096

Statistics = Mapping[str, tuple[Float, Float]]
"""Mean and variance of batch normalisation by layer, for those that are not the module's own."""


@dataclass(frozen=True)
class Span:
    """The range of a tensor's real values that int8 shall cover.

    Attributes
    ----------
    low, high : its ends.
    """

    low: float
    high: float


class FloatRun:
    """A SubNet's layers with PyTorch's operators.

    Parameters
    ----------
    net : the SubNet.
    statistics : of batch normalisation, in place of the module's own.
    """

    def __init__(self, net: FloatNet, statistics: Statistics | None = None) -> None:
        self.torch = need_torch()
        self.net, self.statistics = net, dict(statistics or {})
        self._tensors: dict[int, Any] = {}
        self._last = {name: i for i, one in enumerate(net.layers) for name in one.layer.inputs}

    def logits(self, images: Tensor) -> npt.NDArray[np.float32]:
        """(N, classes) of a batch (N, C, H, W)."""
        with self.torch.no_grad():
            made: npt.NDArray[np.float32] = self._run(images).flatten(1).numpy()
        return made

    def observe(self, images: Tensor, see: Callable[[FloatLayer, Tensor, Tensor], None]) -> None:
        """Run a batch of images.

        Parameters
        ----------
        images : (N, C, H, W).
        see : gets each layer, what goes into its activation, and what comes out.
        """
        with self.torch.no_grad():
            self._run(images, see)

    def layer(self, one: FloatLayer, inputs: list[Tensor]) -> Tensor:
        """What one layer makes of batches of its inputs.

        Parameters
        ----------
        one : the layer.
        inputs : of its operands in order, (N, C, H, W) each.
        """
        with self.torch.no_grad():
            before = self._before(one, inputs, self._own_norm)
            return before if one.function is None else one.function(before)

    def recalibrate(self, images: npt.NDArray[np.float32]) -> Statistics:
        """Mean and variance of what each batch normalisation reads, each layer's after those before it are so.

        The averages over batches of at most :data:`BATCH` images, as once-for-all recalibrates.
        """
        found: dict[str, list[tuple[Any, Any]]] = {}

        def normalised(one: FloatLayer, sums: Tensor) -> Tensor:
            var, mean = self.torch.var_mean(sums, (0, 2, 3), correction=0)
            found.setdefault(one.layer.name, []).append((mean, var))
            return self._norm(one, sums, mean, var)

        with self.torch.no_grad():
            for batch in batches(images):
                self._run(batch, normalise=normalised)
        return {
            name: tuple(self.torch.stack(part).mean(0).numpy() for part in zip(*each, strict=True))
            for name, each in found.items()
        }

    def _run(
        self,
        images: Tensor,
        see: Callable[[FloatLayer, Tensor, Tensor], None] | None = None,
        normalise: Callable[[FloatLayer, Tensor], Tensor] | None = None,
    ) -> Tensor:
        tensors: dict[str, Tensor] = {INPUT: images}
        for i, one in enumerate(self.net.layers):
            layer = one.layer
            before = self._before(one, [tensors[name] for name in layer.inputs], normalise or self._own_norm)
            after = before if one.function is None else one.function(before)
            if see is not None:
                see(one, before, after)
            tensors[layer.name] = after
            for name in set(layer.inputs):
                if self._last[name] == i:
                    del tensors[name]
        return tensors[self.net.layers[-1].layer.name]

    def _before(
        self, one: FloatLayer, inputs: list[Tensor], normalise: Callable[[FloatLayer, Tensor], Tensor]
    ) -> Tensor:
        """What goes into the activation."""
        f, layer, x = self.torch.nn.functional, one.layer, inputs[0]
        if layer.kind.has_weights:
            bias = None if one.bias is None else self._tensor(one.bias)
            made = f.conv2d(x, self._tensor(one.weights), bias, layer.stride, layer.padding, 1, layer.groups)
            return made if one.norm is None else normalise(one, made)
        if layer.kind is Kind.ADD:
            return x + inputs[1]
        if layer.kind.is_product:
            return x * inputs[1]
        if layer.kind is Kind.POOL:
            return x.mean((2, 3), keepdim=True)
        window = ((layer.R, layer.S), layer.stride, layer.padding)
        if layer.kind is Kind.MAXPOOL:
            return f.max_pool2d(x, *window, ceil_mode=layer.ceil_mode)
        return f.avg_pool2d(x, *window, ceil_mode=layer.ceil_mode, count_include_pad=False)

    def _own_norm(self, one: FloatLayer, sums: Tensor) -> Tensor:
        assert one.norm is not None
        mean, var = self.statistics.get(one.layer.name, (one.norm.mean, one.norm.var))
        return self._norm(one, sums, self._tensor(mean), self._tensor(var))

    def _norm(self, one: FloatLayer, sums: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        assert one.norm is not None
        gamma, beta = self._tensor(one.norm.gamma), self._tensor(one.norm.beta)
        return self.torch.nn.functional.batch_norm(sums, mean, var, gamma, beta, False, 0.0, one.norm.epsilon)

    def _tensor(self, array: Any) -> Tensor:
        """Of a NumPy array, made once."""
        if id(array) not in self._tensors:
            self._tensors[id(array)] = (array, self.torch.from_numpy(np.ascontiguousarray(array)))
        return self._tensors[id(array)][1]


def batches(images: npt.NDArray[np.float32]) -> Iterator[Tensor]:
    """The images as tensors of at most :data:`BATCH`."""
    torch = need_torch()
    for start in range(0, len(images), BATCH):
        yield torch.from_numpy(images[start : start + BATCH])


def check_reading(net: FloatNet, trace: Trace) -> None:
    """Refuse layers that do not give what the module gives.

    Parameters
    ----------
    net : the layers that were read.
    trace : of the module.

    Raises
    ------
    ModelError
        Their result is another; the line says by how much.
    """
    torch = need_torch()
    made, right = FloatRun(net).logits(torch.as_tensor(trace.images)), trace.output.reshape(len(trace.output), -1)
    apart = float(np.abs(made - right).max()) if made.shape == right.shape else np.inf
    if not apart <= 1e-3 * max(1.0, float(np.abs(right).max())):
        raise ModelError(
            f"the layers that were read of it give another result than the module ({apart:.3g} apart); let it compute "
            "the same for the same image, and return the logits"
        )


def spans(run: FloatRun, images: npt.NDArray[np.float32]) -> dict[str, tuple[Span, Span]]:
    """The ranges of what goes into and comes out of each layer's activation, by layer.

    Each end is the average over batches of the point beyond which at most ``1 - COVERED`` of a batch's values lie.

    Parameters
    ----------
    run : the SubNet.
    images : float32 (N, C, H, W).
    """
    found: dict[str, list[tuple[float, float, float, float]]] = {}

    def see(one: FloatLayer, before: Tensor, after: Tensor) -> None:
        ends = span(run.torch, after)
        inner = ends if one.layer.activation.is_clamp else span(run.torch, before)
        found.setdefault(one.layer.name, []).append((inner.low, inner.high, ends.low, ends.high))

    for batch in batches(images):
        run.observe(batch, see)
    means = {name: np.mean(each, axis=0).tolist() for name, each in found.items()}
    return {name: (Span(a, b), Span(c, d)) for name, (a, b, c, d) in means.items()}


def span(torch: Any, x: Tensor) -> Span:
    """The range of a tensor without the outermost values, to 1/4096 of its extent.

    Parameters
    ----------
    torch : the package.
    x : the tensor.
    """
    low, high = (float(one) for one in torch.aminmax(x))
    if not np.isfinite([low, high]).all() or high <= low:
        return Span(low, high)
    counts = torch.cumsum(torch.histc(x, BINS, low, high), 0).double()
    outside = (1 - COVERED) * x.numel()
    first = int((counts <= outside).sum())
    last = int((counts < x.numel() - outside).sum())
    width = (high - low) / BINS
    return Span(low + first * width, low + (last + 1) * width)


def top1(run: FloatRun, images: npt.NDArray[np.float32], labels: npt.NDArray[np.integer[Any]]) -> float:
    """The fraction of images that the SubNet gets right, in real numbers.

    Parameters
    ----------
    run : the SubNet.
    images : float32 (N, C, H, W).
    labels : (N,).
    """
    classes = np.concatenate([run.logits(batch).argmax(1) for batch in batches(images)])
    return float((classes == labels).mean())
