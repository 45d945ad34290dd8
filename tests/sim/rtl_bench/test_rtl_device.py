"""The device on Icarus, with a copier (copier.v) as the machine; tests/rtl/driver has it on Verilator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from arch_model.errors import SimulatorError
from sim.rtl_bench.bench import Build
from sim.rtl_bench.rtl_device import POLL_CYCLES, STALE, RtlDevice
from tests.sim.rtl_bench.test_bench import DISTANCE, MEMORY, REGISTERS, built


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return built("icarus", tmp_path_factory.mktemp("builds"))


def start(device: RtlDevice, address: int, beats: int) -> None:
    for name, value in {"PROG_ADDR": address, "PROG_BEATS": beats, "IRQ_ENABLE": 1, "CTRL": 1}.items():
        device.write(REGISTERS[name], value)


@pytest.mark.parametrize("irq", [True, False])
def test_buffers_are_seen_after_a_flush_and_see_after_an_invalidate(irq: bool, build: Build) -> None:
    data = np.arange(64, dtype=np.uint8)
    with RtlDevice(build, irq=irq) as device:
        assert device.read(REGISTERS["ID"]) == 0x46535731
        source, _, _ = (device.allocate(size) for size in (64, 4096, 2 * 4096))
        while (target := device.allocate(64)).physical_address < source.physical_address + DISTANCE:
            pass
        assert target.physical_address == source.physical_address + DISTANCE
        source[:] = data
        # The second half stays in the cache.
        source[:32].flush()  # type: ignore[attr-defined]
        start(device, source.physical_address, 16)
        device.wait(10_000)
        assert device.read(REGISTERS["STATUS"]) == 0b010
        assert (target == STALE).all()
        part = target[16:48]
        assert part.physical_address == target.physical_address + 16  # type: ignore[attr-defined]
        part.invalidate()  # type: ignore[attr-defined]
        assert (target[16:32] == data[16:32] ^ 0xFF).all() and (target[32:48] == 0xFF).all(), "what was in DRAM"
        assert (target[:16] == STALE).all() and (target[48:] == STALE).all()


def test_time_passes_in_wait_alone(build: Build) -> None:
    with RtlDevice(build) as device:
        start(device, 0, 0)  # never ends
        first = device.read(REGISTERS["CYCLES"])
        device.wait(500)
        assert 500 <= device.read(REGISTERS["CYCLES"]) - first < 520
    with RtlDevice(build, irq=False) as device:
        start(device, 0, 0)
        first = device.read(REGISTERS["CYCLES"])
        device.wait(1 << 30)
        assert POLL_CYCLES <= device.read(REGISTERS["CYCLES"]) - first < POLL_CYCLES + 20


def test_errors_come_when_they_are_wanted(build: Build) -> None:
    with RtlDevice(build) as device:
        for last, status in ((8, 0x0306), (0, 0x0002)):
            device.answer_errors(0, last)
            start(device, 0, 16)
            device.wait(10_000)
            assert device.read(REGISTERS["STATUS"]) == status
            device.write(REGISTERS["IRQ_STATUS"], 1)


def test_what_is_wrong_is_said(build: Build) -> None:
    device = RtlDevice(build)
    with pytest.raises(SimulatorError, match="not running"):
        device.read(0)
    with device:
        with pytest.raises(ValueError, match="6 bytes at 0x1000 are not whole beats of 4 bytes"):
            device.allocate(6).flush()
        with pytest.raises(SimulatorError, match=f"{MEMORY.beats * 4} bytes of DRAM are wanted"):
            device.allocate(MEMORY.beats * 4)
        device.release()
        assert device.allocate(4).physical_address == 4096
        start(device, 1 << 31, 8)
        with pytest.raises(SimulatorError, match="4 KiB boundary"):
            device.wait(1000)
        with pytest.raises(SimulatorError, match="not running"):
            device.read(0)


def test_the_log_is_where_it_was_asked_to_be(build: Build, tmp_path: Path) -> None:
    with RtlDevice(build, folder=tmp_path / "here") as device:
        device.read(0)
    assert (tmp_path / "here" / "bench.log").exists()
