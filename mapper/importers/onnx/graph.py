"""ONNX models to layers, and to the machine's integers where the model is int8.

**Operators.** :data:`_HANDLERS` has them. Convolutions, Gemm and MatMul (as linear layers; of a flattened C x H x W
tensor as an H x W convolution), additions, products, pools and concatenations are layers; what works on one value or
one channel goes into the layer before (:mod:`mapper.importers.onnx.plain`); what the machine does not have becomes
layers that it has (:mod:`~mapper.importers.onnx.windows`, :mod:`~mapper.importers.onnx.pools`,
:mod:`~mapper.importers.onnx.norms`, :mod:`~mapper.importers.onnx.legal`) or, before the first product with weights
and behind the last, a step of the host's (:mod:`~mapper.importers.onnx.host`). Quantised: QuantizeLinear and
DequantizeLinear around all of these (QDQ), and onnxruntime's integer operators. uint8 tensors become int8 by 128
less, zero points with them.

**Right or refused.** Attributes and inputs that :mod:`mapper.importers.onnx.table` does not have are refused by name;
shapes must be those of ONNX's own inference (:mod:`mapper.importers.onnx.shapes`).

**Bit-exactness.** :mod:`mapper.importers.onnx.integers` chooses each layer's integers to match onnxruntime's integer
operators and counts in ``Network.wrong_steps`` where those, which requantise in float32, step elsewhere;
:mod:`mapper.importers.onnx.proof` says of which of onnxruntime's graphs the integers are then proven.
``Network.bit_exact`` names the graphs for which every layer is: for scales that are powers of two times small integers
almost always (an addition of integer operators also needs an even zero point), and for most channels of most layers
whatever the scales. A wrong step costs 1 in an output whose sum is one certain of the thousands that a layer can make.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mapper.importers.network import Network
from mapper.importers.onnx import channels, curves, norms, plain, pools, weighted
from mapper.importers.onnx.model import load_model
from mapper.importers.onnx.network import network_of
from mapper.importers.onnx.patterns import with_patterns
from mapper.importers.onnx.walk import Handler, Walk


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
    "Conv": weighted.conv,
    "QLinearConv": weighted.conv,
    "Gemm": weighted.linear,
    "MatMul": weighted.linear,
    "QGemm": weighted.linear,
    "QLinearMatMul": weighted.linear,
    "BatchNormalization": weighted.batch_norm,
    "Relu": plain.bound,
    "Clip": plain.bound,
    "Pad": plain.pad,
    "Add": plain.add,
    "QLinearAdd": plain.q_add,
    "Mul": plain.mul,
    "QLinearMul": plain.q_mul,
    "GlobalAveragePool": plain.global_pool,
    "ReduceMean": plain.global_pool,
    "QLinearGlobalAveragePool": plain.global_pool,
    "MaxPool": pools.pool,
    "AveragePool": pools.pool,
    "QLinearAveragePool": pools.pool,
    "GlobalMaxPool": pools.global_maximum,
    "ReduceMax": pools.global_maximum,
    "Concat": channels.concat,
    "Split": channels.split,
    "Slice": channels.cut,
    "ChannelShuffle": channels.shuffle,
    "Resize": channels.resize,
    "LayerNormalization": norms.layer_norm,
    "LRN": norms.local_response,
    "Sum": plain.total,
    "Sub": plain.subtract,
    "Div": plain.subtract,
    "Transpose": plain.turn,
    "Cast": plain.cast,
    "Identity": plain.same,
    "Dropout": plain.same,
    "Shape": plain.shape,
    "Flatten": plain.reshape,
    "Reshape": plain.reshape,
    "Squeeze": plain.reshape,
    "Unsqueeze": plain.reshape,
}
_CURVES = (
    *("Celu", "Curve", "Elu", "Erf", "Exp", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Mish", "PRelu", "Sigmoid"),
    *("Softplus", "Softsign", "Sqrt", "Tanh"),
)
_HANDLERS |= dict.fromkeys(_CURVES, plain.bend)
_HANDLERS |= {
    name: curves.or_function(_HANDLERS.get(name, curves.no_layer)) for name in (*curves.FUNCTIONS, *curves.STORED)
}
