"""Whole networks of torchvision through quantisers, each as an ONNX file.

    PYTHON bench/whole_quantisers.py FOLDER [--size 64] [--tool TOOL ...] [--network NETWORK ...]

Weights are random, statistics of batch norms those of random images in training mode, so that values are as large as in
a trained network. It needs torch, torchvision and the tools, nothing of this project: `bench/quantiser_fuzz.md` has the
command that makes such a Python. `bench/quantised_whole.py` runs it and says what becomes of the files. A tool that
fails leaves its message in FOLDER/NETWORK.TOOL.txt.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import nn

NETWORKS = ("resnet18", "mobilenet_v2", "mobilenet_v3_small", "resnet50", "resnet8")
CALIBRATION = 4
"""Images."""


class Block(nn.Module):
    """A residual block of ResNet-8."""

    def __init__(self, c: int, k: int, stride: int) -> None:
        super().__init__()
        first = nn.Conv2d(c, k, 3, stride, 1, bias=False)
        second = nn.Conv2d(k, k, 3, 1, 1, bias=False)
        self.body = nn.Sequential(first, nn.BatchNorm2d(k), nn.ReLU(), second, nn.BatchNorm2d(k))
        self.down = nn.Conv2d(c, k, 1, stride) if stride > 1 else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.body(x) + self.down(x))


def resnet8() -> nn.Module:
    """Three stages of one block, of 16, 32 and 64 channels, for images of 32 x 32."""
    stem = (nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    blocks = (Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2))
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def network(name: str) -> nn.Module:
    """A network as if it had been trained."""
    torch.manual_seed(0)
    net = (resnet8() if name == "resnet8" else getattr(torchvision.models, name)()).train()
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.weight.uniform_(0.6, 1.4)
                part.bias.uniform_(-0.3, 0.3)
                part.momentum = 0.5
        for _ in range(4):
            net(torch.randn(8, 3, 64, 64))
    return net.eval()


def images(size: int) -> list[torch.Tensor]:
    """For calibration."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(1, 3, size, size, generator=generator) for _ in range(CALIBRATION)]


def reader(size: int) -> object:
    """The images as onnxruntime's tools read them."""
    from onnxruntime.quantization import CalibrationDataReader

    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self.images = iter([{"x": image.numpy()} for image in images(size)])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.images, None)

    return Images()


def export(net: nn.Module, size: int, path: Path, dynamo: bool) -> None:
    torch.onnx.export(
        net, (images(size)[0],), str(path), dynamo=dynamo, opset_version=18 if dynamo else 17, input_names=["x"],
        output_names=["y"], **({"external_data": False, "verbose": False} if dynamo else {}),
    )  # fmt: skip


def onnxruntime_static(form: str, signed: bool) -> Callable[[str, int, Path], None]:
    """`quantize_static` with a scale for each channel."""

    def make(name: str, size: int, path: Path) -> None:
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

        source, ready = path.with_suffix(".float.onnx"), path.with_suffix(".ready.onnx")
        export(network(name), size, source, True)
        quant_pre_process(str(source), str(ready))
        kind = QuantType.QInt8 if signed else QuantType.QUInt8
        quantize_static(
            str(ready), str(path), reader(size), quant_format=QuantFormat[form], activation_type=kind,
            weight_type=QuantType.QInt8, per_channel=True,
        )  # fmt: skip
        source.unlink()
        ready.unlink()

    return make


def quark(config: str) -> Callable[[str, int, Path], None]:
    """AMD Quark for ONNX."""

    def make(name: str, size: int, path: Path) -> None:
        from quark.onnx import ModelQuantizer
        from quark.onnx.quantization.config import Config, get_default_config

        export(network(name), size, source := path.with_suffix(".float.onnx"), False)
        quantizer = ModelQuantizer(Config(global_quant_config=get_default_config(config)))
        quantizer.quantize_model(str(source), str(path), reader(size))
        source.unlink()

    return make


def brevitas(name: str, size: int, path: Path) -> None:
    """Brevitas' quantisation of a graph, exported as QCDQ."""
    from brevitas.export import export_onnx_qcdq
    from brevitas.graph.calibrate import calibration_mode
    from brevitas.graph.quantize import preprocess_for_quantize, quantize

    net = quantize(preprocess_for_quantize(network(name), equalize_iters=0))
    with torch.no_grad(), calibration_mode(net):
        for image in images(size):
            net(image)
    net.eval()
    with torch.no_grad():
        net(images(size)[0])
    export_onnx_qcdq(net, args=images(size)[0], export_path=str(path), opset_version=17, dynamo=False)


def pt2e(backend: str) -> Callable[[str, int, Path], None]:
    """PyTorch PT2E of torchao, for XNNPACK or x86."""

    def make(name: str, size: int, path: Path) -> None:
        import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as x86
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
        from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

        program = torch.export.export(network(name), (images(size)[0],)).module()
        if backend == "x86":
            quantizer = x86.X86InductorQuantizer()
            quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
        else:
            quantizer = XNNPACKQuantizer()
            quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True))
        prepared = prepare_pt2e(program, quantizer)
        with torch.no_grad():
            for image in images(size):
                prepared(image)
        converted = convert_pt2e(prepared)
        torch.onnx.export(
            converted, (images(size)[0],), str(path), dynamo=True, input_names=["x"], external_data=False, verbose=False
        )

    return make


def eager(name: str, size: int, path: Path) -> None:
    """PyTorch's eager quantisation of torchvision's quantisable networks."""
    import torch.ao.quantization as quantization
    import torchvision.models.quantization as models
    from torchvision.models.mobilenetv3 import _mobilenet_v3_conf
    from torchvision.models.quantization.mobilenetv3 import _mobilenet_v3_model

    if name == "mobilenet_v3_small":  # torchvision has a constructor of the large one alone
        net = _mobilenet_v3_model(*_mobilenet_v3_conf(name), None, False, False)
    else:
        net = getattr(models, name)(quantize=False)
    net.load_state_dict(network(name).state_dict(), strict=False)
    net.eval()
    net.fuse_model()
    engines = torch.backends.quantized.supported_engines
    torch.backends.quantized.engine = "qnnpack" if "qnnpack" in engines else engines[-1]
    net.qconfig = quantization.get_default_qconfig(torch.backends.quantized.engine)
    quantization.prepare(net, inplace=True)
    with torch.no_grad():
        for image in images(size):
            net(image)
    quantization.convert(net, inplace=True)
    export(net, size, path, False)


TOOLS: dict[str, Callable[[str, int, Path], None]] = {
    "onnxruntime-QDQ": onnxruntime_static("QDQ", False),
    "onnxruntime-QDQ-int8": onnxruntime_static("QDQ", True),
    "onnxruntime-QOperator": onnxruntime_static("QOperator", False),
    "Quark-XINT8": quark("XINT8"),
    "Quark-A8W8": quark("A8W8"),
    "Brevitas": brevitas,
    "PT2E-XNNPACK": pt2e("XNNPACK"),
    "PT2E-x86": pt2e("x86"),
    "PyTorch-eager": eager,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--tool", action="append", choices=list(TOOLS))
    parser.add_argument("--network", action="append", choices=NETWORKS)
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    folder = given.folder.resolve()
    os.chdir(folder)  # one tool leaves a table where it runs
    for name in given.network or NETWORKS[:3]:
        for tool in given.tool or TOOLS:
            path, said = folder / f"{name}.{tool}.onnx", io.StringIO()
            if path.exists():
                continue
            try:
                with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                    TOOLS[tool](name, given.size, path)
            except Exception as error:  # whatever a tool raises for a network that it cannot take
                for left in folder.glob(f"{name}.{tool}.*onnx"):
                    left.unlink()
                path.with_suffix(".txt").write_text(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}\n")


if __name__ == "__main__":
    main()
