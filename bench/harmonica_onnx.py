"""A network from outside, as `fastswitch noise --onnx` takes it: trained with torch, quantised by onnxruntime.

`python bench/harmonica_onnx.py OUT.onnx [--epochs 2]` needs the extras `train` and `test` and Fashion-MNIST (the Debian
package dataset-fashion-mnist). Three convolutions of stride 2 and a linear layer, 89,376 weights; uint8 activations and
int8 weights by channel, QDQ.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import click
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from arch_model.network.weights import load_weights
from sim.noise.sensitivity.images import find_ranking_images

WIDTHS = (32, 64, 96)


def train(epochs: int, seed: int = 1) -> torch.nn.Sequential:
    """The network, trained on pixels of 0..1."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    found = find_ranking_images(load_weights(), 60_000)
    x = torch.from_numpy(found.images[:, None].astype(np.float32) / 255)
    y = torch.from_numpy(found.labels.astype(np.int64))
    layers: list[torch.nn.Module] = []
    for before, width in zip((1, *WIDTHS), WIDTHS, strict=False):
        layers += [torch.nn.Conv2d(before, width, 3, 2, 1), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(WIDTHS[-1] * 16, 10))
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(128):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimiser.step()
    return net


def to_onnx(net: torch.nn.Sequential, path: Path) -> None:
    """Conv, Relu, Flatten, Gemm."""
    nodes, constants, at = [], [], "x"
    for i, module in enumerate(net):
        inputs, attributes, op = [at], {}, type(module).__name__.replace("ReLU", "Relu")
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            for name in ("weight", "bias"):
                array = getattr(module, name).detach().numpy()
                constants.append(numpy_helper.from_array(array, f"{name}{i}"))
                inputs.append(f"{name}{i}")
            conv = isinstance(module, torch.nn.Conv2d)
            op, attributes = ("Conv", {"strides": [2, 2], "pads": [1] * 4}) if conv else ("Gemm", {"transB": 1})
        at = "y" if i == len(net) - 1 else f"t{i}"
        nodes.append(helper.make_node(op, inputs, [at], name=f"{op.lower()}{i}", **attributes))
    ends = [("x", [1, 1, 28, 28]), ("y", [1, 10])]
    image, logits = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends)
    graph = helper.make_graph(nodes, "outside", [image], [logits], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


class Calibration(CalibrationDataReader):  # type: ignore[misc]
    """The first training images."""

    def __init__(self, count: int = 200) -> None:
        found = find_ranking_images(load_weights(), count)
        self._images = iter([{"x": image[None, None].astype(np.float32) / 255} for image in found.images])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._images, None)


@click.command()
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--epochs", default=2, show_default=True)
def main(out: Path, epochs: int) -> None:
    """Train, export, quantise."""
    with TemporaryDirectory() as folder:
        plain = Path(folder) / "float.onnx"
        to_onnx(train(epochs), plain)
        kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        quantize_static(plain, out, Calibration(), quant_format=QuantFormat.QDQ, per_channel=True, **kinds)
    print(out)


if __name__ == "__main__":
    main()
