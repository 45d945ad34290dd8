"""The layer: one operator with its shapes, and tables of layers."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import cast

from arch_model.errors import LayerError
from arch_model.files.csv_file import read_csv, whole_number
from arch_model.files.names import why_no_name
from arch_model.files.shown import plain, shown
from arch_model.files.wanted import Wanted
from arch_model.physical import MACS, SIZE

INPUT = "input"
"""The name of the image among a layer's ``inputs``."""


class Kind(StrEnum):
    """What a layer computes."""

    CONV = "conv"
    LINEAR = "linear"
    ADD = "add"
    POOL = "pool"
    """Global average: one value a channel."""
    MAXPOOL = "maxpool"
    AVGPOOL = "avgpool"
    """Average over an R x S window; taps outside the tensor count neither in the sum nor in the divisor."""
    SCALE = "scale"
    """Each channel of a tensor times that channel's one value of another: the end of a squeeze-excite."""
    MUL = "mul"
    """The product of two tensors of the same shape, value by value."""
    CONCAT = "concat"
    """Tensors one behind the other along the channels: no work, they are written to one place."""
    SLICE = "slice"
    """Consecutive channels of a tensor: no work, the tensor is read from its middle on."""

    @property
    def has_weights(self) -> bool:
        return self in (Kind.CONV, Kind.LINEAR)

    @property
    def operands(self) -> int:
        """Tensors that a layer reads; of a CONCAT, any number.

        >>> Kind.MUL.operands, Kind.CONV.operands
        (2, 1)
        """
        return 2 if self is Kind.ADD or self.is_product else 1

    @property
    def is_view(self) -> bool:
        """Whether it names a place in DRAM and computes nothing."""
        return self in (Kind.CONCAT, Kind.SLICE)

    @property
    def is_product(self) -> bool:
        """Whether it multiplies its first input by its last, its factors."""
        return self in (Kind.SCALE, Kind.MUL)


class Activation(StrEnum):
    """What a layer applies to each of its outputs."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"
    HSWISH = "hswish"
    """x * min(max(x + 3, 0), 6) / 6."""
    HSIGMOID = "hsigmoid"
    """min(max(x + 3, 0), 6) / 6."""
    SIGMOID = "sigmoid"
    SILU = "silu"
    """x * sigmoid(x)."""
    TANH = "tanh"
    GELU = "gelu"
    """x * (1 + erf(x / sqrt(2))) / 2."""
    LEAKY_RELU = "leaky_relu"
    """x, or x times a slope if it is negative."""
    CURVE = "curve"
    """Any other function of one value."""

    @property
    def is_clamp(self) -> bool:
        """Whether bounds on the output do it; the others need a table."""
        return self in (Activation.NONE, Activation.RELU, Activation.RELU6)


_ONE_TAP = {"R": 1, "S": 1, "stride": 1, "groups": 1, "padding": 0}
_NO_WEIGHTS = {"groups": 1, "bias": False, "batch_norm": False}
_FIXED: dict[Kind, dict[str, int]] = {
    Kind.CONV: {},
    Kind.LINEAR: {"H": 1, "W": 1} | _ONE_TAP,
    Kind.ADD: _ONE_TAP | _NO_WEIGHTS,
    Kind.SCALE: _ONE_TAP | _NO_WEIGHTS,
    Kind.MUL: _ONE_TAP | _NO_WEIGHTS,
    Kind.POOL: _ONE_TAP | _NO_WEIGHTS,
    Kind.MAXPOOL: _NO_WEIGHTS,
    Kind.AVGPOOL: _NO_WEIGHTS,
    Kind.CONCAT: _ONE_TAP | _NO_WEIGHTS,
    Kind.SLICE: _ONE_TAP | _NO_WEIGHTS,
}
"""Fields that a kind does not choose."""
_KINDS, _ACTIVATIONS = tuple(Kind), tuple(Activation)
_LARGEST = int(SIZE.high)
_SIZES = ("K", "C", "R", "S", "H", "W", "stride", "groups")


@dataclass(frozen=True)
class Layer:
    """One operator of a network, with its shapes.

    Parameters
    ----------
    name : differs from those of all other layers of a SubNet. Layers with weights are named as in the SuperNet.
    kind : what it computes, a :class:`Kind` or its text, such as ``"conv"``.
    K, C : output and input channels. ADD, SCALE, MUL, CONCAT and the pools have K = C.
    R, S : rows and columns of the kernel or window.
    H, W : rows and columns of the input, in pixels. LINEAR has 1 and 1.
    stride : pixels from one window to the next.
    padding : pixels around the input.
    groups : 1 for a dense convolution, K = C for a depthwise one.
    inputs : the names of the layers whose outputs it reads, :data:`INPUT` for the image. An ADD has two: the
        convolution that it follows, then the other. A SCALE has two: the tensor, then its C factors. A MUL has two, in
        either order. A CONCAT has any number.
    ceil_mode : (MAXPOOL, AVGPOOL) a last window that overhangs the input is kept.
    activation : applied last of all, an :class:`Activation` or its text.
    first : (SLICE) the channel of the input that becomes its channel 0.
    align : (CONCAT) each input begins at the next multiple of so many channels; those between two hold 0.
    bias, batch_norm : (CONV, LINEAR) which parameters it was trained with beside its weights, one and two for each
        channel. They fold into the integers of the requantisation.

    Raises
    ------
    LayerError
        A field has a value that no such layer has; the line names the layer, the field and the value.

    Examples
    --------
    >>> stem = Layer("stem0", Kind.CONV, K=24, C=3, R=3, S=3, H=224, W=224, stride=2, padding=1)
    >>> stem.P, stem.Q, stem.macs, stem.weight_bytes
    (112, 112, 8128512, 648)
    """

    name: str
    kind: Kind
    K: int
    C: int
    R: int = 1
    S: int = 1
    H: int = 1
    W: int = 1
    stride: int = 1
    padding: int = 0
    groups: int = 1
    inputs: tuple[str, ...] = ()
    ceil_mode: bool = False
    activation: Activation = Activation.NONE
    bias: bool = False
    batch_norm: bool = False
    first: int = 0
    align: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise LayerError(f"layer name is {shown(self.name)}; give a text that is not empty")
        if why := why_no_name(self.name):
            raise LayerError(f"layer name is {shown(self.name)}: {why}; give another")
        if self.kind not in _KINDS:
            raise self._error("kind", f"one of {', '.join(Kind)}")
        if self.activation not in _ACTIVATIONS:
            raise self._error("activation", f"one of {', '.join(Activation)}")
        object.__setattr__(self, "kind", Kind(self.kind))
        object.__setattr__(self, "activation", Activation(self.activation))
        for field in (*_SIZES, "padding", "first", "align"):
            low = 0 if field in ("padding", "first") else 1
            value = getattr(self, field)
            if type(value) is not int or not low <= value <= _LARGEST:
                object.__setattr__(self, field, self._whole(field, low))
        for field in ("ceil_mode", "bias", "batch_norm"):
            if not isinstance(getattr(self, field), bool):
                raise self._error(field, "True or False")
        if not isinstance(self.inputs, tuple):  # a single text would pass for a sequence of letters
            raise self._error("inputs", "a tuple of layer names")
        self._check_kind()
        for size, kernel in (("H", "R"), ("W", "S")):
            have, need = getattr(self, size), getattr(self, kernel)
            if have + 2 * self.padding < need:
                raise self._error(size, f"at least {need - 2 * self.padding}, for {kernel} is {need}")
        if self.K * self.C * self.R * self.S * (self.H + 2 * self.padding) * (self.W + 2 * self.padding) > MACS.high:
            what = f"{self.macs:.3g} multiply-accumulates" if self.kind.has_weights else "the layer"
            raise LayerError(f"layer {plain(self.name)}: {what} is too large; give smaller sizes")

    def _error(self, field: str, legal: str) -> LayerError:
        return LayerError(f"layer {plain(self.name)}: {field} is {shown(getattr(self, field))}; give {legal}")

    def _whole(self, field: str, low: int) -> int:
        value = getattr(self, field)
        try:
            number = operator.index(value)
        except TypeError:
            raise self._error(field, f"a whole number, at least {low}") from None
        if isinstance(value, bool) or number < low:
            raise self._error(field, f"a whole number, at least {low}")
        if number > _LARGEST:
            raise self._error(field, f"a whole number, at most {_LARGEST}")
        return number

    def _check_kind(self) -> None:
        for field, value in _FIXED[self.kind].items():
            if getattr(self, field) != value:
                raise self._error(field, f"{value}: a layer of kind {self.kind} has no other")
        if self.kind is Kind.SLICE and self.first + self.K > self.C:
            raise self._error("K", f"at most {self.C - self.first}, the channels from {self.first} on")
        if not self.kind.has_weights and self.K != self.C and self.kind is not Kind.SLICE:
            raise self._error("K", f"C, which is {self.C}: a layer of kind {self.kind} keeps its channels")
        for field in ("K", "C"):
            if getattr(self, field) % self.groups:
                raise self._error(field, f"a multiple of groups, which is {self.groups}")
        windowed_pool = self.kind in (Kind.MAXPOOL, Kind.AVGPOOL)
        if self.ceil_mode and not windowed_pool:
            raise self._error("ceil_mode", f"False: a layer of kind {self.kind} has no other")
        if windowed_pool and 2 * self.padding > min(self.R, self.S):
            raise self._error("padding", "at most half of the window, so that each holds a pixel")
        if self.kind is not Kind.SLICE and self.first:
            raise self._error("first", f"0: a layer of kind {self.kind} has no other")
        if self.inputs and len(self.inputs) != self.kind.operands and self.kind is not Kind.CONCAT:
            raise self._error("inputs", f"{self.kind.operands} for kind {self.kind}")

    def unnamed(self) -> Layer:
        """The layer without its name and what it reads: equal for layers that are alike, which cost the same.

        >>> Layer("a", Kind.LINEAR, 4, 4, inputs=("x",)).unnamed() == Layer("b", Kind.LINEAR, 4, 4).unnamed()
        True
        """
        return replace(self, name="layer", inputs=())

    def _output(self, size: int, kernel: int) -> int:
        if self.kind is Kind.POOL:
            return 1
        span = size + 2 * self.padding - kernel
        if not self.ceil_mode:
            return span // self.stride + 1
        count = -(-span // self.stride) + 1
        # A window that would begin beyond the input and its left padding is dropped, as PyTorch and ONNX do.
        return count - ((count - 1) * self.stride >= size + self.padding)

    @property
    def P(self) -> int:
        """Output rows."""
        return self._output(self.H, self.R)

    @property
    def Q(self) -> int:
        """Output columns."""
        return self._output(self.W, self.S)

    @property
    def macs(self) -> int:
        """Multiply-accumulates: weights times output pixels, those that meet padding included.

        >>> Layer("dw", Kind.CONV, K=8, C=8, R=3, S=3, H=4, W=4, padding=1, groups=8).macs   # 8*9*16
        1152
        """
        return self.weight_bytes * self.P * self.Q

    @property
    def weight_bytes(self) -> int:
        """Int8 weights: K * C / groups * R * S; 0 for layers without."""
        return self.K * (self.C // self.groups) * self.R * self.S if self.kind.has_weights else 0

    @property
    def parameters(self) -> int:
        """Parameters as trained: weights, K biases, 2 * K of a batch norm (its running mean is not trained).

        >>> Layer("dw", Kind.CONV, K=8, C=8, R=3, S=3, H=4, W=4, padding=1, groups=8, batch_norm=True).parameters
        88
        """
        return self.weight_bytes + self.K * (self.bias + 2 * self.batch_norm)

    @property
    def input_bytes(self) -> int:
        """Int8 activations read: C * H * W for each operand, of a SCALE's factors C; nothing for a view."""
        if self.kind.is_view:
            return 0
        one = self.C * self.H * self.W
        return one + self.C if self.kind is Kind.SCALE else one * self.kind.operands

    @property
    def output_bytes(self) -> int:
        """Int8 activations written: K * P * Q; nothing for a view."""
        return 0 if self.kind.is_view else self.K * self.P * self.Q


COLUMNS = (
    *("network", "layer_index", "supernet_layer_index", "name", "N", "K", "C", "H", "W", "R", "S"),
    *("stride", "padding", "out_H", "out_W", "macs", "weight_bytes"),
)
"""Columns of a layer table."""

OPTIONAL = ("kind", "groups", "activation")
"""Columns that a layer table may have as well."""

MAY_LACK = ("supernet_layer_index", "N", "weight_bytes")
"""Columns of a layer table that it need not have."""

SYNONYMS = {"network": "subnet", "out_H": "P", "out_W": "Q"}
"""What the table of ``fastswitch predict`` calls columns of a layer table."""

_MAY_BE_EMPTY = ("layer_index", "supernet_layer_index", "groups")


@dataclass(frozen=True)
class LayerRow:
    """One row of a layer table: its layer, and every field of the row as it stood in the file.

    Attributes
    ----------
    line : line of the file; the header is line 1.
    network : the SubNet that the row belongs to; empty where the file does not say.
    layer_index : position of the layer in its SubNet, from 0; None where the field is empty.
    supernet_layer_index : position among the SuperNet's layers with weights, from 0; None where the field is empty.
    layer : what the row describes.
    fields : every field by its column's name, as text.
    """

    line: int
    """Line of the file; the header is line 1."""
    network: str
    layer_index: int | None
    supernet_layer_index: int | None
    layer: Layer
    fields: Mapping[str, str]


def read_layer_table(path: str | Path) -> tuple[LayerRow, ...]:
    """Read a table of layers.

    A row with a 1 x 1 kernel, input and output is LINEAR and any other one CONV, unless the optional columns
    :data:`OPTIONAL` say more (an empty field says nothing): ``groups`` (K and C: depthwise), ``kind`` (of one input:
    the factors of a SCALE are not in the table) and ``activation``. ``out_H``, ``out_W``, ``macs`` and
    ``weight_bytes`` must be what the shapes give; a pool's may be those with a last window that overhangs.

    Parameters
    ----------
    path : a CSV file with the columns :data:`COLUMNS` in any order; others are kept in ``fields``. Those of
        :data:`MAY_LACK` may be absent, and those of :data:`SYNONYMS` may have their other name, so the table of
        ``fastswitch predict`` is one. ``layer_index`` and ``supernet_layer_index`` may be empty.

    Returns
    -------
    tuple of LayerRow
        In the order of the file.

    Raises
    ------
    LayerError
        The file is no such table; the line names the file, the row, the column and its value.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = Path(folder) / "one.csv"
    ...     row = "0,0,0,stem0,1,24,3,160,160,3,3,2,1,80,80,4147200,648"
    ...     _ = table.write_text(",".join(COLUMNS) + "\\n" + row)
    ...     read_layer_table(table)[0].layer.macs
    4147200
    """
    source = f"layer table {path}"
    wanted = Wanted(source, f"a CSV file with the columns {','.join(COLUMNS)}", LayerError)
    table = read_csv(path, wanted)
    called = {column: _called(column, table.columns, wanted) for column in COLUMNS}
    rows = tuple(_read_row(source, line, table.columns, called, cells) for line, cells in table.rows)
    if not rows:
        raise LayerError(f"{source} has no rows; give at least one layer")
    return rows


def _called(column: str, header: Sequence[str], wanted: Wanted) -> str | None:
    """What a table with that header calls a column; None if it lacks one that it may lack."""
    names = [name for name in (column, SYNONYMS.get(column)) if name in header]
    if len(names) > 1:
        raise wanted.wrong(f"columns {' and '.join(map(str, names))} mean the same", right="one of them")
    if not names and column not in MAY_LACK:
        raise wanted.wrong(f"column {column} is missing", right=",".join(COLUMNS))
    return names[0] if names else None


def _read_row(
    source: str, line: int, header: Sequence[str], called: Mapping[str, str | None], cells: list[str]
) -> LayerRow:
    where = f"{source}, line {line}"
    fields = dict(zip(header, cells, strict=True))

    def whole(column: str) -> int | None:
        title = called.get(column, column)
        if title is None:
            return None
        text = fields[title].strip()
        if not text and column in _MAY_BE_EMPTY:
            return None
        if (number := whole_number(text)) is None:
            most = ", of at most 18 digits" if text.isdigit() else ""
            raise LayerError(f"{where}: {title} is {shown(fields[title])}; give a whole number, at least 0{most}")
        return number

    numbers = {column: whole(column) for column in COLUMNS if column not in ("network", "name")}
    groups = whole("groups") if "groups" in fields else None
    network = fields[called["network"] or "network"]
    if why := why_no_name(network or "none"):
        raise LayerError(f"{where}: {called['network']} is {shown(network)}: {why}; give another")
    said, activation = (fields.get(column, "").strip() for column in ("kind", "activation"))
    if said in (Kind.CONCAT, Kind.SLICE):
        raise LayerError(f"{where}: kind is {said}, which runs nowhere by itself; leave the row out")
    if numbers["N"] not in (1, None):
        raise LayerError(f"{where}: N is {numbers['N']}; give 1, one image at a time")
    k, c, r, s, h, w, stride, padding = (numbers[i] or 0 for i in ("K", "C", *"RSHW", "stride", "padding"))
    one_pixel = (r, s, h, w, stride, padding, groups or 1) == (1, 1, 1, 1, 1, 0, 1)
    kind, name = said or (Kind.LINEAR if one_pixel else Kind.CONV), fields["name"].strip()
    try:
        curve = cast(Activation, activation or Activation.NONE)  # the layer checks both
        shared = 1 if groups is None else groups
        layer = Layer(name, cast(Kind, kind), k, c, r, s, h, w, stride, padding, shared, activation=curve)
        size = numbers["out_H"], numbers["out_W"]
        if layer.kind in (Kind.MAXPOOL, Kind.AVGPOOL) and size != (layer.P, layer.Q):
            overhanging = replace(layer, ceil_mode=True)
            layer = overhanging if size == (overhanging.P, overhanging.Q) else layer
    except LayerError as error:
        raise LayerError(f"{where}: {error}") from None
    derived = {"out_H": layer.P, "out_W": layer.Q, "macs": layer.macs, "weight_bytes": layer.weight_bytes}
    for column, value in derived.items():
        if called[column] and numbers[column] != value:
            raise LayerError(f"{where}: {called[column]} is {numbers[column]}; its shapes give {value}")
    return LayerRow(line, network, numbers["layer_index"], numbers["supernet_layer_index"], layer, fields)
