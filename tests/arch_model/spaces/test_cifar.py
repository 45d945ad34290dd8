"""The space ``cifar``, counted by hand."""

from __future__ import annotations

import itertools

import pytest

from arch_model.errors import SpaceError
from arch_model.network.supernet import SubGraph
from arch_model.spaces import get_space, space_top1
from arch_model.spaces.shipped_weights import weights_file
from arch_model.spaces.trained import weights_of

CIFAR = get_space("cifar")


def block(c: int, k: int, quarters: int, side: int, first: bool) -> tuple[int, int]:
    """MACs and weights of a residual block that makes k channels of side x side pixels from c."""
    inner = k * quarters // 4
    weights = 9 * c * inner + 9 * inner * k + (c * k if first else 0)
    return weights * side**2, weights


@pytest.mark.parametrize("name", ["cifar-d111-e101010", "cifar-d222-e444444", "cifar-d121-e204110"])
def test_macs_and_weights(name: str) -> None:
    depth, expand = name[7:10], name[12:]
    macs, weights = 27 * 32 * 32**2 + 192 * 10, 27 * 32 + 192 * 10
    c = 32
    for stage, (k, side) in enumerate(((64, 16), (128, 8), (192, 4))):
        for n in range(int(depth[stage])):
            more = block(c, k, int(expand[2 * stage + n]), side, first=n == 0)
            macs, weights, c = macs + more[0], weights + more[1], k
    net = CIFAR.subnet(name)
    assert net.macs == macs and SubGraph.of(net, CIFAR).bytes(CIFAR) == weights
    assert net.name == name and net == CIFAR.subnet(**dict(net.config))


def test_size_and_span() -> None:
    """Large enough for studies of noise; the smallest SubNet has less than a sixth of the largest one's products."""
    assert CIFAR.weight_bytes == 1_899_232
    macs = [CIFAR.subnet(name).macs for name in CIFAR.subnet_names()]
    assert (min(macs), max(macs)) == (11_618_176, 87_852_928) and max(macs) > 6 * min(macs)


def test_the_names_are_those_of_a_rule() -> None:
    """Every depth; blocks of a stage alike, stages that follow one another at most a factor of two apart."""
    wanted = set()
    for depth, quarters in itertools.product(
        itertools.product((1, 2), repeat=3), itertools.product((1, 2, 4), repeat=3)
    ):
        if all(max(pair) <= 2 * min(pair) for pair in itertools.pairwise(quarters)):
            expand = [q if n < d else 0 for d, q in zip(depth, quarters, strict=True) for n in range(2)]
            wanted.add(f"cifar-d{''.join(map(str, depth))}-e{''.join(map(str, expand))}")
    assert set(CIFAR.subnet_names()) == wanted and len(wanted) == 136


def test_the_largest_holds_every_other() -> None:
    whole = SubGraph.of(CIFAR.subnet("cifar-d222-e444444"), CIFAR)
    for net in CIFAR.sample(30, seed=2):
        held = SubGraph.of(net, CIFAR)
        assert all(a <= b for pair in zip(held.slices, whole.slices, strict=True) for a, b in zip(*pair, strict=True))


def test_an_absent_block_has_no_expansion() -> None:
    assert CIFAR.subnet(depth=[1, 1, 1], expand=[4, 1, 2, 2, 1, 4]).name == "cifar-d111-e402010"
    with pytest.raises(SpaceError, match="expand is"):
        CIFAR.subnet(depth=[1, 1, 1], expand=[3, 0, 2, 0, 1, 0])


def test_the_weights_that_ship() -> None:
    """Every SubNet that has a name has its integers and its accuracy on the 10,000 test images, none of which ships."""
    weights, file = weights_of(CIFAR), weights_file(CIFAR)
    assert file is not None and file.stat().st_size <= 4_000_000
    assert set(weights.subnets) == set(CIFAR.subnet_names()) and weights.metadata["test_images"] == 10_000
    assert weights.images.shape == (0, 3, 32, 32) and weights.labels.shape == (0,)
    shapes = {layer.name: (layer.K, layer.C, layer.R, layer.S) for layer in CIFAR.layers if layer.kind.has_weights}
    assert {name: w.shape for name, w in weights.layers.items()} == shapes
    for name, net in weights.subnets.items():
        layers = CIFAR.subnet(name).layers
        assert net.macs == CIFAR.subnet(name).macs and set(net.ops) == {layer.name for layer in layers}
        assert round(net.top1 * 10_000, 6) == round(net.top1 * 10_000)
        assert all(len(net.ops[layer.name].bias) == layer.K for layer in layers if layer.kind.has_weights)
    assert space_top1("cifar") == {name: net.top1 for name, net in weights.subnets.items()}


def test_more_products_are_worth_something() -> None:
    weights = weights_of(CIFAR)
    smallest, largest = weights.subnets["cifar-d111-e101010"], weights.subnets["cifar-d222-e444444"]
    assert largest.top1 > smallest.top1 + 0.01
    for net in (smallest, largest):
        assert abs(net.top1 - net.top1_float) < 0.01
