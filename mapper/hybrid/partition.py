"""The partition: which input channels of each layer stay digital, chosen without retraining."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.errors import AnalogError
from arch_model.files.json_file import parse_json
from arch_model.files.shown import plain, shown
from arch_model.files.text import read_text
from arch_model.files.wanted import Wanted, one_line
from arch_model.files.writing import write_whole
from arch_model.network.layer import Layer

FORMAT = "fastswitch-partition-1"
PARTITION = "partition.json"
"""The file's name in the folder of ``fastswitch partition``."""

Mask = npt.NDArray[np.bool_]
Scores = Mapping[str, npt.NDArray[np.float64]]
"""A number for each weight, (K, C, R, S) by layer."""


class Ranking(StrEnum):
    """What comes first into the digital half."""

    RANDOM = "random"
    MAGNITUDE = "magnitude"
    """Sum of |w| of an input channel's weights."""
    GRADIENT = "gradient"
    """Sum of |g w|, g the gradient of the loss of an image."""
    FISHER = "fisher"
    """Sum of g**2 w**2: the loss that independent relative noise costs, to second order."""
    FISHER_PER_BYTE = "fisher-per-byte"
    """The same over the bytes that making the channel digital moves: its weights and its activations."""
    WEIGHTS = "weights"
    """Single weights (IWS) by g**2 w**2."""
    FIRST_LAST = "first-last"
    """Whole layers, from both ends inwards: the first, the last, the second, ..."""


@dataclass(frozen=True)
class Partition:
    """The digital half of one network.

    Attributes
    ----------
    network, network_hash : its name, and what tells it from others.
    channels : input channels by layer, ascending.
    weights : single weights by layer, as indices into the flat (K, C, R, S) array.
    facts : how it was found.
    """

    network: str
    network_hash: str
    channels: Mapping[str, tuple[int, ...]]
    weights: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def masks(self, layers: Sequence[Layer], network_hash: str) -> dict[str, Mask]:
        """What is digital, by layer.

        Parameters
        ----------
        layers : the network's layers with weights.
        network_hash : the network's.

        Returns
        -------
        dict
            Bool (C,) by layer, or (K, C, R, S) if single weights are digital.

        Raises
        ------
        AnalogError
            The layers, or ``network_hash``, are another network's.
        """
        if network_hash != self.network_hash:
            raise AnalogError(
                f"partition is of network {plain(self.network)} ({plain(self.network_hash)}), not of {network_hash}; "
                "make one for this network with fastswitch partition"
            )
        known = {layer.name: layer for layer in layers}
        masks: dict[str, Mask] = {}
        for name, channels in self.channels.items():
            layer = _layer(known, name)
            masks[name] = _mask(f"channels of layer {name}", channels, layer.C)
        for name, indices in self.weights.items():
            layer = _layer(known, name)
            mask = _mask(f"weights of layer {name}", indices, layer.weight_bytes)
            mask = mask.reshape(layer.K, layer.C, layer.R, layer.S)
            masks[name] = mask | masks[name][None, :, None, None] if name in masks else mask
        return masks

    def to_json(self) -> str:
        """One JSON object; :meth:`from_json` reads it."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1, allow_nan=False)
        return re.sub(r"\[[\d\s,]*\]", lambda numbers: " ".join(numbers[0].split()), text)  # a layer a line

    @classmethod
    def from_json(cls, text: str, source: str = "partition") -> Partition:
        """Read what :meth:`to_json` writes.

        Parameters
        ----------
        text : the JSON.
        source : what the text is called at the start of an error.

        Raises
        ------
        AnalogError
            The text is no partition; the line begins with ``source``.
        """
        wanted = Wanted(f"{source}: not a partition", "a file of fastswitch partition", AnalogError)
        record = parse_json(text, wanted)
        try:
            if (found := record.pop("format")) != FORMAT:
                raise ValueError(f"format {shown(found)}, and this version reads {FORMAT}")
            numbers = {
                key: {str(name): _indices(values) for name, values in record.pop(key).items()}
                for key in ("channels", "weights")
            }
            made = cls(**{**record, **numbers})
            if not (isinstance(made.network, str) and isinstance(made.network_hash, str)):
                raise ValueError("a network that is no text")
            if not isinstance(made.facts, dict):
                raise ValueError("facts that are no record")
            return made
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise AnalogError(
                f"{source}: not a partition ({one_line(error)}); give a file of fastswitch partition"
            ) from None

    def write(self, path: Path) -> None:
        """Write :meth:`to_json` to a file, whole or not at all."""
        write_whole(path, self.to_json() + "\n")

    @staticmethod
    def place(path: Path) -> Path:
        """The file that :meth:`read` reads."""
        return path / PARTITION if path.is_dir() else path

    @classmethod
    def read(cls, path: Path) -> Partition:
        """Read a file that :meth:`write` wrote, or the one in the folder of ``fastswitch partition``."""
        path = cls.place(path)
        wanted = Wanted(f"partition {path}", "a file of fastswitch partition", AnalogError)
        return cls.from_json(read_text(path, wanted), str(path))


@dataclass(frozen=True, eq=False)
class RankedUnits:
    """What can become digital, in order.

    Attributes
    ----------
    network, network_hash : its name, and what tells it from others.
    layers : those with weights.
    ranking : by which the units are in order.
    layer : number of each unit's layer, (units,).
    index : of each unit's channel or, for single weights, into the flat (K, C, R, S) array, (units,).
    size : of each in weights, (units,).
    """

    network: str
    network_hash: str
    layers: tuple[Layer, ...]
    ranking: Ranking
    layer: npt.NDArray[np.int64]
    index: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]

    @property
    def total(self) -> int:
        """Weights of the network."""
        return int(self.size.sum())

    def fraction(self, count: int) -> float:
        """Fraction of the weights that the first ``count`` units hold."""
        return float(self.size[:count].sum() / self.total)

    def count(self, fraction: float) -> int:
        """How many units, from the first, have at most a fraction of all weights.

        Raises
        ------
        AnalogError
            ``fraction`` is not 0 to 1.
        """
        if not 0 <= fraction <= 1:
            raise AnalogError(f"fraction is {fraction:g}; give 0..1")
        return int(np.searchsorted(np.cumsum(self.size), fraction * self.total + 0.5, side="right"))

    def partition(self, count: int, facts: Mapping[str, Any] | None = None) -> Partition:
        """The partition in which the first units are digital.

        Parameters
        ----------
        count : of units.
        facts : what else the partition says of itself.
        """
        chosen: dict[str, tuple[int, ...]] = {}
        for i, layer in enumerate(self.layers):
            indices = np.sort(self.index[:count][self.layer[:count] == i])
            if indices.size:
                chosen[layer.name] = tuple(indices.tolist())
        whole = self.ranking is not Ranking.WEIGHTS
        about = {"ranking": str(self.ranking), "digital_fraction": self.fraction(count), **(facts or {})}
        return Partition(self.network, self.network_hash, chosen if whole else {}, {} if whole else chosen, about)


def bytes_moved(layer: Layer) -> int:
    """Bytes that one input channel of ``layer`` moves for an image if it is digital: its weights and activations.

    >>> from arch_model.network.layer import Kind
    >>> bytes_moved(Layer("a", Kind.CONV, K=8, C=4, R=3, S=3, H=10, W=10, padding=1))      # 8*9 + 100
    172
    """
    return layer.K * layer.R * layer.S + layer.H * layer.W


def partition_bytes(partition: Partition, layers: Sequence[Layer]) -> dict[str, int]:
    """Bytes a partition moves for an image.

    A channel of which only some weights are digital is needed by both halves, so its activations are extra; those of a
    whole channel go to one side. An index is the four bytes of a position in its layer; partial sums are not counted.

    Parameters
    ----------
    partition : what is digital.
    layers : the network's layers with weights.

    Returns
    -------
    dict
        ``weights``, their ``indices`` (single weights only) and ``activations``.
    """
    known = {layer.name: layer for layer in layers}
    weights = indices = activations = 0
    for name, channels in partition.channels.items():
        layer = known[name]
        weights += len(channels) * layer.K * layer.R * layer.S
        activations += len(channels) * layer.H * layer.W
    for name, single in partition.weights.items():
        layer = known[name]
        weights += len(single)
        indices += 4 * len(single)
        touched = np.unique((np.asarray(single) // (layer.R * layer.S)) % layer.C)
        activations += len(touched) * layer.H * layer.W
    return {"weights": weights, "indices": indices, "activations": activations}


def rank(
    network: str,
    network_hash: str,
    layers: Sequence[Layer],
    ranking: Ranking,
    scores: Scores | None = None,
    seed: int = 0,
) -> RankedUnits:
    """Order the input channels of layers (single weights for ``weights``), best first.

    Ties keep the order of layers and channels.

    Parameters
    ----------
    network, network_hash : its name, and what tells it from others.
    layers : those with weights.
    ranking : by what.
    scores : by weight, |w| for ``magnitude``, |g w| for ``gradient``, g**2 w**2 for those by Fisher; not needed for the
        others.
    seed : of a random order.

    Raises
    ------
    AnalogError
        The ranking needs scores, and there are none.
    """
    layers = tuple(layers)
    single = ranking is Ranking.WEIGHTS
    counts = [layer.weight_bytes if single else layer.C for layer in layers]
    layer_of = np.repeat(np.arange(len(layers)), counts)
    index = np.concatenate([np.arange(n) for n in counts])
    sizes = np.array([1 if single else layer.K * layer.R * layer.S for layer in layers])
    if ranking is Ranking.RANDOM:
        order = np.random.default_rng(np.random.SeedSequence(seed)).permutation(len(index))
    elif ranking is Ranking.FIRST_LAST:
        from_end = np.minimum(2 * np.arange(len(layers)), 2 * (len(layers) - 1 - np.arange(len(layers))) + 1)
        order = np.argsort(from_end[layer_of], kind="stable")
    else:
        if scores is None:
            raise AnalogError(f"ranking {ranking} needs scores of the weights; give them")
        by_layer = [scores[layer.name] for layer in layers]
        value = np.concatenate([s.ravel() if single else s.sum(axis=(0, 2, 3)) for s in by_layer])
        if ranking is Ranking.FISHER_PER_BYTE:
            value = value / np.array([bytes_moved(layer) for layer in layers])[layer_of]
        order = np.argsort(-value, kind="stable")
    return RankedUnits(network, network_hash, layers, ranking, layer_of[order], index[order], sizes[layer_of][order])


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{shown(value)} is not a whole number")
    return value


def _indices(values: Any) -> tuple[int, ...]:
    """Indices of a file: ascending, so that none counts twice."""
    found = tuple(map(_whole, values))
    if any(one >= other for one, other in pairwise(found)):
        raise ValueError("indices that do not ascend")
    return found


def _layer(known: Mapping[str, Layer], name: str) -> Layer:
    if name not in known:
        raise AnalogError(
            f"partition: the network has no weights in a layer {plain(name)}; give one of {', '.join(known)}"
        )
    return known[name]


def _mask(what: str, indices: Sequence[int], size: int) -> Mask:
    mask = np.zeros(size, np.bool_)
    least, most = min(indices, default=0), max(indices, default=0)  # of Python: a file's may exceed int64
    if indices and not (least >= 0 and most < size):
        raise AnalogError(f"partition: {what} go from {shown(least)} to {shown(most)}; give 0..{size - 1}")
    mask[np.asarray(indices, dtype=np.int64)] = True
    return mask
