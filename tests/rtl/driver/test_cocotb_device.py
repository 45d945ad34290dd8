"""The device of a cocotb bench, with stand-ins for cocotb's bridge: what is read, written and waited for.

``examples/toolkits/cocotb_bench.py`` runs it in a simulator.
"""

from __future__ import annotations

import asyncio
import types
from typing import Any

import numpy as np
import pytest

from rtl.driver import cocotb_device
from rtl.driver.cocotb_device import CocotbBuffer, CocotbDevice


class Registers:
    def __init__(self) -> None:
        self.values: dict[int, bytes] = {}

    async def read(self, offset: int, length: int) -> Any:
        return types.SimpleNamespace(data=self.values.get(offset, bytes(length)))

    async def write(self, offset: int, data: bytes) -> None:
        self.values[offset] = data


class Ram:
    def __init__(self) -> None:
        self.bytes = bytearray(range(256)) * 64

    def read(self, address: int, length: int) -> bytearray:
        return self.bytes[address : address + length]

    def write(self, address: int, data: bytes) -> None:
        self.bytes[address : address + len(data)] = data


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was waited for, where cocotb's triggers are notes and its bridge is asyncio."""
    noted: list[Any] = []

    async def note(*what: Any) -> None:
        noted.append(what)

    triggers = types.SimpleNamespace(
        ClockCycles=lambda clock, cycles: note("cycles", clock, cycles),
        RisingEdge=lambda signal: ("edge", signal),
        First=lambda *both: note("first", *(one if isinstance(one, tuple) else one.close() for one in both)),
    )
    task = types.SimpleNamespace(
        resume=lambda function: lambda *args: asyncio.run(function(*args)),
        bridge=lambda function: lambda *args, **kwargs: asyncio.to_thread(function, *args, **kwargs),
    )
    modules = {"cocotb.triggers": triggers, "cocotb.task": task}
    monkeypatch.setattr(cocotb_device, "import_module", modules.__getitem__)
    return noted


def test_registers_are_words_of_the_bus(waited: list[Any]) -> None:
    registers = Registers()
    device = CocotbDevice(registers, Ram(), "clock")
    device.write(0x18, 0x1234_5678)
    assert registers.values == {0x18: bytes.fromhex("78563412")} and device.read(0x18) == 0x1234_5678
    assert asyncio.run(device.run(device.read, 0x18)) == 0x1234_5678


def test_a_buffer_is_apart_from_memory_until_it_is_flushed_or_invalidated(waited: list[Any]) -> None:
    ram = Ram()
    device = CocotbDevice(Registers(), ram, "clock", first=5000, size=8192)
    buffer = device.allocate(100)
    assert isinstance(buffer, CocotbBuffer) and buffer.physical_address == 8192 and (buffer == 0xA5).all()
    piece: Any = buffer[16:][4:8]
    assert piece.physical_address == 8192 + 20
    piece[:] = [1, 2, 3, 4]
    assert ram.bytes[8192 + 20 : 8192 + 24] == bytes([20, 21, 22, 23])
    piece.flush()
    assert ram.bytes[8192 + 19 : 8192 + 25] == bytes([19, 1, 2, 3, 4, 24])
    buffer.invalidate()
    assert np.asarray(buffer)[18:22].tolist() == [18, 19, 1, 2]
    with pytest.raises(MemoryError, match="8192 bytes are wanted at 0x3000; the memory ends at 0x3388"):
        device.allocate(8192)


def test_waiting_ends_with_the_interrupt_or_looks_now_and_then(waited: list[Any]) -> None:
    CocotbDevice(Registers(), Ram(), "clock", poll=300).wait(5000)
    high, low = types.SimpleNamespace(value=1), types.SimpleNamespace(value=0)
    CocotbDevice(Registers(), Ram(), "clock", high).wait(5000)
    CocotbDevice(Registers(), Ram(), "clock", low).wait(5000)
    assert waited == [("cycles", "clock", 300), ("first", ("edge", low), None)]
