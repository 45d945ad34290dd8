"""What an importer gives: a SubNet, and the numbers of its layers as far as the file has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.network.weights import OpQuant
from mapper.importers.host_steps import HostStep, run_steps
from mapper.workload.views import FittedLayers, fitted_layers, fitted_numbers


class NetworkError(FastSwitchError):
    """A network file that cannot be read, or an operator that cannot be mapped: names file, node and value."""


GRAPHS = ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL")
"""The two graphs that onnxruntime makes of an ONNX file, by its names of the optimisation levels.

ORT_DISABLE_ALL runs the operators as the file has them: what a QDQ file puts between DequantizeLinear and
QuantizeLinear in float32. ORT_ENABLE_ALL, its default, fuses most of those into integer operators, which round
elsewhere.
"""


@dataclass(frozen=True)
class TensorQuant:
    """How an int8 tensor stands for real numbers: ``real = scale * (int8 - zero_point)``.

    Attributes
    ----------
    scale : float32.
    zero_point : of the int8 numbers.
    offset : 128 for a tensor that the file keeps as uint8, which is int8 here (``int8 = uint8 - 128``), else 0.
    """

    scale: np.float32
    zero_point: int
    offset: int = 0

    def quantize(self, real: npt.ArrayLike) -> npt.NDArray[np.int8]:
        """QuantizeLinear: ``rint(real / scale)`` in float32, half to even, plus the zero point, clamped.

        >>> TensorQuant(np.float32(0.5), -128, 128).quantize([0.0, 0.75, 1000.0]).tolist()
        [-128, -126, 127]
        """
        steps = np.rint(np.asarray(real, np.float32) / self.scale)
        return np.asarray(np.clip(steps + np.float32(self.zero_point), -128, 127), np.int8)

    def dequantize(self, tensor: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
        """DequantizeLinear: ``(int8 - zero_point) * scale`` in float32."""
        return np.asarray((tensor.astype(np.int32) - self.zero_point).astype(np.float32) * self.scale, np.float32)

    def from_stored(self, tensor: npt.NDArray[np.integer]) -> npt.NDArray[np.int8]:
        """The int8 tensor of what the file's own type (int8 or uint8) holds."""
        return (tensor.astype(np.int16) - self.offset).astype(np.int8)

    def to_stored(self, tensor: npt.NDArray[np.int8]) -> npt.NDArray[np.integer]:
        """The inverse of :meth:`from_stored`."""
        return (tensor.astype(np.int16) + self.offset).astype(np.uint8 if self.offset else np.int8)


Function = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
"""Of real numbers, value by value."""


@dataclass(frozen=True)
class Handed:
    """A tensor of the machine's that the host reads.

    Attributes
    ----------
    layer : the layer that makes it.
    dims : the sizes that ONNX has for it, the batch first.
    turned : ONNX has its channels last.
    stored : ONNX has its integers there, not the real numbers.
    """

    layer: str
    dims: tuple[int, ...]
    turned: bool = False
    stored: bool = False

    def seen(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The layer's (C, H, W) tensor as ONNX has it."""
        return (tensor.transpose(1, 2, 0) if self.turned else tensor).reshape(self.dims)


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """The float32 numbers of a layer: ``y = clip(weights * x + bias, lo, hi)``, batch normalisation folded in.

    Attributes
    ----------
    weights, bias : (K, C / groups, R, S) and (K,); None for adds and pools.
    lo, hi : bounds; ReLU is ``lo = 0``.
    function : what is done to each value, if its activation is none that bounds make.
    """

    weights: npt.NDArray[np.float32] | None
    bias: npt.NDArray[np.float32] | None
    lo: float
    hi: float
    function: Function | None = None


@dataclass(frozen=True, eq=False)
class Network:
    """An imported network.

    With the integers of every layer (``runnable``), ``sim.integers.reference.run_layers(subnet.layers, weights, quant,
    image)`` executes it, for an int8 (C, H, W) ``image = tensors["input"].quantize(real)``.

    Attributes
    ----------
    subnet : its layers. ``SubNet.name`` is the file's stem.
    weights : int8 (K, C / groups, R, S) of each layer that the file has in int8.
    quant : the integers of each layer whose operands and result are int8.
    tensors : the meaning of each int8 tensor, by layer; "input" is the image's.
    floats : the float32 numbers of each layer of a float graph.
    skipped : the operators that were left out, each named with its node.
    notes : what the file says and the layers do not, and why a layer has no integers.
    wrong_steps : by layer, where its integers differ from the float32 arithmetic of onnxruntime's integer operators:
        steps of the output (or, for an addition, pairs of operands) that come at another value, see
        :mod:`mapper.importers.float32`. Of a product: pairs whose exact product is another.
    unproven : by graph (:data:`GRAPHS`), the layers whose integers are not proven to be those of that graph, and why.
    model_macs : multiply-accumulates of the file's own convolutions and matrix products. Those of ``subnet`` are more
        where a layer stands for another one with zeros among its weights.
    image : the model's input, by name and sizes; of a network of layers alone "" and ().
    prologue, epilogue : what the host computes before and after the machine, in order.
    feeds : the tensor that the prologue makes for the machine, by name.
    handed : tensors of the machine's that the epilogue reads or that are results, by the names that ONNX has for them.
    results : names of the model's results.
    stored : by layer, the name of its int8 tensor in the file, where it has one.
    rounded : the layers whose result the file leaves real, though it is quantised. Their int8 scale, in ``tensors``, is
        chosen here (:mod:`mapper.importers.onnx.inner`).
    positions : of each tensor's channels among those that it has on a machine (:meth:`fitted`); {} if none was moved.
    image_type : of the numbers that the model takes, as NumPy calls it.
    """

    subnet: SubNet
    weights: Mapping[str, npt.NDArray[np.int8]] = field(default_factory=dict)
    quant: Mapping[str, OpQuant] = field(default_factory=dict)
    tensors: Mapping[str, TensorQuant] = field(default_factory=dict)
    floats: Mapping[str, FloatLayer] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    wrong_steps: Mapping[str, int] = field(default_factory=dict)
    unproven: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    model_macs: int | None = None
    image: tuple[str, tuple[int, ...]] = ("", ())
    prologue: tuple[HostStep, ...] = ()
    epilogue: tuple[HostStep, ...] = ()
    feeds: str = ""
    handed: Mapping[str, Handed] = field(default_factory=dict)
    results: tuple[str, ...] = ()
    stored: Mapping[str, str] = field(default_factory=dict)
    rounded: tuple[str, ...] = ()
    positions: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    image_type: str = "float32"

    @property
    def runnable(self) -> bool:
        """Whether every layer has its integers and no operator was left out."""
        layers = (layer for layer in self.subnet.layers if not layer.kind.is_view)
        return not self.skipped and all(layer.name in self.quant for layer in layers)

    def prepared(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The machine's image (C, H, W), in the model's own numbers, of the model's input (with the batch)."""
        tensors = run_steps(self.prologue, {self.image[0]: image})
        made = tensors[self.feeds or self.image[0]]
        return made.reshape(self.image_shape)

    def finished(self, tensors: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """The model's results by name, of the machine's tensors (C, H, W) by layer, in the model's own numbers."""
        given = {name: one.seen(tensors[one.layer]) for name, one in self.handed.items()}
        made = run_steps(self.epilogue, given)
        return {name: made[name] for name in self.results if name in made}

    def fitted(self, accelerator: Accelerator, fit: FittedLayers | None = None) -> Network:
        """The network with channels and filters that fit a machine's words and tables; mostly as it is.

        Layers keep their names; some have more channels, with weights of zero (:mod:`mapper.workload.views`), so their
        tensors have more than the network's. ``positions`` of the result says where the network's are.

        Parameters
        ----------
        accelerator : the machine.
        fit : of the layers (:func:`mapper.search.policy.fit_for`). None: their channels fit the machine's words, and
            nothing more.

        Raises
        ------
        MappingError
            Two operands whose channels cannot lie alike.
        """
        fit = fit or fitted_layers(self.subnet.layers, accelerator.cp)
        if fit.layers == self.subnet.layers:
            return self
        weights, quant = fitted_numbers(fit, self.weights, self.quant)
        subnet = replace(self.subnet, layers=fit.layers)
        return replace(self, subnet=subnet, weights=weights, quant=quant, positions=fit.positions)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the image that the machine reads."""
        first = next(layer for layer in self.subnet.layers if INPUT in layer.inputs)
        return first.C, first.H, first.W

    @property
    def bit_exact(self) -> tuple[str, ...]:
        """The graphs (of :data:`GRAPHS`) that are proven to have these integers for every image; () if none is."""
        return tuple(graph for graph in GRAPHS if self.runnable and not self.unproven.get(graph, {"": ""}))

    @property
    def supernet(self) -> SuperNet:
        """A SuperNet with this one SubNet: what the mapper compiles. SpaceError for groups that are not depthwise."""
        return fixed_supernet([self.subnet], self.subnet.weight_layers)


def unique_names(names: Iterable[str], taken: set[str]) -> list[str]:
    """Names that differ from each other and from ``taken``: a second "conv" becomes "conv_2".

    Parameters
    ----------
    names : wanted.
    taken : names that are not given.

    Examples
    --------
    >>> unique_names(["conv", "conv", "input"], {"input"})
    ['conv', 'conv_2', 'input_2']
    """
    used, made = set(taken), []
    for name in names:
        candidate, count = name, 1
        while candidate in used:
            count += 1
            candidate = f"{name}_{count}"
        used.add(candidate)
        made.append(candidate)
    return made


def product_layer(name: str, rows: int, columns: int, depth: int) -> Layer:
    """(rows, depth) x (depth, columns): a linear layer, or a pointwise convolution of as many pixels as rows.

    Parameters
    ----------
    name : the layer's.
    rows, columns, depth : sizes of the product.

    Examples
    --------
    >>> product = product_layer("a", rows=16, columns=64, depth=32)
    >>> product.K, product.C, product.P, product.macs == 16 * 64 * 32
    (64, 32, 16, True)
    """
    if rows == 1:
        return Layer(name, Kind.LINEAR, K=columns, C=depth, inputs=(INPUT,))
    return Layer(name, Kind.CONV, K=columns, C=depth, H=rows, inputs=(INPUT,))


def of_batch(layer: Layer, batch: int, notes: list[str]) -> Layer:
    """The layer of a batch of images: a linear one takes them as rows, of another one is run after another.

    Parameters
    ----------
    layer : of one image.
    batch : images.
    notes : gets the sentence that says so of the latter.

    Examples
    --------
    >>> notes = []
    >>> of_batch(Layer("fc", Kind.LINEAR, K=10, C=64), 32, notes).P, notes
    (32, [])
    >>> of_batch(Layer("a", Kind.CONV, K=8, C=3, R=3, S=3, H=9, W=9), 4, notes).P, notes
    (7, ['a: of its 4 images, which run one after another, the layer is that of one'])
    """
    if batch > 1 and layer.kind is Kind.LINEAR:
        return product_layer(layer.name, batch, layer.K, layer.C)
    if batch > 1:
        notes.append(f"{layer.name}: of its {batch} images, which run one after another, the layer is that of one")
    return layer
