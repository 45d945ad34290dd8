"""Concatenations and slices: places by hand, and Programs that compute what the network's own channels say."""

from dataclasses import replace

import numpy as np
import pytest

from arch_model.errors import MappingError, SpaceError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.concat import concat_starts
from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.layer import INPUT, Activation, Kind, Layer
from arch_model.network.supernet import SubNet
from arch_model.program.check import check_program
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from mapper.search.policy import Policy, map_network
from mapper.workload.fusion import steps
from mapper.workload.views import NeedsCopy, fitted_layers, fitted_weights, homes
from sim.integers.random_integers import random_integers
from sim.integers.reference import run_layers
from tests.sim.integers.test_program_interpreter import Host

TINY = Accelerator.load("tiny")


def conv(name, k, c, source, r=1, groups=1, size=6, **more):
    return Layer(name, Kind.CONV, k, c, r, r, size, size, padding=r // 2, groups=groups, inputs=(source,), **more)


def join(name, layers, size=6):
    total = sum(layer.K for layer in layers)
    return Layer(name, Kind.CONCAT, total, total, H=size, W=size, inputs=tuple(layer.name for layer in layers))


def inception():
    """Two branches and a pool, one behind the other, whose middle is read as a slice; then a residual."""
    stem = conv("stem", 10, 4, INPUT, 3)
    a, b = conv("a", 5, 10, "stem"), conv("b", 7, 10, "stem", 3)
    pool = Layer("pool", Kind.MAXPOOL, 10, 10, 3, 3, 6, 6, padding=1, inputs=("stem",))
    both = join("both", [a, b, pool])
    part = Layer("part", Kind.SLICE, 8, 22, H=6, W=6, inputs=("both",), first=4)
    wide = conv("wide", 8, 8, "part", 3)
    deep = conv("deep", 22, 22, "both", 3, groups=22)
    back = conv("back", 22, 8, "wide")
    add = Layer("add", Kind.ADD, 22, 22, H=6, W=6, inputs=("back", "deep"))
    mean = Layer("mean", Kind.POOL, 22, 22, H=6, W=6, inputs=("add",))
    gates = Layer("gates", Kind.LINEAR, 22, 22, inputs=("mean",), activation=Activation.SIGMOID)
    scale = Layer("scale", Kind.SCALE, 22, 22, H=6, W=6, inputs=("add", "gates"))
    end = join("end", [scale, wide])
    last = conv("last", 6, 30, "end")
    return [stem, a, b, pool, both, part, wide, deep, back, add, mean, gates, scale, end, last]


def densenet():
    """Each layer reads all before it: the concatenations lie in one another."""
    layers = [conv("l0", 5, 3, INPUT, 3)]
    made = layers[:1]
    for number in (1, 2, 3):
        whole = join(f"c{number}", made) if number > 1 else made[0]
        new = conv(f"l{number}", 4, whole.K, whole.name, 3)
        layers += [whole, new] if number > 1 else [new]
        made = [*made, new]
    whole = join("all", made)
    return [*layers, whole, conv("out", 3, whole.K, "all")]


def test_starts():
    assert concat_starts([64, 32, 1], 9) == [0, 72, 108, 109]


def test_inputs_of_a_concatenation_wait_for_the_last_of_them():
    found = {step.output: step.awaited for step in steps(inception())}
    assert (found["wide"], found["deep"], found["last"]) == ("pool", "pool", "scale")


def test_concatenations_that_grow_are_one_tensor():
    assert homes(densenet()) == {name: ("all", at) for name, at in dict(
        all=0, l0=0, l1=5, l2=9, l3=13, c2=0, c3=0).items()}  # fmt: skip


@pytest.mark.parametrize("sources", [("a", "b", "a"), ("b", "c")], ids=" ".join)
def test_a_tensor_has_one_place(sources):
    layers = [conv(name, 4, 3, INPUT) for name in "abc"]
    named = {layer.name: layer for layer in layers}
    layers += [join("ab", layers[:2]), join("again", [named[name] for name in sources])]
    with pytest.raises(NeedsCopy, match="give a copy of it"):
        homes(layers)


def test_the_image_is_in_no_concatenation():
    layers = [conv("a", 4, 3, INPUT), Layer("c", Kind.CONCAT, 7, 7, H=6, W=6, inputs=("a", INPUT))]
    with pytest.raises(NeedsCopy, match="input input"):
        homes(layers)


@pytest.mark.parametrize("make", [inception, densenet])
@pytest.mark.parametrize("cp", [3, 4, 9])
def test_programs_compute_the_network(make, cp):
    """The Program's tensors are the reference's; and the fitted network's channels are those of the network."""
    preset = {3: "tiny", 4: "small", 9: "zcu104"}[cp]
    layers, machine = make(), Accelerator.load(preset).replace(dram={"bytes": 1 << 20})
    net = SubNet("net", "net", tuple(layers))
    drawn = random_integers(net, seed=cp)
    fitted = fitted_layers(layers, cp)
    where, subnet = {INPUT: np.arange(layers[0].C), **fitted.positions}, SubNet("net", "net", fitted.layers)
    weights, quant = {}, dict(drawn.quant)
    for layer in subnet.weight_layers:
        rows = where[layer.name]
        weights[layer.name] = fitted_weights(layer, drawn.weights[layer.name], rows, where[layer.inputs[0]])
        q, moved = drawn.quant[layer.name], {}
        for column in ("bias", "multiplier", "shift"):
            moved[column] = np.zeros(layer.K, np.int32)
            moved[column][rows] = getattr(q, column)
        quant[layer.name] = replace(q, **moved)
    plain = run_layers(layers, drawn.weights, drawn.quant, drawn.image)
    made = run_layers(subnet.layers, weights, quant, drawn.image)
    for name, tensor in plain.items():
        assert np.array_equal(made[name][where[name]], tensor), name
    supernet = fixed_supernet([subnet])
    memory_map = MemoryMap.build(supernet, [subnet], machine)
    tilings = map_network(subnet, machine, None, Policy.BEST).tilings
    program = compile_subnet(subnet, supernet, machine, quant, memory_map, tilings=tilings)
    check_program(program)
    Host(memory_map, weights, seed=1).run(program, subnet, quant)


def test_refusals():
    with pytest.raises(SpaceError, match="has 9 channels, but its inputs have 8"):
        a = conv("a", 4, 3, INPUT)
        SubNet("n", "n", (a, replace(a, name="b"), Layer("c", Kind.CONCAT, 9, 9, H=6, W=6, inputs=("a", "b"))))
    net = SubNet("n", "n", tuple(densenet()))
    with pytest.raises(MappingError, match="has words of 3 channels: fit the network to it"):
        MemoryMap.build(fixed_supernet([net]), [net], TINY)
