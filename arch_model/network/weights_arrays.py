"""The arrays of a weights file: how operators' integers are laid out in them, and whether they are what they should be.

``docs/reference/file-formats.md`` has the layout. A ValueError of here says what is wrong in a file, in words for the
middle of a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.errors import WeightsError
from arch_model.files.npz_file import read_npz
from arch_model.files.shown import plain
from arch_model.files.wanted import Wanted
from arch_model.network.operator_integers import AddQuant, ConvQuant, MaxPoolQuant, OpQuant, PoolQuant, ScaleQuant
from arch_model.network.quant import MULTIPLIER_BITS, PAIR_BITS, SHIFT_MAX

Arrays = dict[str, npt.NDArray[Any]]

FORMAT = "fastswitch-weights-2"
OLDER = ("fastswitch-weights-1",)
"""Formats that are read, too: without the number format of each layer, which was int8."""

NUMBERS = {"int8": np.dtype(np.int8)}
"""Number formats that a layer's weights can have, and the type of its array."""

DESCRIPTION = ("name", "depth", "width", "macs", "top1", "top1_subset", "top1_float")
"""What is told of each SubNet, beside its integers and its config."""

_SCALARS = {
    "ConvQuant": ("z_in", "z_out", "lo", "hi"),
    "AddQuant": ("m_a", "m_b", "shift", "z_a", "z_b", "z_out", "lo", "hi"),
    "PoolQuant": ("m", "shift", "z_in", "z_out", "lo", "hi"),
    "MaxPoolQuant": ("lo", "hi"),
    "ScaleQuant": ("z_s", "m_f", "shift_f", "z_x", "shift", "z_out", "lo", "hi"),
}
_WHOLE = {"AddQuant": AddQuant, "PoolQuant": PoolQuant, "MaxPoolQuant": MaxPoolQuant, "ScaleQuant": ScaleQuant}
"""Classes that have scalars alone."""
_RANGES = {
    **{"m_a": (0, (1 << PAIR_BITS) - 1), "m_b": (0, (1 << PAIR_BITS) - 1), "m": (0, (1 << MULTIPLIER_BITS) - 1)},
    **{"m_f": (0, (1 << MULTIPLIER_BITS) - 1), "shift": (0, SHIFT_MAX), "shift_f": (0, SHIFT_MAX)},
}
"""Of scalars; those that are not here are int8."""

_FORMS: dict[str, tuple[str, tuple[int, ...] | None]] = {
    **{"format": ("U", (0,)), "metadata": ("U", (0,)), "space": ("U", (0,)), "supernet": ("u", (1,))},
    **{"images": ("u", (3, 4)), "labels": ("u", (1,)), "ops": ("U", (1,))},
    **{"subnet/name": ("U", (1,)), "subnet/config": ("U", (1,)), "subnet/top1": ("f", (1,))},
    **{"subnet/macs": ("iu", (1,)), "subnet/": ("iu", (2,))},
    **{"layer/": ("i", (4,)), "number/": ("U", (0,)), "kind/": ("U", (0,))},
    **{"scalars/": ("i", (2,)), "channels/": ("i", (3,)), "table/": ("i", (2,)), "": ("biufU", None)},
}
"""What arrays are, by the beginning of their names: kinds of NumPy's types, and dimensions."""
_KINDS = {"U": "text", "u": "unsigned integers", "f": "real numbers", "i": "integers", "iu": "integers"}
_NEEDED = ("metadata", "images", "labels", "ops", *(f"subnet/{name}" for name in DESCRIPTION))


def read_arrays(path: Path, right: str) -> Arrays:
    """The arrays of a weights file, read-only; those that an older format lacks are put in.

    Parameters
    ----------
    path : an npz file.
    right : what completes "give ..." in an error.

    Raises
    ------
    WeightsError
        It is another kind of file, or of a later format.
    """
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


def check_arrays(arrays: Arrays) -> None:
    """Check that every array is there, of the type and the dimensions that it should have.

    Raises
    ------
    ValueError
        One is missing or is something else; accuracies are no fractions; or the numbers of rows differ.
    """
    for key in _NEEDED:
        if key not in arrays:
            raise ValueError(f"array {key} is missing")
    for key, array in arrays.items():
        kind, rank = _FORMS[next(form for form in _FORMS if key.startswith(form))]
        if array.dtype.kind not in kind or (rank is not None and array.ndim not in rank):
            dimensions = "" if rank is None else f" of {' or '.join(map(str, rank))} dimensions"
            what = _KINDS.get(kind, "numbers or texts")
            raise ValueError(f"{plain(key)} is {array.dtype} {array.shape}, not {what}{dimensions}")
    rows = len(arrays["subnet/name"])
    for key, array in arrays.items():
        if key.startswith(("subnet/", "scalars/", "channels/", "table/")) and len(array) != rows:
            raise ValueError(f"{plain(key)} has {len(array)} rows for {rows} SubNets")
    if len(arrays["images"]) != len(arrays["labels"]):
        raise ValueError(f"{len(arrays['images'])} images but {len(arrays['labels'])} labels")
    for key in ("subnet/top1", "subnet/top1_subset", "subnet/top1_float"):
        wrong = arrays[key][(arrays[key] < 0) | (arrays[key] > 1)]
        if wrong.size:
            raise ValueError(f"{key} has {wrong[0]:g}; accuracies are fractions of 1")


def layers_of(arrays: Arrays) -> dict[str, npt.NDArray[np.int8]]:
    """The weights by layer.

    Raises
    ------
    ValueError
        A layer has another number format than the file says, or one that is not known.
    """
    layers = {key.removeprefix("layer/"): a for key, a in arrays.items() if key.startswith("layer/")}
    numbers = {key.removeprefix("number/"): str(text) for key, text in arrays.items() if key.startswith("number/")}
    if set(numbers) != set(layers):
        raise ValueError(f"number/ of {_some(set(numbers) ^ set(layers))} is missing or unknown")
    for name, w in layers.items():
        if numbers[name] not in NUMBERS:
            known = ", ".join(NUMBERS)
            raise ValueError(f"layer {plain(name)} is in {plain(numbers[name])}; this version reads {known}")
        if w.dtype != NUMBERS[numbers[name]]:
            raise ValueError(f"layer {plain(name)} is {w.dtype} {w.shape}, not {numbers[name]} (K, C, R, S)")
    return layers


def pack_operators(subnets: Sequence[Mapping[str, OpQuant]], channels: Mapping[str, int]) -> Arrays:
    """The arrays of operators' integers, a row for each SubNet.

    Parameters
    ----------
    subnets : integers by operator of each SubNet.
    channels : output channels of each layer with weights, the most that any SubNet has.

    Raises
    ------
    ValueError
        An operator is of one class in one SubNet and of another in another.
    """
    names = list(dict.fromkeys(name for ops in sorted(subnets, key=lambda ops: -len(ops)) for name in ops))
    arrays: Arrays = {"ops": np.array(names, dtype=np.str_)}
    for name in names:
        ops = [subnet.get(name) for subnet in subnets]
        kinds = {type(op) for op in ops if op is not None}
        if len(kinds) > 1:
            classes = " and ".join(sorted(kind.__name__ for kind in kinds))
            raise ValueError(f"operator {plain(name)} is {classes} in different SubNets; give each a name of its own")
        (kind,) = kinds
        fields = _SCALARS[kind.__name__]
        scalars = np.zeros((len(ops), 1 + len(fields)), np.int32)
        each = np.zeros((len(ops), 3, channels.get(name, 0)), np.int32)
        for row, op in enumerate(ops):
            if op is None:
                continue
            k = len(op.bias) if isinstance(op, ConvQuant) else 1
            scalars[row] = [k, *(getattr(op, field) for field in fields)]
            if isinstance(op, ConvQuant):
                each[row, :, :k] = op.bias, op.multiplier, op.shift
        arrays |= {f"kind/{name}": np.array(kind.__name__), f"scalars/{name}": scalars}
        if kind is ConvQuant:
            arrays[f"channels/{name}"] = each
        tables = [getattr(op, "table", None) for op in ops]
        if any(table is not None for table in tables):
            same = np.arange(-128, 128).astype(np.int8)
            arrays[f"table/{name}"] = np.stack([same if table is None else table for table in tables])
    return arrays


def operators_of(arrays: Arrays) -> Iterator[dict[str, OpQuant]]:
    """The operators' integers of each SubNet.

    Raises
    ------
    ValueError
        Integers cannot be what they should be; found before the first SubNet's are given.
    """
    names = [str(name) for name in arrays["ops"]]
    for begin in ("scalars/", "kind/"):
        there = {key.removeprefix(begin) for key in arrays if key.startswith(begin)}
        if set(names) != there:
            raise ValueError(f"{begin} of {_some(set(names) ^ there)} is missing or unknown")
    for name in names:
        _check_operator(arrays, name)
    for row in range(len(arrays["subnet/name"])):
        found = {name: _operator(arrays, name, row) for name in names}
        yield {name: op for name, op in found.items() if op is not None}


def _check_operator(arrays: Arrays, name: str) -> None:
    kind, scalars = str(arrays[f"kind/{name}"]), arrays[f"scalars/{name}"]
    if kind not in _SCALARS:
        raise ValueError(f"operator {plain(name)} is of kind {plain(kind)}; this version has {', '.join(_SCALARS)}")
    fields = ("channels", *_SCALARS[kind])
    if scalars.shape[1] != len(fields):
        raise ValueError(f"operator {plain(name)} has {scalars.shape[1] - 1} scalars, a {kind} {len(fields) - 1}")
    there = scalars[:, 0] != 0
    for place, field in enumerate(fields[1:], 1):
        low, high = _RANGES.get(field, (-128, 127))
        values = scalars[there, place]
        wrong = values[(values < low) | (values > high)]
        if wrong.size:
            raise ValueError(f"{field} of operator {plain(name)} is {wrong[0]}; {low} to {high} is right")
    if kind != "ConvQuant":
        return
    for key in (f"layer/{name}", f"channels/{name}"):
        if key not in arrays:
            raise ValueError(f"array {plain(key)} is missing")
    most = len(arrays[f"layer/{name}"])
    if scalars[:, 0].min(initial=0) < 0 or scalars[:, 0].max(initial=0) > most:
        raise ValueError(f"{plain(name)} has {scalars[:, 0].max()} channels, its layer {most}")
    each = arrays[f"channels/{name}"]
    if each.shape[1:] != (3, most):
        raise ValueError(f"channels/{plain(name)} is {each.shape}, not (SubNets, 3, {most})")
    multiplier, shift = each[:, 1], each[:, 2]
    least, beyond = 1 << (MULTIPLIER_BITS - 1), 1 << MULTIPLIER_BITS
    wrong = multiplier[(multiplier != 0) & ((multiplier < least) | (multiplier >= beyond))]
    if wrong.size:
        raise ValueError(f"a multiplier of {plain(name)} is {wrong[0]}; 0 or {least} to {beyond - 1} is right")
    if shift.min(initial=0) < 0 or shift.max(initial=0) > SHIFT_MAX:
        raise ValueError(f"a shift of {plain(name)} is {shift.max()}; 0 to {SHIFT_MAX} is right")
    table = arrays.get(f"table/{name}")
    if table is not None and (table.dtype != np.int8 or table.shape[1] != 256):
        raise ValueError(f"table/{plain(name)} is {table.dtype} {table.shape}, not int8 (SubNets, 256)")


def _operator(arrays: Arrays, name: str, row: int) -> OpQuant | None:
    k, *scalars = arrays[f"scalars/{name}"][row].tolist()
    kind = str(arrays[f"kind/{name}"])
    if k == 0:
        return None
    if kind in _WHOLE:
        made: OpQuant = _WHOLE[kind](*scalars)
        return made
    bias, multiplier, shift = arrays[f"channels/{name}"][row, :, :k]
    z_in, z_out, lo, hi = scalars
    tables = arrays.get(f"table/{name}")
    return ConvQuant(bias, multiplier, shift, z_in, z_out, lo, hi, None if tables is None else tables[row])


def _some(names: set[str]) -> str:
    return plain(", ".join(sorted(names)[:3]))
