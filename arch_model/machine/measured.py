"""A machine known only by measurements: the published FPGA design, whose array sweeps input pixels.

An :class:`~arch_model.machine.accelerator.Accelerator` describes a machine of our design: its latency follows from its
buffers, ports and Program, and nothing in it is fitted. Of the published design there is no Program to walk, only
measured latencies. So it has a description of its own: the array that is known, three constants that are fitted, and
where those come from. It predicts latency and can be neither compiled for nor generated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field, ModelWrapValidatorHandler, model_validator
from pydantic_core.core_schema import ValidationInfo

from arch_model.errors import MappingError
from arch_model.machine.accelerator import TAPS
from arch_model.machine.description import (
    NAME,
    NAME_IS,
    Section,
    checked,
    parse_mapping,
    preset_files,
    read_description,
    within,
)
from arch_model.machine.sections import Array
from arch_model.network.layer import Kind, Layer
from arch_model.physical import BYTES_PER_S, CLOCK_HZ, START_S

if TYPE_CHECKING:
    import pandas as pd

Ints: TypeAlias = npt.NDArray[np.int64]
Sizes: TypeAlias = int | Ints
Floats: TypeAlias = npt.NDArray[np.float64]

KERNEL = 3
STRIDES = (1, 2)
PADDING = 1

_Names = Annotated[tuple[str, ...], Field(strict=False, min_length=1, description="a list of one or more texts")]


class Constants(Section):
    """What was fitted: everything that the arithmetic of the array does not explain."""

    start_s: float = within(START_S, example=": once a layer")
    weight_bytes_per_s: float = within(BYTES_PER_S, example=": weight tiles from DRAM")
    input_bytes_per_s: float = within(BYTES_PER_S, example=": input channel groups from DRAM")


class Errors(Section):
    """How far predictions lie from measurements: relative errors as fractions, Spearman's rank correlation."""

    mean: float = Field(ge=0, description="the mean absolute relative error, a fraction")
    maximum: float = Field(ge=0, description="the largest absolute relative error, a fraction")
    rank_correlation: float = Field(ge=-1, le=1, description="Spearman's rank correlation, -1 to 1")


class Provenance(Section):
    """Where the constants come from."""

    source: str = Field(min_length=1, description="whose measurements they are, a text")
    measured: str = Field(min_length=1, description="the name of the file of measured latencies")
    measured_sha256: str = Field(pattern="^[0-9a-f]{64}$", description="64 hexadecimal digits in quotes")
    layers: str = Field(min_length=1, description="the name of the file of the layers' shapes")
    layers_sha256: str = Field(pattern="^[0-9a-f]{64}$", description="64 hexadecimal digits in quotes")
    networks: _Names
    points: int = Field(ge=1, description="how many latencies were fitted, 1 or more")
    command: str = Field(min_length=1, description="the command that fitted the constants")
    residuals: Errors = Field(description=f"a section with {', '.join(Errors.model_fields)}")
    held_out: Errors = Field(description=f"a section with {', '.join(Errors.model_fields)}: left-out networks")


class MeasuredMachine(Section):
    """An accelerator whose array keeps a K-tile x C-tile of weights still while it sweeps the *input* pixels.

    A pass takes (H + 1)(W + 1) cycles at any stride, so stride 2 wastes three in four; ceil(K / KP) * ceil(C / CP)
    passes make a layer. The measurements are best explained by weights and inputs that come in whole tiles while the
    array waits, and by outputs that leave while it works (``docs/studies/measured.md``). They are of 3 x 3 convolutions
    alone, and so are predictions (:meth:`covers`).

    >>> sushi = MeasuredMachine.load("sushi-zcu104")
    >>> layer = Layer("s4b2_conv2", Kind.CONV, K=512, C=512, R=3, S=3, H=6, W=6, padding=1)
    >>> round(1e6 * float(sushi.cost([layer]).latency_s[0]))   # microseconds; the board took 1539
    1552
    """

    name: Annotated[str, Field(pattern=NAME, description=NAME_IS)]
    model: Literal["input-sweep"] = Field(description="input-sweep, the one model of a measured machine")
    array: Array = Field(description="a section with kp, cp")
    clock_hz: Annotated[float, within(CLOCK_HZ, example=", a number such as 100_000_000")]
    constants: Constants = Field(description=f"a section with {', '.join(Constants.model_fields)}")
    provenance: Provenance = Field(description=f"a section with {', '.join(Provenance.model_fields)}")

    @property
    def multipliers(self) -> int:
        """Int8 multipliers of the array, 9 * KP * CP."""
        return TAPS * self.array.kp * self.array.cp

    def covers(self, layer: Layer) -> bool:
        """Whether measurements bear on this layer: a convolution, 3 x 3, stride 1 or 2, padding 1, one group."""
        return self._outside(layer) is None

    def _outside(self, layer: Layer) -> str | None:
        """What of a layer was never measured, as "field is value; give legal"."""
        checks: tuple[tuple[str, object, Sequence[object]], ...] = (
            ("kind", str(layer.kind), (str(Kind.CONV),)),
            ("R", layer.R, (KERNEL,)),
            ("S", layer.S, (KERNEL,)),
            ("stride", layer.stride, STRIDES),
            ("padding", layer.padding, (PADDING,)),
            ("groups", layer.groups, (1,)),
        )
        for field, value, legal in checks:
            if value not in legal:
                return f"{field} is {value}; give {' or '.join(map(str, legal))}"
        return None

    def cost(self, layers: Iterable[Layer]) -> SweepCost:
        """What each layer takes.

        Parameters
        ----------
        layers : of which all are covered (:meth:`covers`).

        Returns
        -------
        SweepCost
            Arrays with one number for each layer, in their order.

        Raises
        ------
        MappingError
            A layer is not covered; the line names the first one, its field and the value.
        """
        all_layers = tuple(layers)
        for layer in all_layers:
            if outside := self._outside(layer):
                raise MappingError(
                    f"layer {layer.name}: {outside}; {self.name} is known by measurements of such layers alone"
                )
        sizes = np.array([(layer.K, layer.C, layer.H, layer.W) for layer in all_layers], np.int64).reshape(-1, 4)
        return self.sweep(*sizes.T, names=tuple(layer.name for layer in all_layers))

    def sweep(self, K: Sizes, C: Sizes, H: Sizes, W: Sizes, *, names: tuple[str, ...] | None = None) -> SweepCost:
        """The cost of 3 x 3 layers given as arrays of sizes, which broadcast; otherwise as :meth:`cost`.

        Parameters
        ----------
        K, C : output and input channels.
        H, W : rows and columns of the input.
        names : the layers' names, if they have any.

        Examples
        --------
        >>> sushi = MeasuredMachine.load("sushi-zcu104")
        >>> sushi.sweep(16, np.array([9, 10, 18]), 7, 7).sweep_cycles   # one pass, two, two, of 8 * 8
        array([ 64, 128, 128])
        """
        K, C, H, W = (np.asarray(size, np.int64) for size in (K, C, H, W))
        kp, cp = self.array.kp, self.array.cp
        groups = -(-C // cp)
        passes = -(-K // kp) * groups
        cycles, weight_bytes, input_bytes = np.broadcast_arrays(
            passes * (H + 1) * (W + 1), passes * (TAPS * kp * cp), groups * cp * H * W
        )
        constants = self.constants
        return SweepCost(
            names=names,
            clock_hz=self.clock_hz,
            sweep_cycles=cycles,
            weight_bytes=weight_bytes,
            input_bytes=input_bytes,
            start_s=np.full(cycles.shape, constants.start_s),
            sweep_s=cycles / self.clock_hz,
            weights_s=weight_bytes / constants.weight_bytes_per_s,
            inputs_s=input_bytes / constants.input_bytes_per_s,
        )

    @classmethod
    def load(cls, name_or_path: str | Path) -> MeasuredMachine:
        """Read a preset by its name, or a YAML file by its path.

        Raises :class:`AcceleratorError`, one line that names the file, the key, its value and what would be legal.
        """
        text = read_description(name_or_path, preset_files("measured"))
        return cls.parse(text, f"accelerator {name_or_path}")

    @classmethod
    def parse(cls, text: str, source: str) -> MeasuredMachine:
        """Read a YAML text.

        Parameters
        ----------
        text : the description.
        source : what the text is called at the start of an error.

        Raises
        ------
        AcceleratorError
            The text describes no machine.
        """
        return cls.model_validate(parse_mapping(text, source, cls.model_fields), context={"source": source})

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        return checked(cls, data, handler, info)[0]


@dataclass(frozen=True)
class SweepCost:
    """Layers on a :class:`MeasuredMachine`: arrays of one shape, times in seconds; their sum is the latency.

    Attributes
    ----------
    clock_hz : hertz, of the array.
    sweep_s : seconds in which the array takes input pixels.
    weights_s, inputs_s : seconds in which weights and inputs come from DRAM.
    """

    names: tuple[str, ...] | None
    """The layers' names; None where sizes were given."""
    clock_hz: float
    sweep_cycles: Ints
    """Cycles in which the array takes an input pixel."""
    weight_bytes: Ints
    """Weights in whole tiles."""
    input_bytes: Ints
    """Inputs in whole groups of CP channels."""
    start_s: Floats
    """The host's start and poll."""
    sweep_s: Floats
    weights_s: Floats
    inputs_s: Floats

    @property
    def latency_s(self) -> Floats:
        """Seconds from the host's start to its seeing the end."""
        return self.start_s + self.sweep_s + self.weights_s + self.inputs_s

    @property
    def cycles(self) -> Ints:
        """The latency in cycles of the array's clock, to the nearest."""
        return np.rint(self.latency_s * self.clock_hz).astype(np.int64)

    @property
    def bound(self) -> npt.NDArray[np.str_]:
        """The largest part of each layer's latency: start, sweep, weights or inputs."""
        names = np.array(("start", "sweep", "weights", "inputs"))
        largest = np.argmax([self.start_s, self.sweep_s, self.weights_s, self.inputs_s], axis=0)
        return np.asarray(names[largest])

    def to_frame(self) -> pd.DataFrame:
        """One row a layer: its name, cycles, latency_s, bound, then the parts."""
        import pandas as pd  # a third of a second: only those who ask for a table wait for it

        parts = [field.name for field in fields(self)[2:]]
        columns = {key: np.ravel(getattr(self, key)) for key in ("cycles", "latency_s", "bound", *parts)}
        frame = pd.DataFrame(columns)
        if self.names is not None:
            frame.insert(0, "name", list(self.names))
        return frame
