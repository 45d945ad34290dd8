"""Files of SubNets: what is read, and errors that name file, entry, key and value in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from arch_model.errors import SpaceError
from arch_model.spaces import get_space, read_subnets

ENTRY: dict[str, Any] = {
    "name": "mine",
    "space": "ofa-mobilenetv3",
    "width": 1.2,
    "image": 224,
    "kernel": [3, 3, 0, 0] * 5,
    "expand": [3, 6, 0, 0] * 5,
    "depth": [2] * 5,
    "top1": 70.0,
    "macs": 1,
}


def write(folder: Path, value: Any) -> Path:
    file = folder / "nets.json"
    file.write_text(value if isinstance(value, str) else json.dumps(value))
    return file


def test_width_tells_the_supernet(tmp_path: Path) -> None:
    narrow = ENTRY | {"name": "narrow", "width": 1.0}
    default = {key: value for key, value in ENTRY.items() if key not in ("name", "width")}
    whole = ENTRY | {"name": "whole", "space": "ofa-mobilenetv3-w1.2"}
    nets = read_subnets(write(tmp_path, [ENTRY, narrow, default, whole]))
    assert [net.supernet for net in nets] == [
        "ofa-mobilenetv3-w1.2", "ofa-mobilenetv3", "ofa-mobilenetv3", "ofa-mobilenetv3-w1.2",
    ]  # fmt: skip
    spelling = f"ofa-mobilenetv3-r224-d22222-k{'3300' * 5}-e{'3600' * 5}"
    assert [net.name for net in nets] == ["mine", "narrow", spelling, "whole"]
    assert nets[1].layers == nets[2].layers == get_space("ofa-mobilenetv3").subnet(spelling).layers
    assert nets[0].layers == nets[3].layers and nets[0].macs > nets[1].macs


def test_other_families(tmp_path: Path) -> None:
    six = {"space": "ofa-resnet50", "image": 160, "depth": [0] * 5, "expand": [0.2] * 18, "width": [0] * 6}
    tiny = {"space": "fashion", "depth": [1, 1, 1], "width": [2, 2, 2], "image": 28}
    cifar = {"space": "superfednas-cifar10", "depth": [0] * 4, "expand": [0.1] * 12}
    nets = read_subnets(write(tmp_path, [six, tiny, cifar]))
    assert [net.supernet for net in nets] == ["ofa-resnet50", "fashion", "superfednas-cifar10"]
    assert nets[1].name == "fashion-d111-w222" and nets[2].name == "diverse-0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "entry 1: name is ''; give a text"),
        ({"name": 7}, "entry 1: name is 7; give a text"),
        ({"name": "first"}, "entry 1: name first is taken"),
        ({"space": "ofa"}, "entry 1 (mine): space is 'ofa'; give one of fashion, "),
        ({"space": ["fashion"]}, "entry 1 (mine): space is ['fashion']; give one of fashion, "),
        ({"space": None}, "entry 1 (mine): space is None; give one of fashion, "),
        ({"width": 1.1}, "entry 1 (mine): width is 1.1; give 1.0 or 1.2, the width of ofa-mobilenetv3"),
        ({"width": True}, "entry 1 (mine): width is True; give 1.0 or 1.2, the width of ofa-mobilenetv3"),
        ({"width": [1.2]}, "entry 1 (mine): width is [1.2]; give 1.0 or 1.2"),
        ({"space": "ofa-proxyless"}, "entry 1 (mine): width is 1.2; give 1.3, the width of ofa-proxyless"),
        ({"image": "224"}, "entry 1 (mine): SubNet of ofa-mobilenetv3-w1.2: image is '224'; give a whole number"),
        ({"depth": [2] * 4}, "entry 1 (mine): SubNet of ofa-mobilenetv3-w1.2: depth is [2, 2, 2, 2]; give 5 of"),
        ({"kernel": None}, "entry 1 (mine): SubNet of ofa-mobilenetv3-w1.2: kernel is None; give 20 of 3, 5, 7"),
        ({"space": "compofa", "width": 1.0}, "entry 1 (mine): kernel is [3, 3, 0, 0, "),
        ({"space": "fashion", "image": 32}, "entry 1 (mine): image is 32; SubNets of fashion choose depth, width"),
        ({"space": "fashion", "image": 28}, "entry 1 (mine): kernel is [3, 3, 0, 0, "),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    file = write(tmp_path, [ENTRY | {"name": "first"}, ENTRY | change])
    with pytest.raises(SpaceError) as error:
        read_subnets(file)
    assert str(error.value).startswith(f"SubNets {file}, {message}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["space", "image", "depth", "kernel", "expand"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    file = write(tmp_path, [{k: v for k, v in ENTRY.items() if k != key}])
    with pytest.raises(SpaceError, match=re.escape(f"SubNets {file}, entry 0 (mine): {key} is missing; give ")):
        read_subnets(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[\n{,}]", ", line 2: not JSON: "),
        ("[" * 100_000, ": nested too deep"),
        ("{}", " is {}; give a list"),
        ("[]", " is []; give a list with at least one SubNet"),
        ("3", " is 3; give a list"),
        ("[[1]]", ", entry 0 is [1]; give an object"),
    ],
)
def test_what_is_no_list_of_subnets(tmp_path: Path, text: str, message: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SpaceError, match=re.escape(f"SubNets {file}{message}")):
        read_subnets(file)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"none\.json does not exist; give a JSON list of SubNets"):
        read_subnets(tmp_path / "none.json")
    with pytest.raises(SpaceError, match=r"cannot be read \(Is a directory\)"):
        read_subnets(tmp_path)
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpaceError, match="byte 0 is not UTF-8"):
        read_subnets(binary)
