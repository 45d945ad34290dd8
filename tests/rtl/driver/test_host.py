"""The host's work around a Program: scales by hand, steps that come back from JSON, a model's results on the RTL."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from arch_model.machine.accelerator import Accelerator
from mapper.importers import read_onnx
from mapper.importers.network import Network
from rtl.driver import Driver, DriverError, Package
from rtl.driver.host import HostWork, Scale
from rtl.driver.host_steps import HostStep
from rtl.driver_package import make_package
from sim.api.beside_machine import host_results, machine_image, model_images
from sim.integers.random_weights import imported_weights
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import build
from sim.rtl_bench.rtl_device import RtlDevice
from sim.rtl_bench.simulators import find_simulator
from tests.mapper.importers.onnx.nets import session
from tests.mapper.importers.onnx.test_curves import Qdq
from tests.rtl.driver.packages import SMALL, fashion_package
from tests.sim.api.test_beside_machine import with_host

F = np.float32


def package_of(network: Network) -> Package:
    tiny = Accelerator.load("tiny")
    nets = {network.subnet.name: network}
    return make_package(network.supernet, imported_weights(network), tiny, [network.subnet], networks=nets)


def test_scales_by_hand() -> None:
    scale = Scale(0.25, 3, 0)
    assert scale.machine(np.array([-40, -0.75, 0, 0.125, 0.375], F)).tolist() == [-128, 0, 3, 3, 5]
    assert scale.real(np.array([-128, 3, 4], np.int8)).tolist() == [-32.75, 0, 0.25]
    assert scale.machine(np.array([-128, 7], np.int8)).tolist() == [-128, 7]
    assert scale.stored(np.array([-128, 7], np.int8)).dtype == np.int8


def test_work_comes_back_from_json(tmp_path: Path) -> None:
    path, _ = with_host(tmp_path / "net.onnx")
    work = package_of(read_onnx(path)).subnet("net").host
    assert work is not None and [step.text for step in work.epilogue] == ['Softmax "probabilities"']
    step = HostStep("Pad", "p", ("x", "n"), ("y",), {"mode": b"edge", "axes": (1, 2)}, {"n": np.array([0, 1])})
    work = replace(work, prologue=(*work.prologue, step))
    again = HostWork.of_json(json.loads(json.dumps(work.to_json())))
    assert json.dumps(again.to_json()) == json.dumps(work.to_json())
    last = again.prologue[-1]
    assert last.attributes["mode"] == b"edge" and last.constants["n"].tolist() == [0, 1]
    assert replace(again, prologue=(), epilogue=()).handed == work.handed


def test_a_model_on_the_rtl(tmp_path: Path) -> None:
    """Pixels in, probabilities out: the reference's to the bit, and onnxruntime's."""
    path, end = with_host(tmp_path / "net.onnx")
    network = read_onnx(path)
    package_of(network).save(tmp_path / "package.npz")
    with RtlDevice(build(Accelerator.load("tiny"), find_simulator())) as device:
        driver = Driver(device, Package.load(tmp_path / "package.npz"))
        driver.load()
        for _, image in model_images(network, 2, 5, stored=False):
            found = driver.infer("net", image)
            made = machine_image(network, image)
            tensors = run_layers(network.subnet.layers, network.weights, network.quant, made)
            assert np.array_equal(found.results[end], host_results(network, tensors)[end])
            (theirs,) = session(path).run(None, {"x": image[None]})
            assert np.allclose(found.results[end], theirs, rtol=1e-4, atol=1e-6) and found.results[end].sum() > 0.99
            assert not found.counts.differences()
        with pytest.raises(DriverError, match=r"SubNet net: the image is int8 \(8, 8, 3\); the model takes float32 \("):
            driver.infer("net", np.zeros((8, 8, 3), np.int8))


def test_results_that_the_model_has_as_integers(tmp_path: Path) -> None:
    """Bytes in and bytes out: a result that is a concatenation, whose channels are moved on the machine."""
    rng, graph = np.random.default_rng(3), Qdq(shape=(1, 4, 5, 5))
    x = graph.real("x", 1 / 16)
    a, b = (graph.real(graph.pointwise(x, rng, k, 4, name), 1 / 8) for k, name in ((5, "a"), (3, "b")))
    end = graph.real(graph.node("Concat", a, b, name="both", axis=1), 1 / 8)
    path = graph.save(tmp_path / "net.onnx", end)
    network = read_onnx(path)
    work = package_of(network).subnet("net").host
    assert work is not None
    image = rng.normal(0, 1, (4, 5, 5)).astype(F)
    made = work.prepared(image, (4, 5, 5))
    tensors = run_layers(network.subnet.layers, network.weights, network.quant, made)
    (name, one), *_ = work.handed.items()
    filled = np.full(one.place.shape, 99, np.int8)
    filled[list(one.channels)] = tensors[network.handed[name].layer]
    assert one.place.C > 8 == len(one.channels)
    (theirs,) = session(path).run(None, {"x": image[None]})
    assert np.array_equal(work.finished({name: filled})[end], theirs)
    kept = replace(work, handed={name: replace(one, stored=True)}).finished({name: filled})[end]
    assert kept.dtype == np.int8 and np.array_equal(kept.ravel(), tensors[network.handed[name].layer].ravel())


def test_a_subnet_of_no_model_is_named() -> None:
    class Nothing(Driver):
        def __init__(self) -> None:
            self.package = fashion_package()

    with pytest.raises(DriverError, match=f"SubNet {SMALL} comes from no model; call run"):
        Nothing().infer(SMALL, np.zeros((1, 28, 28)))
