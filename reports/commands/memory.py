"""What the commands say of a machine's memory: clock cycles are whole, so they are seldom just what was written."""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from arch_model.machine.accelerator import Accelerator
    from arch_model.machine.load import Machine

AnyMachine = TypeVar("AnyMachine", bound="Machine")


def memory_text(machine: Accelerator) -> str:
    """A memory that is described beside the clock, in the cycles that are counted; "" for one described in cycles.

    >>> from arch_model.machine.accelerator import Accelerator
    >>> memory_text(Accelerator.load("u50"))
    'DRAM: 200 ns are 40 cycles of 200 MHz; 57.5 GB/s are a beat a cycle on each port, 51.2 GB/s'
    >>> memory_text(Accelerator.load("u50").replace(clock_hz=300e6, dram={"latency_cycles": 60}))
    'DRAM: 57.5 GB/s are a beat every 2 cycles of 300 MHz on each port, 38.4 GB/s'
    >>> memory_text(Accelerator.load("tiny"))
    ''
    """
    dram, clock = machine.dram, f"of {machine.clock_hz / 1e6:g} MHz"
    said = []
    if dram.latency_ns is not None:
        cycles = "1 cycle" if dram.latency_cycles == 1 else f"{dram.latency_cycles} cycles"
        said.append(f"{dram.latency_ns:g} ns are {cycles} {clock}")
    if dram.bytes_per_s is not None:
        pace = "a beat a cycle" if dram.cycles_per_beat == 1 else f"a beat every {dram.cycles_per_beat} cycles"
        where = "" if said else f" {clock}"
        given, made = dram.bytes_per_s / 1e9, machine.dram_bytes_per_s / 1e9
        said.append(f"{given:g} GB/s are {pace}{where} on each port, {made:g} GB/s")
    return f"DRAM: {'; '.join(said)}" if said else ""


def with_memory_said(machine: AnyMachine) -> AnyMachine:
    """The same machine; if its memory is described beside the clock, standard error will have what that is in cycles.

    It stands there when the command has ended well: one that is refused says its one line and no more.
    """
    from arch_model.machine.accelerator import Accelerator

    text = memory_text(machine) if isinstance(machine, Accelerator) else ""  # a measured machine has no DRAM
    if text:
        say_at_the_end(text)
    return machine


def say_at_the_end(text: str) -> None:
    """A note on standard error when the command has ended well; at once where there is no command."""
    context = click.get_current_context(silent=True)
    if context is None:
        _say(text)
    else:
        context.call_on_close(lambda: _say(text))


def _say(text: str) -> None:
    """A note, unless an error is under way."""
    kind = sys.exc_info()[0]
    if kind is None or issubclass(kind, click.exceptions.Exit):
        click.echo(f"note: {text}", err=True)


def faster_memory(machine: Accelerator, knobs: Collection[str]) -> str:
    """What becomes faster with a clock that is varied, because the machine's memory is described in its cycles.

    Parameters
    ----------
    machine : the base machine.
    knobs : names of what is varied.

    Examples
    --------
    >>> from arch_model.machine.accelerator import Accelerator
    >>> faster_memory(Accelerator.load("zcu104"), ["CLOCK", "DRAM"])
    'latency'
    >>> faster_memory(Accelerator.load("zcu104"), ["KP"]), faster_memory(Accelerator.load("u50"), ["CLOCK"])
    ('', '')
    """
    if "CLOCK" not in knobs:
        return ""
    latency = machine.dram.latency_ns is None and "LATENCY" not in knobs
    bandwidth = machine.dram.bytes_per_s is None and not {"DRAM", "INTERVAL"} & set(knobs)
    return " and ".join([*["latency"] * latency, *["bandwidth"] * bandwidth])


def say_varied_memory(machine: Accelerator, knobs: Collection[str]) -> None:
    """Say on standard error what the memory of the machines is that an exploration has made of one.

    Parameters
    ----------
    machine : the base machine.
    knobs : names of what is varied.
    """
    text = memory_text(machine)
    if text:
        kept = "; the same memory at every clock, in whole cycles" if "CLOCK" in knobs else ""
        click.echo(f"note: {text}{kept}", err=True)
    if faster := faster_memory(machine, knobs):
        keys = faster.replace("latency", "dram.latency_ns").replace("bandwidth", "dram.bytes_per_s")
        click.echo(
            f"note: DRAM's {faster} of {machine.name} in clock cycles: a faster clock made the memory faster, too; "
            f"{keys} in the Accelerator's file would keep it as it is",
            err=True,
        )
