"""What the driver needs of a board or a simulation: registers, memory that both sides see, and time."""

from __future__ import annotations

from typing import Any, Protocol


class Buffer(Protocol):
    """Bytes that lie at consecutive physical addresses: a one-dimensional uint8 array such as ``pynq.allocate`` gives.

    A slice of a buffer is a buffer. What the processor writes is for the machine to see after :meth:`flush`, what the
    machine writes is for the processor to see after :meth:`invalidate`.
    """

    @property
    def physical_address(self) -> int:
        """Of the first byte, as the machine's AXI ports count."""

    def flush(self) -> None:
        """Send these bytes from the processor's caches to memory."""

    def invalidate(self) -> None:
        """Forget what the processor's caches hold of these bytes."""

    def __getitem__(self, index: slice, /) -> Buffer: ...

    def __setitem__(self, index: slice, value: Any, /) -> None: ...

    def __len__(self) -> int: ...


class Device(Protocol):
    """A machine within reach.

    :class:`~.pynq_device.PynqDevice` is one on a board that runs PYNQ; ``sim.rtl_bench.rtl_device.RtlDevice`` is the
    RTL itself.
    """

    def read(self, offset: int) -> int:
        """Read the register at this byte offset of ``s_axi_ctrl``."""

    def write(self, offset: int, value: int) -> None:
        """Write a register.

        Parameters
        ----------
        offset : its address.
        value : 32 bits.
        """

    def allocate(self, size: int) -> Buffer:
        """Give ``size`` bytes of memory, below address 2**32 and on a multiple of 4096; their content is anything."""

    def wait(self, cycles: int) -> None:
        """Let time pass until ``irq`` is high, ``cycles`` clock cycles at most. Returning sooner is allowed: the driver
        looks at STATUS and waits again."""
