"""Whether an Accelerator fits a device, and which of the device's memories each of its buffers lies in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

from arch_model.cost.resources import LUTRAM_DEPTH, URAM, Estimate, Resources, fpga_resources
from arch_model.errors import AcceleratorError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.device import Device
from arch_model.machine.memories import Memory, memories

Style = Literal["ultra", "block", "distributed"]
"""What a memory is built of, as Vivado's and Yosys' attribute ``ram_style`` says it: UltraRAM, block RAM, LUTs."""

PREFERENCE = ("pb", "sb", "db", "ob", "ob_out")
"""Buffers in the order in which they get UltraRAMs: the large ones whose words are written whole come first."""

COLUMNS = {
    "luts": "LUTs",
    "lutram": "LUTs as memory",
    "ffs": "flip-flops",
    "dsps": "DSP slices",
    "bram36": "block RAMs of 36 Kb",
    "uram": "UltraRAMs",
}
"""What is compared, and what each is called."""

Shape = tuple[int, int, int]
"""Words, bits of a word, bits of a write enable: memories that agree in these are one module of the Verilog."""


@dataclass(frozen=True)
class Fit:
    """What an Accelerator takes of a device.

    Attributes
    ----------
    accelerator, device : of which.
    styles : by buffer, what its memories are built of.
    estimate : resources by component, with the memories built so.
    """

    accelerator: Accelerator
    device: Device
    styles: Mapping[str, Style]
    estimate: Estimate

    def rows(self) -> list[tuple[str, float, int | None]]:
        """For each of :data:`COLUMNS` its name, how many are taken, and how many there are; None: it is not known.

        ``LUTs`` are those of logic and of memory together.
        """
        taken = _taken(self.estimate.total)
        return [(name, taken[key], getattr(self.device, key)) for key, name in COLUMNS.items()]

    def shortages(self) -> list[tuple[str, float, int]]:
        """The rows of which more are taken than there are."""
        return [(name, taken, there) for name, taken, there in self.rows() if there is not None and taken > there]

    def check(self) -> None:
        """Refuse a machine that does not fit.

        Raises
        ------
        AcceleratorError
            More of something is taken than the device has; the line says of what, how many, and how many there are.
        """
        if found := self.shortages():
            what = ", ".join(f"{taken:,g} {name}, of which it has {there:,}" for name, taken, there in found)
            raise AcceleratorError(
                f"accelerator {self.accelerator.name} does not fit {self.device.part}: an estimated {what}; give "
                "another device, or a smaller machine"
            )


def fit(accelerator: Accelerator, device: Device) -> Fit:
    """What a machine takes of a device, its buffers in those of its memories that suit them best.

    Memories of 64 words or fewer are LUTs. Those that fill half of their UltraRAMs or more (4096 words of 72 bits each)
    become UltraRAMs in the order of :data:`PREFERENCE` as long as there are any; the rest are block RAMs. Where this
    does not fit, every other choice is tried.

    Parameters
    ----------
    accelerator : the machine.
    device : it is to be built on.

    Examples
    --------
    >>> from arch_model.machine.device import load_device
    >>> made = fit(Accelerator.load("zcu104"), load_device("zcu104"))
    >>> [buffer for buffer, style in made.styles.items() if style == "ultra"], made.shortages()
    (['pb', 'db', 'sb'], [])
    >>> made.estimate.total.uram, made.estimate.total.bram36
    (90, 138.5)
    """
    buffers = memories(accelerator)
    groups = _groups(buffers)
    chosen: set[str] = set()
    for group in sorted((g for g in groups if _fills_ultrarams(buffers[g[0]])), key=_preference):
        more = {*chosen, *group}
        if _with(accelerator, more).total.uram <= device.uram:
            chosen = more
    made = _fit(accelerator, device, chosen)
    if not made.shortages():
        return made
    for some in product((True, False), repeat=len(groups)):
        other = {name for group, ultra in zip(groups, some, strict=True) if ultra for name in group}
        if not (found := _fit(accelerator, device, other)).shortages():
            return found
    return made


def _groups(buffers: Mapping[str, Memory]) -> list[tuple[str, ...]]:
    """Buffers that may be UltraRAM; those of one shape, which have one module, together."""
    by_shape: dict[Shape, list[str]] = {}
    for name, memory in buffers.items():
        if memory.depth > LUTRAM_DEPTH:
            by_shape.setdefault(shape_of(memory), []).append(name)
    return [tuple(names) for names in by_shape.values()]


def shape_of(memory: Memory) -> Shape:
    """What tells the module of a buffer's memory from others: words, bits of a word, bits of a write enable."""
    return memory.depth, memory.width, memory.granularity


def _fills_ultrarams(memory: Memory) -> bool:
    """Whether a memory uses half of the bits of the UltraRAMs that it would take, or more."""
    depth, width = URAM
    there = -(-memory.depth // depth) * depth * -(-memory.width // width) * width
    return 2 * memory.bank_bits >= there


def _preference(group: tuple[str, ...]) -> int:
    return min(PREFERENCE.index(name) if name in PREFERENCE else len(PREFERENCE) for name in group)


def _with(accelerator: Accelerator, ultra: set[str]) -> Estimate:
    return fpga_resources(accelerator, uram_depth=1, uram_buffers=ultra)


def _fit(accelerator: Accelerator, device: Device, ultra: set[str]) -> Fit:
    styles: dict[str, Style] = {}
    for name, memory in memories(accelerator).items():
        styles[name] = "distributed" if memory.depth <= LUTRAM_DEPTH else "ultra" if name in ultra else "block"
    return Fit(accelerator, device, styles, _with(accelerator, ultra))


def _taken(total: Resources) -> dict[str, float]:
    return {key: getattr(total, key) for key in COLUMNS} | {"luts": total.luts + total.lutram}
