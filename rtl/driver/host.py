"""What the host computes around a Program of a network that was imported, and what the machine's integers stand for.

The steps are values: they come with the package, from the model's file, and NumPy computes them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import DriverError
from .host_steps import HostStep, run_steps
from .tensor import Place

Array = npt.NDArray[Any]
Int8 = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Scale:
    """How int8 numbers stand for the model's: ``real = scale * (int8 - zero_point)``.

    Attributes
    ----------
    scale : a float32's value.
    zero_point : of the int8 numbers.
    offset : 128 for a tensor that is uint8 in the model (``int8 = uint8 - 128``), else 0.

    Examples
    --------
    >>> pixels = Scale(0.5, -128, 128)
    >>> pixels.machine(np.array([0, 3], np.uint8)).tolist(), pixels.machine(np.array([0, 1.5], np.float32)).tolist()
    ([-128, -125], [-128, -125])
    >>> pixels.real(np.array([-125], np.int8)).tolist(), pixels.stored(np.array([-125], np.int8)).tolist()
    ([1.5], [3])
    """

    scale: float
    zero_point: int
    offset: int

    def machine(self, tensor: Array) -> Int8:
        """The int8 numbers of a tensor of the model: real numbers, or its own bytes."""
        if tensor.dtype.kind == "f":
            steps = np.rint(tensor.astype(np.float32) / np.float32(self.scale)) + np.float32(self.zero_point)
            return np.asarray(np.clip(steps, -128, 127), np.int8)
        return (tensor.astype(np.int16) - self.offset).astype(np.int8)

    def real(self, tensor: Int8) -> npt.NDArray[np.float32]:
        """The real numbers that int8 numbers stand for."""
        steps = (tensor.astype(np.int32) - self.zero_point).astype(np.float32)
        return np.asarray(steps * np.float32(self.scale), np.float32)

    def stored(self, tensor: Int8) -> Array:
        """The bytes of the model, int8 or uint8."""
        return (tensor.astype(np.int16) + self.offset).astype(np.uint8 if self.offset else np.int8)


@dataclass(frozen=True)
class HandedTensor:
    """A tensor of the machine's that the model's results are made of.

    Attributes
    ----------
    place : where it is in memory.
    channels : those of ``place`` that the model has, in order; () for all.
    scale : what its integers stand for.
    dims : its sizes in the model, the batch first.
    turned : the model has its channels last.
    stored : the model has its integers, not the real numbers.
    """

    place: Place
    channels: tuple[int, ...]
    scale: Scale
    dims: tuple[int, ...]
    turned: bool
    stored: bool

    def seen(self, tensor: Int8) -> Array:
        """The machine's (C, H, W) tensor as the model has it."""
        chosen = tensor[list(self.channels)] if self.channels else tensor
        made = self.scale.stored(chosen) if self.stored else self.scale.real(chosen)
        return (made.transpose(1, 2, 0) if self.turned else made).reshape(self.dims)


@dataclass(frozen=True, eq=False)
class HostWork:
    """What is computed before and after the Program of one network.

    Attributes
    ----------
    image : name of the model's input.
    dims : its sizes, without the batch.
    image_type : the type of the model's input, "float32", "uint8" or "int8".
    prologue, epilogue : the steps before and after, in order.
    feeds : the tensor that the prologue makes for the machine; "" if the machine reads the input itself.
    image_scale : what the integers of the machine's image stand for.
    handed : the machine's tensors that results are made of, by the names that the model has for them.
    results : names of the model's results.
    """

    image: str
    dims: tuple[int, ...]
    image_type: str
    prologue: tuple[HostStep, ...]
    feeds: str
    image_scale: Scale
    epilogue: tuple[HostStep, ...]
    handed: Mapping[str, HandedTensor]
    results: tuple[str, ...]

    def prepared(self, image: Array, shape: tuple[int, int, int]) -> Int8:
        """The machine's image, int8 (C, H, W).

        Parameters
        ----------
        image : one image as the model takes it, without the batch.
        shape : of the machine's image.

        Raises
        ------
        DriverError
            The image has another type or other sizes.
        """
        array = np.asarray(image)
        if array.shape != self.dims or array.dtype != self.image_type:
            raise DriverError(
                f"the image is {array.dtype} {array.shape}; the model takes {self.image_type} {self.dims}"
            )
        made = run_steps(self.prologue, {self.image: array[None]})[self.feeds or self.image]
        return self.image_scale.machine(made).reshape(shape)

    def finished(self, tensors: Mapping[str, Int8]) -> dict[str, Array]:
        """The model's results by name.

        Parameters
        ----------
        tensors : those of :attr:`handed`, int8 (C, H, W) as the machine left them.
        """
        made = run_steps(self.epilogue, {name: one.seen(tensors[name]) for name, one in self.handed.items()})
        return {name: made[name] for name in self.results}

    def to_json(self) -> dict[str, Any]:
        """Values that JSON has."""
        return {
            **{name: getattr(self, name) for name in ("image", "dims", "image_type", "feeds", "results")},
            "image_scale": vars(self.image_scale),
            "prologue": _steps_out(self.prologue),
            "epilogue": _steps_out(self.epilogue),
            "handed": {
                name: {**vars(one), "place": vars(one.place), "scale": vars(one.scale)}
                for name, one in self.handed.items()
            },
        }

    @classmethod
    def of_json(cls, row: Mapping[str, Any]) -> HostWork:
        """The inverse of :meth:`to_json`."""
        handed = {
            name: HandedTensor(
                Place(**one["place"]),
                tuple(one["channels"]),
                Scale(**one["scale"]),
                tuple(one["dims"]),
                one["turned"],
                one["stored"],
            )
            for name, one in row["handed"].items()
        }
        return cls(
            row["image"],
            tuple(row["dims"]),
            row["image_type"],
            _steps_in(row["prologue"]),
            row["feeds"],
            Scale(**row["image_scale"]),
            _steps_in(row["epilogue"]),
            handed,
            tuple(row["results"]),
        )


def _steps_out(steps: Sequence[HostStep]) -> list[dict[str, Any]]:
    """Steps in values that JSON has; arrays and bytes are objects with one key."""
    return [
        {
            **{name: getattr(step, name) for name in ("op", "name", "inputs", "outputs", "opset")},
            "attributes": {name: _out(value) for name, value in step.attributes.items()},
            "constants": {name: _out(np.asarray(value)) for name, value in step.constants.items()},
        }
        for step in steps
    ]


def _steps_in(rows: Sequence[Mapping[str, Any]]) -> tuple[HostStep, ...]:
    return tuple(
        HostStep(
            row["op"],
            row["name"],
            tuple(row["inputs"]),
            tuple(row["outputs"]),
            {name: _in(value) for name, value in row["attributes"].items()},
            {name: _in(value) for name, value in row["constants"].items()},
            row["opset"],
        )
        for row in rows
    )


def _out(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        return {
            "array": base64.b64encode(array.tobytes()).decode(),
            "type": array.dtype.newbyteorder("<").str,
            "shape": array.shape,
        }
    return list(value) if isinstance(value, tuple) else value


def _in(value: Any) -> Any:
    if isinstance(value, dict) and "bytes" in value:
        return base64.b64decode(value["bytes"])
    if isinstance(value, dict):
        kind = np.dtype(value["type"])
        if kind.kind not in "fiub":
            raise ValueError(value["type"])
        return np.frombuffer(base64.b64decode(value["array"]), kind).reshape(value["shape"])
    return value
