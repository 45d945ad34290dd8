"""An Accelerator as the YAML that it is loaded from."""

from __future__ import annotations

from functools import cache

import yaml

from arch_model.machine.accelerator import Accelerator
from arch_model.machine.description import FORMAT
from arch_model.machine.device import devices
from arch_model.machine.technology import Table

_Dumper: type = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@cache
def _shipped(table: type[Table]) -> Table:
    return table.shipped()


def accelerator_yaml(accelerator: Accelerator) -> str:
    """The description as ``Accelerator.load`` reads it; tables of energy and area only where they are not the shipped.

    Of the memory it has what describes it: nanoseconds and bytes a second where they are given, else cycles.

    >>> tiny = Accelerator.load("tiny")
    >>> print(accelerator_yaml(tiny)[:35])
    format: 2
    name: tiny
    array:
      kp: 4
    """
    fields = type(accelerator).model_fields
    shipped = {
        name
        for name in fields
        if isinstance(table := getattr(accelerator, name), Table) and table == _shipped(type(table))
    }
    data = {"format": FORMAT} | accelerator.model_dump(mode="json", exclude=shipped) | {"dram": accelerator.dram.given}
    if accelerator.device is not None:
        device = accelerator.device
        data["device"] = device.part if device == devices().get(device.part) else device.model_dump(exclude_none=True)
    for numbers in (data, data["dram"]):  # 100000000 hertz
        numbers |= {k: int(v) for k, v in numbers.items() if isinstance(v, float) and v.is_integer()}
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True))
