"""A machine on an Alveo card, through XRT's library for C: registers, buffers in the card's memory, polling.

The card runs the kernel ``fastswitch_kernel``, whose registers software writes itself ("user managed"). XRT's module
for Python, ``pyxrt``, has no access to registers, so this calls the library behind it, ``libxrt_coreutil.so``.
"""

from __future__ import annotations

import ctypes
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .errors import DriverError
from .pynq_device import POLL_SECONDS

LIBRARY = "libxrt_coreutil.so.2"
KERNEL = "fastswitch_kernel"
TO_DEVICE, FROM_DEVICE = 0, 1
"""``xclBOSyncDirection``."""

WINDOW = 1 << 32
"""Bytes that the machine's addresses reach."""

_HANDLE, _SIZE = ctypes.c_void_p, ctypes.c_size_t
_Uuid = ctypes.c_ubyte * 16

FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "xrtDeviceOpen": (_HANDLE, [ctypes.c_uint]),
    "xrtDeviceClose": (ctypes.c_int, [_HANDLE]),
    "xrtDeviceLoadXclbinFile": (ctypes.c_int, [_HANDLE, ctypes.c_char_p]),
    "xrtDeviceGetXclbinUUID": (ctypes.c_int, [_HANDLE, ctypes.POINTER(ctypes.c_ubyte)]),
    "xrtPLKernelOpenExclusive": (_HANDLE, [_HANDLE, ctypes.POINTER(ctypes.c_ubyte), ctypes.c_char_p]),
    "xrtKernelClose": (ctypes.c_int, [_HANDLE]),
    "xrtKernelReadRegister": (ctypes.c_int, [_HANDLE, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)]),
    "xrtKernelWriteRegister": (ctypes.c_int, [_HANDLE, ctypes.c_uint32, ctypes.c_uint32]),
    "xrtBOAlloc": (_HANDLE, [_HANDLE, _SIZE, ctypes.c_uint64, ctypes.c_uint32]),
    "xrtBOFree": (ctypes.c_int, [_HANDLE]),
    "xrtBOMap": (_HANDLE, [_HANDLE]),
    "xrtBOAddress": (ctypes.c_uint64, [_HANDLE]),
    "xrtBOSync": (ctypes.c_int, [_HANDLE, ctypes.c_int, _SIZE, _SIZE]),
}
"""What is called of XRT (``xrt_device.h``, ``xrt_kernel.h``, ``xrt_bo.h``): type of the result and of the arguments."""


class XrtBuffer(np.ndarray[Any, np.dtype[np.uint8]]):
    """The host's copy of bytes in the card's memory; a slice is a buffer.

    Attributes
    ----------
    physical_address : of the first byte, as the machine's AXI ports count.
    """

    physical_address: int
    _owner: XrtDevice
    _handle: Any
    _offset: int

    def __array_finalize__(self, whole: object) -> None:
        if isinstance(whole, XrtBuffer):
            self._owner, self._handle = whole._owner, whole._handle
            moved = self.ctypes.data - whole.ctypes.data
            self._offset, self.physical_address = whole._offset + moved, whole.physical_address + moved

    def flush(self) -> None:
        """Send these bytes to the card."""
        self._owner.sync(self._handle, TO_DEVICE, len(self), self._offset)

    def invalidate(self) -> None:
        """Fetch these bytes from the card."""
        self._owner.sync(self._handle, FROM_DEVICE, len(self), self._offset)


class XrtDevice:
    """The kernel on an Alveo card.

    Parameters
    ----------
    xclbin : path of the file that ``v++ --link`` has made.
    clock_hz : the kernel's clock, for how long to sleep.
    banks : XRT's memory group of each buffer in the order in which the driver allocates them (stripes of weights,
        stripes of tensors, Programs); from the first again when they are at an end. HBM[i] is group i.
    window : byte address of the 4 GiB that the kernel reaches, its ADDRESS_HIGH times 2**32.
    index : of the card.
    wait : takes a number of cycles, as ``Device.wait``: to wait for the interrupt. None: sleep, and look.
    library : XRT, as ``ctypes.CDLL`` loads it. None: that.

        device = XrtDevice("fastswitch.xclbin", clock_hz=200e6, banks=(0, 1, 2, 3, 4, 5, 6))

    Raises :class:`DriverError` where XRT is not installed, or refuses.
    """

    def __init__(
        self,
        xclbin: str,
        clock_hz: float,
        banks: Sequence[int] = (0,),
        window: int = 0,
        index: int = 0,
        wait: Callable[[int], None] | None = None,
        library: Any = None,
    ) -> None:
        self._xrt = _declared(library if library is not None else _load())
        self._wait = wait or self._sleep
        self._clock_hz, self._banks, self._window, self._allocated = clock_hz, tuple(banks), window, 0
        self._device = self._opened(self._xrt.xrtDeviceOpen(index), f"open card {index}")
        uuid = _Uuid()
        self._done(self._xrt.xrtDeviceLoadXclbinFile(self._device, str(xclbin).encode()), f"load {xclbin}")
        self._done(self._xrt.xrtDeviceGetXclbinUUID(self._device, uuid), f"tell the UUID of {xclbin}")
        opened = self._xrt.xrtPLKernelOpenExclusive(self._device, uuid, KERNEL.encode())
        self._kernel = self._opened(opened, f"open {KERNEL} for itself alone")

    def close(self) -> None:
        """Give the kernel and the card back."""
        self._xrt.xrtKernelClose(self._kernel)
        self._xrt.xrtDeviceClose(self._device)

    def read(self, offset: int) -> int:
        """Read a register."""
        value = ctypes.c_uint32()
        answer = self._xrt.xrtKernelReadRegister(self._kernel, offset, ctypes.byref(value))
        self._done(answer, f"read register 0x{offset:02x}")
        return value.value

    def write(self, offset: int, value: int) -> None:
        """Write a register.

        Parameters
        ----------
        offset : its address.
        value : 32 bits.
        """
        answer = self._xrt.xrtKernelWriteRegister(self._kernel, offset, value)
        self._done(answer, f"write register 0x{offset:02x}")

    def allocate(self, size: int) -> XrtBuffer:
        """Memory of the card, in the next of the banks; XRT gets it back when nothing refers to it any more.

        Raises
        ------
        DriverError
            There is none, or none within the kernel's window.
        """
        bank = self._banks[self._allocated % len(self._banks)]
        what = f"allocate {size} bytes in memory group {bank}"
        handle = self._opened(self._xrt.xrtBOAlloc(self._device, size, 0, bank), what)
        address = int(self._xrt.xrtBOAddress(handle))
        if not self._window <= address <= self._window + WINDOW - size:
            self._xrt.xrtBOFree(handle)
            raise DriverError(
                f"XRT gave {size} bytes of memory group {bank} at 0x{address:x}; the kernel reaches 4 GiB from "
                f"0x{self._window:x} on: give other banks or another window"
            )
        bytes_ = (ctypes.c_ubyte * size).from_address(self._opened(self._xrt.xrtBOMap(handle), "map a buffer"))
        buffer = np.ctypeslib.as_array(bytes_).view(XrtBuffer)
        buffer._owner, buffer._handle, buffer._offset = self, handle, 0
        buffer.physical_address = address - self._window
        weakref.finalize(bytes_, self._xrt.xrtBOFree, handle)
        self._allocated += 1
        return buffer

    def sync(self, handle: Any, direction: int, size: int, offset: int) -> None:
        """Copy a piece of a buffer to or from the card.

        Parameters
        ----------
        handle : XRT's, of the buffer.
        direction : :data:`TO_DEVICE` or :data:`FROM_DEVICE`.
        size, offset : bytes.
        """
        self._done(self._xrt.xrtBOSync(handle, direction, size, offset), f"copy {size} bytes")

    def wait(self, cycles: int) -> None:
        """Let up to ``cycles`` cycles pass."""
        self._wait(cycles)

    def _sleep(self, cycles: int) -> None:
        time.sleep(min(cycles / self._clock_hz, POLL_SECONDS))

    @staticmethod
    def _opened(handle: Any, what: str) -> Any:
        if not handle:
            raise DriverError(f"XRT does not {what}; `xrt-smi examine` says what it sees")
        return handle

    @staticmethod
    def _done(answer: int, what: str) -> None:
        if answer:
            raise DriverError(f"XRT does not {what}: error {answer}")


def _load() -> Any:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError:
        raise DriverError(f"XRT is not installed here: {LIBRARY} is not found (source its setup.sh)") from None


def _declared(library: Any) -> Any:
    """The library with its functions' types; without them ctypes cuts handles to 32 bits."""
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
