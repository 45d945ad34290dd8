"""Any machine by its name or file: one of our design, or one that is known by measurements."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeAlias

from arch_model.machine.accelerator import Accelerator
from arch_model.machine.description import parse_mapping, preset_files, read_description
from arch_model.machine.measured import MeasuredMachine

Machine: TypeAlias = Accelerator | MeasuredMachine


def machine_names() -> tuple[str, ...]:
    """The names of all machines that ship.

    >>> machine_names()
    ('small', 'sushi-zcu104', 'tiny', 'u50', 'zcu104')
    """
    return tuple(_presets())


def load_machine(name_or_path: str | Path) -> Machine:
    """Load a machine of either kind: an Accelerator, or one of which only latencies were measured.

    Use this where a latency is enough, and :func:`load_accelerator` where a Program or RTL is to be made.

    Parameters
    ----------
    name_or_path : a name of :func:`machine_names`, or a YAML file. A file with the key ``model`` is a measured machine.

    Returns
    -------
    Accelerator or MeasuredMachine

    Raises
    ------
    AcceleratorError
        There is no such machine or file, or a number in it is none that a machine can have.

    Examples
    --------
    >>> [type(load_machine(name)).__name__ for name in ("zcu104", "sushi-zcu104")]
    ['Accelerator', 'MeasuredMachine']
    """
    source = f"accelerator {name_or_path}"
    text = read_description(name_or_path, _presets())
    data = parse_mapping(text, source, Accelerator.model_fields)
    kind = MeasuredMachine if "model" in data else Accelerator
    return kind.model_validate(data, context={"source": source})


def load_accelerator(name_or_path: str | Path | Accelerator) -> Accelerator:
    """Load an accelerator: a preset by its name, or a YAML file by its path. An Accelerator is what it is.

    Parameters
    ----------
    name_or_path : such as ``"zcu104"`` or ``"mine.yaml"``.

    Returns
    -------
    Accelerator
        ``replace(...)`` gives one with other numbers.

    Raises
    ------
    AcceleratorError
        There is no such preset or file, or a number in it is none that a machine can have; the line says what is legal.

    Examples
    --------
    >>> tiny = load_accelerator("tiny")
    >>> tiny.multipliers, load_accelerator(tiny) is tiny
    (108, True)
    """
    return name_or_path if isinstance(name_or_path, Accelerator) else Accelerator.load(name_or_path)


def _presets() -> dict[str, Traversable]:
    return dict(sorted({**preset_files(), **preset_files("measured")}.items()))
