"""A SuperNet from a YAML file that says what people mean: stages of blocks, with choices of depth, width, kernel.

docs/reference/space-file.md has every key; :mod:`arch_model.spaces.elastic` makes the layers.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from arch_model.errors import FastSwitchError, SpaceError
from arch_model.files.names import why_no_name
from arch_model.files.shown import plain, shown
from arch_model.files.wanted import Wanted
from arch_model.files.yaml_file import read_yaml
from arch_model.network.choices import Number
from arch_model.network.layer import INPUT, Activation, Kind
from arch_model.network.supernet import SuperNet
from arch_model.spaces.elastic import MOST_BLOCKS, Elastic
from arch_model.spaces.elastic_parts import Block, Conv, Linear, Option, Pool, Stage, fixed

FORMAT = 1
"""Of the file; one that changes a meaning gets the next number."""
SUFFIXES = (".yaml", ".yml")
_T = TypeVar("_T")
_LARGEST = 65_536
_TOP = (
    "format",
    "name",
    "image",
    "stem",
    "stages",
    "head",
    "rounding",
    "layer_order",
    "absent_blocks",
    "named",
    "subnets",
)
_STAGE = (
    *("block", "name", "channels", "width", "blocks", "depth", "kernel", "expand", "stride", "activation"),
    *("last_activation", "sum_activation", "shortcut", "squeeze_excite", "pool"),
)
_CONV = ("conv", "channels", "width", "kernel", "stride", "activation", "residual", "depth")
_POOL = ("pool", "name", "size", "stride", "padding")
_LINEAR = ("linear", "channels", "activation", "bias")
_MOST_KEYS = 10
"""Values of a choice whose names are not digits: a digit says which."""


def read_space(path: str | Path) -> SuperNet:
    """The SuperNet of a space file. It is not registered: :func:`~arch_model.spaces.load_supernet` does that.

    Raises
    ------
    SpaceError
        One line that names the file, the key, its value and what would be right.

    Examples
    --------
    >>> space = read_space("examples/spaces/fashion.yaml")  # doctest: +SKIP
    >>> space.subnet("fashion-d122-w234").macs  # doctest: +SKIP
    4120896
    """
    source = f"space file {path}"
    top = _Node(source, "", read_yaml(path, Wanted(source, "a YAML file of an elastic network", SpaceError)))
    entries = top.mapping(_TOP)
    if entries.get("format") != FORMAT:
        raise top.wrong("format", entries.get("format"), f"{FORMAT}, the version of this format")
    net = _elastic(top)
    _check_size(top, net)
    try:
        space = net.supernet()
        for name in net.named:
            space.subnet(name)
    except FastSwitchError as error:
        raise SpaceError(f"{source}: {error}") from None
    return space


def _check_size(top: _Node, net: Elastic) -> None:
    """Refuse what is more than a network has, and choices that a digit of a name cannot tell apart."""
    if sum(stage.most for stage in net.stages) > MOST_BLOCKS:
        raise top.wrong("stages", top.value["stages"], f"at most {MOST_BLOCKS} blocks in all stages")
    if len(net.named) > MOST_BLOCKS:
        raise top.wrong("subnets", top.value["subnets"], f"at most {MOST_BLOCKS} of them")
    for choice in net.choices:
        digits = all(type(value) is int and 0 <= value <= 9 for value in choice.values)
        if choice.count is not None and not digits and len(choice.values) > _MOST_KEYS:
            said = f"the stages choose {choice.key} from {shown(list(choice.values))}"
            raise SpaceError(f"{top.source}: {said}; give at most {_MOST_KEYS} different values, or digits")


@dataclass(frozen=True)
class _Node:
    """A value of the file and where it stands."""

    source: str
    place: str
    value: Any

    def wrong(self, key: str, value: Any, right: str) -> SpaceError:
        place = f"{self.place}.{key}".strip(".") if key else self.place
        return SpaceError(f"{self.source}: {place or 'the file'} is {shown(value)}; give {right}")

    def mapping(self, known: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(self.value, dict):
            raise self.wrong("", self.value, f"a mapping of {', '.join(known)}")
        for key in self.value:
            if key not in known:
                near = difflib.get_close_matches(str(key)[:40], known, 1, 0.7)
                hint = f"did you mean {near[0]}? " if near else ""
                place = f"{self.place}.{plain(str(key))}".strip(".")
                raise SpaceError(f"{self.source}: {place} is not a key; {hint}give some of {', '.join(known)}")
        return self.value

    def at(self, key: str) -> _Node:
        return _Node(self.source, f"{self.place}.{plain(key)}".strip("."), self.value.get(key))

    def items(self) -> Iterator[_Node]:
        """The values of a list; none where nothing is given."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            raise self.wrong("", self.value, "a list")
        for n, value in enumerate(self.value):
            yield _Node(self.source, f"{self.place}[{n}]", value)

    def whole(self, key: str, default: int | None = None, low: int = 1, high: int = _LARGEST) -> int:
        value = self.value.get(key, default)
        if type(value) is not int or not low <= value <= high:
            raise self.wrong(key, value, f"a whole number, {low} to {high}")
        return value

    def one_of(self, key: str, known: Mapping[Any, _T], default: Any) -> _T:
        value = self.value.get(key, default)
        try:
            return known[value]
        except (KeyError, TypeError):
            raise self.wrong(key, value, f"one of {', '.join(map(str, known))}") from None

    def text(self, key: str, default: str | None = None) -> str:
        value = self.value.get(key, default)
        if not isinstance(value, str) or not value.strip() or why_no_name(value):
            raise self.wrong(key, value, "a name")
        return value

    def option(self, key: str, default: Number, legal: Callable[[Number], bool], right: str) -> Option:
        """A number; a list of numbers to choose from; or a mapping from how a choice is written to what it means."""
        value = self.value.get(key, default)

        def number(one: Any) -> bool:
            return type(one) in (int, float) and abs(one) <= _LARGEST

        if number(value):
            found = fixed(value)
        elif isinstance(value, list | dict) and value and all(map(number, value)):
            found = Option(tuple(value), tuple(value.values() if isinstance(value, dict) else value))
        else:
            raise self.wrong(key, value, f"{right}, a list of such to choose from, or a mapping {{written: meant}}")
        if not all(number(one) and legal(one) for one in found.means):
            raise self.wrong(key, value, right)
        digits = all(type(one) is int and 0 <= one <= 9 for one in found.keys)
        if len(set(found.keys)) < len(found.keys) or (len(found.keys) > _MOST_KEYS and not digits):
            raise self.wrong(key, value, f"different values, at most {_MOST_KEYS}")
        return found

    def activation(self, key: str, default: Activation) -> Activation:
        return self.one_of(key, {str(one): one for one in Activation}, str(default))

    def flag(self, key: str, default: bool) -> bool:
        value = self.value.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, value, "true or false")
        return value


def _odd(value: Number) -> bool:
    return type(value) is int and 1 <= value <= 31 and value % 2 == 1


def _count(value: Number) -> bool:
    return type(value) is int and 0 <= value <= 100


def _ratio(value: Number) -> bool:
    return 0 < value <= 64


def _share(value: Number) -> bool:
    return 0 < value <= 16


def _elastic(top: _Node) -> Elastic:
    image = top.at("image")
    sizes, channels, least, layers = _image(image)
    stem = tuple(_part(node, head=False) for node in top.at("stem").items())
    stages: list[Stage] = []
    for node in top.at("stages").items():
        stages.append(_stage(node, f"s{1 + sum(_numbered(stage.name) for stage in stages)}"))
    head = tuple(_part(node, head=True) for node in top.at("head").items())
    if not stages:
        raise top.wrong("stages", top.value.get("stages"), "a list with at least one stage")
    named, top1, name_all = _names(top)
    return Elastic(
        top.text("name"),
        channels,
        sizes,
        least,
        layers,
        stem,  # type: ignore[arg-type]
        tuple(stages),
        head,
        top.one_of("rounding", {1: 1, 8: 8}, 8),
        top.one_of("layer_order", {"executed": False, "shortcut-last": True}, "executed"),
        top.one_of("absent_blocks", {"zero": True, "kept": False}, "zero"),
        name_all,
        named,
        top1,
    )


def _numbered(name: str) -> bool:
    return re.fullmatch(r"s[1-9]\d*", name) is not None


def _image(node: _Node) -> tuple[Option, int, int, int]:
    """Its sizes, channels, the least size that is legal beside them (0: none is), and that of the SuperNet's layers."""
    node.mapping(("channels", "size", "at_least", "layers"))
    size = node.value.get("size")
    if isinstance(size, dict):
        spread = node.at("size")
        spread.mapping(("from", "to", "step"))
        low, high, step = (spread.whole(key) for key in ("from", "to", "step"))
        size = list(range(low, high + 1, step))
    listed = size if isinstance(size, list) else [size]
    right = "a whole number, a list of such to choose from, or {from, to, step}"
    if (
        not listed
        or any(type(one) is not int or not 1 <= one <= 9999 for one in listed)
        or len(set(listed)) < len(listed)
    ):
        raise node.wrong("size", node.value.get("size"), right)
    option = Option(tuple(listed), tuple(listed)) if isinstance(size, list) else fixed(listed[0])
    least = node.whole("at_least", 0, 0, 9999)
    return option, node.whole("channels", 3), least, node.whole("layers", max(listed), 1, 9999)


def _part(node: _Node, head: bool) -> Conv | Pool | Linear:
    value = node.value
    kind = next((key for key in ("conv", "pool", "linear") if isinstance(value, dict) and key in value), None)
    if kind is None or (kind == "linear" and not head):
        raise node.wrong("", value, "a mapping with conv or pool" + (", or linear" if head else ""))
    node.mapping({"conv": _CONV, "pool": _POOL, "linear": _LINEAR}[kind])
    if kind == "pool":
        return _pool(node, node.text("name", "pool"))
    if kind == "linear":
        activation = node.activation("activation", Activation.NONE)
        return Linear(node.text("linear"), node.whole("channels"), activation, node.flag("bias", True))
    residual = node.flag("residual", False)
    if residual and {"channels", "width", "stride"} & set(value):
        raise node.wrong("residual", True, "it without channels, width and stride, which are those of its input")
    kernel = node.whole("kernel", 1, 1, 31)
    if kernel % 2 == 0:
        raise node.wrong("kernel", kernel, "an odd number")
    there = node.option("depth", 1, lambda one: one in (0, 1), "1 (it is there) or 0 (it is left out)")
    if there.elastic and (head or not residual):
        raise node.wrong("depth", value["depth"], "none: only a residual convolution of the stem can be left out")
    return Conv(
        *(node.text("conv"), None if residual else node.whole("channels"), kernel, node.whole("stride", 1, 1, 16)),
        *(node.activation("activation", Activation.RELU), residual),
        *(node.option("width", 1, _share, "a share of the channels, above 0"), there),
    )


def _pool(node: _Node, name: str) -> Pool:
    kind = node.one_of("pool", {"max": Kind.MAXPOOL, "average": Kind.AVGPOOL}, None)
    size = node.whole("size", 0, 0, 64)
    if not size and kind is Kind.MAXPOOL:
        raise node.wrong("size", size, "the rows and columns of its window; only an average can be of the whole image")
    return Pool(name, kind, size, node.whole("stride", size or 1, 1, 64), node.whole("padding", 0, 0, 32))


def _stage(node: _Node, name: str) -> Stage:
    value = node.mapping(_STAGE)
    block = node.one_of("block", {str(one): one for one in Block}, None)
    activation = node.activation("activation", Activation.RELU)
    depth = node.option("depth", 0, _count, "how many blocks beside `blocks`, 0 to 100")
    blocks = node.whole("blocks", 0 if "depth" in value else 1, 0, 100)
    if blocks + min(depth.means) < 1:
        raise node.wrong("depth", value.get("depth"), "at least one block in each stage, or blocks: 1 beside it")
    expand, of_depth = _expand(node, block, depth)
    pool = None
    if value.get("pool") is not None:
        node.at("pool").mapping(_POOL)
        pool = _pool(node.at("pool"), f"{name}_pool")
    elif block is Block.VGG:
        pool = Pool(f"{name}_pool", Kind.MAXPOOL, 2, 2, 0)
    summed = block in (Block.RESIDUAL, Block.BOTTLENECK)
    if "shortcut" in value and not summed:
        raise node.wrong("shortcut", value["shortcut"], "it in stages of residual and bottleneck blocks only")
    if "squeeze_excite" in value and block is not Block.INVERTED:
        raise node.wrong("squeeze_excite", value["squeeze_excite"], "it in stages of inverted-residual blocks only")
    return Stage(
        name=node.text("name", name),
        block=block,
        channels=node.whole("channels"),
        width=node.option("width", 1, _share, "a share of the channels, above 0"),
        blocks=blocks,
        depth=depth,
        kernel=node.option("kernel", 3, _odd, "an odd number, 1 to 31"),
        expand=expand,
        expand_of_depth=of_depth,
        stride=node.whole("stride", 1, 1, 16),
        activation=activation,
        last=node.activation("last_activation", Activation.NONE),
        after=node.activation("sum_activation", activation if summed else Activation.NONE),
        average_shortcut=node.one_of("shortcut", {"conv": False, "average": True}, "conv"),
        squeeze_excite=node.whole("squeeze_excite", 0, 0, 64),
        pool=pool,
    )


def _expand(node: _Node, block: Block, depth: Option) -> tuple[Option, dict[Number, Number]]:
    """The expansion of each block, or of all blocks by the stage's depth."""
    value = node.value.get("expand")
    if value is not None and block in (Block.CONV, Block.VGG):
        raise node.wrong("expand", value, "it in stages of residual, bottleneck and inverted-residual blocks only")
    if isinstance(value, dict) and "by_depth" in value:
        inner = node.at("expand")
        inner.mapping(("by_depth",))
        option = inner.option("by_depth", 1, _ratio, "an expansion above 0 for each depth")
        if set(option.keys) != set(depth.keys):
            right = f"an expansion for each depth: {', '.join(map(str, depth.keys)) or 'depth is not chosen here'}"
            raise inner.wrong("by_depth", inner.value["by_depth"], right)
        return fixed(1), dict(zip(option.keys, option.means, strict=True))
    return node.option("expand", 1, _ratio, "an expansion, above 0 to 64"), {}


def _names(top: _Node) -> tuple[dict[str, str], dict[str, float], bool]:
    """Names of SubNets with how their choices are spelled, their accuracies, and whether all SubNets are named."""
    node = top.at("subnets")
    if node.value is None:
        return {}, {}, top.one_of("named", {"all": True, "none": False}, "none")
    if "named" in top.value or not isinstance(node.value, dict):
        raise node.wrong("", node.value, "a mapping of names, and named: all without it")
    named, top1 = {}, {}
    for name in node.value:
        if not isinstance(name, str) or not name.strip() or name == INPUT or why_no_name(name):
            raise node.wrong("", name, "texts as names of SubNets")
        entry = node.at(name)
        entry.mapping(("choices", "top1"))
        named[name] = entry.text("choices")
        accuracy = entry.value.get("top1")
        if accuracy is not None:
            if type(accuracy) not in (int, float) or not 0 < accuracy <= 100:
                raise entry.wrong("top1", accuracy, "an accuracy in per cent")
            top1[name] = round(accuracy / 100, 6)
    return named, top1, False
