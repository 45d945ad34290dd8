"""The crossbar: how weights become cells, how inputs come in, how sums are converted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

from arch_model.errors import AnalogError

ACTIVATION_BITS = 8
"""Bits of an activation: int8 plus 128, the unsigned number that the DACs drive."""


class Encoding(StrEnum):
    """How a signed weight becomes conductances, which are not negative."""

    OFFSET = "offset"
    """``w + 2**(bits - 1)`` in one column (ISAAC); the offset times the sum of inputs is subtracted in digital."""
    DIFFERENTIAL = "differential"
    """Two columns, for positive and negative weights; currents are subtracted before one signed conversion."""
    SIGN_MAGNITUDE = "sign-magnitude"
    """Two columns likewise, each converted by itself; numbers are subtracted in digital."""

    @property
    def columns(self) -> int:
        """Columns of a cell slice: 2 if positive and negative weights have one each."""
        return 1 if self is Encoding.OFFSET else 2

    @property
    def conversions(self) -> int:
        """Conversions of a cell slice."""
        return 2 if self is Encoding.SIGN_MAGNITUDE else 1

    @property
    def is_signed(self) -> bool:
        """Whether the ADC meets negative values."""
        return self is Encoding.DIFFERENTIAL


class Conversion(StrEnum):
    """What an ADC converts."""

    WORD = "word"
    """The sum of a row block with all its slices, combined in analog by their places."""
    SLICE = "slice"
    """The sum of a row block for one DAC slice and one cell slice, combined in digital."""


_WHOLE = {"rows": (1, 1 << 16), "cols": (1, 1 << 16), "cell_bits": (1, 8), "dac_bits": (1, 8), "weight_bits": (2, 8)}
_ADC_MOST = 32


@dataclass(frozen=True)
class Crossbar:
    """Arrays of cells, their DACs and ADCs.

    Parameters
    ----------
    encoding : how signed weights become cells.
    rows, cols : cells of an array.
    cell_bits : bits of a cell.
    dac_bits : bits of an input that are driven at a time.
    weight_bits : to which weights in analog are rounded (int8 weights in steps of ``2**(8 - weight_bits)``).
    conversion : what an ADC converts: the sum with all its slices, or each slice.
    adc_bits : of a conversion. None: an ideal one.
    percentile : share, in per cent, of calibration values within an ADC's range; those beyond are clipped.
    adc_bits_of, percentile_of : other values for single layers, by name.

    Raises
    ------
    AnalogError
        Naming the field, its value and what is legal.

    Examples
    --------
    >>> isaac = Crossbar(encoding="offset", conversion="slice", adc_bits=8)
    >>> isaac.cell_slices, isaac.dac_slices, isaac.cells
    (4, 8, 4)
    >>> Crossbar(adc_bits=0)
    Traceback (most recent call last):
    arch_model.errors.AnalogError: crossbar: adc_bits is 0; give 1..32, or none for an ideal conversion
    """

    encoding: Encoding = Encoding.DIFFERENTIAL
    rows: int = 128
    cols: int = 128
    cell_bits: int = 2
    dac_bits: int = 1
    weight_bits: int = 8
    conversion: Conversion = Conversion.WORD
    adc_bits: int | None = None
    percentile: float = 99.9
    adc_bits_of: Mapping[str, int] = field(default_factory=dict)
    percentile_of: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kind in (("encoding", Encoding), ("conversion", Conversion)):
            try:
                object.__setattr__(self, name, kind(getattr(self, name)))
            except ValueError:
                raise _error(name, getattr(self, name), f"one of {', '.join(kind)}") from None
        for name, (low, high) in _WHOLE.items():
            if not _is_whole(getattr(self, name), low, high):
                raise _error(name, getattr(self, name), f"{low}..{high}")
        for name, bits in {"adc_bits": self.adc_bits, **_named("adc_bits_of", self.adc_bits_of)}.items():
            if bits is not None and not _is_whole(bits, 1, _ADC_MOST):
                raise _error(name, bits, f"1..{_ADC_MOST}, or none for an ideal conversion")
        for name, share in {"percentile": self.percentile, **_named("percentile_of", self.percentile_of)}.items():
            if not isinstance(share, int | float) or not 50 <= share <= 100:
                raise _error(name, share, "per cent, 50..100")
        if self.encoding.is_signed and 1 in (self.adc_bits, *self.adc_bits_of.values()):
            raise _error("adc_bits", 1, "at least 2 for a differential encoding, whose sums have a sign")
        if self.cols < self.cells:
            raise _error("cols", self.cols, f"at least {self.cells}, the cells of one {self.encoding} weight")

    @property
    def magnitude_bits(self) -> int:
        """Bits that cells must hold: all of a weight with an offset, else those of its magnitude."""
        return self.weight_bits - (self.encoding is not Encoding.OFFSET)

    @property
    def cell_slices(self) -> int:
        """Cells of one column that hold a weight."""
        return -(-self.magnitude_bits // self.cell_bits)

    @property
    def dac_slices(self) -> int:
        """Steps in which an activation is driven."""
        return -(-ACTIVATION_BITS // self.dac_bits)

    @property
    def cells(self) -> int:
        """Cells of a weight."""
        return self.cell_slices * self.encoding.columns

    @property
    def levels(self) -> int:
        """The greatest level of a cell; the least is 0."""
        return (1 << self.cell_bits) - 1

    @property
    def weight_step(self) -> int:
        """What one unit of an analog weight is in int8 weights."""
        return 1 << (8 - self.weight_bits)

    def adc_bits_for(self, layer: str) -> int | None:
        """Bits of the ADCs of a layer."""
        return self.adc_bits_of.get(layer, self.adc_bits)

    def percentile_for(self, layer: str) -> float:
        """Per cent of a layer's calibration values that its ADCs' range holds."""
        return self.percentile_of.get(layer, self.percentile)

    @property
    def has_adc(self) -> bool:
        """Whether any conversion is less than ideal."""
        return self.adc_bits is not None or bool(self.adc_bits_of)

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON knows it."""
        return {k: str(v) if isinstance(v, StrEnum) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_dict`.

        Raises
        ------
        AnalogError
            A field is unknown or has no legal value.
        """
        unknown = set(record) - {f.name for f in fields(cls)}
        if unknown:
            raise AnalogError(f"crossbar: unknown field {min(unknown)}; give {', '.join(f.name for f in fields(cls))}")
        return cls(**record)


def _error(name: str, value: object, legal: str) -> AnalogError:
    return AnalogError(f"crossbar: {name} is {value}; give {legal}")


def _named(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{name}[{layer}]": value for layer, value in values.items()}


def _is_whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
