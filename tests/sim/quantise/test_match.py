"""A module's layers under the SuperNet's names, whatever their order and names; no torch is needed."""

from dataclasses import replace

import numpy as np
import pytest

from arch_model.network.layer import INPUT
from arch_model.spaces import get_space
from sim.quantise.errors import ModelError
from sim.quantise.layers import FloatLayer, FloatNet
from sim.quantise.match import match_layers

FASHION = get_space("fashion").subnet("fashion-d212-w342")
MOBILE = get_space("ofa-mobilenetv3").sample(1, seed=2)[0]
RESNET = get_space("ofa-resnet50").subnet("resnet50D_MAC@0.6B")


def module(subnet, seed):
    """The SubNet's layers under other names, in another order that can be executed."""
    rng = np.random.default_rng(seed)
    names = {layer.name: f"part{n}" for n, layer in enumerate(rng.permutation(np.array(subnet.layers, object)))} | {
        INPUT: INPUT
    }
    left, made, done = list(subnet.layers), [], {INPUT}
    while left:
        ready = [layer for layer in left if set(layer.inputs) <= done]
        layer = ready[rng.integers(len(ready))]
        left.remove(layer)
        done.add(layer.name)
        turned = layer.inputs[::-1] if str(layer.kind) == "add" and rng.random() < 0.5 else layer.inputs
        renamed = replace(layer, name=names[layer.name], inputs=tuple(names[one] for one in turned))
        made.append(FloatLayer(renamed, origin=layer.name))
    return FloatNet("mine", tuple(made))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("subnet", [FASHION, MOBILE, RESNET], ids=["fashion", "mobile", "resnet"])
def test_every_layer_finds_its_own(subnet, seed):
    matched = match_layers(module(subnet, seed), subnet)
    assert [one.layer for one in matched.layers] == list(subnet.layers)
    assert all(one.origin == one.layer.name for one in matched.layers)


def test_layers_that_look_alike_are_told_apart_by_what_follows():
    """Two equal convolutions of the image, of which one is read by a pool: trying the wrong one first is undone."""
    from arch_model.network.layer import Kind, Layer
    from arch_model.network.supernet import SubNet

    def conv(name):
        return Layer(name, Kind.CONV, 4, 3, 3, 3, 8, 8, padding=1, inputs=(INPUT,))

    def tail(first, second, pool, add):
        return (
            Layer(pool, Kind.MAXPOOL, 4, 4, 3, 3, 8, 8, padding=1, inputs=(first,)),
            Layer(add, Kind.ADD, 4, 4, H=8, W=8, inputs=(second, pool)),
        )

    subnet = SubNet("s", "s", (conv("a"), conv("b"), *tail("b", "a", "pool", "add")))
    mine = (conv("x"), conv("y"), *tail("x", "y", "p", "q"))
    matched = match_layers(FloatNet("mine", tuple(FloatLayer(layer, origin=layer.name) for layer in mine)), subnet)
    assert [one.origin for one in matched.layers] == ["y", "x", "p", "q"]


def test_what_is_different_is_named():
    other = get_space("fashion").subnet("fashion-d212-w343")
    with pytest.raises(ModelError, match=r"layer s3b1_conv1 of the SubNet is not .* where \S+ has K 72 and not 48"):
        match_layers(module(other, 0), FASHION)
    deeper = get_space("fashion").subnet("fashion-d222-w342")
    with pytest.raises(ModelError, match=r"of the SubNet is not in the module|the module has \d+ layers"):
        match_layers(module(deeper, 0), FASHION)
    with pytest.raises(ModelError, match="is not in the module"):
        match_layers(module(FASHION, 0), deeper)
