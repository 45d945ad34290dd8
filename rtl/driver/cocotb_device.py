"""The machine in a cocotb bench of one's own: registers through AXI4-Lite, buffers in the bench's memory.

The driver's functions wait; a bench's coroutines are waited for. cocotb has the bridge between them: what is run by
:meth:`CocotbDevice.run` may call the device, and simulated time goes on in the other coroutines meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol, TypeVar

import numpy as np

Result = TypeVar("Result")

PAGE = 4096

STALE = 0xA5
"""What the processor's copy of a buffer holds before anything is written or invalidated."""


class Registers(Protocol):
    """cocotbext-axi's ``AxiLiteMaster``, of which this is used."""

    def read(self, address: int, length: int) -> Any:
        """Return what can be awaited; its result has the bytes as ``data``.

        Parameters
        ----------
        address, length : of the bytes.
        """

    def write(self, address: int, data: bytes) -> Any:
        """Return what can be awaited.

        Parameters
        ----------
        address : of the first byte.
        data : the bytes.
        """


class Memory(Protocol):
    """cocotbext-axi's ``AxiRam``, or any memory that the bench has behind the machine's ports."""

    def read(self, address: int, length: int) -> Any: ...

    def write(self, address: int, data: Any) -> Any: ...


class CocotbBuffer(np.ndarray[Any, np.dtype[np.uint8]]):
    """The processor's copy of bytes in the bench's memory; a slice is a buffer.

    Attributes
    ----------
    physical_address : of the first byte.
    """

    physical_address: int
    _memory: Memory

    def __array_finalize__(self, whole: object) -> None:
        if isinstance(whole, CocotbBuffer):
            self._memory = whole._memory
            self.physical_address = whole.physical_address + self.ctypes.data - whole.ctypes.data

    def flush(self) -> None:
        """Write these bytes to the memory."""
        self._memory.write(self.physical_address, np.asarray(self).tobytes())

    def invalidate(self) -> None:
        """Take these bytes from the memory."""
        np.asarray(self)[:] = np.frombuffer(bytes(self._memory.read(self.physical_address, len(self))), np.uint8)


class CocotbDevice:
    """A machine in simulation, as the driver sees it.

    Parameters
    ----------
    registers : master of ``s_axi_ctrl``, such as cocotbext-axi's ``AxiLiteMaster``.
    memory : behind all of the machine's ports, such as cocotbext-axi's ``AxiRam``.
    clock : cocotb's handle of ``aclk``.
    irq : of ``irq``. None: the driver looks at STATUS every ``poll`` cycles.
    first, size : addresses at which buffers are allocated, ``first`` to ``first + size - 1``.
    poll : cycles between two looks.

    Examples
    --------
    ::

        device = CocotbDevice(AxiLiteMaster(...), AxiRam(...), dut.aclk, dut.irq)
        driver = await device.run(Driver, device, Package.load("package.npz"))
        await device.run(driver.load)
        result = await device.run(driver.run, "fashion-d111-w222", image)
    """

    def __init__(
        self,
        registers: Registers,
        memory: Memory,
        clock: Any,
        irq: Any = None,
        first: int = PAGE,
        size: int = (1 << 32) - PAGE,
        poll: int = 1000,
    ) -> None:
        self._registers, self._memory, self._clock, self._irq = registers, memory, clock, irq
        self._free, self._end, self._poll = -(-first // PAGE) * PAGE, first + size, poll
        self._triggers = import_module("cocotb.triggers")
        task = import_module("cocotb.task")
        self._bridge = task.bridge
        self._read, self._write = task.resume(self._read_register), task.resume(self._write_register)
        self._let_pass = task.resume(self._wait_for)

    async def run(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Call a function that uses this device, from a coroutine of the bench.

        Parameters
        ----------
        function : such as a driver's method.
        args, kwargs : its arguments.
        """
        result: Result = await self._bridge(function)(*args, **kwargs)
        return result

    def read(self, offset: int) -> int:
        """Read a register."""
        return int(self._read(offset))

    def write(self, offset: int, value: int) -> None:
        """Write a register.

        Parameters
        ----------
        offset : its address.
        value : 32 bits.
        """
        self._write(offset, value)

    def allocate(self, size: int) -> CocotbBuffer:
        """The next piece of the memory, on a multiple of 4096.

        Raises
        ------
        MemoryError
            None is left.
        """
        address = self._free
        if address + size > self._end:
            raise MemoryError(f"{size} bytes are wanted at 0x{address:x}; the memory ends at 0x{self._end:x}")
        self._free += -(-size // PAGE) * PAGE
        buffer = np.full(size, STALE, np.uint8).view(CocotbBuffer)
        buffer._memory, buffer.physical_address = self._memory, address
        return buffer

    def wait(self, cycles: int) -> None:
        """Let ``cycles`` cycles pass, fewer if the interrupt comes."""
        self._let_pass(max(1, cycles))

    async def _read_register(self, offset: int) -> int:
        return int.from_bytes((await self._registers.read(offset, 4)).data, "little")

    async def _write_register(self, offset: int, value: int) -> None:
        await self._registers.write(offset, value.to_bytes(4, "little"))

    async def _wait_for(self, cycles: int) -> None:
        triggers = self._triggers
        if self._irq is None:
            await triggers.ClockCycles(self._clock, min(cycles, self._poll))
        elif not int(self._irq.value):
            await triggers.First(triggers.RisingEdge(self._irq), triggers.ClockCycles(self._clock, cycles))
