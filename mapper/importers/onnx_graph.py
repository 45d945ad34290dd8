"""ONNX models to layers, and to the machine's integers where the model is int8.

**Operators.** :data:`_HANDLERS` has them. Convolutions, Gemm and MatMul (as linear layers; of a flattened C x H x W
tensor as an H x W convolution), additions, products, pools and concatenations are layers; what works on one value or
one channel goes into the layer before (:mod:`mapper.importers.onnx_plain`); what the machine does not have becomes
layers that it has (:mod:`~mapper.importers.onnx_windows`, :mod:`~mapper.importers.onnx_pools`,
:mod:`~mapper.importers.onnx_norms`, :mod:`~mapper.importers.onnx_legal`) or, before the first product with weights
and behind the last, a step of the host's (:mod:`~mapper.importers.onnx_host`). Quantised: QuantizeLinear and
DequantizeLinear around all of these (QDQ), and onnxruntime's integer operators. uint8 tensors become int8 by 128
less, zero points with them.

**Right or refused.** Attributes and inputs that :mod:`mapper.importers.onnx_table` does not have are refused by name;
shapes must be those of ONNX's own inference (:mod:`mapper.importers.onnx_shapes`).

**Bit-exactness.** :mod:`mapper.importers.onnx_integers` chooses each layer's integers to match onnxruntime's integer
operators and counts in ``Network.wrong_steps`` where those, which requantise in float32, step elsewhere;
:mod:`mapper.importers.onnx_proof` says of which of onnxruntime's graphs the integers are then proven.
``Network.bit_exact`` names the graphs for which every layer is: for scales that are powers of two times small integers
almost always (an addition of integer operators also needs an even zero point), and for most channels of most layers
whatever the scales. A wrong step costs 1 in an output whose sum is one certain of the thousands that a layer can make.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mapper.importers import onnx_channels, onnx_curves, onnx_norms, onnx_plain, onnx_pools, onnx_weighted
from mapper.importers.network import Network
from mapper.importers.onnx_model import load_model
from mapper.importers.onnx_network import network_of
from mapper.importers.onnx_patterns import with_patterns
from mapper.importers.onnx_walk import Handler, Walk


def read_onnx(path: str | Path, *, skip_unsupported: bool = False, shape: Sequence[int] | None = None) -> Network:
    """The layers of an ONNX model of one image, and their int8 or float32 numbers.

    Parameters
    ----------
    path : an ONNX file.
    skip_unsupported : leave out an operator that has no layer and name it in ``Network.skipped``. What it makes is its
        input if the shape is the same, else comes from outside like the image; if ONNX does not know the shape, what
        reads it is left out, too.
    shape : sizes of the image, without the batch, where the file leaves some open.

    Raises
    ------
    NetworkError
        The file is missing, damaged or not ONNX; sizes are not fixed; or an operator has no layer, whose node is named.
    """
    model = with_patterns(load_model(path, shape))
    walk = Walk(model, _HANDLERS, skip_unsupported)
    for node in model.nodes:
        walk.visit(node)
    return network_of(walk, Path(path).stem)


_HANDLERS: dict[str, Handler] = {
    "Conv": onnx_weighted.conv,
    "QLinearConv": onnx_weighted.conv,
    "Gemm": onnx_weighted.linear,
    "MatMul": onnx_weighted.linear,
    "QGemm": onnx_weighted.linear,
    "QLinearMatMul": onnx_weighted.linear,
    "BatchNormalization": onnx_weighted.batch_norm,
    "Relu": onnx_plain.bound,
    "Clip": onnx_plain.bound,
    "Pad": onnx_plain.pad,
    "Add": onnx_plain.add,
    "QLinearAdd": onnx_plain.q_add,
    "Mul": onnx_plain.mul,
    "QLinearMul": onnx_plain.q_mul,
    "GlobalAveragePool": onnx_plain.global_pool,
    "ReduceMean": onnx_plain.global_pool,
    "QLinearGlobalAveragePool": onnx_plain.global_pool,
    "MaxPool": onnx_pools.pool,
    "AveragePool": onnx_pools.pool,
    "QLinearAveragePool": onnx_pools.pool,
    "GlobalMaxPool": onnx_pools.global_maximum,
    "ReduceMax": onnx_pools.global_maximum,
    "Concat": onnx_channels.concat,
    "Split": onnx_channels.split,
    "Slice": onnx_channels.cut,
    "ChannelShuffle": onnx_channels.shuffle,
    "Resize": onnx_channels.resize,
    "LayerNormalization": onnx_norms.layer_norm,
    "LRN": onnx_norms.local_response,
    "Sum": onnx_plain.total,
    "Sub": onnx_plain.subtract,
    "Div": onnx_plain.subtract,
    "Transpose": onnx_plain.turn,
    "Cast": onnx_plain.cast,
    "Identity": onnx_plain.same,
    "Dropout": onnx_plain.same,
    "Shape": onnx_plain.shape,
    "Flatten": onnx_plain.reshape,
    "Reshape": onnx_plain.reshape,
    "Squeeze": onnx_plain.reshape,
    "Unsqueeze": onnx_plain.reshape,
}
_CURVES = (
    *("Celu", "Curve", "Elu", "Erf", "Exp", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Mish", "PRelu", "Sigmoid"),
    *("Softplus", "Softsign", "Sqrt", "Tanh"),
)
_HANDLERS |= dict.fromkeys(_CURVES, onnx_plain.bend)
_HANDLERS |= {
    name: onnx_curves.or_function(_HANDLERS.get(name, onnx_curves.no_layer))
    for name in (*onnx_curves.FUNCTIONS, *onnx_curves.STORED)
}
