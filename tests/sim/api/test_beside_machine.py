"""verify of models with steps of the host's, concatenations and groups, and the same fitted to a machine."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT
from arch_model.network.supernet import SubGraph, SubNet
from mapper.importers import read_onnx
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from mapper.search.policy import fit_for
from rtl.driver_package import make_package
from sim.api.beside_machine import host_results, machine_image, model_images
from sim.api.programs import Price, compile, price
from sim.api.verification import verify
from sim.cosim.whole_networks import cut
from sim.integers.random_weights import imported_weights
from sim.integers.reference import run_layers
from tests.mapper.importers.onnx.test_curves import Qdq
from tests.sim.integers.test_program_interpreter import Host

F = np.float32


def with_host(path):
    """Pixels of the channels last, normalised; two branches joined, groups; a mean, a product, a softmax."""
    rng, graph = np.random.default_rng(2), Qdq(shape=(1, 8, 8, 3))
    x = graph.node("Transpose", "x", name="first", perm=[0, 3, 1, 2])
    x = graph.node("Div", graph.node("Sub", x, F(0.5), name="centre"), F(0.25), name="spread")
    x = graph.real(x, 1 / 32)
    a = graph.real(graph.node("Relu", graph.pointwise(x, rng, 5, 3, "a")), 1 / 16)
    b = graph.real(graph.pointwise(x, rng, 3, 3, "b"), 1 / 8)
    both = graph.real(graph.node("Concat", a, b, name="both", axis=1), 1 / 8)
    weights = graph.node("DequantizeLinear", rng.integers(-60, 61, (8, 4, 3, 3)).astype(np.int8), F(1 / 64), np.int8(0))
    y = graph.real(graph.node("Conv", both, weights, name="grouped", group=2, pads=[0, 0, 1, 1], strides=[2, 2]), 1 / 8)
    y = graph.real(graph.pointwise(y, rng, 4, 8, "last"), 1 / 4)
    y = graph.node("Softmax", graph.node("Flatten", y), name="probabilities", axis=1)
    return graph.save(path, y), y


def test_a_model_with_steps_of_the_host(tmp_path):
    path, end = with_host(tmp_path / "net.onnx")
    network = read_onnx(path)
    assert [step.op for step in network.prologue] == ["Transpose", "Sub", "Div"]
    assert [step.op for step in network.epilogue] == ["Softmax"] and network.results == (end,)
    assert network.runnable and network.model_macs == 64 * (15 + 9) + 16 * (8 * 4 * 9 + 32)
    found = verify(path, count=6)
    assert (found.images, found.equal, found.max_difference) == (6, 6, 0)


@pytest.mark.parametrize("preset", ["tiny", "zcu104"])
def test_the_network_fits_a_machine(tmp_path, preset):
    """The fitted network computes the same, and its Program computes the fitted network."""
    path, end = with_host(tmp_path / "net.onnx")
    network, machine = read_onnx(path), Accelerator.load(preset).replace(dram={"bytes": 1 << 20})
    fitted = network.fitted(machine)
    ((image, model_image),) = model_images(network, 1, 3, stored=False)
    assert np.array_equal(machine_image(network, model_image), image)
    plain = run_layers(network.subnet.layers, network.weights, network.quant, image)
    moved = run_layers(fitted.subnet.layers, fitted.weights, fitted.quant, image)
    for name, tensor in plain.items():
        assert np.array_equal(moved[name][fitted.positions[name]], tensor), name
    assert host_results(network, plain)[end].sum() == pytest.approx(1)
    memory_map = MemoryMap.build(fitted.supernet, [fitted.subnet], machine)
    program = compile_subnet(fitted.subnet, fitted.supernet, machine, fitted.quant, memory_map)
    made = Host(memory_map, fitted.weights, seed=1).run(program, fitted.subnet, fitted.quant)
    assert made.keys() == plain.keys() and INPUT not in made


def test_a_network_that_nobody_fitted_is_compiled_priced_and_packed(tmp_path):
    """compile, price and package fit it to the machine themselves, and have one answer."""
    path, _ = with_host(tmp_path / "net.onnx")
    network, machine = read_onnx(path), Accelerator.load("tiny")
    with pytest.raises(MappingError, match="fit the network to it"):
        MemoryMap.build(network.supernet, [network.subnet], machine)
    for cached, policy in (("none", "best"), ("fit", "quick")):
        compiled = compile(network, network, machine, cached, policy=policy)
        assert Price.of(compiled.program) == price(network, network, machine, cached, policy)
        subgraphs = {"held": compiled.cached.subgraph} if compiled.cached.slots else {}
        assert bool(subgraphs) == (cached == "fit")
    whole = SubGraph.full(network.supernet)
    package = make_package(network.supernet, imported_weights(network), machine, [network.subnet], {"whole": whole})
    programs = package.subnet("net").programs
    assert programs["whole"].predicted["CYCLES"] == price(network, network, machine, whole, "quick").cycles
    assert programs["empty"].predicted["CYCLES"] == price(network, network, machine, policy="quick").cycles


def test_a_cut_keeps_what_is_joined_together(tmp_path):
    """No part ends between the inputs of a concatenation and its reader."""
    path, _ = with_host(tmp_path / "net.onnx")
    layers = fit_for(read_onnx(path).subnet, Accelerator.load("tiny")).layers
    parts = cut(SubNet("net", "net", layers), 4)
    assert [(part.source, part.result) for part in parts] == [(INPUT, "grouped"), ("grouped", "last")]
    assert [layer.name for layer in parts[0].subnet.layers] == ["a", "b", "both_copy", "both", "grouped"]
