"""Netlists in which equal units are one module, however often they stand in the machine.

Amaranth writes a module for every place at which a component stands, so an array of 16 × 9 dot-product engines has 72
or 144 modules that differ in nothing. Tools that read Verilog then optimise, compile and report each of them by itself.
"""

from __future__ import annotations

import gc
import re
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from amaranth import ClockDomain, ClockSignal, Instance, Module, ResetSignal, Value
from amaranth.back import rtlil
from amaranth.hdl import Fragment, MemoryInstance
from amaranth.hdl._ir import PortDirection
from amaranth.lib.wiring import Component, Out

PREFIX = "fastswitch_"
"""Before the names of shared modules: a design of several sources has one name space."""


class SharedUnit(Component):
    """A component that stands many times in a machine. A netlist has one module of all that were made alike.

    Subclasses write :meth:`body` where other components write ``elaborate``. A simulation of Amaranth's own elaborates
    the body itself, wherever it stands.
    """

    _made_with: tuple[Any, ...]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        unit = super().__new__(cls)
        unit._made_with = args, tuple(sorted(kwargs.items()))
        return unit

    @property
    def sizes(self) -> str:
        """What tells it from others of its class, for the name of its module."""
        return ""

    @abstractmethod
    def body(self, platform: Any) -> Module:
        """The unit's logic, as ``elaborate`` of other components returns it."""

    def elaborate(self, platform: Any) -> Module | Instance:
        return platform.place(self) if isinstance(platform, Netlist) else self.body(platform)


class Netlist:
    """What a design is elaborated with to have one module of each different :class:`SharedUnit`.

    Examples
    --------
    >>> from amaranth.hdl import Fragment
    >>> from rtl.array import Array
    >>> netlist = Netlist()
    >>> _ = Fragment.get(Array(4, 2), netlist)
    >>> [line for line in netlist.rtlil.splitlines() if line.startswith("module")]
    ['module \\\\fastswitch_packed_dpe', 'module \\\\fastswitch_greatest']
    """

    def __init__(self) -> None:
        self._names: dict[tuple[Any, ...], str] = {}
        self._texts: list[str] = []

    @property
    def rtlil(self) -> str:
        """The shared modules in RTLIL, Yosys' own language."""
        return "".join(self._texts)

    def place(self, unit: SharedUnit) -> Instance:
        """The unit as an instance of its module, which is made if it is the first one of its kind."""
        key = type(unit), unit._made_with
        if key not in self._names:
            self._names[key] = self._free_name(unit)
            self._texts.append(self._module(unit, self._names[key]))
        pins: dict[str, Any] = {"i_clk": ClockSignal(), "i_rst": ResetSignal()}
        for path, member, value in unit.signature.flatten(unit):
            pins[f"{'o' if member.flow is Out else 'i'}_{_port(path)}"] = value
        return Instance(self._names[key], **pins)

    def _free_name(self, unit: SharedUnit) -> str:
        words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", type(unit).__name__).lower()
        name = f"{PREFIX}{words}_{unit.sizes}".rstrip("_")
        alike = sum(re.sub(r"__\d+$", "", taken) == name for taken in self._names.values())
        return f"{name}__{alike + 1}" if alike else name

    def _module(self, unit: SharedUnit, name: str) -> str:
        body = unit.body(self)
        body.domains.sync = domain = ClockDomain()
        ports = {"clk": (domain.clk, PortDirection.Input), "rst": (domain.rst, PortDirection.Input)}
        for path, member, value in unit.signature.flatten(unit):
            ports[_port(path)] = Value.cast(value), PortDirection.Output if member.flow is Out else PortDirection.Input
        return module_rtlil(Fragment.get(body, self), ports, name).replace("attribute \\top 1\n", "")


@contextmanager
def without_collector() -> Iterator[None]:
    """Let Python's collector of cycles rest: a design is millions of objects that live until it is written.

    The collector would go over all of them again and again, a third of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _port(path: tuple[str | int, ...]) -> str:
    return "__".join(map(str, path))


def module_rtlil(fragment: Fragment, ports: dict[str, tuple[Value, PortDirection]], name: str) -> str:
    """RTLIL of an elaborated design whose memories begin with nothing.

    Parameters
    ----------
    fragment, ports, name : as of Amaranth's ``rtlil.convert_fragment``.
    """
    _forget_memory_contents(fragment)
    return without_memory_contents(rtlil.convert_fragment(fragment, ports, name, emit_src=False)[0])


def _forget_memory_contents(fragment: Fragment) -> None:
    """Take the initial contents, zeros all, from every memory in an elaborated design.

    Amaranth writes them bit by bit, for a large machine a hundred million, which :func:`without_memory_contents` would
    throw away: most of the time and space that generation takes.
    """
    if isinstance(fragment, MemoryInstance):
        fragment._data._init._raw = []
    for subfragment, *_ in fragment.subfragments:
        _forget_memory_contents(subfragment)


def without_memory_contents(text: str) -> str:
    """RTLIL without initial memory contents: no buffer is read before it is written, and block RAMs have no reset."""
    return re.sub(r"^ *cell \$meminit_v2 .*?^ *end\n", "", text, flags=re.MULTILINE | re.DOTALL)
