"""Bring a network of your own from ONNX, and see what an accelerator makes of each layer.

    python examples/onnx_network.py model.onnx --accelerator zcu104

Without a file a small int8 network is made and written to `made.onnx`. One learns how many cycles each layer takes at
its best mapping and what bounds it; and, for a quantised model, of which of onnxruntime's graphs (without or with
optimisations) its integers, which are what the RTL will compute, are proven to be the result for every image. Needs
the extra `onnx`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np

from arch_model import Accelerator, FastSwitchError
from mapper import predict_subnet
from mapper.importers import read_network
from mapper.search.predict import total_of, why_no_total
from sim.integers.reference import run_layers


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--accelerator", default="tiny", show_default=True, help="A preset or a YAML file.")
def main(file: Path | None, accelerator: str) -> None:
    """Print a row for each layer, then what is known of the integers."""
    machine = Accelerator.load(accelerator)
    if file is None:
        file = Path("made.onnx")
        make_model(file, np.random.default_rng(1))
    network = read_network(file, skip_unsupported=True)
    for text in (*(f"left out: {what}" for what in network.skipped), *network.notes):
        print(text)
    rows = list(predict_subnet(network.subnet, machine))
    width = max(len(row["name"]) for row in rows)
    print(f"{'layer':{width}}     K     C  RxS   PxQ        MACs     cycles    used  bound")
    for row in rows:
        shape = f"{row['K']:5} {row['C']:5}  {row['R']}x{row['S']}  {row['P']:2}x{row['Q']:<2}  {row['macs']:10,}"
        cost = "        -       -" if row["cycles"] is None else f"{row['cycles']:9,}  {row['utilisation'] or 0:6.1%}"
        print(f"{row['name']:{width}} {shape}  {cost}  {row['bound']}")
    total = total_of(rows, machine)
    if network.skipped or total["latency_s"] is None:
        print(f"no total: {why_no_total(rows) or 'operators are left out'}")
    else:
        cycles = sum(row["cycles"] for row in rows)
        print(f"{total['macs']:,} MACs, {cycles:,} cycles, {1e3 * total['latency_s']:.3f} ms on {machine.name}")
    if not network.runnable:
        print("a float model: shapes and cycles only; quantise it to run it")
        return
    print(f"int8 throughout, proven equal to onnxruntime for every image: {', '.join(network.bit_exact) or 'no'}")
    first = network.subnet.layers[0]
    pixels = np.random.default_rng(2).random((first.C, first.H, first.W), np.float32)
    image = network.tensors["input"].quantize(pixels)
    outputs = run_layers(network.subnet.layers, network.weights, network.quant, image)
    print(f"logits of a random image: {outputs[network.subnet.layers[-1].name].ravel().tolist()}")


def make_model(path: Path, rng: np.random.Generator) -> None:
    """Write a quantised model: three convolutions of a 3 x 32 x 32 image, a global average pool, ten classes.

    Scales are powers of two, so its integers are exact by construction.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper, save
    except ImportError:
        raise FastSwitchError("onnx is not installed: pip install 'fastswitch[onnx]'") from None
    constants, nodes = [], []

    def constant(name: str, value: object, dtype: object) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    zero, scale = constant("zero", 0, np.int8), constant("scale", 2.0**-6, np.float32)
    small = constant("small", 2.0**-9, np.float32)

    def weighted(op: str, x: str, name: str, shape: tuple[int, ...], **attributes: object) -> str:
        weights = constant(f"{name}_w", rng.integers(-90, 91, shape), np.int8)
        bias = constant(f"{name}_b", rng.integers(-4000, 4000, shape[0]), np.int32)
        if op == "QGemm":
            inputs, domain = [x, scale, zero, weights, small, zero, bias, scale, zero], "com.microsoft"
        else:
            inputs, domain = [x, scale, zero, weights, small, zero, scale, zero, bias], ""
        nodes.append(helper.make_node(op, inputs, [name], name=name, domain=domain, **attributes))
        return name

    nodes.append(helper.make_node("QuantizeLinear", ["image", scale, zero], ["x0"], name="quantize"))
    x = weighted("QLinearConv", "x0", "stem", (16, 3, 3, 3), pads=[1] * 4, strides=[2, 2])
    x = weighted("QLinearConv", x, "conv1", (24, 16, 3, 3), pads=[1] * 4)
    x = weighted("QLinearConv", x, "conv2", (48, 24, 3, 3), pads=[1] * 4, strides=[2, 2])
    pool = [x, scale, zero, scale, zero]
    nodes.append(helper.make_node("QLinearGlobalAveragePool", pool, ["pool"], name="pool", domain="com.microsoft"))
    nodes.append(helper.make_node("Flatten", ["pool"], ["flat"], name="flat"))
    y = weighted("QGemm", "flat", "classes", (10, 48), transB=1)
    ends = [helper.make_tensor_value_info(y, TensorProto.INT8, (1, 10))]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, 32, 32))
    graph = helper.make_graph(nodes, "made", [image], ends, constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


if __name__ == "__main__":
    try:
        main()
    except FastSwitchError as error:
        print(f"onnx_network: {error}", file=sys.stderr)
        sys.exit(2)
