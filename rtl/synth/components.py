"""Which component of the machine an instance belongs to, named as in :mod:`arch_model.cost.resources`."""

from __future__ import annotations

import re

from arch_model.machine.microarchitecture import TOKENS

_RULES = tuple(
    (re.compile(rf"{pattern}(?=\.|$)"), component)
    for pattern, component in (
        (r"compute\.accumulator\.ob", "ob"),
        (r"compute\.run", "run"),
        (r"compute\.out_\d+", "ob_out"),
        (rf"(?:{'|'.join(TOKENS)})", "control"),
        (r"stripes_\w+", "stripes"),
        (r"drain_\w+", "drains"),
        (r"compute\.([a-z_]+?)(?:_\d+)*", r"\1"),
        (r"compute", "run"),  # the pipeline beside the pixels
        (r"([a-z_]+?)(?:_\d+)*", r"\1"),
    )
)
_MACHINE = "machine"
_COPY = re.compile(r"(?:_\d+)+(?=\.|$)")


def component_of(path: str) -> str:
    """The component of an instance, from its path below the top; a new unit is a component of its own name.

    >>> [component_of(f"machine.{path}") for path in ("compute.array.dpe_3_2", "compute.requantiser_0", "w_free")]
    ['array', 'requantiser', 'control']
    >>> component_of(""), component_of("machine.compute.sb_4.part_0"), component_of("machine.store.pack")
    ('top', 'sb', 'store')
    """
    inside = path.removeprefix(_MACHINE).removeprefix(".")
    for pattern, component in _RULES:
        if match := pattern.match(inside):
            return match.expand(component)
    return "top"


def part_of(path: str) -> str:
    """An instance's path without the numbers of copies: what is alike has one name.

    >>> part_of("machine.compute.array.dpe_3_2"), part_of("machine.store.pack"), part_of("machine")
    ('compute.array.dpe', 'store.pack', 'machine')
    """
    return _COPY.sub("", path.removeprefix(f"{_MACHINE}.")) or "top"
