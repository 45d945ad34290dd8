"""A machine in the programmable logic of a board that runs PYNQ."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

from .device import Buffer
from .errors import DriverError

POLL_SECONDS = 0.001
"""The longest sleep between two looks at STATUS."""


class Registers(Protocol):
    """PYNQ's ``MMIO``: 32 bits at a byte offset."""

    def read(self, offset: int) -> int: ...

    def write(self, offset: int, value: int) -> None: ...


class PynqDevice:
    """Registers through PYNQ's ``MMIO``, buffers from ``pynq.allocate``.

    Parameters
    ----------
    mmio : the machine's registers, ``overlay.<name of the block>.mmio``.
    clock_hz : the machine's clock, for how long to sleep.
    wait : takes a number of cycles, as ``Device.wait``: to wait for the interrupt. None: sleep, and look.
    allocate : as ``pynq.allocate(shape, dtype)``; None: that.

        from pynq import Overlay
        overlay = Overlay("fastswitch.bit")
        device = PynqDevice(overlay.fastswitch_0.mmio, clock_hz=100e6)

    Raises :class:`DriverError` where PYNQ is not installed.
    """

    def __init__(
        self,
        mmio: Registers,
        clock_hz: float,
        wait: Callable[[int], None] | None = None,
        allocate: Callable[..., Any] | None = None,
    ) -> None:
        self._mmio, self._clock_hz = mmio, clock_hz
        self._wait = wait or self._sleep
        self._allocate = allocate or _pynq_allocate()

    def read(self, offset: int) -> int:
        """Read a register."""
        return int(self._mmio.read(offset))

    def write(self, offset: int, value: int) -> None:
        """Write a register.

        Parameters
        ----------
        offset : its address.
        value : 32 bits.
        """
        self._mmio.write(offset, value)

    def allocate(self, size: int) -> Buffer:
        """Physically contiguous memory; PYNQ gives it back when nothing refers to it any more."""
        buffer: Buffer = self._allocate((size,), "u1")
        return buffer

    def wait(self, cycles: int) -> None:
        """Let up to ``cycles`` cycles pass."""
        self._wait(cycles)

    def _sleep(self, cycles: int) -> None:
        time.sleep(min(cycles / self._clock_hz, POLL_SECONDS))


def _pynq_allocate() -> Callable[..., Any]:
    try:
        allocate: Callable[..., Any] = import_module("pynq").allocate
    except ImportError:
        raise DriverError("PYNQ is not installed here: run on a board that has it, or give allocate") from None
    return allocate
