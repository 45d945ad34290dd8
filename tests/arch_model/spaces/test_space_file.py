"""Space files: the SuperNets that ship, written as files, and every mistake one line that says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from arch_model.errors import SpaceError
from arch_model.spaces import choose_subnets, get_space, known_top1, load_supernet, space_top1
from arch_model.spaces.registry import forget_supernet, space_argument
from arch_model.spaces.space_file import read_space

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "spaces"
OWN = {"cifar"}
"""SuperNets that are themselves read from a space file, in arch_model/data."""
GOOD = """
format: 1
name: toy
image: {size: [16, 24], at_least: 8}
stem: [{conv: stem, channels: 8, kernel: 3}]
stages:
  - {block: residual, channels: 16, depth: [1, 2], width: [0.5, 1.0], stride: 2}
head: [{pool: average}, {linear: linear, channels: 10}]
subnets:
  small: {choices: r16-d1-w0, top1: 61.5}
  big: {choices: r24-d2-w1}
"""


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_supernets_that_ship_are_what_their_files_say(file: Path) -> None:
    """Layers, names, choices, the SubNets that are drawn, published accuracies."""
    ours, read = get_space(file.stem), read_space(file)
    assert read == ours and read.choices == ours.choices
    assert read.sample(40, seed=7) == ours.sample(40, seed=7)
    named = ours.subnet_names()[:: max(1, len(ours.subnet_names()) // 40)]
    assert [read.subnet(name) for name in named] == [ours.subnet(name) for name in named]
    assert not read.top1 or read.top1 == space_top1(ours)
    assert load_supernet(file).name == file.stem  # the same, so it may bear that name


def test_all_that_ship_are_written() -> None:
    from arch_model.spaces.registry import _SHIPPED

    assert {file.stem for file in EXAMPLES.glob("*.yaml")} == set(_SHIPPED) - OWN
    assert all((ROOT / "arch_model" / "data" / f"{name}.yaml").is_file() for name in OWN)


def test_names_accuracies_and_sizes_of_images(tmp_path: Path) -> None:
    (file := tmp_path / "toy.yaml").write_text(GOOD)
    toy = load_supernet(file)
    try:
        assert (toy.names, space_top1("toy"), space_argument(toy)) == (("small", "big"), {"small": 0.615}, str(file))
        small = toy.subnet("small")
        assert small == toy.subnet("toy-r16-d1-w0") == toy.subnet(image=16, depth=[1], width=[0.5])
        assert known_top1(small) == 0.615 and known_top1(toy.subnet("big")) is None
        assert choose_subnets("small,big", "toy").accuracy == {"small": 0.615}
        assert toy.subnet(image=9, depth=[1], width=[0.5]).layers[0].H == 9 and toy.layer("stem").H == 24
        with pytest.raises(SpaceError, match="image is 7; give a whole number, at least 8"):
            toy.subnet(image=7, depth=[1], width=[0.5])
    finally:
        forget_supernet("toy")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("format: 1", "format: 2", "format is 2; give 1, the version of this format"),
        ("format: 1", "", "format is None; give 1"),
        ("name: toy", "nmae: toy", "nmae is not a key; did you mean name? give some of format, name"),
        ("name: toy", "name: ''", "name is ''; give a name"),
        ("size: [16, 24]", "size: [16, 16]", "image.size is [16, 16]; give a whole number, a list of such"),
        ("size: [16, 24]", "size: {from: 16, to: 24}", "image.size.step is None; give a whole number, 1 to 65536"),
        ("8, kernel: 3", "8, kernel: 4", "stem[0].kernel is 4; give an odd number"),
        ("{conv: stem, channels: 8, kernel: 3}", "{linear: a}", "stem[0] is {'linear': 'a'}; give a mapping with conv"),
        ("[{conv: stem, channels: 8, kernel: 3}]", "3", "stem is 3; give a list"),
        ("block: residual", "block: resnet", "stages[0].block is 'resnet'; give one of conv, vgg, residual"),
        ("channels: 16", "channels: 16.0", "stages[0].channels is 16.0; give a whole number, 1 to 65536"),
        ("channels: 16", "chanels: 16", "stages[0].chanels is not a key; did you mean channels?"),
        ("depth: [1, 2]", "depth: [0, 2]", "stages[0].depth is [0, 2]; give at least one block in each stage"),
        ("depth: [1, 2]", "depth: [1, 1]", "stages[0].depth is [1, 1]; give different values"),
        ("depth: [1, 2]", "depth: many", "stages[0].depth is 'many'; give how many blocks beside `blocks`, 0"),
        ("width: [0.5, 1.0]", "width: [0.5, -1.0]", "stages[0].width is [0.5, -1.0]; give a share of the"),
        ("width: [0.5, 1.0]", "width: {1: a}", "stages[0].width is {1: 'a'}; give a share"),
        ("stride: 2", "expand: {by_depth: {1: 2}}", "by_depth is {1: 2}; give an expansion for each depth: 1, 2"),
        ("stride: 2", "squeeze_excite: 4", "squeeze_excite is 4; give it in stages of inverted-residual blocks only"),
        ("stride: 2", "activation: mish", "stages[0].activation is 'mish'; give one of none, relu, relu6"),
        ("stride: 2", "pool: {pool: max}", "stages[0].pool.size is 0; give the rows and columns of its window"),
        ("r16-d1-w0", "r16-d3-w0", "SubNet of toy: depth is (3,); give 1 of 1, 2"),
        ("r16-d1-w0", "r16-d1", "does not exist in toy; give one of small, big, ..., or toy-rIMAGE-d and 1"),
        ("top1: 61.5", "top1: 161", "subnets.small.top1 is 161; give an accuracy in per cent"),
        ("linear: linear", "linear: stem", "layer name stem is taken"),
        ("{pool: average}, ", "", "layer linear reads C, H, W = (16, 1, 1), but s1b2_add makes (16, 12, 12)"),
        ("stages:", "stages: &a [*a]\nother:", "toy.yaml, line 6: the alias *a stands inside what it repeats"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert GOOD.count(old) == 1
    (file := tmp_path / "toy.yaml").write_text(GOOD.replace(old, new))
    with pytest.raises(SpaceError) as error:
        read_space(file)
    assert said in str(error.value) and str(error.value).startswith(f"space file {file}"), error.value
    assert "\n" not in str(error.value) and len(str(error.value)) < len(str(file)) + 400


def test_too_much(tmp_path: Path) -> None:
    file = tmp_path / "toy.yaml"
    stage = "  - {block: conv, channels: 8, blocks: 100}\n"
    file.write_text(GOOD.replace("stages:\n", "stages:\n" + 10 * stage))
    with pytest.raises(SpaceError, match="give at most 1000 blocks in all stages"):
        read_space(file)
    many = ", ".join(f"0.{n + 10}" for n in range(11))
    file.write_text(GOOD.replace("width: [0.5, 1.0]", f"width: [{many}]"))
    with pytest.raises(SpaceError, match="give different values, at most 10"):
        read_space(file)
    half = "  - {{block: conv, channels: 80, width: [{}]}}\n"
    both = half.format("0.11, 0.12, 0.13, 0.14, 0.15, 0.16") + half.format("0.21, 0.22, 0.23, 0.24, 0.25")
    file.write_text(GOOD.replace("stages:\n", "stages:\n" + both))
    with pytest.raises(SpaceError, match=r"the stages choose width from .* at most 10 different values"):
        read_space(file)
    stages = 12 * "  - {block: conv, channels: 8, depth: [1, 2, 3]}\n"
    file.write_text(GOOD[: GOOD.index("subnets:")].replace("stages:\n", "stages:\n" + stages) + "named: all\n")
    with pytest.raises(SpaceError, match="toy has more than 10000 SubNets; name some of them, not all"):
        read_space(file)
    for text in ("", "- 1", "7"):
        file.write_text(text)
        with pytest.raises(SpaceError, match=r"the file is .*; give a mapping of format, name"):
            read_space(file)
