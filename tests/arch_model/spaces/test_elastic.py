"""Elastic networks: the layers of each block by hand, choices that differ from stage to stage, names, draws."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from arch_model.errors import SpaceError
from arch_model.network.supernet import SuperNet
from arch_model.spaces.space_file import read_space


def space(tmp_path: Path, stages: str, more: str = "") -> SuperNet:
    (file := tmp_path / "toy.yaml").write_text(
        "format: 1\nname: toy\nimage: {size: 16}\nstem: [{conv: stem, channels: 16, kernel: 3}]\n"
        f"head: [{{pool: average}}, {{linear: linear, channels: 10}}]\n{more}\nstages:\n{stages}"
    )
    return read_space(file)


def shapes(supernet: SuperNet, **config: object) -> dict[str, tuple[int, ...]]:
    """K, C, kernel, input rows and stride of the layers between stem and head."""
    layers = supernet.subnet(**config).layers[1:-2]
    return {layer.name: (layer.K, layer.C, layer.R, layer.H, layer.stride) for layer in layers}


def test_conv_and_vgg(tmp_path: Path) -> None:
    toy = space(
        tmp_path,
        "- {block: vgg, channels: 24, depth: [1, 2], kernel: 3}\n"
        "- {block: conv, channels: 32, stride: 2, pool: {pool: average, size: 3, stride: 2, padding: 1}}\n",
    )
    assert shapes(toy, depth=[2]) == {
        "s1b1_conv": (24, 16, 3, 16, 1),
        "s1b2_conv": (24, 24, 3, 16, 1),
        "s1_pool": (24, 24, 2, 16, 2),
        "s2b1_conv": (32, 24, 3, 8, 2),
        "s2_pool": (32, 32, 3, 4, 2),
    }
    assert list(shapes(toy, depth=[1]))[:2] == ["s1b1_conv", "s1_pool"]
    kinds = [layer.kind.value for layer in toy.subnet(depth=[1]).layers]
    assert kinds == ["conv", "conv", "maxpool", "conv", "avgpool", "pool", "linear"]


def test_residual_and_bottleneck(tmp_path: Path) -> None:
    """48 x 0.25 = 12, which becomes 16, as 8 is below nine tenths of it; the second block keeps its input."""
    toy = space(
        tmp_path,
        "- {block: residual, channels: 16, stride: 1}\n"
        "- {block: bottleneck, channels: 48, blocks: 2, expand: [0.25, 0.5], stride: 2, shortcut: average}\n",
    )
    assert shapes(toy, expand=[0.25, 0.5]) == {
        "s1b1_conv1": (16, 16, 3, 16, 1),
        "s1b1_conv2": (16, 16, 3, 16, 1),
        "s1b1_add": (16, 16, 1, 16, 1),
        "s2b1_conv1": (16, 16, 1, 16, 1),
        "s2b1_conv2": (16, 16, 3, 16, 2),
        "s2b1_avg": (16, 16, 2, 16, 2),
        "s2b1_down": (48, 16, 1, 8, 1),
        "s2b1_conv3": (48, 16, 1, 8, 1),
        "s2b1_add": (48, 48, 1, 8, 1),
        "s2b2_conv1": (24, 48, 1, 8, 1),
        "s2b2_conv2": (24, 24, 3, 8, 1),
        "s2b2_conv3": (48, 24, 1, 8, 1),
        "s2b2_add": (48, 48, 1, 8, 1),
    }
    assert toy.subnet(expand=[0.25, 0.5]).name == "toy-e01"


def test_inverted_residual(tmp_path: Path) -> None:
    toy = space(
        tmp_path,
        "- {block: inverted-residual, channels: 24, kernel: [3, 5], expand: [1, 4], squeeze_excite: 4, blocks: 2}\n",
    )
    assert shapes(toy, kernel=[5, 3], expand=[1, 4]) == {
        "s1b1_depthwise": (16, 16, 5, 16, 1),
        "s1b1_pool": (16, 16, 1, 16, 1),
        "s1b1_squeeze": (8, 16, 1, 1, 1),
        "s1b1_excite": (16, 8, 1, 1, 1),
        "s1b1_scale": (16, 16, 1, 16, 1),
        "s1b1_project": (24, 16, 1, 16, 1),
        "s1b2_expand": (96, 24, 1, 16, 1),
        "s1b2_depthwise": (96, 96, 3, 16, 1),
        "s1b2_pool": (96, 96, 1, 16, 1),
        "s1b2_squeeze": (24, 96, 1, 1, 1),
        "s1b2_excite": (96, 24, 1, 1, 1),
        "s1b2_scale": (96, 96, 1, 16, 1),
        "s1b2_project": (24, 96, 1, 16, 1),
        "s1b2_add": (24, 24, 1, 16, 1),
    }


def test_choices_that_differ_from_stage_to_stage(tmp_path: Path) -> None:
    toy = space(
        tmp_path,
        "- {block: conv, channels: 32, width: [0.5, 1.0], depth: [1, 2], kernel: [3, 5]}\n"
        "- {block: conv, channels: 64, width: {2: 0.5, 3: 0.75, 4: 1.0}, depth: [2, 3], stride: 2}\n",
    )
    assert [(choice.key, choice.count, choice.combinations) for choice in toy.choices] == [
        ("depth", 2, 4),
        ("kernel", 2, 4),
        ("width", 2, 6),
    ]
    net = toy.subnet(depth=(1, 3), kernel=(5, 0), width=(0.5, 3))
    assert (net.name, net.layer("s1b1_conv").K, net.layer("s2b3_conv").K) == ("toy-d13-k50-w03", 16, 48)
    assert toy.subnet("toy-d13-k50-w03") == toy.subnet(depth=(1, 3), kernel=(5, 3), width=(0.5, 3)) == net
    nets = toy.sample(40, seed=3)
    assert len({drawn.name for drawn in nets}) == 40 and all(toy.subnet(drawn.name) == drawn for drawn in nets)
    for drawn in nets:  # every layer lies within the SuperNet's
        for layer in drawn.weight_layers:
            whole = toy.layer(layer.name)
            assert layer.K <= whole.K and layer.C <= whole.C and layer.R <= whole.R
    for config, said in (
        ({"depth": (3, 3), "kernel": (3, 3), "width": (0.5, 3)}, "depth is (3, 3); 3 is none of 1, 2"),
        ({"depth": (1, 2), "kernel": (3, 4), "width": (0.5, 3)}, "kernel is (3, 4); give 2 of 3, 5, or 0 for a block"),
        ({"depth": (2, 2), "kernel": (3, 0), "width": (0.5, 3)}, "kernel is (3, 0)"),
        ({"depth": (1, 2), "kernel": (3, 3), "width": (0.5,)}, "width is (0.5,); give 2 of 0.5, 1.0, 2, 3, 4"),
        ({"depth": (1, 2)}, "it chooses depth, kernel, width, not depth"),
    ):
        with pytest.raises(SpaceError) as error:
            toy.subnet(**config)
        assert said in str(error.value)
    for name in ("toy-d13-k50", "toy-d13-k50-w09", "other", "toy-d13-k50-w031"):
        with pytest.raises(SpaceError, match="does not exist in toy; give toy-d and 2 digits-k and 2 digits-w and 2"):
            toy.subnet(name)


def test_it_is_data(tmp_path: Path) -> None:
    toy = space(tmp_path, "- {block: conv, channels: 32, depth: [1, 2]}\n", "named: all")
    assert pickle.loads(pickle.dumps(toy)).subnet("toy-d2") == toy.subnet("toy-d2") and toy.names == (
        "toy-d1",
        "toy-d2",
    )
