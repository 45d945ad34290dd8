"""The Accelerator: one machine, described by one YAML file.

Every number that the mapper, the RTL and the model need of a machine is a field here or a property derived
from one; the formulas of ``docs/reference/hardware.md`` that turn bytes into words, tiles and pixels are written once,
in this file.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator
from pydantic_core.core_schema import ValidationInfo

from arch_model.errors import AcceleratorError
from arch_model.machine.description import (
    NAME,
    NAME_IS,
    Misfit,
    Section,
    checked,
    parse_mapping,
    preset_files,
    read_description,
    within,
)
from arch_model.machine.device import IN_A_MACHINE, Device
from arch_model.machine.dram import Dram, changed, in_cycles
from arch_model.machine.dram import misfits as dram_misfits
from arch_model.machine.microarchitecture import LANE_BYTES, LOAD_TURNAROUND
from arch_model.machine.sections import Array, Axi, Buffers
from arch_model.machine.technology import AreaTable, EnergyTable, Table
from arch_model.physical import CLOCK_HZ

TAPS = 9
"""Multipliers of a DPE: the taps of a 3 x 3 window."""

IMAGE_CHANNELS = 3
"""Of the images that folding is for."""

ADDRESS_BITS = 16
"""Bits of a word address (SB, OB's output side) and of a tile slot (PB, DB) in a command."""

ZSB_ADDRESS_BITS = 10
"""Bits of a ZSB entry's address in a command."""

BANK_BITS = 4
"""Bits of the number of a bank of the OB's output side in a command."""

LANE_BITS = 6
"""Bits of a channel's number in its group, or of a count of them, in a command."""

BEAT_BYTES_MAX = 128
"""Bytes of the widest beat that a DMA moves, over all its stripes."""

_TABLES: Mapping[str, type[Table]] = {"energy": EnergyTable, "area": AreaTable}


class Accelerator(Section):
    """A SubGraph-Stationary accelerator. :meth:`load` reads one from a file; a section may be given as a mapping.

    Parameters
    ----------
    name : appears in every result.
    array, buffers : the DPEs (:class:`Array`); sizes in bytes (:class:`Buffers`).
    clock_hz : hertz.
    axi, dram : the ports (:class:`Axi`); the memory (:class:`Dram`).
    energy, area : rows that replace those of the shipped tables.
    device : the FPGA that it is built on (:class:`Device`): no part of :meth:`hash`, as it changes no cycle.

    Raises
    ------
    AcceleratorError
        No machine can have these numbers; the line names the key, its value and what would be legal.

    Examples
    --------
    >>> tiny = Accelerator.load("tiny")
    >>> tiny.multipliers, tiny.tile_bytes, tiny.pb_tiles
    (108, 108, 455)
    """

    RESERVED: ClassVar[Mapping[str, str]] = {"pipeline": "registers that shorten long paths of the RTL come later"}
    SINCE_2: ClassVar[tuple[str, ...]] = ("dram.latency_ns", "dram.bytes_per_s", "device")

    name: Annotated[str, Field(pattern=NAME, description=NAME_IS)]
    array: Array = Field(description="a section with kp, cp")
    clock_hz: Annotated[float, within(CLOCK_HZ, example=", a number such as 100_000_000")]
    buffers: Buffers = Field(description=f"a section with {', '.join(Buffers.model_fields)}")
    axi: Axi = Field(description="a section with data_bits, max_burst and maybe pixels and stripes")
    dram: Dram = Field(description="a section with bytes, a latency and a rate")
    energy: EnergyTable = Field(
        default_factory=EnergyTable.shipped, description=f"a section with rows of {', '.join(EnergyTable.model_fields)}"
    )
    area: AreaTable = Field(
        default_factory=AreaTable.shipped, description=f"a section with rows of {', '.join(AreaTable.model_fields)}"
    )
    device: Device | None = Field(None, exclude=True, description=IN_A_MACHINE)

    # ------------------------------------------------------------------ array and words

    @property
    def kp(self) -> int:
        """KP: filters worked on at once."""
        return self.array.kp

    @property
    def cp(self) -> int:
        """CP: channels worked on at once, and bytes of an activation word."""
        return self.array.cp

    @property
    def multipliers(self) -> int:
        """Int8 multipliers of the array, 9 * KP * CP."""
        return TAPS * self.kp * self.cp

    @property
    def beat_bytes(self) -> int:
        """B: bytes of a beat of activations and results, over all stripes."""
        return self.axi.data_bits // 8

    @property
    def stripes(self) -> int:
        """AXI ports side by side that activations and results have each."""
        return self.axi.stripes

    @property
    def weight_stripes(self) -> int:
        """AXI ports side by side that weights have."""
        return self.axi.weight_stripes or self.axi.stripes

    @property
    def weight_beat_bytes(self) -> int:
        """BW: bytes of a beat of weights, ZSB entries and tables, over all their stripes.

        >>> Accelerator.load("zcu104").weight_beat_bytes
        64
        """
        return self.port_bytes * self.weight_stripes

    @property
    def port_bytes(self) -> int:
        """Bytes of a beat on one of those ports."""
        return self.beat_bytes // self.stripes

    @property
    def cycle_bytes(self) -> int:
        """Bytes that weights, activations and results move in a cycle together, a beat each.

        >>> Accelerator.load("zcu104").cycle_bytes
        96
        """
        return self.weight_beat_bytes + 2 * self.beat_bytes

    @property
    def dram_bytes_per_s(self) -> float:
        """Bytes a second that DRAM gives those three together: a beat each in ``dram.cycles_per_beat``.

        Where the memory is described by ``dram.bytes_per_s``, that number or less: cycles are whole.

        >>> Accelerator.load("zcu104").dram_bytes_per_s
        9600000000.0
        """
        return self.cycle_bytes * self.clock_hz / self.dram.cycles_per_beat

    @property
    def dram_latency_s(self) -> float:
        """Seconds from an accepted address to its first beat: ``dram.latency_cycles``.

        >>> Accelerator.load("u50").dram_latency_s
        2e-07
        """
        return self.dram.latency_cycles / self.clock_hz

    @property
    def program_beat_bytes(self) -> int:
        """Bytes of a beat on the Program's port."""
        return self.port_bytes

    @property
    def pixels(self) -> int:
        """Pixels of a row, CP bytes each, that LOAD_ACT and STORE move a cycle."""
        return self.axi.pixels

    @property
    def nb(self) -> int:
        """NB: the most channel groups one K-tile can touch, and banks of the OB's output side.

        A K-tile starts at a lane that is a multiple of g = gcd(KP, CP), at most CP - g.
        """
        return -(-(self.kp + self.cp - math.gcd(self.kp, self.cp)) // self.cp)

    # ------------------------------------------------------------------ weight tiles

    @property
    def tile_bytes_raw(self) -> int:
        """Bytes of a weight tile on chip: KP words of 9 * CP."""
        return TAPS * self.kp * self.cp

    @property
    def tile_beats(self) -> int:
        """Beats of a weight tile in DRAM."""
        return -(-self.tile_bytes_raw // self.weight_beat_bytes)

    @property
    def tile_bytes(self) -> int:
        """Bytes of a weight tile in DRAM, where it is padded to whole beats."""
        return self.tile_beats * self.weight_beat_bytes

    @property
    def pb_tiles(self) -> int:
        """Tiles that the PB holds; may be 0."""
        return self.buffers.pb_bytes // self.tile_bytes_raw

    @property
    def db_half_tiles(self) -> int:
        """Tiles that one half of the DB, a double buffer, holds; the second half begins at this slot."""
        return self.buffers.db_bytes // (2 * self.tile_bytes_raw)

    # ------------------------------------------------------------------ activations and sums

    @property
    def sb_half_words(self) -> int:
        """Words of CP bytes in one half of each of the SB's nine double-buffered banks; the second half follows."""
        return self.buffers.sb_bytes // (2 * TAPS * self.cp)

    @property
    def ob_pixels(self) -> int:
        """Pixels (KP int32 each) that the OB holds."""
        return self.buffers.ob_bytes // (4 * self.kp)

    @property
    def out_half_words(self) -> int:
        """Words of CP bytes in one half of each of the NB banks of the OB's output side, double buffers."""
        return self.buffers.ob_out_bytes // (2 * self.nb * self.cp)

    @property
    def zsb_half_entries(self) -> int:
        """Entries (8 bytes a filter, KP filters) in one half of the double-buffered ZSB; the second follows."""
        return self.buffers.zsb_bytes // (2 * LANE_BYTES * self.kp)

    def groups(self, channels: int) -> int:
        """Channel groups of a tensor: ``channels`` / CP, rounded up.

        >>> Accelerator.load("zcu104").groups(64)
        8
        """
        return -(-channels // self.cp)

    def pitch(self, cols: int, folded: bool = False) -> int:
        """Bytes from a row of one channel group, or of a folded image, to the next in DRAM: whole beats.

        Parameters
        ----------
        cols : pixels of the row.
        folded : whether several pixels share a word of CP bytes.

        Examples
        --------
        >>> Accelerator.load("tiny").pitch(7)   # 21 bytes, in beats of 4
        24
        >>> Accelerator.load("zcu104").pitch(160), Accelerator.load("zcu104").pitch(160, folded=True)
        (1440, 496)
        """
        return -(-self.row(cols, folded)[0] * self.cp // self.beat_bytes) * self.beat_bytes

    # ------------------------------------------------------------------ folded images

    @property
    def fold(self) -> int:
        """Pixels of a folded image in a word of CP bytes: as many of three channels as it holds, at most ``pixels``.

        >>> Accelerator.load("zcu104").fold, Accelerator.load("tiny").fold   # 9 bytes, 4 pixels; 3 bytes, 1 pixel
        (3, 1)
        """
        return max(1, min(self.pixels, self.cp // IMAGE_CHANNELS))

    @property
    def fold_bytes(self) -> int:
        """Bytes of a pixel of a folded image, and the most channels that it can have."""
        return self.cp // self.fold

    def row(self, cols: int, folded: bool) -> tuple[int, int]:
        """A row as (words of CP bytes, words that LOAD_ACT writes together).

        Parameters
        ----------
        cols : pixels of the row.
        folded : whether a word holds ``fold`` pixels, which are written together.

        Examples
        --------
        >>> Accelerator.load("zcu104").row(160, False), Accelerator.load("zcu104").row(160, True)
        ((160, 4), (54, 1))
        """
        return (-(-cols // self.fold), 1) if folded else (cols, self.pixels)

    # ------------------------------------------------------------------ identity and change

    def hash(self) -> str:
        """Twelve hexadecimal digits that identify this description, whatever file it came from.

        The shipped tables of energy and area are not part of it, other tables are; nor is an option that is not taken
        or a key that is not given.
        """
        shipped: dict[str, Any] = {
            name: True for name, table in _TABLES.items() if getattr(self, name) == table.shipped()
        }
        if not self.array.dsp_packing:
            shipped["array"] = {"dsp_packing"}
        shipped["dram"] = {key for key in Dram.model_fields if getattr(self.dram, key) is None}
        canonical = json.dumps(self.model_dump(mode="json", exclude=shipped), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def replace(self, **changes: Any) -> Accelerator:
        """A copy with some numbers changed, and everything checked again.

        A memory that is described in nanoseconds and bytes a second stays what it is when the clock or the ports
        change; one that is described in cycles keeps its cycles.

        Parameters
        ----------
        changes : fields by name; of a section a mapping of the keys to change.

        Raises
        ------
        AcceleratorError
            No machine can have these numbers.

        Examples
        --------
        >>> Accelerator.load("tiny").replace(name="no-pb", buffers={"pb_bytes": 0}).pb_tiles
        0
        >>> Accelerator.load("u50").replace(clock_hz=300e6).dram.latency_cycles   # 200 ns
        60
        """
        data = self.model_dump() | {"dram": self.dram.given, "device": self.device}
        for key, value in changes.items():
            old = data.get(key)
            if key == "dram" and isinstance(value, Mapping):
                old, value = {}, changed(self.dram.given, value)
            data[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, Mapping) else value
        return Accelerator.model_validate(data)

    # ------------------------------------------------------------------ reading

    @classmethod
    def load(cls, name_or_path: str | Path) -> Accelerator:
        """Read a preset by its name, or a YAML file by its path.

        Raises
        ------
        AcceleratorError
            The file is missing, is not YAML or describes no machine; the line names the key and what would be legal.

        Examples
        --------
        >>> Accelerator.load("zcu104").multipliers
        1296
        """
        if isinstance(name_or_path, str) and name_or_path in preset_files("measured"):
            raise AcceleratorError(
                f"accelerator {name_or_path} is a measured machine: it predicts latency and has no Program or RTL; "
                f"give a YAML file or one of: {', '.join(preset_names())}"
            )
        text, source = read_description(name_or_path, preset_files()), f"accelerator {name_or_path}"
        return cls.model_validate(parse_mapping(text, source, cls.model_fields), context={"source": source})

    # ------------------------------------------------------------------ checks

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        made, source = checked(cls, data, handler, info)
        for key, value, legal in made._all_misfits():
            raise AcceleratorError(f"{source}: {key} is {value}; give {legal}")
        return made

    def _all_misfits(self) -> Iterable[Misfit]:
        """What is wrong with the memory alone, then, once its cycles are known, with everything together."""
        yield from dram_misfits(self.dram, self.clock_hz, self.cycle_bytes)
        self.__dict__["dram"] = in_cycles(self.dram, self.clock_hz, self.cycle_bytes)  # pydantic wants this very object
        yield from self._misfits()

    def _misfits(self) -> Iterable[Misfit]:
        """Fields that are legal alone but not together, as (key, value, what would be legal)."""
        axi, buffers = self.axi, self.buffers
        for name, legal in (("data_bits", "32..1024"), ("max_burst", "2..256")):
            if (value := getattr(axi, name)) & (value - 1):
                yield f"axi.{name}", value, f"a power of two in {legal}"
        if axi.data_bits < 32 * axi.stripes:
            yield "axi.stripes", axi.stripes, f"at most {axi.data_bits // 32}: a port has 32 bits or more"
        beat = max(self.beat_bytes, self.weight_beat_bytes)
        if axi.max_burst * beat > 4096:
            yield "axi.max_burst", axi.max_burst, f"at most {4096 // beat} beats of {beat} bytes (4 KiB)"
        if (8 * self.kp) % self.weight_beat_bytes:
            entry = f"{64 * self.kp} bits, 64 for each of array.kp = {self.kp} filters"
            yield "axi.data_bits", axi.data_bits, f"bits that, with axi.weight_stripes, divide a ZSB entry ({entry})"
        burst = axi.max_burst * beat
        if self.dram.bytes % burst:
            yield "dram.bytes", self.dram.bytes, f"a multiple of the longest burst, {burst} bytes"
        words = 1 << ADDRESS_BITS
        # One pixel of a chunk that ends on a group boundary, lcm(KP, CP) channels: the least STORE can take.
        chunk = -(-math.lcm(self.kp, self.cp) // self.cp // self.nb)
        for key, unit, low, high, what in (
            ("pb_bytes", self.tile_bytes_raw, 0, words, "tile slots"),
            ("db_bytes", 2 * self.tile_bytes_raw, 1, words // 2, "weight tiles a half"),
            ("sb_bytes", 2 * TAPS * self.cp, 1, words // 2, "windows of 3 x 3 x CP a half"),
            ("ob_bytes", 4 * self.kp, 1, words, "pixels of KP int32"),
            ("ob_out_bytes", 2 * self.nb * self.cp, chunk, words // 2, "words a bank and half"),
            ("zsb_bytes", 16 * self.kp, 1, 1 << (ZSB_ADDRESS_BITS - 1), "entries a half"),
        ):
            value = getattr(buffers, key)
            if not low * unit <= value < (high + 1) * unit:
                legal = f"{low * unit} to {high * unit} bytes ({low} to {high} {what}, {unit} bytes each)"
                yield f"buffers.{key}", value, legal
        for name in _TABLES:
            yield from getattr(self, name).misfits(name)
        if self.nb > 1 << BANK_BITS:
            lie = f"{self.kp} filters lie in up to {self.nb} groups of {self.cp} channels"
            legal = f"so few, or so many of array.cp, that they lie in {1 << BANK_BITS} groups: {lie}"
            yield "array.kp", self.kp, legal
        if self.weight_beat_bytes > BEAT_BYTES_MAX:
            legal = f"at most {BEAT_BYTES_MAX // self.port_bytes}: a beat has {BEAT_BYTES_MAX} bytes or fewer"
            yield "axi.weight_stripes", self.weight_stripes, legal
        # Beyond that a port is still busy with a load's last beat when the first of the next load could come.
        most = self.dram.latency_cycles + LOAD_TURNAROUND
        if self.dram.cycles_per_beat > most:
            why = f"(dram.latency_cycles + {LOAD_TURNAROUND}): beyond it cycles are not predicted exactly"
            if self.dram.bytes_per_s is None:
                yield "dram.cycles_per_beat", self.dram.cycles_per_beat, f"1 to {most} {why}"
            else:
                least = self.cycle_bytes * self.clock_hz / most
                legal = f"{least:g} or more, a beat in {most} cycles {why}"
                yield "dram.bytes_per_s", f"{self.dram.bytes_per_s:g}", legal


def preset_names() -> tuple[str, ...]:
    """The names of the machines that ship.

    >>> preset_names()
    ('small', 'tiny', 'u50', 'zcu104')
    """
    return tuple(preset_files())
