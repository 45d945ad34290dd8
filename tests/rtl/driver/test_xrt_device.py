"""The device on an Alveo card, against a stand-in for XRT: what is called, in which order, and what it says."""

from __future__ import annotations

import gc
import time
from typing import Any

import numpy as np
import pytest

from rtl.driver import DriverError, XrtDevice
from rtl.driver.xrt_device import LIBRARY, XrtBuffer
from tests.rtl.driver.fake_xrt import FakeXrt, PlainCard


def device(card: PlainCard | None = None, **options: object) -> tuple[XrtDevice, FakeXrt]:
    refuse = str(options.pop("refuse", ""))
    xrt = FakeXrt(card or PlainCard(), refuse)
    return XrtDevice("a.xclbin", 200e6, library=xrt, **options), xrt  # type: ignore[arg-type]


def test_it_opens_the_kernel_of_the_xclbin_for_itself() -> None:
    made, xrt = device()
    made.close()
    assert [name for name, _ in xrt.calls] == [
        *("xrtDeviceOpen", "xrtDeviceLoadXclbinFile", "xrtDeviceGetXclbinUUID", "xrtPLKernelOpenExclusive"),
        *("xrtKernelClose", "xrtDeviceClose"),
    ]
    assert xrt.calls[1][1][1] == b"a.xclbin"


def test_registers() -> None:
    made, xrt = device()
    made.write(0x18, 0xFFFF_FFFF)
    assert made.read(0x18) == 0xFFFF_FFFF and made.read(0x1C) == 0
    assert xrt.card.registers == {0x18: 0xFFFF_FFFF}


def test_a_slice_of_a_buffer_is_synchronised_alone() -> None:
    made, xrt = device()
    buffer = made.allocate(10_000)
    assert isinstance(buffer, XrtBuffer) and buffer.physical_address == 0x1000
    piece: Any = buffer[256:][44:108]
    assert piece.physical_address == 0x1000 + 300 and len(piece) == 64
    piece[:] = np.arange(64)
    far = next(iter(xrt.buffers.values())).far
    assert (far == 0xA5).all(), "nothing moves without being told to"
    piece.flush()
    assert (far[300:364] == np.arange(64)).all() and (far[:300] == 0xA5).all() and (far[364:] == 0xA5).all()
    far[300:304] = 9
    piece.invalidate()
    assert buffer[300:305].tolist() == [9, 9, 9, 9, 4]
    assert [args[2:] for name, args in xrt.calls if name == "xrtBOSync"] == [(64, 300), (64, 300)]


def test_buffers_go_to_the_banks_in_turn_and_back_when_nobody_has_them() -> None:
    made, xrt = device(banks=(3, 5))
    buffers = [made.allocate(4096) for _ in range(3)]
    assert [args[3] for name, args in xrt.calls if name == "xrtBOAlloc"] == [3, 5, 3]
    kept = buffers[1][:16]
    del buffers
    gc.collect()
    assert len(xrt.freed) == 2, "a slice keeps its buffer"
    del kept
    gc.collect()
    assert len(xrt.freed) == 3


def test_addresses_are_those_of_the_window_that_the_kernel_reaches() -> None:
    made, _ = device(PlainCard(first=(0x40 << 32) + 0x2000), window=0x40 << 32)
    assert made.allocate(64).physical_address == 0x2000
    for first in ((0x41 << 32) - 64, 0x2000):  # its end beyond, its beginning before
        outside, xrt = device(PlainCard(first=first), window=0x40 << 32)
        with pytest.raises(DriverError, match=r"the kernel reaches 4 GiB from 0x4000000000 on: give other banks"):
            outside.allocate(128)
        assert xrt.freed == list(xrt.buffers)


@pytest.mark.parametrize(
    ("refuse", "line"),
    [
        ("xrtDeviceOpen", "XRT does not open card 0; "),
        ("xrtDeviceLoadXclbinFile", "XRT does not load a.xclbin: error 22"),
        ("xrtDeviceGetXclbinUUID", "XRT does not tell the UUID of a.xclbin: error 22"),
        ("xrtPLKernelOpenExclusive", "XRT does not open fastswitch_kernel for itself alone; "),
        ("xrtKernelReadRegister", "XRT does not read register 0x0c: error 22"),
        ("xrtKernelWriteRegister", "XRT does not write register 0x08: error 22"),
        ("xrtBOAlloc", "XRT does not allocate 4096 bytes in memory group 0; "),
        ("xrtBOMap", "XRT does not map a buffer; "),
        ("xrtBOSync", "XRT does not copy 4096 bytes: error 22"),
    ],
)
def test_what_xrt_refuses_is_one_line(refuse: str, line: str) -> None:
    with pytest.raises(DriverError) as seen:
        made, _ = device(refuse=refuse)
        made.allocate(4096).flush()
        made.write(0x08, made.read(0x0C))
    assert str(seen.value).startswith(line) and "\n" not in str(seen.value)


def test_waiting_is_a_look_a_millisecond() -> None:
    made, _ = device()
    start = time.monotonic()
    made.wait(2**31)
    assert time.monotonic() - start < 0.5


def test_without_xrt_the_error_says_so() -> None:
    with pytest.raises(DriverError, match=rf"XRT is not installed here: {LIBRARY} is not found"):
        XrtDevice("a.xclbin", 200e6)
