"""The weights of a SuperNet in int8, and the integers of SubNets that share them: what a weights file holds.

A SubNet's weights are the leading filters and channels of the SuperNet's, so one array a layer serves all; what differs
between SubNets (folded bias, multipliers, zero points) is stored for each. The file that ships is ``fashion``'s.

The arithmetic is that of ``arch_model.network.quant``; ``fastswitch.quantise`` makes weights of a PyTorch model.
"""

from __future__ import annotations

import difflib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.errors import WeightsError
from arch_model.files.json_file import parse_json
from arch_model.files.wanted import Wanted, one_line
from arch_model.files.writing import whole_file
from arch_model.network.operator_integers import AddQuant, ConvQuant, MaxPoolQuant, OpQuant, PoolQuant, ScaleQuant
from arch_model.network.supernet import Config, SuperNet
from arch_model.network.supernet_text import parse_config, parse_supernet, supernet_text
from arch_model.network.weights_arrays import (
    DESCRIPTION,
    FORMAT,
    NUMBERS,
    Arrays,
    check_arrays,
    layers_of,
    operators_of,
    pack_operators,
    read_arrays,
)
from arch_model.network.weights_check import check_fit

__all__ = [
    "AddQuant",
    "ConvQuant",
    "MaxPoolQuant",
    "OpQuant",
    "PoolQuant",
    "QuantizedSubNet",
    "ScaleQuant",
    "SuperNetWeights",
    "check_weights",
    "load_weights",
    "save_weights",
    "weights_bytes",
]

DEFAULT_PATH = Path(__file__).parents[1] / "data" / "fashion.npz"


@dataclass(frozen=True, eq=False)
class QuantizedSubNet:
    """One SubNet whose integers are stored.

    Attributes
    ----------
    name : of the SubNet.
    depth, width : blocks and channels of each stage, of ``fashion``; () where a SuperNet has other choices.
    macs : products for an image.
    top1, top1_subset : fractions right of all test images and of those that the file holds, by the integers below (the
        first of equal logits wins). Not a number: it was not measured.
    top1_float : of all test images, before quantisation.
    ops : the integers by operator, in the order of execution; the names are those of the SubNet's layers.
    config : the choices, as (keyword, value) pairs of the SuperNet's ``build``; () if the name alone says them.
    """

    name: str
    depth: tuple[int, ...]
    width: tuple[int, ...]
    macs: int
    top1: float
    top1_subset: float
    top1_float: float
    ops: Mapping[str, OpQuant]
    config: Config = ()


@dataclass(frozen=True, eq=False)
class SuperNetWeights:
    """Everything in a weights file; every array is read-only.

    Attributes
    ----------
    layers : int8 (K, C / groups, R, S) weights of the whole SuperNet by layer. A SubNet's are the leading filters and
        channels, and the centre of the kernel.
    subnets : by name, in order of MACs.
    images : uint8 (N, H, W) or (N, C, H, W), the first test images; the network's input is ``pixel - 128`` as int8.
    labels : uint8 (N,), what the images show.
    metadata : how the file was made; ``input`` has scale and zero point of a pixel, where they are known.
    space : name of the SuperNet, "" if the file is older than that.
    supernet : the SuperNet itself, if it was made with the weights and has no other file.
    """

    layers: Mapping[str, npt.NDArray[np.int8]]
    subnets: Mapping[str, QuantizedSubNet]
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    space: str = ""
    supernet: SuperNet | None = None

    def only(self, names: Iterable[str]) -> SuperNetWeights:
        """The weights with these SubNets alone.

        Raises
        ------
        WeightsError
            The weights lack one of them; the line names one that is near.

        Examples
        --------
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


def load_weights(path: str | Path | None = None, supernet: SuperNet | None = None) -> SuperNetWeights:
    """Read a weights file: a SuperNet's int8 weights, and the integers of SubNets that share them.

    Parameters
    ----------
    path : a file that :func:`save_weights` wrote. None: the one of ``fashion``, which ships.
    supernet : check that these are its weights. None: of the SuperNet that the file holds, if it does.

    Returns
    -------
    SuperNetWeights

    Raises
    ------
    WeightsError
        One line that names the file: it is missing, cut off, damaged or some other file; lacks an array; has one of
        another type or shape, integers out of range, or what the SuperNet does not have.

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
    arrays = read_arrays(path, f"an npz of format {FORMAT}, as fastswitch.save_weights writes it")
    try:
        weights = _unpack(arrays, Wanted(f"{path}: inconsistent weights file", "one of this version", WeightsError))
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise WeightsError(
            f"{path}: inconsistent weights file ({one_line(error)}); write it anew with fastswitch.save_weights"
        ) from None
    whose = supernet or weights.supernet
    if whose is not None:
        check_weights(weights, whose, str(path))
    return weights


def check_weights(weights: SuperNetWeights, supernet: SuperNet, source: str = "weights") -> None:
    """Check that weights are those of a SuperNet, and complete for each of their SubNets.

    Parameters
    ----------
    weights : to check.
    supernet : whose they should be.
    source : how the error begins, such as the name of the file.

    Raises
    ------
    WeightsError
        One line: which layer or SubNet has what that the SuperNet has not, or lacks what it has.
    """
    if weights.space not in ("", supernet.name):
        raise WeightsError(f"{source}: weights of SuperNet {weights.space}; give those of {supernet.name}")
    try:
        check_fit(supernet, weights.layers, {name: net.ops for name, net in weights.subnets.items()}, weights.images)
    except ValueError as error:
        raise WeightsError(f"{source}: {one_line(error)}; give the weights of SuperNet {supernet.name}") from None


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
        A layer's weights are not int8, or an operator is of one kind in one SubNet and of another in another.
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
    data = weights_bytes(weights, path)
    with whole_file(Path(path)) as file:
        file.write(data)


def weights_bytes(weights: SuperNetWeights, path: str | Path = "weights") -> bytes:
    """What :func:`save_weights` writes, for whoever writes files in another way.

    Parameters
    ----------
    weights : what to write.
    path : how an error begins.

    Returns
    -------
    bytes
        The same for the same weights.

    Raises
    ------
    WeightsError
        As :func:`save_weights` does.
    """
    arrays: dict[str, Any] = {
        "format": FORMAT,
        "metadata": json.dumps(dict(weights.metadata), sort_keys=True),
        "space": weights.space,
    }
    if weights.supernet is not None:
        arrays["supernet"] = np.frombuffer(supernet_text(weights.supernet).encode(), np.uint8)
    formats = {kind: text for text, kind in NUMBERS.items()}
    for name, w in weights.layers.items():
        if w.dtype not in formats:
            raise WeightsError(f"{path}: layer {name} is {w.dtype}; give weights in {', '.join(NUMBERS)}")
        arrays |= {f"layer/{name}": w, f"number/{name}": formats[w.dtype]}
    arrays |= {"images": weights.images, "labels": weights.labels}
    subnets = sorted(weights.subnets.values(), key=lambda s: (s.macs, s.name))
    for name in DESCRIPTION:
        values = np.array([getattr(s, name) for s in subnets])
        arrays[f"subnet/{name}"] = values if values.size else values.astype(np.int64)  # no depths or widths to tell
    arrays["subnet/config"] = np.array([json.dumps(dict(s.config)) for s in subnets], dtype=np.str_)
    try:
        arrays |= pack_operators([s.ops for s in subnets], {name: len(w) for name, w in weights.layers.items()})
    except ValueError as error:
        raise WeightsError(f"{path}: {error}") from None
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # "allow_pickle" would be one more array before NumPy 2.2
    return file.getvalue()


def _unpack(arrays: Arrays, wanted: Wanted) -> SuperNetWeights:
    check_arrays(arrays)
    layers, operators = layers_of(arrays), list(operators_of(arrays))
    columns = [arrays[f"subnet/{name}"].tolist() for name in DESCRIPTION]
    configs = arrays.get("subnet/config", np.full(len(operators), "{}"))
    subnets = {}
    for row, (name, depth, width, macs, top1, top1_subset, top1_float) in enumerate(zip(*columns, strict=True)):
        sizes, config = (tuple(depth), tuple(width), macs), parse_config(str(configs[row]), wanted)
        subnets[name] = QuantizedSubNet(name, *sizes, top1, top1_subset, top1_float, operators[row], config)
    if len(subnets) < len(operators):
        raise ValueError("two SubNets have one name")
    metadata = parse_json(str(arrays["metadata"]), wanted)
    if not isinstance(metadata, dict):
        raise ValueError("metadata is no JSON object")
    supernet = None if "supernet" not in arrays else parse_supernet(arrays["supernet"].tobytes(), wanted)
    space = str(arrays.get("space", ""))
    return SuperNetWeights(layers, subnets, arrays["images"], arrays["labels"], metadata, space, supernet)
