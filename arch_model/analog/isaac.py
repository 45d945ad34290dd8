"""An ISAAC-like tile from its components: power and area, with ADCs of other resolutions.

Figures are of Shafiee et al., "ISAAC", ISCA 2016, table I (32 nm); those of ADCs by bits follow its scaling. Every
number is a field: another technology or another tile is ``dataclasses.replace``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from arch_model.errors import AnalogError

if TYPE_CHECKING:
    import pandas as pd

ADC_PJ: Mapping[int, float] = {4: 0.79, 5: 0.99, 6: 1.20, 7: 1.42, 8: 1.67}
"""Picojoules a conversion, by bits."""

ADC_UM2: Mapping[int, float] = {4: 361.0, 5: 477.0, 6: 627.0, 7: 845.0, 8: 1200.0}
"""Square micrometres of an ADC of 1.2 GS/s, by bits."""

_UM2 = 1e-6


@dataclass(frozen=True)
class Component:
    """A kind of component in a tile, all of its kind together.

    Attributes
    ----------
    name : as in the published table.
    count : how many there are.
    mw : milliwatts.
    mm2 : square millimetres.
    """

    name: str
    count: float
    mw: float
    mm2: float


@dataclass(frozen=True)
class Isaac:
    """A tile of IMAs, each of crossbars with their DACs and ADCs.

    The defaults are those of ISAAC (Shafiee et al., ISCA 2016). Names end with their unit: ``_mw`` milliwatts, ``_w``
    watts, ``_um2`` square micrometres, ``_mm2`` square millimetres.

    Parameters
    ----------
    adc_bits, adc_gs : of an ADC, bits and 10^9 conversions a second.
    arrays, rows, cols : crossbars of an IMA, and their cells.
    imas, adcs : IMAs of a tile; ADCs of an IMA.
    dac_mw, dac_um2, sample_hold_mw, sample_hold_um2, array_mw, array_um2 : of the DACs, the sample-and-holds and one
        crossbar.
    shift_adders, shift_add_mw, shift_add_um2 : shift-and-add units of an IMA, and one of them.
    input_register_mw, input_register_um2, output_register_mw, output_register_um2 : of an IMA.
    edram_mw, edram_um2, bus_mw, bus_um2, router_mw, router_um2 : of a tile.
    router_tiles : tiles that share a router.
    tile_digital_mw, tile_digital_um2 : a tile's sigmoid, shift-and-add, max-pool unit and output register.
    read_ns : one DAC step of an array, in which each of an IMA's ADCs converts the columns of one array.
    chip_tiles, links_w, links_mm2 : of the whole chip: its tiles, and the links between chips.
    adc_pj, adc_um2 : of an ADC by its bits: a conversion's picojoules, and its area.

    Examples
    --------
    >>> tile = Isaac()
    >>> round(tile.tile_mw), round(tile.tile_mm2, 3)             # published: 330 mW, 0.372 mm2
    (330, 0.372)
    >>> round(tile.chip_w, 1), round(tile.chip_mm2, 1)           # published: 65.8 W, 85.4 mm2
    (65.9, 85.4)
    """

    adc_bits: int = 8
    arrays: int = 8
    rows: int = 128
    cols: int = 128
    imas: int = 12
    adcs: int = 8
    adc_gs: float = 1.2
    dac_mw: float = 4.0
    dac_um2: float = 170.0
    sample_hold_mw: float = 0.01
    sample_hold_um2: float = 40.0
    array_mw: float = 2.4
    array_um2: float = 200.0
    shift_adders: int = 4
    shift_add_mw: float = 0.2
    shift_add_um2: float = 60.0
    input_register_mw: float = 1.24
    input_register_um2: float = 2100.0
    output_register_mw: float = 0.23
    output_register_um2: float = 770.0
    edram_mw: float = 20.7
    edram_um2: float = 83_000.0
    bus_mw: float = 7.0
    bus_um2: float = 90_000.0
    router_mw: float = 42.0
    router_um2: float = 151_000.0
    router_tiles: int = 4
    tile_digital_mw: float = 0.52 + 0.05 + 0.4 + 1.68
    tile_digital_um2: float = 600.0 + 60.0 + 240.0 + 3200.0
    read_ns: float = 100.0
    chip_tiles: int = 168
    links_w: float = 10.4
    links_mm2: float = 22.88
    adc_pj: Mapping[int, float] = field(default_factory=lambda: dict(ADC_PJ))
    adc_um2: Mapping[int, float] = field(default_factory=lambda: dict(ADC_UM2))

    def __post_init__(self) -> None:
        if self.adc_bits not in self.adc_pj or self.adc_bits not in self.adc_um2:
            known = ", ".join(map(str, sorted(set(self.adc_pj) & set(self.adc_um2))))
            raise AnalogError(f"isaac: adc_bits is {self.adc_bits}; the component table has {known}")

    @property
    def conversion_pj(self) -> float:
        """Picojoules of one conversion."""
        return self.adc_pj[self.adc_bits]

    def ima(self) -> tuple[Component, ...]:
        """What one IMA is made of; the published DAC and array figures are those of all eight."""
        return (
            Component("adc", self.adcs, self.adcs * self.conversion_pj * self.adc_gs, self._adc_mm2),
            Component("dac", self.arrays * self.rows, self.dac_mw, self.dac_um2 * _UM2),
            Component("sample and hold", self.arrays * self.cols, self.sample_hold_mw, self.sample_hold_um2 * _UM2),
            Component("array", self.arrays, self.array_mw, self.array_um2 * _UM2),
            Component("shift and add", self.shift_adders, self.shift_add_mw, self.shift_adders * self._shift_mm2),
            Component("input register", 1, self.input_register_mw, self.input_register_um2 * _UM2),
            Component("output register", 1, self.output_register_mw, self.output_register_um2 * _UM2),
        )

    def shared(self) -> tuple[Component, ...]:
        """What a tile has beside its IMAs, its part of a router included."""
        part = 1 / self.router_tiles
        return (
            Component("edram", 1, self.edram_mw, self.edram_um2 * _UM2),
            Component("bus", 1, self.bus_mw, self.bus_um2 * _UM2),
            Component("router", part, self.router_mw * part, self.router_um2 * _UM2 * part),
            Component("sigmoid, add, pool, register", 1, self.tile_digital_mw, self.tile_digital_um2 * _UM2),
        )

    @property
    def _adc_mm2(self) -> float:
        return self.adcs * self.adc_um2[self.adc_bits] * _UM2

    @property
    def _shift_mm2(self) -> float:
        return self.shift_add_um2 * _UM2

    def tile(self) -> tuple[Component, ...]:
        """Every component of a tile."""
        n = self.imas
        scaled = tuple(Component(c.name, n * c.count, n * c.mw, n * c.mm2) for c in self.ima())
        return (*scaled, *self.shared())

    @property
    def tile_arrays(self) -> int:
        """Arrays of a tile."""
        return self.imas * self.arrays

    @property
    def tile_mw(self) -> float:
        """Milliwatts of a busy tile."""
        return sum(c.mw for c in self.tile())

    @property
    def tile_mm2(self) -> float:
        """Square millimetres of a tile."""
        return sum(c.mm2 for c in self.tile())

    @property
    def chip_w(self) -> float:
        """Watts of the chip, its links included."""
        return self.chip_tiles * self.tile_mw / 1000 + self.links_w

    @property
    def chip_mm2(self) -> float:
        """Square millimetres of the chip, its links included."""
        return self.chip_tiles * self.tile_mm2 + self.links_mm2

    def read_pj(self) -> dict[str, float]:
        """Picojoules of one array for one read, by component, without its ADC: an even part of a busy tile.

        >>> round(sum(Isaac().read_pj().values()), 1)
        143.6
        """
        return {c.name: c.mw * self.read_ns / self.tile_arrays for c in self.tile() if c.name != "adc"}

    def to_frame(self) -> pd.DataFrame:
        """One row a component of a tile: component, count, mw, mm2."""
        import pandas as pd  # a third of a second: only those who ask for a table wait for it

        return pd.DataFrame([(c.name, c.count, c.mw, c.mm2) for c in self.tile()], columns=["component", *_COLUMNS])


_COLUMNS = ("count", "mw", "mm2")
