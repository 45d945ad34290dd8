"""What XRT's library for C does with a card, in Python: a stand-in that checks how it is called."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from rtl.driver.xrt_device import FROM_DEVICE, FUNCTIONS, TO_DEVICE

DEVICE, KERNEL, FIRST_BUFFER = 0xD000_0000_0001, 0xE000_0000_0001, 0xB000_0000_0000
"""Handles of more than 32 bits, as pointers are."""

UUID = bytes(range(16))


class PlainCard:
    """Registers that keep what is written, and memory that never comes near the host's copy by itself."""

    def __init__(self, first: int = 0x1000) -> None:
        self.registers: dict[int, int] = {}
        self.next = first

    def read(self, offset: int) -> int:
        return self.registers.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        self.registers[offset] = value

    def allocate(self, size: int) -> PlainBuffer:
        buffer = np.zeros(size, np.uint8).view(PlainBuffer)
        buffer.far, buffer.physical_address = np.full(size, 0xA5, np.uint8), self.next
        self.next += -(-size // 4096) * 4096
        return buffer


class PlainBuffer(np.ndarray[Any, np.dtype[np.uint8]]):
    far: Any
    physical_address: int

    def __array_finalize__(self, whole: object) -> None:
        if isinstance(whole, PlainBuffer) and hasattr(whole, "far"):
            begin = self.ctypes.data - whole.ctypes.data
            self.far, self.physical_address = whole.far[begin : begin + len(self)], whole.physical_address + begin

    def flush(self) -> None:
        self.far[:] = np.asarray(self)

    def invalidate(self) -> None:
        np.asarray(self)[:] = self.far


class FakeXrt:
    """The functions of :data:`FUNCTIONS` on a card; each call is noted, with handles checked.

    Parameters
    ----------
    card : an object with ``read``, ``write`` and ``allocate``.
    refuse : a function that fails, as XRT says it: 0 for a handle, another number for an error.
    """

    def __init__(self, card: Any, refuse: str = "") -> None:
        self.card, self.refuse = card, refuse
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.buffers: dict[int, Any] = {}
        self.freed: list[int] = []
        for name, (_, arguments) in FUNCTIONS.items():
            setattr(self, name, self._function(name, len(arguments)))

    def _function(self, name: str, arguments: int) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            assert len(given) == arguments, (name, given)
            assert (call.restype, call.argtypes) == FUNCTIONS[name], "types were declared"  # type: ignore[attr-defined]
            self.calls.append((name, given))
            if name == self.refuse:
                return 0 if FUNCTIONS[name][0] is ctypes.c_void_p else 22
            return getattr(self, f"_{name}")(*given)

        return call

    def _xrtDeviceOpen(self, index: int) -> int:
        assert index == 0
        return DEVICE

    def _xrtDeviceClose(self, device: int) -> int:
        assert device == DEVICE
        return 0

    def _xrtDeviceLoadXclbinFile(self, device: int, path: bytes) -> int:
        assert device == DEVICE and isinstance(path, bytes)
        return 0

    def _xrtDeviceGetXclbinUUID(self, device: int, uuid: Any) -> int:
        assert device == DEVICE
        uuid[:] = UUID
        return 0

    def _xrtPLKernelOpenExclusive(self, device: int, uuid: Any, name: bytes) -> int:
        assert device == DEVICE and bytes(uuid) == UUID and name == b"fastswitch_kernel"
        return KERNEL

    def _xrtKernelClose(self, kernel: int) -> int:
        assert kernel == KERNEL
        return 0

    def _xrtKernelReadRegister(self, kernel: int, offset: int, value: Any) -> int:
        assert kernel == KERNEL and offset % 4 == 0
        value._obj.value = self.card.read(offset)
        return 0

    def _xrtKernelWriteRegister(self, kernel: int, offset: int, value: int) -> int:
        assert kernel == KERNEL and offset % 4 == 0 and 0 <= value < 1 << 32
        self.card.write(offset, value)
        return 0

    def _xrtBOAlloc(self, device: int, size: int, flags: int, group: int) -> int:
        assert device == DEVICE and size > 0 and flags == 0 and group >= 0
        handle = FIRST_BUFFER + len(self.buffers)
        self.buffers[handle] = self.card.allocate(size)
        return handle

    def _xrtBOFree(self, handle: int) -> int:
        assert handle in self.buffers and handle not in self.freed
        self.freed.append(handle)
        return 0

    def _xrtBOMap(self, handle: int) -> int:
        return int(self.buffers[handle].ctypes.data)

    def _xrtBOAddress(self, handle: int) -> int:
        return int(self.buffers[handle].physical_address)

    def _xrtBOSync(self, handle: int, direction: int, size: int, offset: int) -> int:
        piece = self.buffers[handle][offset : offset + size]
        assert len(piece) == size and direction in (TO_DEVICE, FROM_DEVICE)
        piece.flush() if direction == TO_DEVICE else piece.invalidate()
        return 0
