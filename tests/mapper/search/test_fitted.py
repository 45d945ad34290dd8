"""Fitted SubNets compute what they did; several share a fitted SuperNet's weights, or are refused by a line."""

from __future__ import annotations

import doctest
import json
from dataclasses import replace

import numpy as np
import pytest

import mapper.search.fitted
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet
from arch_model.spaces import get_space
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.search.fitted import fit_supernet
from sim.integers.random_weights import random_weights
from sim.integers.reference import run_layers
from tests.sim.integers.test_program_interpreter import Host

TINY = Accelerator.load("tiny").replace(dram={"bytes": 1 << 20})


def conv(name: str, k: int, c: int, *inputs: str, r: int = 1) -> Layer:
    return Layer(name, Kind.CONV, k, c, r, r, 6, 6, padding=r // 2, inputs=inputs)


def branches(name: str, a: int, b: int) -> SubNet:
    """Two branches of the image, joined: the second begins where the first, filled up to 3 channels, ends."""
    first, second = conv("a", a, 4, INPUT), conv("b", b, 4, INPUT, r=3)
    both = Layer("both", Kind.CONCAT, a + b, a + b, H=6, W=6, inputs=("a", "b"))
    return SubNet(name, "toy", (first, second, both, conv("last", 5, a + b, "both")))


def test_subnets_share_the_weights_of_a_fitted_supernet() -> None:
    """The second branch has fewer channels in the smaller SubNet: the leading ones, in both SuperNets."""
    nets = [branches("small", 4, 2), branches("large", 4, 5)]
    toy = fixed_supernet(nets)
    fitted, drawn = fit_supernet(toy, nets, TINY), random_weights(toy, {"small": 0, "large": 0}, 1, nets)
    held = fitted.weights(drawn)
    assert fitted.moved["last"][1].tolist() == [0, 1, 2, 3, 6, 7, 8, 9, 10] and fitted.supernet.layer("last").C == 11
    assert fitted.subnets["small"].layers[-1].C == 8
    places = MemoryMap.build(fitted.supernet, fitted.subnets.values(), TINY)
    rng = np.random.default_rng(2)
    image = rng.integers(-128, 128, (4, 6, 6), dtype=np.int8)
    for net in nets:
        own, quant = fitted.subnets[net.name], held.subnets[net.name].ops
        plain = run_layers(net.layers, drawn.layers, drawn.subnets[net.name].ops, image)
        made = run_layers(own.layers, held.layers, quant, image)
        for name, tensor in plain.items():
            assert np.array_equal(made[name][fitted.fits[net.name].positions[name]], tensor), name
        Host(places, held.layers, seed=3).run(compile_subnet(own, fitted.supernet, TINY, quant, places), own, quant)


def test_channels_that_cannot_be_shared_are_named() -> None:
    nets = [branches("narrow", 2, 2), branches("wide", 4, 2)]
    with pytest.raises(
        MappingError, match=r"layer last: on tiny, .* SubNets wide and narrow want its channels at diff"
    ):
        fit_supernet(fixed_supernet(nets), nets, TINY)


def test_a_subgraph_is_of_the_same_weights(tmp_path) -> None:
    net = branches("net", 4, 5)
    toy = fixed_supernet([net])
    fitted = fit_supernet(toy, [net], TINY)
    assert [layer.name for layer in toy.layers] == ["a", "b", "last"]
    part = SubGraph("toy", ((4, 4), (0, 0), (5, 5)))
    assert fitted.subgraph(part).slices == ((4, 4), (0, 0), (5, 7)), "channel 4 of both is b's first, at 6"
    file = tmp_path / "part.json"
    file.write_text(json.dumps(part.slices))
    held = fitted.resident(file, "net")
    assert (
        held.slots
        == fitted.resident(part, "net").slots
        == PersistentBuffer.of(SubGraph("toy", ((4, 4), (0, 0), (5, 7))), fitted.supernet, TINY).slots
    )
    assert not fitted.resident("none", "net").slots and fitted.resident("fit", "net").slots


def test_most_subnets_stay_as_they_are() -> None:
    fashion = get_space("fashion")
    nets = [fashion.subnet(name) for name in ("fashion-d111-w222", "fashion-d222-w444")]
    fitted, whole = fit_supernet(fashion, nets, TINY), SubGraph.full(fashion)
    weights = random_weights(fashion, {net.name: 0 for net in nets}, 0)
    assert fitted.supernet is fashion and fitted.subgraph(whole) is whole and fitted.weights(weights) is weights
    assert list(fitted.subnets.values()) == nets


def test_layers_that_no_chosen_subnet_has_stay() -> None:
    net = branches("net", 4, 5)
    toy = fixed_supernet([net, SubNet("other", "toy", (replace(conv("other", 7, 4, INPUT)),))])
    fitted = fit_supernet(toy, [net], TINY)
    assert fitted.supernet.layer("other") == toy.layer("other") and "other" not in fitted.moved
    drawn = random_weights(toy, {"net": 0}, 1)
    assert np.array_equal(fitted.weights(drawn).layers["other"], drawn.layers["other"])


def test_the_example_in_the_text_runs() -> None:
    assert doctest.testmod(mapper.search.fitted).failed == 0
