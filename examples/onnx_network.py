"""Bring a network of your own from ONNX, and see what an accelerator makes of each layer.

    python examples/onnx_network.py model.onnx --accelerator zcu104

Without a file a small int8 network is made and written to `made.onnx`. One learns how many cycles each layer takes at
its best mapping, by itself, and what bounds it; what the whole network takes as one Program, whose layers overlap; and,
for a quantised model, of which of onnxruntime's graphs (without or with optimisations) its integers, which are what the
RTL will compute, are proven to be the result for every image. Needs the extra `onnx`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np

import fastswitch as fs


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--accelerator", default="tiny", show_default=True, help="A preset or a YAML file.")
def main(file: Path | None, accelerator: str) -> None:
    """Print a row for each layer, then what is known of the integers."""
    machine = fs.load_accelerator(accelerator)
    if file is None:
        file = Path("made.onnx")
        make_model(file, np.random.default_rng(1))
    network = fs.read_network(file, skip_unsupported=True)
    for text in (*(f"left out: {what}" for what in network.skipped), *network.notes):
        print(text)
    width = max(len(layer.name) for layer in network.subnet.layers)
    print(f"{'layer':{width}}     K     C  RxS   PxQ        MACs     cycles    used  bound")
    for x in network.subnet.layers:
        shape = f"{x.K:5} {x.C:5}  {x.R}x{x.S}  {x.P:2}x{x.Q:<2}  {x.macs:10,}"
        try:
            best = fs.map(x, machine)
            cost = f"{best.cycles:9,}  {best.utilisation:6.1%}  {best.bound}"
        except fs.FastSwitchError as error:
            cost = f"        -       -  {str(error).removeprefix(f'layer {x.name}: ')}"
        print(f"{x.name:{width}} {shape}  {cost}")
    if network.skipped:
        print("no total: operators are left out")
    else:
        whole = fs.price(network.supernet, network.subnet, machine)
        took = f"{whole.cycles:,} cycles, {1e3 * whole.latency_s:.3f} ms on {machine.name}"
        print(f"{network.subnet.macs:,} MACs as one Program: {took}")
    if not network.runnable:
        print("a float model: shapes and cycles only; quantise it to run it")
        return
    print(f"int8 throughout, proven equal to onnxruntime for every image: {', '.join(network.bit_exact) or 'no'}")
    first = network.subnet.layers[0]
    pixels = np.random.default_rng(2).random((first.C, first.H, first.W), np.float32)
    image = network.tensors["input"].quantize(pixels)
    outputs = fs.infer(network.supernet, network.subnet, image, network)
    print(f"logits of a random image: {outputs[network.subnet.layers[-1].name].ravel().tolist()}")


def make_model(path: Path, rng: np.random.Generator) -> None:
    """Write a quantised model: three convolutions of a 3 x 32 x 32 image, a global average pool, ten classes.

    Scales are powers of two, so its integers are exact by construction.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper, save
    except ImportError:
        raise fs.FastSwitchError("onnx is not installed: pip install 'fastswitch[onnx]'") from None
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
    except fs.FastSwitchError as error:
        print(f"onnx_network: {error}", file=sys.stderr)
        sys.exit(2)
