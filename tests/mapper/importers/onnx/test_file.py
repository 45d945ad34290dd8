import random
import time

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from arch_model.errors import FastSwitchError
from arch_model.files.wanted import Wanted
from mapper.importers.onnx.file import read_onnx

WANTED = Wanted("x.onnx", "a good one")


def conv(weights=None, nodes=(), functions=(), domain="mine"):
    tensor = numpy_helper.from_array(np.ones((2, 3, 1, 1), np.float32), "w") if weights is None else weights
    graph = helper.make_graph(
        [*nodes, helper.make_node("Conv", ["x", "w"], ["y"], name="c")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 4, 4])],
        [tensor],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=list(functions))


def saved(path, model):
    path.write_bytes(model.SerializeToString())
    return path


def refused(path):
    with pytest.raises(FastSwitchError) as error:
        read_onnx(path, WANTED)
    assert len(str(error.value)) < 400 and str(error.value).isprintable()
    return str(error.value)


def function(name, *calls, domain="mine"):
    nodes = [helper.make_node(call, ["x"], ["y"], domain=domain) for call in calls]
    return helper.make_function(domain, name, ["x"], ["y"], nodes, [helper.make_opsetid(domain, 1)])


def test_a_model_is_read(tmp_path):
    model = conv(functions=[function("f"), function("g", "f", "f")])
    assert read_onnx(saved(tmp_path / "a.onnx", model), WANTED)[0].SerializeToString() == model.SerializeToString()


def test_functions_are_counted_as_they_would_be_written_out(tmp_path):
    began = time.perf_counter()
    bomb = [function("f0", "g", "g"), *(function(f"f{n}", f"f{n - 1}", f"f{n - 1}") for n in range(1, 60))]
    random.Random(1).shuffle(bomb)
    assert "nodes, more than 100000" in refused(saved(tmp_path / "a.onnx", conv(functions=bomb)))
    endless = [function("a", "b"), function("b", "c"), function("c", "a")]
    assert "calls itself" in refused(saved(tmp_path / "b.onnx", conv(functions=endless)))
    assert "function a calls itself" in refused(saved(tmp_path / "c.onnx", conv(functions=[function("a", "a")])))
    assert time.perf_counter() - began < 2


def nested(depth):
    node = helper.make_node("Relu", ["a"], ["b"])
    for level in range(depth):
        graph = helper.make_graph([node], f"g{level}", [], [helper.make_empty_tensor_value_info("b")])
        node = helper.make_node("If", ["c"], ["b"], then_branch=graph, else_branch=graph)
    return node


def test_graphs_inside_one_another_have_a_depth_and_count_too(tmp_path):
    read_onnx(saved(tmp_path / "a.onnx", conv(nodes=[nested(6)])), WANTED)
    assert "more than 8 deep" in refused(saved(tmp_path / "b.onnx", conv(nodes=[nested(9)])))


def lying(**fields):
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 3, 1, 1], raw_data=bytes(24))
    for field, value in fields.items():
        if isinstance(value, list):
            del getattr(tensor, field)[:]
            getattr(tensor, field).extend(value)
        else:
            setattr(tensor, field, value)
    return tensor


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (lying(dims=[2**40]), "tensor w claims 1099511627776 values ([1099511627776]) and has 6"),
        (lying(dims=[2**31, 2**31, 2**31]), "and has 6"),
        (lying(dims=[-1, 3]), "has the shape [-1, 3]"),
        (lying(raw_data=bytes(23)), "claims 6 values"),
        (lying(raw_data=bytes(25)), "claims 6 values"),
        (lying(data_type=999), "is of type 999, which ONNX has not"),
        (lying(data_type=0), "is of type 0"),
        (TensorProto(name="w", data_type=1, dims=[2**40], float_data=[1.0]), "claims 1099511627776 values"),
    ],
)
def test_a_tensor_that_lies_is_refused_before_anything_is_allocated(tmp_path, tensor, message):
    assert message in refused(saved(tmp_path / "a.onnx", conv(tensor)))
    model = conv(nodes=[helper.make_node("Constant", [], ["k"], value=tensor)])
    assert message in refused(saved(tmp_path / "b.onnx", model))


def outside(location, **said):
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 3, 1, 1], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **said}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def test_data_beside_the_file_stays_in_its_folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "w.bin").write_bytes(bytes(8) + np.arange(6, dtype=np.float32).tobytes())
    (tmp_path / "secret").write_bytes(bytes(100))
    (home / "link").symlink_to(tmp_path / "secret")
    good, absent = read_onnx(saved(home / "a.onnx", conv(outside("w.bin", offset=8, length=24))), WANTED)
    assert absent == ()
    assert numpy_helper.to_array(good.graph.initializer[0]).ravel().tolist() == [0, 1, 2, 3, 4, 5]
    for location in ("../secret", str(tmp_path / "secret"), "link", "", "a/../../secret", "a\0b"):
        assert "keeps its data in" in refused(saved(home / "a.onnx", conv(outside(location)))), location
    for said in (
        {"offset": 9},
        {"offset": -1},
        {"length": 23},
        {"length": 2**40},
        {"offset": 2**62},
        {"offset": "x"},
        {"offset": "٨"},
    ):
        refused(saved(home / "a.onnx", conv(outside("w.bin", **said))))
    less, absent = read_onnx(saved(home / "a.onnx", conv(outside("none.bin"))), WANTED)
    assert absent == ("w",) and not numpy_helper.to_array(less.graph.initializer[0]).any()
    whole = outside("none.bin")
    whole.data_type = TensorProto.INT8  # may be a zero point, a shape: nothing stands for it
    assert "does not exist" in refused(saved(home / "a.onnx", conv(whole)))


def test_damage_gives_a_model_or_one_line(tmp_path):
    rng, whole = random.Random(2), conv().SerializeToString()
    for _ in range(200):
        raw = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        (tmp_path / "a.onnx").write_bytes(raw[: rng.randint(0, len(raw))] if rng.random() < 0.3 else raw)
        try:
            read_onnx(tmp_path / "a.onnx", WANTED)
        except FastSwitchError as error:
            assert str(error).isprintable()
