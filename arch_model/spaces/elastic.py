"""Elastic networks as data: a stem, stages of blocks, a head, and which of their numbers a SubNet chooses.

:mod:`arch_model.spaces.space_file` reads them from files, :mod:`arch_model.spaces.elastic_parts` has what they are made
of. Layers are named ``s{i}b{j}_...`` for stage i and block j.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from arch_model.errors import SpaceError
from arch_model.files.shown import plain, shown
from arch_model.network.choices import Choice, Number, is_list
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.spaces import layer_builders as builders
from arch_model.spaces.channels import divisible
from arch_model.spaces.elastic_blocks import BLOCKS, pool_layer
from arch_model.spaces.elastic_parts import Conv, Linear, Option, Pool, Stage

KEYS = ("image", "depth", "kernel", "expand", "width")
"""What can be chosen, in the order of configs, names and draws."""
MOST_NAMED = 10_000
"""SubNets that ``named: all`` names."""
MOST_BLOCKS = 1_000
"""Of all stages together."""


@dataclass(frozen=True)
class Elastic:
    """A whole network whose blocks, channels, kernels and image sizes are choices, as a space file describes it.

    Attributes
    ----------
    name : of the SuperNet.
    channels : of the image.
    image : its rows and columns.
    least_image : legal beside them is any size from there on. 0: none is.
    layers_image : the size at which the SuperNet's layers are given.
    stem, stages, head : the layers, in order.
    rounding : 8: to multiples of 8, as once-for-all rounds channels; else to whole numbers.
    shortcut_last : projected shortcuts are listed behind their block's other layers, not where they are executed.
    absent_as_zero : choices of blocks that are not there become 0.
    name_all : whether all SubNets are listed by their names, if none has a name of its own.
    named : SubNets with names of their own, by name how their choices are spelled.
    top1 : known accuracies, fractions, by the SubNet's name.
    """

    name: str
    channels: int
    image: Option
    least_image: int
    layers_image: int
    stem: tuple[Conv | Pool, ...]
    stages: tuple[Stage, ...]
    head: tuple[Conv | Pool | Linear, ...]
    rounding: int = 8
    shortcut_last: bool = False
    absent_as_zero: bool = True
    name_all: bool = False
    named: Mapping[str, str] = field(default_factory=dict)
    top1: Mapping[str, float] = field(default_factory=dict)

    def _places(self, key: str) -> Iterator[Option]:
        """The numbers of a choice, one after another."""
        parts = [part for part in (*self.stem, *self.stages, *self.head) if isinstance(part, Conv | Stage)]
        if key == "image":
            yield from [self.image] * self.image.elastic
        for part in parts:
            if key == "depth":
                option = part.depth if isinstance(part, Stage) else part.there
            elif key == "width":
                option = part.width
            elif key in ("kernel", "expand") and isinstance(part, Stage):
                option = getattr(part, key)
                yield from [option] * (part.most * option.elastic)
                continue
            else:
                continue
            yield from [option] * option.elastic

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """What a SubNet chooses."""
        made = []
        for key in KEYS:
            places = list(self._places(key))
            if not places:
                continue
            first, alike = places[0].drawn, all(place.keys == places[-1].keys for place in places)
            values = tuple(dict.fromkeys(value for place in places for value in place.keys))
            if key == "image":
                made.append(Choice(key, values))
            elif alike:
                made.append(Choice(key, values, len(places), () if first == values else first))
            else:
                made.append(Choice(key, values, len(places), each=tuple(place.drawn for place in places)))
        return tuple(made)

    def supernet(self) -> SuperNet:
        """The SuperNet, whose layers are those of its largest SubNet."""
        config = {choice.key: tuple(place.largest for place in self._places(choice.key)) for choice in self.choices}
        if "image" in config:
            config["image"] = self.layers_image  # type: ignore[assignment]
        largest = self.build(**config)
        names = tuple(self.named) or tuple(self._all_names() if self.name_all else ())
        layers = _shortcuts_last(largest.weight_layers) if self.shortcut_last else largest.weight_layers
        return SuperNet(self.name, layers, self.build, self.parse, names, self.choices, self.top1)

    def _all_names(self) -> Iterator[str]:
        """Of every SubNet, at one size of image."""
        others = [choice for choice in self.choices if choice.key != "image"]
        if math.prod(len(choice.values) ** (choice.count or 1) for choice in others) > MOST_NAMED:
            raise SpaceError(f"SuperNet {self.name} has more than {MOST_NAMED} SubNets; name some of them, not all")
        lists: list[Sequence[Any]] = [
            [self.layers_image] if choice.count is None else list(itertools.product(choice.values, repeat=choice.count))
            for choice in self.choices
        ]
        for values in itertools.product(*lists):
            yield self._spell(dict(zip((choice.key for choice in self.choices), values, strict=True)))

    # ---- choices and names ----

    def build(self, **config: Any) -> SubNet:
        """The SubNet of these choices.

        Raises
        ------
        SpaceError
            A choice is missing, unknown or not legal; the line names it, its value and what is.
        """
        keys = [choice.key for choice in self.choices]
        if set(config) != set(keys):
            raise SpaceError(f"SubNet of {self.name}: it chooses {', '.join(keys)}, not {', '.join(config)}")
        taken = {choice.key: self._take(choice, config[choice.key]) for choice in self.choices}
        present = self._present(taken.get("depth", ()))
        for key in present:
            if key in taken:
                taken[key] = self._take_blocks(key, config[key], present[key])
        spelling = self._spell(taken)
        layers = tuple(self._layers(taken))
        return SubNet(self._by_spelling.get(spelling, spelling), self.name, layers, tuple(taken.items()))

    def _take(self, choice: Choice, value: Any) -> Any:
        if choice.key == "image" and self.least_image:
            if type(value) is not int or value < self.least_image:
                raise SpaceError(
                    f"SubNet of {self.name}: image is {shown(value)}; give a whole number, at least {self.least_image}"
                )
            return value
        if choice.key in ("kernel", "expand"):
            return value  # what is legal depends on the depth
        taken = choice.take(self.name, value)
        for number, place in zip(taken if choice.count else (), self._places(choice.key), strict=False):
            if number not in place.keys:
                said = ", ".join(map(str, place.keys))
                raise SpaceError(f"SubNet of {self.name}: {choice.key} is {shown(value)}; {number} is none of {said}")
        return taken

    def _take_blocks(self, key: str, value: Any, present: Sequence[bool]) -> tuple[Number, ...]:
        """A choice of each block; of one that is not there it may be 0."""
        places = list(self._places(key))
        if is_list(value, len(places)):
            zero = self.absent_as_zero
            pairs = [(number, place.keys, there) for number, place, there in zip(value, places, present, strict=True)]
            if all(
                not isinstance(number, bool) and (number in keys or (zero and number == 0 and not there))
                for number, keys, there in pairs
            ):
                return tuple(keys[keys.index(n)] if there or not zero else 0 for n, keys, there in pairs)
        legal = next(choice.legal for choice in self.choices if choice.key == key)
        absent = ", or 0 for a block that is not there" if self.absent_as_zero else ""
        raise SpaceError(f"SubNet of {self.name}: {key} is {shown(value)}; give {legal}{absent}")

    def _present(self, depth: Sequence[Number]) -> dict[str, list[bool]]:
        """For each number of kernel and expand, whether its block is there."""
        given = iter(depth)
        for conv in self.stem:
            if isinstance(conv, Conv) and conv.there.elastic:
                next(given)
        found: dict[str, list[bool]] = {"kernel": [], "expand": []}
        for stage in self.stages:
            count = stage.blocks + stage.depth.of(next(given) if stage.depth.elastic else None)
            for key, listed in found.items():
                if getattr(stage, key).elastic:
                    listed += [block < count for block in range(stage.most)]
        return found

    @cached_property
    def _by_spelling(self) -> dict[str, str]:
        return {f"{self.name}-{spelling}": name for name, spelling in self.named.items()}

    def _spell(self, config: Mapping[str, Any]) -> str:
        parts = []
        for choice in self.choices:
            value = config[choice.key]
            if choice.count is None:
                parts.append(f"r{value}")
                continue
            digits = [str(n if _digits(choice) else choice.values.index(n)) for n in value]
            parts.append(choice.key[0] + "".join(digits))
        return "-".join((self.name, *parts))

    def parse(self, name: str) -> dict[str, Any]:
        """The choices of a SubNet's name, its own or one that spells them.

        Raises
        ------
        SpaceError
            The name is of no SubNet.
        """
        text = f"{self.name}-{self.named[name]}" if name in self.named else name
        forms = [r"r(\d{1,4})" if c.count is None else rf"{c.key[0]}(\d{{{c.count}}})" for c in self.choices]
        found = re.fullmatch("-".join((re.escape(self.name), *forms)), text, re.ASCII)
        config: dict[str, Any] = {}
        for choice, digits in zip(self.choices, found.groups() if found else (), strict=False):
            if choice.count is None:
                config[choice.key] = int(digits)
            elif _digits(choice):
                config[choice.key] = tuple(map(int, digits))
            elif max(map(int, digits)) < len(choice.values):
                config[choice.key] = tuple(choice.values[int(digit)] for digit in digits)
        if len(config) < len(self.choices) or not found:
            form = "-".join("rIMAGE" if c.count is None else f"{c.key[0]} and {c.count} digits" for c in self.choices)
            own = f"one of {', '.join(itertools.islice(self.named, 3))}, ..., or " if self.named else ""
            raise SpaceError(f"SubNet {plain(name)} does not exist in {self.name}; give {own}{self.name}-{form}")
        return config

    # ---- layers ----

    def _layers(self, config: Mapping[str, Any]) -> Iterator[Layer]:
        given = {key: iter(config.get(key, ())) for key in KEYS if key != "image"}

        def chosen(option: Option, key: str) -> Number:
            return option.of(next(given[key])) if option.elastic else option.of(None)

        side = config.get("image", self.image.means[0])
        last = Layer(INPUT, Kind.AVGPOOL, self.channels, self.channels, H=side, W=side)  # the image, as if one made it
        for part in self.stem:
            for layer in self._part(part, last, chosen):
                yield (last := layer)
        for stage in self.stages:
            for layer in self._stage(stage, last, given, chosen):
                yield (last := layer)
        for head in self.head:
            for layer in self._part(head, last, chosen):
                yield (last := layer)

    def _part(self, part: Conv | Pool | Linear, before: Layer, chosen: Any) -> Iterator[Layer]:
        if isinstance(part, Pool):
            yield pool_layer(part.name, part, before)
        elif isinstance(part, Linear):
            yield builders.linear(part.name, before, part.channels, part.activation, part.bias)
        elif chosen(part.there, "depth"):
            k = before.K if part.channels is None else self._width(part.channels, chosen(part.width, "width"))
            name = f"{part.name}_res" if part.residual else part.name
            yield (made := builders.conv(name, before, k, part.kernel, part.stride, part.activation))
            if part.residual:
                yield builders.add(f"{part.name}_add", made, before)

    def _stage(self, stage: Stage, before: Layer, given: Mapping[str, Iterator[Any]], chosen: Any) -> Iterator[Layer]:
        depth = next(given["depth"]) if stage.depth.elastic else None
        count = stage.blocks + stage.depth.of(depth)
        k = self._width(stage.channels, chosen(stage.width, "width"))
        last = before
        for block in range(stage.most):
            kernel = next(given["kernel"]) if stage.kernel.elastic else None
            expand = next(given["expand"]) if stage.expand.elastic else None
            if block >= count:
                continue
            of_depth = stage.expand_of_depth
            ratio = of_depth[depth] if of_depth and depth is not None else stage.expand.of(expand)
            name, stride = f"{stage.name}b{block + 1}", stage.stride if block == 0 else 1
            made = BLOCKS[stage.block]
            keeps = stride == 1 and (block > 0 or self._same_channels(stage))
            for layer in made(self._middle, name, stage, last, k, int(stage.kernel.of(kernel)), ratio, stride, keeps):
                yield layer
            last = layer
        if stage.pool is not None:
            yield pool_layer(f"{stage.name}_pool", stage.pool, last)

    def _same_channels(self, stage: Stage) -> bool:
        """Whether a stage makes as many channels as come in, whatever is chosen."""
        before: list[Conv | Stage] = [part for part in self.stem if isinstance(part, Conv) and part.channels]
        before += self.stages[: self.stages.index(stage)]
        if not before or before[-1].width.elastic or stage.width.elastic:
            return False
        return before[-1].channels == stage.channels

    def _width(self, channels: int, width: Number) -> int:
        return channels if width == 1 else self._round(channels * width)

    def _round(self, value: float) -> int:
        return divisible(value) if self.rounding == 8 else max(1, round(value))

    def _middle(self, value: float) -> int:
        return self._round(round(value))


def _shortcuts_last(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers with each projected shortcut behind the last convolution of its block."""
    ordered: list[Layer] = []
    for layer in layers:
        late = ordered and ordered[-1].name.endswith("_down") and not layer.name.endswith("_down")
        same = late and ordered[-1].name.removesuffix("down") == layer.name[: layer.name.rfind("_") + 1]
        ordered.insert(len(ordered) - 1 if same else len(ordered), layer)
    return tuple(ordered)


def _digits(choice: Choice) -> bool:
    """Whether names spell the numbers themselves, and not their places."""
    return all(type(value) is int and 0 <= value <= 9 for value in choice.values)
