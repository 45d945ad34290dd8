"""Registers between ports, by hand and on the units; a unit that has one more than the model counts is refused."""

import pytest
from amaranth import Module, Signal
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from rtl import accelerator, compute, fetch, store
from rtl.accelerator import FastSwitch
from rtl.compute import Compute
from rtl.fetch import Fetch
from rtl.line_buffer import LineBuffer
from rtl.pixel import delayed
from rtl.requantiser import Requantiser
from rtl.semaphore import Semaphore
from rtl.stages import check_latency, registers_between
from rtl.store import Store
from rtl.store_lane import StoreLane


class Chosen(Component):
    """``late`` is ``data`` two registers on, if ``choice`` was set one cycle before; ``soon`` is ``data`` itself."""

    def __init__(self):
        super().__init__({"data": In(8), "choice": In(1), "soon": Out(8), "late": Out(8), "alone": In(1)})

    def elaborate(self, platform):
        m = Module()
        once = Signal(8)
        m.d.comb += self.soon.eq(self.data)
        m.d.sync += once.eq(self.data)
        with m.If(self.choice):
            m.d.sync += self.late.eq(once)
        return m


class Kept(Component):
    """A memory of two words with a registered read."""

    def __init__(self):
        super().__init__({"write": In(8), "at": In(1), "read": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=2, init=[])
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [write.en.eq(1), write.data.eq(self.write), read.addr.eq(self.at), self.read.eq(read.data)]
        return m


@pytest.mark.parametrize(
    ("kind", "source", "target", "registers"),
    [
        (Chosen, "data", "soon", 0),
        (Chosen, "data", "late", 2),
        (Chosen, "choice", "late", 1),  # a condition is a way, too
        (Kept, "at", "read", 1),
        (Kept, "write", "read", 2),
    ],
)
def test_registers_are_counted_by_hand(kind, source, target, registers):
    unit = kind()
    assert registers_between(unit, getattr(unit, source), getattr(unit, target)) == registers


def test_no_way_is_an_error():
    unit = Chosen()
    with pytest.raises(ValueError, match="Chosen: no path from"):
        registers_between(unit, unit.alone, unit.late)


def test_a_latency_that_differs_names_unit_ports_and_constant():
    with pytest.raises(
        FastSwitchError, match=r"Chosen has 2 registers from data to late; .*microarchitecture\.LATE is 3"
    ):
        check_latency("LATE", 3, Chosen, "data", "late")


def later(kind, *outputs):
    """A unit's class whose outputs come one register later."""

    class Later(kind):  # type: ignore[valid-type, misc]
        def elaborate(self, platform):
            m, inner = Module(), kind(**self._made_with)
            m.submodules.inner = inner
            for name in self.signature.members:
                port, mine = getattr(inner, name), getattr(self, name)
                if name in outputs:
                    m.d.comb += mine.eq(delayed(m, port, 1, f"{name}_late")[1])
                elif isinstance(port, Signal) and self.signature.members[name].flow is In:
                    m.d.comb += port.eq(mine)
            for port, mine in zip(getattr(inner, "words", ()), getattr(self, "words", ()), strict=True):
                m.d.comb += port.eq(mine)
            return m

        def __init__(self, **parameters):
            self._made_with = parameters
            super().__init__(**parameters)

    return Later


@pytest.mark.parametrize(
    ("room", "name", "unit", "constant"),
    [
        (compute, "Requantiser", later(Requantiser, "y"), "REQUANTISER"),
        (compute, "LineBuffer", later(LineBuffer, "window"), "LINE_BUFFER"),
        (store, "StoreLane", later(StoreLane, "y"), "STORE_LANE"),
    ],
)
def test_a_stage_more_stops_the_machine(monkeypatch, room, name, unit, constant):
    monkeypatch.setattr(room, name, unit)
    a = Accelerator.load("tiny")
    if room is compute:
        part = Compute(kp=a.kp, cp=a.cp, nb=a.nb, sb_words=64, ob_pixels=16, out_words=64)
    else:
        part = Store(cp=a.cp, nb=a.nb, beat_bytes=a.beat_bytes, max_burst=a.axi.max_burst)
    with pytest.raises(FastSwitchError, match=rf"registers from .*microarchitecture\.{constant} is"):
        part.elaborate(None)


def test_a_stage_less_stops_the_machine(monkeypatch):
    """A token that can be taken in the cycle in which it is released."""

    class Sooner(Semaphore):
        def elaborate(self, platform):
            m = Module()
            m.d.comb += self.token.ready.eq(self.release)
            return m

    monkeypatch.setattr(accelerator, "Semaphore", Sooner)
    with pytest.raises(FastSwitchError, match=r"Sooner has 0 registers from release to token\.ready; .*TOKEN is 1"):
        FastSwitch(Accelerator.load("tiny")).elaborate(None)


def test_depths_that_the_units_cannot_have(monkeypatch):
    monkeypatch.setattr(store, "STORE_FIFO", 8)
    with pytest.raises(ValueError, match="STORE_FIFO is 8; a word a cycle needs 10 places"):
        Store(cp=3, nb=2, beat_bytes=4, max_burst=16).elaborate(None)


def test_queues_are_as_deep_as_the_model_counts(monkeypatch):
    """The depth is not repeated: FETCH builds its queues from the one constant."""
    built = []
    monkeypatch.setattr(
        fetch, "SyncFIFOBuffered", lambda **sizes: built.append(sizes["depth"]) or SyncFIFOBuffered(**sizes)
    )
    monkeypatch.setattr(fetch, "QUEUE_DEPTH", 7)
    monkeypatch.setattr(fetch, "check_latency", lambda *_, **__: None)
    Fetch(beat_bytes=4, max_burst=16).elaborate(None)
    assert built == [7] * 5
