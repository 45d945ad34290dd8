"""Hostile files for every format that a command reads: mutations of good ones, and hand-made bombs.

Each kind has one good file, the command that reads it with little work behind, and :data:`EACH` files made of the good
one: numbers become extreme, words become something else, lines go or come twice, bytes flip, the end is missing;
arrays, columns and messages of ONNX are changed as what they are. See ``hostile_runner.py`` for what is a fault.

    python bench/hostile_files.py --seed 1 --jobs 2
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from hostile_runner import Case, main

EACH = 75
"""Mutations of a kind, beside the hand-made ones."""

NUMBERS = (
    *("-1", "0", "1", "2", "-0", "1.5", "1e308", "1e-308", "1e999", "nan", "inf", "-inf", ".", "0x10", "1_0", "true"),
    *("null", "", "''", "[]", "{}", "9" * 30, "9" * 5000, "1" * 399, "0." + "3" * 5000, "1:59:59", "16777217"),
    *(str(2**31), str(2**32), str(2**63 - 1), str(2**63), str(2**64), str(-(2**63)), "1e5", "٣", "½"),
)
WORDS = (
    *("", " ", "#", '"', "'", ",", ";", ":", "-", "\\", "\n", "\r", "\t", "\x00", "\x1b[31m", "\u2028", "\ufeff", "é"),
    *(
        "\\ud800",
        "../../etc/passwd",
        "/dev/zero",
        "x" * 300,
        "x" * 100_000,
        "*a",
        "&a",
        "!!python/name:os.system ",
        "<<",
    ),
    *("null", "NaN", "true", "2024-13-45", "{{x}}", "%s%n", "${HOME}", "None", "input", "名前", "a\nb", "a#b", "a,b"),
)
LAYERS = """\
network,layer_index,supernet_layer_index,name,N,K,C,H,W,R,S,stride,padding,out_H,out_W,macs,weight_bytes,groups
n,0,0,conv1,1,8,8,4,4,3,3,1,1,4,4,9216,576,1
n,1,1,fc,1,10,8,1,1,1,1,1,0,1,1,80,80,1
"""
TOPOLOGY = """Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
Conv1, 8, 8, 3, 3, 3, 8, 1, # first
FC6, 1, 1, 1, 1, 256, 10, 1,
"""
PROBLEM = """problem:
  version: 0.4
  shape:
    name: CNN_Layer
    dimensions: [C, K, R, S, P, Q, N]
    coefficients:
      - {name: Wstride, default: 1}
      - {name: Hstride, default: 1}
    data_spaces:
      - {name: Weights, projection: [[[C]], [[K]], [[R]], [[S]]]}
      - {name: Inputs, projection: [[[N]], [[C]], [[R], [P, Wstride]], [[S], [Q, Hstride]]]}
      - {name: Outputs, projection: [[[N]], [[K]], [[Q]], [[P]]], read_write: true}
  instance: {C: 3, K: 8, R: 3, S: 3, P: 8, Q: 8, N: 1, Wstride: 1, Hstride: 1}
"""
STREAM = "# seed: 1\narrival_s,accuracy,latency_s\n0,0.9,0.5\n0.001,0.91,0.25\n0.25,0.5,1\n"
SUBNETS = """[{"name": "one", "space": "fashion", "image": 28, "depth": [1, 1, 1], "width": [2, 2, 2], "top1": 90.5},
 {"space": "fashion", "image": 28, "depth": [2, 2, 2], "width": [4, 4, 4], "top1": 91, "macs": 1}]
"""
MEMORY = """format: 2
name: a
array: {kp: 4, cp: 3}
clock_hz: 100_000_000
buffers: {pb_bytes: 0, db_bytes: 13824, sb_bytes: 55296, ob_bytes: 6400, ob_out_bytes: 24576, zsb_bytes: 4096}
axi: {data_bits: 32, max_burst: 16}
dram: {bytes: 4194304, latency_ns: 240, latency_cycles: 24, bytes_per_s: 600_000_000}
"""
"""A machine whose memory is described beside the clock."""
SUBNET = "fashion-d111-w222"
COSIM = ("cosim", "--layers", "l.csv", "--csv", "o.csv", "--accelerator", "a.yaml")
MAP = ("map", "--layer", "K=8 C=8 R=3 S=3 H=4 W=4", "--accelerator")
NOISE = ("noise", "--variation", "none", "--trials", "1", "--jobs", "1", "--images", "1")

Mutator = Callable[[bytes, random.Random], bytes]


# ---- texts ----


def text_mutation(data: bytes, rng: random.Random) -> bytes:
    """One to three changes of a text: of its numbers, its words, its lines or its bytes."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice((_number, _number, _number, _word, _word, _line, _bytes))(data, rng)
    return data


def _swap(data: bytes, rng: random.Random, pattern: str, values: tuple[str, ...]) -> bytes:
    text = data.decode(errors="surrogateescape")
    found = list(re.finditer(pattern, text))
    if not found:
        return data
    one = rng.choice(found)
    return (text[: one.start()] + rng.choice(values) + text[one.end() :]).encode(errors="surrogatepass")


def _number(data: bytes, rng: random.Random) -> bytes:
    return _swap(data, rng, r"\d+(?:\.\d+)?", NUMBERS)


def _word(data: bytes, rng: random.Random) -> bytes:
    return _swap(data, rng, r"[A-Za-z_][\w-]*", WORDS)


def _line(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    at = rng.randrange(len(lines)) if lines else 0
    piece = lines[at : at + 1]
    return b"".join(lines[:at] + rng.choice((piece * 2, [], piece[::-1] * 50, [b"# x\n", *piece])) + lines[at + 1 :])


def _bytes(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return rng.choice(
        (
            data[:at],
            data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :],
            data[:at] + rng.randbytes(rng.randint(1, 9)) + data[at:],
            data[:at] + data[: rng.randint(0, 200)] + data[at:],
            data[at:],
        )
    )


def byte_mutation(data: bytes, rng: random.Random) -> bytes:
    """One to four changes of bytes."""
    for _ in range(rng.randint(1, 4)):
        data = _bytes(data, rng)
    return data


def yaml_bomb(depth: int, width: int) -> str:
    """A value of ``width ** depth`` leaves in a few lines."""
    text = "&d0 [" + ",".join("x" * (width + 1)) + "]"
    for level in range(1, depth):
        text = f"&d{level} [{text}{f',*d{level - 1}' * width}]"
    return text


# ---- arrays, columns and messages ----


def npz_mutation(data: bytes, rng: random.Random) -> bytes:
    """An array that lies, is of another type, shape or value, is gone or is something else; or flipped bytes."""
    import numpy as np

    if rng.random() < 0.3:
        return byte_mutation(data, rng)
    with np.load(io.BytesIO(data)) as file:
        arrays: dict[str, Any] = dict(file)
    name = rng.choice(list(arrays))
    array = arrays[name]
    kinds = ["i1", "u1", "i8", "f4", "f8", "U3", "?"]
    made: bytes | None = None
    match rng.randrange(6):
        case 0:
            shape = rng.choice(
                ("(1099511627776,)", "(-1,)", "(2, 99999999999)", "(True,)", "(" + "9" * 5000 + ",)", "()")
            )
            kind = rng.choice(("|u1", "<f8", "|O", "<U9", "<M8[s]", "|V0"))
            header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
            made = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + array.tobytes()[:1000]
        case 1:
            arrays[name] = np.zeros(array.shape, rng.choice(kinds))
        case 2:
            arrays[name] = array.ravel()[: rng.choice((0, 1, 7))]
        case 3:
            del arrays[name]
        case 4 if array.dtype.kind in "iuf" and array.size:
            array = array.copy()
            value = rng.choice((-1, 0, 127, 255)) if array.dtype.kind != "f" else rng.choice((np.nan, np.inf, 1e38))
            array.flat[rng.randrange(array.size)] = np.array(value).astype(array.dtype)
            arrays[name] = array
        case _:
            arrays[name] = rng.choice((np.array("x" * 1000), np.array(b"{"), np.float64("nan"), np.zeros((3, 0, 2))))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for key, value in arrays.items():
            one = io.BytesIO()
            np.save(one, value)
            archive.writestr(f"{key}.npy", made if made is not None and key == name else one.getvalue())
    return file.getvalue()


def parquet_mutation(data: bytes, rng: random.Random) -> bytes:
    """A column of other values or another type, other metadata, or flipped bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if rng.random() < 0.4:
        return byte_mutation(data, rng)
    table = pq.read_table(io.BytesIO(data))
    facts = (table.schema.metadata or {}).get(b"fastswitch", b"{}")
    at = rng.randrange(table.num_columns)
    rows = table.num_rows
    match rng.randrange(4):
        case 0:
            table = table.drop([table.column_names[at]])
        case 1:
            value = rng.choice((None, -1, 2**62, 0.5, float("nan"), "x", "", [1], b"\xff", True))
            table = table.set_column(at, table.column_names[at], pa.array([value] * rows))
        case 2:
            table = table.slice(0, rng.choice((0, 1)))
        case _:
            facts = text_mutation(facts, rng)
    file = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({b"fastswitch": facts}), file)
    return file.getvalue()


def onnx_mutation(data: bytes, rng: random.Random) -> bytes:
    """A field of the message becomes something else, a node goes or comes twice; or flipped bytes."""
    import onnx

    if rng.random() < 0.25:
        return byte_mutation(data, rng)
    model = onnx.ModelProto()
    model.ParseFromString(data)
    graph = model.graph
    node, tensor = rng.choice(graph.node), rng.choice(graph.initializer)
    value = rng.choice([*graph.input, *graph.output])
    number = rng.choice((-1, 0, 1, 7, 2**31, 2**62, -(2**62), 1000))
    word = rng.choice([word for word in WORDS if "\\ud" not in word])
    match rng.randrange(12):
        case 0:
            node.op_type = rng.choice((word, "Loop", "If", "Softmax", "Gemm", "ConstantOfShape", "QLinearConv", "Pad"))
        case 1 if node.input:
            node.input[rng.randrange(len(node.input))] = rng.choice((word, "", *node.output))
        case 2 if node.output:
            node.output[0] = rng.choice((word, *node.input))
        case 3 if node.attribute:
            attribute = rng.choice(node.attribute)
            attribute.i, attribute.f = number, float(number)
            if attribute.ints:
                attribute.ints[rng.randrange(len(attribute.ints))] = number
        case 4 if node.attribute:
            rng.choice(node.attribute).name = word
        case 5:
            tensor.dims[:] = [rng.choice((number, 3)) for _ in range(rng.randint(0, 5))]
        case 6:
            tensor.data_type = rng.choice((0, 1, 2, 3, 6, 7, 8, 9, 10, 16, 21, 22, 999))
        case 7:
            tensor.raw_data = rng.choice((b"", rng.randbytes(8), b"\xff\xff\xff\x7f" * (len(tensor.raw_data) // 4)))
        case 8:
            dims = value.type.tensor_type.shape.dim
            if dims:
                dims[rng.randrange(len(dims))].dim_value = number
        case 9:
            graph.node.append(node)
        case 10:
            graph.node.remove(node)
        case _:
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=rng.choice((word, "../x", "/etc/passwd", "model.onnx")))
    return model.SerializeToString()


# ---- good files ----


@cache
def small_weights() -> bytes:
    """The shipped weights with few images, so that a case is read in milliseconds."""
    import numpy as np

    with np.load(Path(str(resources.files("arch_model"))) / "data" / "fashion.npz") as file:
        arrays = dict(file)
    arrays["images"], arrays["labels"] = arrays["images"][:512], arrays["labels"][:512]
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


@cache
def small_model() -> bytes:
    """A quantised convolution, as onnxruntime's tools write it."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    weights = rng.integers(-20, 20, (4, 1, 3, 3)).astype(np.int8)
    numbers = {
        "sx": np.float32(0.05),
        "zx": np.uint8(3),
        "sw": np.float32(0.02),
        "zw": np.int8(0),
        "sy": np.float32(0.1),
    }
    tensors = [numpy_helper.from_array(np.array(value), name) for name, value in numbers.items()]
    tensors += [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.uint8(5), "zy")]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["xq"], name="q"),
        helper.make_node("DequantizeLinear", ["xq", "sx", "zx"], ["xd"], name="d"),
        helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["wd"], name="dw"),
        helper.make_node(
            "Conv", ["xd", "wd"], ["c"], name="conv", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]
        ),
        helper.make_node("QuantizeLinear", ["c", "sy", "zy"], ["yq"], name="qy"),
        helper.make_node("DequantizeLinear", ["yq", "sy", "zy"], ["y"], name="dy"),
    ]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 8, 8]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 4, 4]),
    ]
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


@cache
def small_table() -> bytes:
    """SushiAbs of fashion on tiny."""
    from arch_model.machine.accelerator import Accelerator
    from arch_model.spaces import get_space
    from mapper.serving.latency_table import SushiAbs
    from mapper.serving.table_file import save_table

    space, tiny = get_space("fashion"), Accelerator.load("tiny")
    nets = {name: space.subnet(name) for name in (SUBNET, "fashion-d222-w444")}
    known = dict.fromkeys(nets, 0.9)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        save_table(SushiAbs.build(nets, known, {}, space, tiny), path, tiny, "fashion")
        return path.read_bytes()


@cache
def small_images() -> bytes:
    """Labelled images for :func:`small_model`."""
    import numpy as np

    out = io.BytesIO()
    np.savez(out, images=np.zeros((3, 1, 8, 8), np.float32), labels=np.zeros(3, np.int64))
    return out.getvalue()


@cache
def small_partition() -> bytes:
    """A digital half of the smallest SubNet with :func:`small_weights`: what comes after the network's hash is read."""
    from arch_model.network.weights import load_weights
    from mapper.hybrid.partition import Partition
    from sim.noise.engine.network import Network

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.npz"
        path.write_bytes(small_weights())
        network = Network.of_subnet("smallest", load_weights(path))
    first, *others = (layer.name for layer in network.weight_layers)
    channels = {name: (0, 1) for name in others}
    return Partition(network.name, network.hash, channels, {first: (0, 5, 9)}, {"ranking": "fisher"}).to_json().encode()


def preset(name: str) -> bytes:
    """The YAML of a machine that ships."""
    return (resources.files("arch_model") / "presets" / name).read_bytes()


def small_dram() -> dict[str, bytes]:
    """A machine whose DRAM holds no layer: a table is read and compiled for it, and nothing is simulated."""
    return {"a.yaml": re.sub(rb"(dram:\s+bytes:) *[\d_]+", rb"\1 512", preset("tiny.yaml"))}


def kinds() -> Iterator[tuple[str, str, bytes, Mutator, tuple[str, ...], dict[str, bytes]]]:
    """Name, the file's name, a good one, how it is changed, the command, and files beside it."""
    yield "accelerator", "a.yaml", preset("tiny.yaml"), text_mutation, (*MAP, "a.yaml"), {}
    yield "accelerator beside the clock", "a.yaml", MEMORY.encode(), text_mutation, (*MAP, "a.yaml"), {}
    yield (
        *("measured machine", "m.yaml", preset("measured/sushi-zcu104.yaml"), text_mutation),
        ("predict", "--subnets", SUBNET, "--accelerator", "m.yaml", "--csv", "o.csv"),
        {},
    )
    yield "layer table", "l.csv", LAYERS.encode(), text_mutation, COSIM, small_dram()
    predict = ("predict", "--csv", "o.csv", "--subnets")
    yield "SubNets", "s.json", SUBNETS.encode(), text_mutation, (*predict, "s.json"), {}
    from arch_model.spaces import get_space

    layers = len(get_space("fashion").layers)
    graph = json.dumps([[0, 0]] * layers).encode()
    yield "SubGraph", "g.json", graph, text_mutation, (*predict, SUBNET, "--cached", "g.json"), {}
    serve = ("serve", "--table", "t.parquet", "--cache", "none", "--on-infeasible", "best-effort", "--stream")
    table = {"t.parquet": small_table()}
    yield "stream", "q.csv", STREAM.encode(), text_mutation, (*serve, "q.csv"), table
    yield (
        "stream, gzip",
        "q.csv.gz",
        gzip.compress(STREAM.encode() + b"0.3,0.9,1\n" * 20),
        byte_mutation,
        (*serve, "q.csv.gz"),
        table,
    )
    yield "table", "t.parquet", table["t.parquet"], parquet_mutation, (*serve, "q.csv"), {"q.csv": STREAM.encode()}
    yield "weights", "w.npz", small_weights(), npz_mutation, (*NOISE, "--subnet", "smallest", "--weights", "w.npz"), {}
    model = {"m.onnx": small_model()}
    images = (*NOISE, "--onnx", "m.onnx", "--data", "d.npz")
    yield "images", "d.npz", small_images(), npz_mutation, images, model
    yield "ONNX", "m.onnx", small_model(), onnx_mutation, ("import", "m.onnx", "--json"), {}
    yield "SCALE-Sim", "t.csv", TOPOLOGY.encode(), text_mutation, ("import", "t.csv", "--csv", "o.csv"), {}
    yield "Timeloop", "p.yaml", PROBLEM.encode(), text_mutation, ("import", "p.yaml", "--scalesim", "o.csv"), {}
    yield (
        *("partition", "p.json", small_partition(), text_mutation),
        (*NOISE, "--subnet", "smallest", "--partition", "p.json", "--weights", "w.npz"),
        {"w.npz": small_weights()},
    )
    old = b"# command: predict\n# version: 0.2.0\n# accelerator: tiny\nname,cycles\nconv1,33\n"
    yield "a result in the way", "o.csv", old, text_mutation, (*predict, SUBNET), {}
    part = b'{"question": {"command": "predict"}}\n{"key": "0", "value": [1]}\n'
    yield "a part in the way", "o.csv.part", part, text_mutation, (*predict, SUBNET), {}


def hand_made() -> Iterator[Case]:
    """Bombs, and what no mutation finds."""
    tiny = preset("tiny.yaml").decode()
    for text in (
        tiny.replace("kp: 4", f"kp: {yaml_bomb(12, 8)}"),
        tiny.replace("name: tiny", f"name: {yaml_bomb(30, 2)}"),
        tiny.replace("name: tiny", f"name: {'[' * 20_000}"),
        tiny.replace("name: tiny", "name: &a [*a]"),
        tiny.replace("name: tiny", "name: !!python/object/apply:os.system [touch hurt]"),
        tiny + "x: [" + "1," * 400_000 + "]",
        "a: " + "b" * 2**21,
        "{" * 10_000,
        "",
        "\x00",
    ):
        yield Case("accelerator", (*MAP, "a.yaml"), {"a.yaml": text.encode()})
        yield Case("Timeloop", ("import", "p.yaml"), {"p.yaml": text.replace("name: tiny", "problem: 1").encode()})
    for text in (
        "[" * 100_000,
        '{"a":' * 100_000,
        "[" + "[]," * 10**6 + "[]]",
        "[" + "9" * 10**6 + "]",
        "[NaN]",
        "",
        "[1e999]",
    ):
        yield Case("SubNets", ("predict", "--csv", "o.csv", "--subnets", "s.json"), {"s.json": text.encode()})
        argv = ("predict", "--csv", "o.csv", "--subnets", SUBNET, "--cached", "g.json")
        yield Case("SubGraph", argv, {"g.json": text.encode()})
    for path in ("/dev/zero", "/proc/self/mem", ".", "none.csv", "x" * 5000):
        yield Case("layer table", ("cosim", "--layers", path, "--csv", "o.csv"))
        yield Case("stream", ("serve", "--stream", path))
        yield Case("weights", (*NOISE, "--weights", path))
        yield Case("accelerator", (*MAP, path))
        for end in (".onnx", ".csv", ".yaml"):
            yield Case("ONNX", ("import", path if path.startswith("/") else path + end))
    bomb = gzip.compress(bytes(600 * 2**20), 1)
    yield Case("stream, gzip", ("serve", "--stream", "q.csv.gz"), {"q.csv.gz": bomb})
    rows = STREAM + "0.3,0.9,1\n" * 300_000
    yield Case(
        "stream",
        ("serve", "--stream", "q.csv", "--table", "t.parquet"),
        {"q.csv": rows.encode(), "t.parquet": small_table()},
    )
    many = LAYERS + LAYERS.splitlines()[1].replace("conv1", "\n") * 1
    yield Case("layer table", COSIM, {**small_dram(), "l.csv": many.encode()})
    yield from _functions()


def _functions() -> Iterator[Case]:
    from onnx import ModelProto, helper

    for depth in (20, 60):
        model = ModelProto()
        model.ParseFromString(small_model())
        opsets = [helper.make_opsetid("b", 1), helper.make_opsetid("", 17)]
        for level in range(depth):
            kind, domain = (f"f{level - 1}", "b") if level else ("Relu", "")
            pair = [
                helper.make_node(kind, ["x"], ["t"], domain=domain),
                helper.make_node(kind, ["t"], ["y"], domain=domain),
            ]
            model.functions.append(helper.make_function("b", f"f{level}", ["x"], ["y"], pair, opsets))
        model.graph.node.insert(0, helper.make_node(f"f{depth - 1}", ["x"], ["xb"], domain="b"))
        model.opset_import.append(helper.make_opsetid("b", 1))
        yield Case("ONNX", ("import", "m.onnx"), {"m.onnx": model.SerializeToString()})


def cases(seed: int) -> Iterator[Case]:
    """The good file of each kind first, then mutations of it by turns, then the hand-made ones."""
    every = list(kinds())
    for kind, name, good, _, argv, beside in every:
        yield Case(kind, argv, {**beside, name: good})
    for number in range(EACH):
        for kind, name, good, mutate, argv, beside in every:
            rng = random.Random(f"{seed} {kind} {number}")
            yield Case(kind, argv, {**beside, name: mutate(good, rng)})
    yield from hand_made()


if __name__ == "__main__":
    main(cases, __doc__.splitlines()[0])
