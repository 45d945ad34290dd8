"""Networks from outside: a quantised ONNX model under noise, against onnxruntime."""

import json
import platform

import numpy as np
import pytest

import fastswitch
from mapper.importers import read_onnx
from sim.noise.sensitivity.images import images_for, read_images
from tests.mapper.importers.onnx.nets import Graph, session

F = np.float32


def export(path, rng):
    """Conv 3 x 3 of stride 2 and ReLU, a second one, a linear layer, in QLinear operators; scales are powers of two."""
    graph = Graph((1, 1, 12, 12), np.uint8)

    def q_conv(x, k, c, before, after, name):
        weights = rng.integers(-60, 61, (k, c, 3, 3)).astype(np.int8)
        bias = rng.integers(-500, 500, k).astype(np.int32)
        scales = (F(before), np.uint8(0), weights, F(2**-6), np.int8(0), F(after), np.uint8(0))
        return graph.node("QLinearConv", x, *scales, bias, name=name, strides=[2, 2], pads=[1] * 4)

    x = q_conv(q_conv("x", 8, 1, 2**-7, 2**-4, "one"), 6, 8, 2**-4, 2**-3, "two")
    flat = graph.node("Flatten", x, name="flat")
    last = rng.integers(-60, 61, (54, 4))
    last = (last - np.rint(last.mean(axis=0))).astype(np.int8)  # no class is likelier than others
    ends = (F(2**-3), np.uint8(0), last, F(2**-6), np.int8(0), F(2**-1), np.uint8(128))
    return graph.save(path, graph.node("QLinearMatMul", flat, *ends, name="fc", out="y"), dtype=np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The model, its images as uint8 pixels, and what onnxruntime says of them."""
    folder, rng = tmp_path_factory.mktemp("outside"), np.random.default_rng(5)
    path = export(folder / "small.onnx", rng)
    spots = np.kron(rng.random((60, 1, 3, 3)) < 0.4, np.ones((4, 4), np.int64))
    pixels = (spots * rng.integers(0, 256, (60, 1, 12, 12))).astype(np.uint8)
    run = session(path)
    classes = np.array([run.run(None, {"x": image[None]})[0].argmax() for image in pixels])
    assert len(set(classes.tolist())) > 1
    data = folder / "data.npz"
    np.savez(data, images=pixels.astype(F) * F(2**-7), labels=classes)  # real = pixel x scale
    return path, data


def noise(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        fastswitch.main(["noise", "--jobs", "1", "--trials", "2", "--images", "60", "--json", *map(str, arguments)])
    out = capsys.readouterr()
    return stop.value.code, json.loads(out.out) if out.out else out.err


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="onnxruntime's rule is for x86-64")
def test_without_noise_the_classes_are_onnxruntime_s(model, capsys):
    path, data = model
    code, found = noise(capsys, "--onnx", path, "--data", data, "--variation", "none")
    assert code == 0
    assert found["accuracy_clean"] == found["accuracy_noiseless"] == found["accuracy_mean"] == 1.0
    assert found["subnet"] == "small"
    code, found = noise(capsys, "--onnx", path, "--data", data, "--variation", "lognormal:0.8", "--adc-bits", "5")
    assert found["accuracy_clean"] == 1.0
    assert found["accuracy_mean"] < 0.95


def test_a_partition_of_a_model_from_outside(model, tmp_path, capsys):
    path, data = model
    which = ["--onnx", str(path), "--data", str(data), "--variation", "lognormal:0.8", "--images", "60"]
    split = tmp_path / "split"
    with pytest.raises(SystemExit) as stop:
        arguments = [*which, "--jobs", "1", "--trials", "2", "--max-loss", "5", "--out", str(split), "--json"]
        fastswitch.main(["partition", *arguments])
    assert stop.value.code == 0
    assert json.loads(capsys.readouterr().out)["loss_points"] <= 5
    code, found = noise(capsys, *which, "--partition", split)
    assert code == 0
    assert found["loss_points"] <= 5
    assert 0 < found["digital_fraction"] < 1


def test_pixels_are_taken_as_0_to_1(model, tmp_path):
    path, _ = model
    data = tmp_path / "pixels.npz"
    np.savez(data, images=np.full((2, 1, 12, 12), 255, np.uint8), labels=[0, 1])
    real, labels = read_images(data)
    assert real.max() == 1.0
    made = images_for(read_onnx(path), real, labels, "pixels")
    assert made.images.max() == 128  # 1 / 2**-7


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--onnx", "MODEL"], r"network small takes images of (1, 12, 12) (C, H, W); the shipped test images has"),
        (["--onnx", "MODEL", "--data", "no.npz"], "no.npz: no labelled images"),
        (["--onnx", "no.onnx"], "no.onnx"),
        (["--onnx", "MODEL", "--subnet", "largest"], "--subnet and --onnx are both given"),
        (["--data", "DATA"], "it goes with --onnx"),
    ],
)
def test_bad_input_is_one_line(model, capsys, arguments, says):
    places = {"MODEL": model[0], "DATA": model[1]}
    code, err = noise(capsys, "--variation", "none", *(places.get(word, word) for word in arguments))
    assert code == 2
    assert says in err.splitlines()[-1]


def test_a_model_in_float_is_refused(tmp_path, capsys):
    graph = Graph((1, 1, 28, 28))
    rng = np.random.default_rng(1)
    graph.save(tmp_path / "float.onnx", graph.conv("x", rng.normal(0, 1, (4, 1, 28, 28)), name="all"))
    code, err = noise(capsys, "--onnx", tmp_path / "float.onnx", "--variation", "none")
    assert code == 2
    assert "network float: noise needs the int8 integers of every layer, but layer all has none" in err.splitlines()[-1]
