"""Small networks through the quantisers that need torch: AMD Quark, Brevitas, PyTorch PT2E.

    PYTHON bench/quantiser_tools.py quark 100 FOLDER --seed 1

writes FOLDER/quark_0.onnx and so on, each with FOLDER/quark_0.txt, the options that it was made with. It needs nothing
of this project, only a Python of its own: `bench/quantiser_fuzz.md` has the command that makes one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

Rng = np.random.Generator


class Block(nn.Module):
    """A residual block."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.a, self.b, self.relu = nn.Conv2d(c, c, 3, padding=1), nn.Conv2d(c, c, 1), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.b(self.relu(self.a(x))) + x)


def float_network(rng: Rng) -> tuple[nn.Module, torch.Tensor]:
    """One or two convolutions, perhaps a residual block, depthwise layer, pool and linear layer; and an image."""
    torch.manual_seed(int(rng.integers(1 << 30)))
    c, size = int(rng.integers(1, 5)), int(rng.choice([4, 6, 8]))
    image, layers = torch.randn(1, c, size, size), []
    for _ in range(int(rng.integers(1, 3))):
        k, r = int(rng.integers(2, 9)), int(rng.choice([1, 3]))
        layers += [nn.Conv2d(c, k, r, int(rng.choice([1, 1, 2])), r // 2, bias=bool(rng.random() < 0.8))]
        layers += [nn.ReLU()] if rng.random() < 0.7 else []
        c = k
    if rng.random() < 0.3:
        layers.append(Block(c))
    if rng.random() < 0.2:
        layers += [nn.Conv2d(c, c, 3, padding=1, groups=c), nn.ReLU6()]
    if rng.random() < 0.4:
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 4)]
    return nn.Sequential(*layers).eval(), image


def export(net: nn.Module, image: torch.Tensor, path: Path) -> None:
    torch.onnx.export(net, (image,), str(path), dynamo=False, opset_version=17, input_names=["x"], output_names=["y"])


def quark(rng: Rng, path: Path) -> str:
    """AMD Quark for ONNX, one of its configurations for 8 bits."""
    from onnxruntime.quantization import CalibrationDataReader
    from quark.onnx import ModelQuantizer
    from quark.onnx.quantization.config import Config, get_default_config

    net, image = float_network(rng)
    export(net, image, source := path.with_suffix(".float.onnx"))

    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self.images = iter([{"x": rng.normal(0, 1, image.shape).astype(np.float32)} for _ in range(3)])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.images, None)

    name = str(rng.choice(["XINT8", "XINT8", "A8W8", "S8S8_AAWS", "U8S8_AAWS", "U8U8_AAWA"]))
    ModelQuantizer(Config(global_quant_config=get_default_config(name))).quantize_model(
        str(source), str(path), Images()
    )
    source.unlink()
    return f"Quark {name}"


def brevitas(rng: Rng, path: Path) -> str:
    """Brevitas, exported as QCDQ, with scales of floats or powers of two."""
    import brevitas.nn as qnn
    from brevitas import quant
    from brevitas.export import export_onnx_qcdq

    power = bool(rng.random() < 0.5)
    kind = "FixedPoint" if power else "Float"
    scope = "PerTensor" if power or rng.random() < 0.5 else "PerChannel"
    weight = getattr(quant, f"Int8Weight{scope}{kind}")
    signed, unsigned = (getattr(quant, f"{sign}8ActPerTensor{kind}") for sign in ("Int", "Uint"))
    bias = [quant.Int32Bias, quant.Int8Bias if hasattr(quant, "Int8Bias") else quant.Int32Bias, None][
        int(rng.choice([0, 0, 1, 2]))
    ]
    c, size = int(rng.integers(1, 5)), int(rng.choice([4, 6, 8]))
    image = torch.randn(1, c, size, size)
    torch.manual_seed(int(rng.integers(1 << 30)))
    layers: list[nn.Module] = [qnn.QuantIdentity(act_quant=signed, return_quant_tensor=True)]
    for _ in range(int(rng.integers(1, 3))):
        k, r = int(rng.integers(2, 9)), int(rng.choice([1, 3]))
        layers.append(
            qnn.QuantConv2d(
                c,
                k,
                r,
                padding=r // 2,
                bias=bias is not None,
                weight_quant=weight,
                bias_quant=bias,
                return_quant_tensor=True,
            )
        )
        if rng.random() < 0.7:
            layers.append(qnn.QuantReLU(act_quant=unsigned, return_quant_tensor=True))
        else:
            layers.append(qnn.QuantIdentity(act_quant=signed, return_quant_tensor=True))
        c = k
    net = nn.Sequential(*layers)
    net.train()
    for _ in range(3):
        net(torch.randn(image.shape))
    net.eval()
    export_onnx_qcdq(net, args=image, export_path=str(path), opset_version=17, dynamo=False)
    return f"Brevitas {kind} {scope}"


def pt2e(rng: Rng, path: Path) -> str:
    """PyTorch PT2E: prepare, calibrate and convert an exported program, and write it with torch's ONNX exporter."""
    import torchao.quantization.pt2e.quantizer.x86_inductor_quantizer as x86
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

    net, image = float_network(rng)
    program = torch.export.export(net, (image,)).module()
    if rng.random() < 0.5:
        name, quantizer = "x86", x86.X86InductorQuantizer()
        quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
    else:
        channels = bool(rng.random() < 0.5)
        name, quantizer = "XNNPACK", XNNPACKQuantizer()
        quantizer.set_global(get_symmetric_quantization_config(is_per_channel=channels))
    prepared = prepare_pt2e(program, quantizer)
    for _ in range(3):
        prepared(torch.randn(image.shape))
    converted = convert_pt2e(prepared)
    torch.onnx.export(
        converted, (image,), str(path), dynamo=True, input_names=["x"], external_data=False, verbose=False
    )
    if name == "x86" and rng.random() < 0.8:
        quantise_result(path, float(converted(image).abs().max()))
        name += ", result quantised"
    return f"PT2E {name}"


def quantise_result(path: Path, most: float) -> None:
    """The x86 quantiser leaves the last layer's result real: put QuantizeLinear and DequantizeLinear behind it."""
    import onnx

    model = onnx.load(path)
    (result,) = model.graph.output
    scale, zero = np.float32(max(most, 1e-3) / 127), np.uint8(128)
    for name, array in (("last_scale", scale), ("last_zero", zero)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    rest = ["last_scale", "last_zero"]
    model.graph.node.append(onnx.helper.make_node("QuantizeLinear", [result.name, *rest], ["last_int8"], "last_q"))
    model.graph.node.append(onnx.helper.make_node("DequantizeLinear", ["last_int8", *rest], ["last_real"], "last_dq"))
    result.name = "last_real"
    onnx.save(model, path)


TOOLS: dict[str, Callable[[Rng, Path], str]] = {"quark": quark, "brevitas": brevitas, "pt2e": pt2e}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=list(TOOLS))
    parser.add_argument("count", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    for number in range(given.count):
        path = given.folder / f"{given.tool}_{number}.onnx"
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                options = TOOLS[given.tool](np.random.default_rng([given.seed, number]), path)
        except Exception as error:  # whatever a tool raises for a network that it cannot take
            path.unlink(missing_ok=True)
            print(f"{path.name}: {type(error).__name__}: {' '.join(str(error).split())[-200:]}", file=sys.stderr)
            continue
        path.with_suffix(".txt").write_text(options + "\n")


if __name__ == "__main__":
    main()
