"""MAESTRO network descriptions (``.m`` files), in.

``Network NAME { Layer NAME { Type: CONV  Stride { X: 1, Y: 1 }  Dimensions { K: 64, C: 3, R: 3, S: 3, Y: 224, X: 224 }
Dataflow { ... } } ... }``, with ``//`` comments and ``Constant NAME 128;`` before the network. Source:
github.com/maestro-project/maestro, its models and their parser. The dataflow is a mapping for MAESTRO's machine and is
not read.

| type | layer |
|---|---|
| CONV | ``K`` filters over ``C`` channels; N images of a convolution are read as one, with a note |
| DSCONV | depthwise, ``K`` 1: one filter a channel |
| NGCONV | ``G`` groups of ``K`` filters each; ``C`` counts the channels of all groups |
| GEMM | (M, K) x (K, N) |
| TRCONV | transposed, with the stride of 2 that MAESTRO gives it; only 2 x 2, as a pointwise one of 4 K filters |

X and Y are the input's columns and rows (X' and Y' the output's), and nothing is padded: the output has
(Y - R) / stride + 1 rows. A kernel as tall as its input, and as wide or one column wide, makes a matrix product, and is
read as one: a transformer's layers are written so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from arch_model.errors import LayerError
from arch_model.files.shown import plain, shown
from arch_model.files.text import read_text
from arch_model.files.wanted import Wanted
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubNet
from mapper.importers.network import Network, NetworkError, of_batch, product_layer, unique_names

_WHAT = "a MAESTRO network: Network NAME { Layer NAME { Type: CONV  Dimensions { K: 8, C: 3, ... } } }"
BYTES = 16 * 2**20
"""Of a file; the largest that is published has half a megabyte."""
_TYPES = ("CONV", "DSCONV", "NGCONV", "TRCONV", "GEMM")
_CONV_DIMENSIONS = ("N", "G", "K", "C", "R", "S", "Y", "X", "Y'", "X'")
_GEMM_DIMENSIONS = ("M", "N", "K")
_TRANSPOSED_STRIDE = 2
_PIECES = re.compile(r"//[^\n]*|\n|[{}]|[^\s{}:,;]+")


def read_maestro(path: str | Path) -> Network:
    """The layers of a MAESTRO network, each reading the image. A name's second layer becomes ``name_2``.

    Raises
    ------
    NetworkError
        It names the file, the line, the layer and the value; also for a ``.m`` file that holds a dataflow or a machine
        and no network.
    """
    reader = _Reader(str(path), read_text(path, Wanted(str(path), _WHAT, NetworkError), BYTES))
    notes: list[str] = []
    layers = [_layer(path, block, notes) for block in reader.network()]
    if not layers:
        raise NetworkError(f"{path}: its network has no layers; give {_WHAT}")
    names = unique_names((layer.name for layer in layers), {INPUT})
    renamed = tuple(replace(layer, name=name) for layer, name in zip(layers, names, strict=True))
    stem = Path(path).stem
    return Network(SubNet(stem, stem, renamed), notes=tuple(notes))


@dataclass
class _Block:
    """A layer as it is written."""

    name: str
    line: int
    type: str = "CONV"
    stride: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)


class _Reader:
    """Words of a file, one after another, with their lines."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.line, self.words, self.constants = path, 1, self._words(text), dict[str, int]()

    def _words(self, text: str) -> Iterator[str]:
        for found in _PIECES.finditer(text):
            word = found[0]
            if word == "\n":
                self.line += 1
            elif not word.startswith("//"):
                yield word

    def wrong(self, what: str, right: str = _WHAT) -> NetworkError:
        return NetworkError(f"{self.path}, line {self.line}: {what}; give {right}")

    def next(self, wanted: str) -> str:
        word = next(self.words, None)
        if word is None:
            raise self.wrong(f"the file ends where {wanted} should stand")
        return word

    def open(self, of: str) -> None:
        if (word := self.next(f"the {{ of {of}")) != "{":
            raise self.wrong(f"{shown(word)} stands where the {{ of {of} should")

    def inside(self, of: str) -> Iterator[str]:
        """The words up to the closing brace; whoever takes them closes the braces that they open."""
        while (word := self.next(f"the }} of {of}")) != "}":
            yield word

    def skip(self, of: str) -> None:
        self.open(of)
        depth = 1
        while depth:
            word = self.next(f"the }} of {of}")
            depth += (word == "{") - (word == "}")

    def network(self) -> Iterator[_Block]:
        """The layers of every network of the file."""
        found = False
        for word in self.words:
            if word == "Constant":
                name = self.next("a constant's name")
                self.constants[name] = self.number(f"constant {name}")
            elif word == "Accelerator":
                self.skip(word)
            elif word == "Network":
                found = True
                name = plain(self.next("the network's name"))
                self.open(f"network {name}")
                for inner in self.inside(f"network {name}"):
                    if inner != "Layer":
                        raise self.wrong(f"{shown(inner)} stands where a Layer of network {name} should")
                    yield self.layer()
            elif word == "Dataflow":
                raise self.wrong("it holds a dataflow and no network", "a file with a Network")
            else:
                raise self.wrong(f"{shown(word)} stands where Constant or Network should", "a file with a Network")
        if not found:
            raise NetworkError(f"{self.path} holds no network; give {_WHAT}")

    def layer(self) -> _Block:
        block = _Block(self.next("a layer's name"), self.line)
        of = f"layer {plain(block.name)}"
        self.open(of)
        for word in self.inside(of):
            if word == "Type":
                block.type = self.next("a type")
            elif word == "Stride":
                block.stride = self.sizes(of, "Stride", ("X", "Y"))
            elif word == "Dimensions":
                known = _GEMM_DIMENSIONS if block.type == "GEMM" else _CONV_DIMENSIONS
                block.sizes = self.sizes(of, "Dimensions", known)
            elif word == "Dataflow":
                self.skip(word)
            else:
                raise self.wrong(f"{of}: {shown(word)} is not known", "Type, Stride, Dimensions and Dataflow")
        return block

    def sizes(self, of: str, what: str, known: tuple[str, ...]) -> dict[str, int]:
        self.open(what)
        sizes: dict[str, int] = {}
        for name in self.inside(what):
            if name not in known:
                raise self.wrong(f"{of}: {what} has {shown(name)}", f"some of {', '.join(known)}")
            value = self.number(f"{of}: {name}")
            if sizes.setdefault(name, value) != value:
                raise self.wrong(f"{of}: {name} is {sizes[name]} and {value}", "it once")
        return sizes

    def number(self, what: str) -> int:
        word = self.next("a number")
        if word in self.constants:
            return self.constants[word]
        if not (word.isascii() and word.isdigit() and len(word) <= 18 and int(word)):
            raise self.wrong(f"{what} is {shown(word)}", "a whole number, at least 1, or a Constant")
        return int(word)


def _layer(path: str | Path, block: _Block, notes: list[str]) -> Layer:
    where = f"{path}, line {block.line}: layer {plain(block.name)}"
    if block.type not in _TYPES:
        raise NetworkError(f"{where}: its type is {shown(block.type)}; give one of {', '.join(_TYPES)}")
    try:
        if block.type == "GEMM":
            rows, columns, depth = (_size(where, block.sizes, key) for key in ("M", "N", "K"))
            return product_layer(block.name, rows, columns, depth)
        return _convolution(where, block, notes)
    except LayerError as error:
        raise NetworkError(f"{path}, line {block.line}: {error}") from None


def _convolution(where: str, block: _Block, notes: list[str]) -> Layer:
    name, kind, sizes = block.name, block.type, block.sizes
    if block.stride.get("X", 1) != block.stride.get("Y", 1):
        raise NetworkError(
            f"{where}: its strides are {block.stride.get('Y', 1)} and {block.stride.get('X', 1)}; give one for both "
            "directions"
        )
    stride = block.stride.get("X", 1)
    k, c, r, s = (_size(where, sizes, key) for key in "KCRS")
    h, w = _input(where, sizes, "Y", r, stride), _input(where, sizes, "X", s, stride)
    groups, batch = _groups(where, kind, sizes), sizes.get("N", 1)
    if kind == "TRCONV":
        if (r, s, stride) != (_TRANSPOSED_STRIDE, _TRANSPOSED_STRIDE, 1):
            raise NetworkError(
                f"{where}: a transposed convolution of {r} x {s} and stride {stride} has no layer; give 2 x 2 and no "
                "Stride (MAESTRO's own is 2)"
            )
        notes.append(f"{name}: transposed 2 x 2, as a pointwise layer of 4 x {k} filters: one for each pixel it makes")
        return of_batch(Layer(name, Kind.CONV, 4 * k, c, 1, 1, h, w, inputs=(INPUT,)), batch, notes)
    if groups == 1 and r == h and s in (1, w):
        pixels = 1 if s == w else (w - s) // stride + 1
        if pixels == 1 or batch == 1:
            return product_layer(name, pixels * batch, k, c * r * s)
    if kind == "DSCONV":
        k = c
    elif kind == "NGCONV":
        k *= groups
    return of_batch(Layer(name, Kind.CONV, k, c, r, s, h, w, stride, groups=groups, inputs=(INPUT,)), batch, notes)


def _groups(where: str, kind: str, sizes: Mapping[str, int]) -> int:
    channels, groups = sizes["C"], sizes.get("G", 1)
    if kind == "DSCONV":
        if sizes["K"] != 1 or groups != 1:
            raise NetworkError(f"{where}: K is {sizes['K']} and G {groups}; give 1 for both: one filter a channel")
        return channels
    if kind != "NGCONV" and groups != 1:
        raise NetworkError(f"{where}: G is {groups}; give 1, or the type NGCONV")
    return groups


def _size(where: str, sizes: Mapping[str, int], key: str) -> int:
    if key not in sizes:
        raise NetworkError(f"{where}: Dimensions has no {key}; give a size for each dimension")
    return sizes[key]


def _input(where: str, sizes: Mapping[str, int], key: str, kernel: int, stride: int) -> int:
    """Rows or columns of the input; the sizes may have those of the output instead."""
    output = f"{key}'"
    if output not in sizes:
        return _size(where, sizes, key)
    if key in sizes:
        raise NetworkError(f"{where}: Dimensions has {key} and {output}; give one of them")
    return (sizes[output] - 1) * stride + kernel
