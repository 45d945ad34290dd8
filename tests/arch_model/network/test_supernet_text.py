"""A SuperNet of listed SubNets survives being written; what is no such text is one line."""

import json

import pytest

from arch_model.errors import WeightsError
from arch_model.files.wanted import Wanted
from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.supernet_text import parse_supernet, supernet_text
from arch_model.network.weights import save_weights
from arch_model.spaces import get_space, load_supernet
from arch_model.spaces.registry import forget_supernet
from sim.integers.random_weights import random_weights

WANTED = Wanted("mine.npz", "weights", WeightsError)
NAMES = ("fashion-d111-w222", "fashion-d212-w342")
LISTED = fixed_supernet([get_space("fashion").subnet(name) for name in NAMES])


def test_round_trip() -> None:
    back = parse_supernet(supernet_text(LISTED).encode(), WANTED)
    assert (back.name, back.layers, back.subnet_names()) == (LISTED.name, LISTED.layers, NAMES)
    assert all(back.subnet(name) == LISTED.subnet(name) for name in NAMES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("name"), "its SuperNet is not a name and SubNets ('name')"),
        (lambda v: v["subnets"][0].pop("layers"), "'layers'"),
        (lambda v: v["subnets"][0]["layers"][0].update(wings=2), "a layer has wings"),
        (lambda v: v["subnets"][0]["layers"][0].update(K=0), "layer stem: K is 0"),
        (lambda v: v["subnets"][0]["layers"][1].update(C=3), "layer s1b1_conv1 reads C, H, W = (3, 28, 28)"),
        (lambda v: v.update(subnets=[]), "SuperNet fashion has no SubNets"),
    ],
)
def test_what_is_wrong_is_named(change, message: str) -> None:
    value = json.loads(supernet_text(LISTED))
    change(value)
    with pytest.raises(WeightsError) as caught:
        parse_supernet(json.dumps(value), WANTED)
    assert message in str(caught.value) and str(caught.value).startswith("mine.npz: ")


def test_a_weights_file_is_a_supernet(tmp_path) -> None:
    """``--space FILE.npz``, where the file holds its SuperNet; then it has the weights, too."""
    from dataclasses import replace

    from arch_model.errors import SpaceError
    from arch_model.spaces.trained import weights_of

    nets = [replace(LISTED.subnet(name), supernet="mine") for name in NAMES]
    mine = fixed_supernet(nets, name="mine")
    drawn = random_weights(mine, dict.fromkeys(NAMES, 0.5), seed=1)
    save_weights(tmp_path / "mine.npz", replace(drawn, space="mine", supernet=mine))
    try:
        loaded = load_supernet(tmp_path / "mine.npz")
        assert loaded.subnet(NAMES[1]) == nets[1]
        assert list(weights_of("mine").subnets) == list(NAMES)
    finally:
        forget_supernet("mine")
    save_weights(tmp_path / "bare.npz", replace(drawn, space="mine"))
    with pytest.raises(SpaceError, match=r"bare\.npz: weights of SuperNet mine, which it does not hold; give that"):
        load_supernet(tmp_path / "bare.npz")
