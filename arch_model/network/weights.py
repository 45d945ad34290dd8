"""The trained int8 SuperNet ``fashion`` and its SubNets' integers, as shipped with the package.

An elastic residual network for the 28 x 28 grey images of Fashion-MNIST: a stem of 16 channels, three stages
of one or two residual blocks and three widths each (216 SubNets), average pooling and a linear layer. A
SubNet's weights are the leading channels of the SuperNet's, so one array a layer serves all; what differs
between SubNets (folded bias, multipliers, zero points) is stored for a selection of them.

The arithmetic is that of ``arch_model.network.quant``; ``examples/train_fashion.py`` makes the file and executes it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.errors import WeightsError
from arch_model.files.json_file import parse_json
from arch_model.files.npz_file import read_npz
from arch_model.files.shown import plain
from arch_model.files.wanted import Wanted, one_line
from arch_model.files.writing import whole_file
from arch_model.network.quant import MULTIPLIER_BITS

FORMAT = "fastswitch-weights-2"
OLDER = ("fastswitch-weights-1",)
"""Formats that are read, too: without the number format of each layer, which was int8."""

NUMBERS = {"int8": np.dtype(np.int8)}
"""Number formats that a layer's weights can have, and the type of its array."""

DEFAULT_PATH = Path(__file__).parents[1] / "data" / "fashion.npz"


@dataclass(frozen=True, eq=False)
class ConvQuant:
    """Requantisation of a convolution (dense or depthwise) or linear layer with K output channels.

    ``y = clamp(round((acc + bias) * multiplier / 2**shift) + z_out, lo, hi)`` with
    ``acc = sum(w * (x - z_in))``: ``arch_model.network.quant.requantize``. ``bias`` int32 (K,); ``multiplier`` int32
    (K,), 0 or in [2**25, 2**26); ``shift`` int32 (K,) in [0, 63]. ReLU is ``lo = z_out``; padding is
    ``z_in``. ``table``, for activations that no clamp makes, int8 (256,): the output is ``table[y + 128]``.
    """

    bias: npt.NDArray[np.int32]
    multiplier: npt.NDArray[np.int32]
    shift: npt.NDArray[np.int32]
    z_in: int
    z_out: int
    lo: int
    hi: int
    table: npt.NDArray[np.int8] | None = None


@dataclass(frozen=True)
class AddQuant:
    """Residual addition, a = the block's second convolution, b = its shortcut.

    ``y = clamp(round(((a - z_a) * m_a + (b - z_b) * m_b) / 2**shift) + z_out, lo, hi)``, m below 2**24.
    """

    m_a: int
    m_b: int
    shift: int
    z_a: int
    z_b: int
    z_out: int
    lo: int
    hi: int


@dataclass(frozen=True)
class PoolQuant:
    """Average pooling: ``clamp(round(sum(x - z_in) * m / 2**shift) + z_out, lo, hi)``, m below 2**24.

    The sum runs over the pixels of a window, all of a channel if it is global; ``m`` holds the division by their
    number. For a window of which some taps are outside the tensor it is :meth:`divided_by`'s.
    """

    m: int
    shift: int
    z_in: int
    z_out: int
    lo: int
    hi: int

    def divided_by(self, inside: int, taps: int) -> tuple[int, int]:
        """Multiplier and shift for the sum over ``inside`` of a window's ``taps``: ``m * taps / inside``, nearest.

        The multiplier has at most 26 bits; where it would have more, both lose bits. (If there is no shift left to
        lose, any sum but 0 is clamped, whatever the multiplier.)

        >>> PoolQuant(300, 10, 0, 0, -128, 127).divided_by(4, 9)
        (675, 10)
        """
        for less in range(self.shift + 1):
            m = round(self.m * taps / (inside << less))
            if m < 1 << MULTIPLIER_BITS:
                return m, self.shift - less
        return (1 << MULTIPLIER_BITS) - 1, 0


@dataclass(frozen=True)
class MaxPoolQuant:
    """Maximum pooling: ``clamp(max(x), lo, hi)``; scale and zero-point stay those of the input."""

    lo: int = -128
    hi: int = 127


@dataclass(frozen=True)
class ScaleQuant:
    """A tensor x times factors s, one a channel (SCALE) or one a value of x (MUL), with two roundings.

    ``f = clamp(round((s - z_s) * m_f / 2**shift_f), -128, 127)``, m_f below 2**26, then
    ``y = clamp(round(f * (x - z_x) / 2**shift) + z_out, lo, hi)``.
    """

    z_s: int
    m_f: int
    shift_f: int
    z_x: int
    shift: int
    z_out: int
    lo: int
    hi: int


OpQuant = ConvQuant | AddQuant | PoolQuant | MaxPoolQuant | ScaleQuant


@dataclass(frozen=True, eq=False)
class QuantizedSubNet:
    """One SubNet whose integers are stored.

    ``depth``: blocks of each stage; ``width``: channels of each stage; ``macs``: products an image.
    ``top1``, ``top1_subset``: fraction right of the 10,000 test images and of the first 1,000, computed with
    the integers below (the first of equal logits wins); ``top1_float``: of the 10,000 before quantisation.
    ``ops``: the integers by operator in the order of execution: ``stem``; ``s{i}b{j}_conv1``, ``_conv2``,
    ``_down`` (the 1 x 1 shortcut of a stage's first block), ``_add`` for stage i, block j from 1; ``pool``;
    ``linear``.
    """

    name: str
    depth: tuple[int, ...]
    width: tuple[int, ...]
    macs: int
    top1: float
    top1_subset: float
    top1_float: float
    ops: Mapping[str, OpQuant]


@dataclass(frozen=True, eq=False)
class SuperNetWeights:
    """Everything in a weights file; every array is read-only.

    ``layers``: int8 (K, C, R, S) weights of the whole SuperNet by layer; a SubNet's are ``[:k, :c]``.
    ``subnets``: by name, in order of MACs. ``images`` uint8 (1000, 28, 28) and ``labels`` uint8 (1000,) from
    0 to 9: the first test images; the network's input is ``pixel - 128`` as int8. ``metadata``: how the file
    was made.
    """

    layers: Mapping[str, npt.NDArray[np.int8]]
    subnets: Mapping[str, QuantizedSubNet]
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def only(self, names: Iterable[str]) -> SuperNetWeights:
        """The weights with these SubNets alone; :class:`WeightsError` for one that they lack.

        >>> list(load_weights().only(["fashion-d222-w444"]).subnets)
        ['fashion-d222-w444']
        """
        wanted = set()
        for name in names:
            if name not in self.subnets:
                near = difflib.get_close_matches(name, self.subnets, 1) or list(self.subnets)[:1]
                known = f"{near[0]} is one of {len(self.subnets)}"
                raise WeightsError(f"SubNet {name}: the weights have no such SubNet; {known}")
            wanted.add(name)
        return replace(self, subnets={name: net for name, net in self.subnets.items() if name in wanted})


def load_weights(path: str | Path | None = None) -> SuperNetWeights:
    """Read a weights file: a SuperNet's int8 weights, and the integers of SubNets that share them.

    Parameters
    ----------
    path : a file that :func:`save_weights` wrote. None: the one of ``fashion``, which ships.

    Returns
    -------
    SuperNetWeights

    Raises
    ------
    WeightsError
        One line that names the file: it is missing, cut off, damaged or some other file.

    Examples
    --------
    >>> weights = load_weights()
    >>> weights.layers["stem"].shape
    (16, 1, 3, 3)
    >>> small = weights.subnets["fashion-d111-w222"]
    >>> small.width, small.macs, small.ops["s1b1_conv1"].bias.shape
    ((12, 24, 48), 1654944, (12,))
    """
    path = DEFAULT_PATH if path is None else Path(path)
    arrays = _read(path)
    try:
        return _unpack(arrays, Wanted(f"{path}: inconsistent weights file", "one of this version", WeightsError))
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise WeightsError(
            f"{path}: inconsistent weights file ({one_line(error)}); write it anew with examples/train_fashion.py"
        ) from None


def save_weights(path: str | Path, weights: SuperNetWeights) -> None:
    """Write a weights file: one compressed npz, which :func:`load_weights` reads.

    ``docs/reference/file-formats.md`` says which arrays it has.

    Parameters
    ----------
    path : of the file. One that is there is replaced, when the new one is whole.
    weights : what to write.

    Returns
    -------
    None

    Raises
    ------
    WeightsError
        A layer's weights are of a type that no number format of :data:`NUMBERS` has.
    OutputError
        There is no place for the file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     small = load_weights().only(["fashion-d111-w222"])
    ...     save_weights(Path(folder) / "small.npz", small)
    ...     list(load_weights(Path(folder) / "small.npz").subnets)
    ['fashion-d111-w222']
    """
    subnets = sorted(weights.subnets.values(), key=lambda s: (s.macs, s.name))
    names = list(dict.fromkeys(name for s in sorted(subnets, key=lambda s: -len(s.ops)) for name in s.ops))
    arrays: dict[str, Any] = {
        "format": FORMAT,
        "metadata": json.dumps(dict(weights.metadata), sort_keys=True),
    }
    formats = {kind: text for text, kind in NUMBERS.items()}
    for name, w in weights.layers.items():
        if w.dtype not in formats:
            raise WeightsError(f"{path}: layer {name} is {w.dtype}; give weights in {', '.join(NUMBERS)}")
        arrays |= {f"layer/{name}": w, f"number/{name}": formats[w.dtype]}
    arrays |= {"images": weights.images, "labels": weights.labels, "ops": np.array(names)}
    for name in _DESCRIPTION:
        values = np.array([getattr(s, name) for s in subnets])
        arrays[f"subnet/{name}"] = values if values.size else values.astype(np.int64)  # no depths or widths to tell
    for name in names:
        ops = [s.ops.get(name) for s in subnets]
        kind = next(type(op) for op in ops if op is not None)
        fields = _SCALARS[kind.__name__]
        scalars = np.zeros((len(ops), 1 + len(fields)), np.int32)
        channels = np.zeros((len(ops), 3, len(weights.layers.get(name, ()))), np.int32)
        for row, op in enumerate(ops):
            if op is None:
                continue
            k = len(op.bias) if isinstance(op, ConvQuant) else 1
            scalars[row] = [k, *(getattr(op, f) for f in fields)]
            if isinstance(op, ConvQuant):
                channels[row, :, :k] = op.bias, op.multiplier, op.shift
        arrays |= {f"kind/{name}": kind.__name__, f"scalars/{name}": scalars}
        if kind is ConvQuant:
            arrays[f"channels/{name}"] = channels
        tables = [getattr(op, "table", None) for op in ops]
        if any(table is not None for table in tables):
            blank = np.zeros(256, np.int8)
            arrays[f"table/{name}"] = np.stack([blank if table is None else table for table in tables])
    with whole_file(Path(path)) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


_DESCRIPTION = ("name", "depth", "width", "macs", "top1", "top1_subset", "top1_float")
_SCALARS = {
    "ConvQuant": ("z_in", "z_out", "lo", "hi"),
    "AddQuant": ("m_a", "m_b", "shift", "z_a", "z_b", "z_out", "lo", "hi"),
    "PoolQuant": ("m", "shift", "z_in", "z_out", "lo", "hi"),
    "MaxPoolQuant": ("lo", "hi"),
    "ScaleQuant": ("z_s", "m_f", "shift_f", "z_x", "shift", "z_out", "lo", "hi"),
}
_FORMS: dict[str, tuple[str, tuple[int, ...] | None]] = {
    **{
        "format": ("U", (0,)),
        "metadata": ("U", (0,)),
        "images": ("u", (3, 4)),
        "labels": ("u", (1,)),
        "ops": ("U", (1,)),
    },
    **{"subnet/name": ("U", (1,)), "subnet/top1": ("f", (1,)), "subnet/macs": ("iu", (1,)), "subnet/": ("iu", (2,))},
    **{
        "layer/": ("i", (4,)),
        "number/": ("U", (0,)),
        "kind/": ("U", (0,)),
        "scalars/": ("i", (2,)),
        "channels/": ("i", (3,)),
    },
    **{"table/": ("i", (2,)), "": ("biufU", None)},
}
"""What arrays are, by the beginning of their names: kinds of NumPy's types, and dimensions."""
_WHOLE = {"AddQuant": AddQuant, "PoolQuant": PoolQuant, "MaxPoolQuant": MaxPoolQuant, "ScaleQuant": ScaleQuant}
"""Classes that have scalars alone."""


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    right = f"an npz of format {FORMAT}, written by examples/train_fashion.py"
    arrays = read_npz(path, Wanted(f"{path}: not a weights file: it", right, WeightsError))
    found = str(arrays.get("format", ""))[:40]
    if found != FORMAT and found not in OLDER:
        if found.startswith("fastswitch-weights-"):
            raise WeightsError(f"{path}: of format {plain(found)}, which a newer fastswitch wrote; give {right}")
        raise WeightsError(f"{path}: not a weights file; give {right}")
    if found in OLDER:
        arrays |= {key.replace("layer/", "number/", 1): np.array("int8") for key in arrays if key.startswith("layer/")}
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


def _unpack(arrays: dict[str, npt.NDArray[Any]], wanted: Wanted) -> SuperNetWeights:
    for key, array in arrays.items():
        kind, rank = _FORMS[next(form for form in _FORMS if key.startswith(form))]
        if array.dtype.kind not in kind or (rank is not None and array.ndim not in rank):
            raise ValueError(f"{key} is {array.dtype} {array.shape}")
    layers = {key.removeprefix("layer/"): a for key, a in arrays.items() if key.startswith("layer/")}
    numbers = {key.removeprefix("number/"): str(text) for key, text in arrays.items() if key.startswith("number/")}
    if set(numbers) != set(layers):
        raise ValueError(f"number/ of {', '.join(sorted(set(numbers) ^ set(layers))[:3])} is missing or unknown")
    for name, w in layers.items():
        if numbers[name] not in NUMBERS:
            known = ", ".join(NUMBERS)
            raise ValueError(f"layer {name} is in {plain(numbers[name])}; this version reads {known}")
        if w.dtype != NUMBERS[numbers[name]]:
            raise ValueError(f"layer {name} is {w.dtype} {w.shape}, not {numbers[name]} (K, C, R, S)")
    operators = set(arrays["ops"].tolist())
    for begin in ("scalars/", "kind/"):
        if operators != (there := {key.removeprefix(begin) for key in arrays if key.startswith(begin)}):
            raise ValueError(f"{begin} of {', '.join(sorted(operators ^ there)[:3])} is missing or unknown")
    if len(arrays["images"]) != len(arrays["labels"]):
        raise ValueError(f"{len(arrays['images'])} images but {len(arrays['labels'])} labels")
    columns = [arrays[f"subnet/{name}"].tolist() for name in _DESCRIPTION]
    subnets = {}
    for row, (name, depth, width, macs, top1, top1_subset, top1_float) in enumerate(zip(*columns, strict=True)):
        ops = {str(op): _unpack_op(arrays, str(op), row) for op in arrays["ops"]}
        present = {op: quant for op, quant in ops.items() if quant is not None}
        subnets[name] = QuantizedSubNet(name, tuple(depth), tuple(width), macs, top1, top1_subset, top1_float, present)
    metadata = parse_json(str(arrays["metadata"]), wanted)
    return SuperNetWeights(layers, subnets, arrays["images"], arrays["labels"], metadata)


def _unpack_op(arrays: dict[str, npt.NDArray[Any]], name: str, row: int) -> OpQuant | None:
    k, *scalars = arrays[f"scalars/{name}"][row].tolist()
    kind = str(arrays[f"kind/{name}"])
    if len(scalars) != len(_SCALARS[kind]):
        raise ValueError(f"{name} has {len(scalars)} scalars, not {len(_SCALARS[kind])}")
    if k == 0:
        return None
    if kind in _WHOLE:
        made: OpQuant = _WHOLE[kind](*scalars)
        return made
    if k > len(arrays[f"layer/{name}"]):
        raise ValueError(f"{name} has {k} channels, its layer {len(arrays[f'layer/{name}'])}")
    bias, multiplier, shift = arrays[f"channels/{name}"][row, :, :k]
    z_in, z_out, lo, hi = scalars
    tables = arrays.get(f"table/{name}")
    return ConvQuant(bias, multiplier, shift, z_in, z_out, lo, hi, None if tables is None else tables[row])
