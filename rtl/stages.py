"""Registers counted between a unit's ports: is its latency the one that the model and the mapper count with?

:mod:`arch_model.machine.microarchitecture` states each latency once. A unit that uses it checks here, when it is
elaborated, that what it is built from really has so many registers, so a pipeline stage that is added or removed
without telling the model stops the generation of the machine instead of making its predictions wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from amaranth.hdl import Fragment, Signal, Value, ValueCastable

from arch_model.errors import FastSwitchError


def registers_between(unit: Any, source: Any, target: Any) -> int:
    """The fewest registers that a signal passes on its way through a unit.

    A register, and a memory's write and its registered read, count one each. Paths of one pipeline that have different
    lengths are not found here: the tests that simulate the unit find them.

    Parameters
    ----------
    unit : Elaboratable
        It is elaborated, so it must not be part of a design already.
    source, target : Value
        Two ports of it, or signals inside.

    Returns
    -------
    int
        Clock cycles from a change of ``source`` to the earliest change of ``target``.

    Raises
    ------
    ValueError
        If no path leads from ``source`` to ``target``.

    Examples
    --------
    >>> from rtl.dpe import DPE
    >>> dpe = DPE()
    >>> registers_between(dpe, dpe.window, dpe.total)
    2
    """
    edges: dict[Any, list[tuple[Any, int]]] = {}
    fragment = Fragment.get(unit, None)  # kept, as signals are told apart by where they are in memory
    for before, after, registers in _edges(fragment):
        edges.setdefault(before, []).append((after, registers))
    wanted = {id(signal) for signal in _signals(target)}
    waiting = deque((id(signal), 0) for signal in _signals(source))
    seen: set[Any] = set()
    while waiting:
        at, passed = waiting.popleft()
        if at in wanted:
            return passed
        if at in seen:
            continue
        seen.add(at)
        for after, registers in edges.get(at, ()):
            if registers:
                waiting.append((after, passed + 1))
            else:
                waiting.appendleft((after, passed))
    raise ValueError(f"{type(unit).__name__}: no path from {source!r} to {target!r}")


def check_latency(name: str, promised: int, kind: type, source: str, target: str, **parameters: Any) -> None:
    """Refuse a unit whose latency is not the one that the model counts with.

    Parameters
    ----------
    name : str
        That of the latency in :mod:`arch_model.machine.microarchitecture`.
    promised : int
        Its value there.
    kind : type
        The unit's class; ``parameters`` are those of its constructor.
    source, target : str
        Names of its ports, with dots and numbers for parts of them (``i.payload``, ``sums.0``).
    parameters : of the unit's constructor.

    Raises
    ------
    FastSwitchError
        If the unit has more or fewer registers between the two.
    """
    found = _found(kind, source, target, tuple(sorted(parameters.items())))
    if found != promised:
        raise FastSwitchError(
            f"{kind.__name__} has {found} registers from {source} to {target}; "
            f"arch_model.machine.microarchitecture.{name} is {promised}: change both, or neither"
        )


@lru_cache(maxsize=1 << 8)
def _found(kind: type, source: str, target: str, parameters: tuple[tuple[str, Any], ...]) -> int:
    unit = kind(**dict(parameters))
    return registers_between(unit, _port(unit, source), _port(unit, target))


def _port(unit: Any, path: str) -> Any:
    for part in path.split("."):
        unit = unit[int(part)] if part.isdigit() else getattr(unit, part)
    return unit


def _signals(value: Any) -> Iterable[Signal]:
    """The signals of a value; Amaranth 0.5 has no public way to ask for them."""
    cast = Value.cast(value) if isinstance(value, ValueCastable) or not isinstance(value, Value) else value
    signals: Iterable[Signal] = cast._rhs_signals()
    return signals


def _edges(fragment: Any) -> Iterator[tuple[Any, Any, int]]:
    """Every (signal, signal that depends on it, registers between: 0 or 1) of a fragment and those inside."""
    for domain, statements in fragment.statements.items():
        for statement in statements:
            for before, after in _dependences(statement, ()):
                yield id(before), id(after), int(domain != "comb")
    for port in getattr(fragment, "_write_ports", ()):
        for value in (port._data, port._addr, port._en):
            yield from ((id(before), id(fragment), 1) for before in _signals(value))
    for port in getattr(fragment, "_read_ports", ()):
        registered = int(port._domain != "comb")
        for after in _signals(port._data):
            yield id(fragment), id(after), registered
            yield from ((id(before), id(after), registered) for before in _signals(port._addr))
    for inside, *_ in fragment.subfragments:
        yield from _edges(inside)


def _dependences(statement: Any, tests: tuple[Signal, ...]) -> Iterator[tuple[Signal, Signal]]:
    """(signal, signal that an assignment gives a value made of it, or under its condition)."""
    if hasattr(statement, "cases"):
        inner = (*tests, *_signals(statement.test))
        for _, statements, *_ in statement.cases:
            for each in statements:
                yield from _dependences(each, inner)
    elif hasattr(statement, "lhs"):
        for after in statement._lhs_signals():
            yield from ((before, after) for before in (*tests, *statement._rhs_signals()))
