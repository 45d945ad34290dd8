"""``fastswitch verify``: claims that hold, that are not made, and that do not hold; images of files; the RTL."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fastswitch as fs
from arch_model.network.weights import ConvQuant
from mapper.importers import read_onnx
from sim.api import verification
from sim.api.verification import verify
from tests.mapper.importers.onnx.test_curves import Qdq

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def model(path: Path, bias: float = 1.0, channels: int = 4) -> Path:
    """Two convolutions of an 8 x 8 image; scales are powers of two, so its integers are proven."""
    from onnx import TensorProto, helper, numpy_helper

    rng, constants, nodes = np.random.default_rng(3), [], []

    def constant(name: str, value: object, dtype: type) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    zero, scale = constant("zero", 0, np.int8), constant("scale", 2.0**-5, np.float32)
    small = constant("small", 2.0**-8, np.float32)
    nodes.append(helper.make_node("QuantizeLinear", ["x", scale, zero], ["x0"]))
    before, c = "x0", 3
    for name in ("a", "b"):
        weights = constant(f"{name}w", rng.integers(-60, 61, (channels, c, 3, 3)), np.int8)
        added = constant(f"{name}b", bias * rng.integers(-900, 900, channels), np.int32)
        inputs = [before, scale, zero, weights, small, zero, scale, zero, added]
        nodes.append(helper.make_node("QLinearConv", inputs, [name], name=name, pads=[1] * 4))
        before, c = name, channels
    nodes.append(helper.make_node("DequantizeLinear", [before, scale, zero], ["y"]))
    ends = [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, channels, 8, 8))]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 8))
    graph = helper.make_graph(nodes, "small", [image], ends, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return model(tmp_path / "small.onnx")


def command(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        fs.main(["verify", *map(str, words)])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def test_a_claim_that_holds(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = verify(small, count=9, seed=2)
    assert (found.claim, found.images, found.equal, found.max_difference, found.status) == ("exact", 9, 9, 0, 0)
    assert found.graphs == ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL") and found.first_difference is None
    status, out, err = command(capsys, small, "--random", "5")
    assert (status, err) == (0, "") and "claim" in out and "exact" in out


def test_what_differs_is_named(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights of another file stand for a reader that is wrong: with a claim status 1, without one 3."""
    right, read = model(tmp_path / "other.onnx", bias=1.01), read_onnx
    wrong = read(right)
    monkeypatch.setattr(verification, "read_onnx", lambda path: replace(read(path), quant=wrong.quant))
    status, out, _ = command(capsys, small, "--json")
    record = json.loads(out)
    assert status == 1 and record["claim"] == "exact" and record["equal"] < record["images"] == 8
    first = record["first_difference"]
    assert first["layer"] == first["tensor"] == "b" and first["graph"] == "ORT_DISABLE_ALL"
    assert len(first["place"]) == 4 and abs(first["expected"] - first["got"]) >= 1 <= record["max_difference"]
    unproven = {graph: {"a": "its float32 sums may round"} for graph in ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL")}
    monkeypatch.setattr(
        verification, "read_onnx", lambda path: replace(read(path), quant=wrong.quant, unproven=unproven)
    )
    status, out, err = command(capsys, small)
    assert status == 3 and "not exact" in out
    assert err.splitlines()[0].startswith("first difference: image 0, layer b, tensor b at (0, ")
    assert err.splitlines()[1] == "not proven: layer a: its float32 sums may round"


def test_the_first_tensor_inside_that_differs(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first layer's bias is wrong in channel 1: its own tensor is named, not the result."""
    network, read = read_onnx(small), read_onnx
    wrong = network.quant["a"]
    assert isinstance(wrong, ConvQuant)
    quant = {**network.quant, "a": replace(wrong, bias=wrong.bias + np.array([0, 900, 0, 0], np.int32))}
    monkeypatch.setattr(verification, "read_onnx", lambda path: replace(read(path), quant=quant))
    first = verify(small).first_difference
    assert first is not None and (first.layer, first.tensor, first.place[:2]) == ("a", "a", (0, 1))
    assert first.got > first.expected


def test_a_result_that_the_file_leaves_real(tmp_path: Path) -> None:
    """A real result is compared as a QuantizeLinear of the scale that was chosen for it would make it."""
    rng, graph = np.random.default_rng(1), Qdq(shape=(1, 3, 8, 8))
    y = graph.pointwise(graph.real("x", 1 / 32), rng, 4, 3, "c")
    graph.save(path := tmp_path / "real.onnx", y)
    network = read_onnx(path)
    assert network.rounded == ("c",) and network.bit_exact == ("ORT_DISABLE_ALL",)
    found = verify(path, count=9)
    assert (found.claim, found.equal, found.first_difference) == ("exact", 9, None)


def test_images_of_a_file(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(1)
    np.savez(tmp_path / "real.npz", images=rng.normal(size=(3, 3, 8, 8)))
    np.savez(tmp_path / "pixels.npz", images=rng.integers(0, 256, (2, 3, 8, 8), dtype=np.uint8))
    assert [verify(small, tmp_path / f"{name}.npz").equal for name in ("real", "pixels")] == [3, 2]
    np.savez(tmp_path / "grey.npz", images=np.zeros((2, 1, 8, 8), np.uint8))
    np.savez(tmp_path / "whole.npz", images=np.zeros((2, 3, 8, 8), np.int64))
    for name, said in (("grey", "its images are (2, 1, 8, 8); give (N, 3, 8, 8)"), ("whole", "its images are int64")):
        status, out, err = command(capsys, small, "--images", tmp_path / f"{name}.npz")
        assert (status, out, len(err.splitlines())) == (2, "", 1) and said in err
    status, _, err = command(capsys, small, "--images", tmp_path / "real.npz", "--random", "2")
    assert status == 2 and "give one of them" in err


def test_models_that_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(np.ones((2, 3, 1, 1), np.float32), "w")
    for op, inputs, said in (
        ("Conv", ["x", "w"], "it has no int8 integers of every layer (layer y is not int8); give a quantised model\n"),
        ("Softmax", ["x"], 'node "y" (Softmax): there is no layer for this operator\n'),
    ):
        end = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        image = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 8))
        graph = helper.make_graph([helper.make_node(op, inputs, ["y"], name="y")], "g", [image], [end], [weights])
        path = tmp_path / f"{op}.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        status, out, err = command(capsys, path)
        assert (status, out) == (2, "") and err == f"fastswitch: {path}: {said}"


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (Debian: iverilog) is not installed")
def test_on_the_rtl(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--random", "1", "--rtl", "--accelerator", "tiny", "--simulator", "icarus", "--json")
    status, out, err = command(capsys, small, *words)
    rtl = json.loads(out)["rtl"]
    assert status == 0 and rtl["bit_exact"] and rtl["images"] == 1, err
    assert rtl["predicted_cycles"] == rtl["simulated_cycles"] > 0 and rtl["mismatches"] == 0


def test_int8_models_with_one_zero_point_and_matrix_products_load(tmp_path: Path) -> None:
    """onnxruntime does not load these with the option that has all CPUs compute alike; it is left out for them then."""
    from examples.onnx_network import make_model

    make_model(path := tmp_path / "made.onnx", np.random.default_rng(1))
    found = verify(path, count=4)
    assert (found.claim, found.equal, found.graphs) == ("exact", 4, ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL"))
