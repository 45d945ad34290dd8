"""The RTL as a driver's device: registers through cocotb's AXI-Lite master, buffers in the bench's DRAM.

The simulation stands still while the driver's code runs: only register accesses and :meth:`RtlDevice.wait` take clock
cycles. So code for a board (``rtl/driver``) runs here unchanged, in an ordinary process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.errors import SimulatorError
from sim.rtl_bench.bench import VIOLATIONS, Bench, Build, load_record
from sim.rtl_bench.faults import BusFault

PAGE = 4096

STALE = 0xA5
"""What a buffer holds before anything is written or invalidated: not what DRAM holds."""

POLL_CYCLES = 1000
"""How long a device without the interrupt lets time pass."""


class RtlBuffer(np.ndarray[Any, np.dtype[np.uint8]]):
    """The processor's view of a piece of DRAM, behind a cache that is coherent only where it is told to be.

    Whole beats of one port, as ``pynq.allocate``'s buffers: a slice is a buffer.
    """

    physical_address: int
    owner: RtlDevice

    @classmethod
    def of(cls, device: RtlDevice, address: int, size: int) -> RtlBuffer:
        """A buffer of some bytes of the DRAM.

        Parameters
        ----------
        device : with the DRAM.
        address : of the first.
        size : bytes.
        """
        buffer = np.full(size, STALE, np.uint8).view(cls)
        buffer.owner, buffer.physical_address = device, address
        return buffer

    def __array_finalize__(self, whole: object) -> None:
        if isinstance(whole, RtlBuffer):
            self.owner = whole.owner
            self.physical_address = whole.physical_address + self.ctypes.data - whole.ctypes.data

    def flush(self) -> None:
        """Write these bytes to DRAM."""
        self.owner.write_dram(self.physical_address, np.asarray(self))

    def invalidate(self) -> None:
        """Take these bytes from DRAM."""
        np.asarray(self)[:] = self.owner.read_dram(self.physical_address, len(self))


class RtlDevice(Bench):
    """A :class:`~sim.rtl_bench.bench.Bench` that a driver can use.

    Parameters
    ----------
    build : the simulation program.
    irq : whether the interrupt is connected.
    options : of the Bench.

    Raises
    ------
    SimulatorError
        As the Bench.

    Examples
    --------
    >>> from rtl.driver import Driver, Package                                          # doctest: +SKIP
    >>> with RtlDevice(build(Accelerator.load("tiny"), find_simulator())) as device:    # doctest: +SKIP
    ...     driver = Driver(device, Package.load("fashion.npz"))
    ...     driver.load()
    ...     result = driver.run("fashion-d111-w222", image)

    Raises SimulatorError as the Bench does.
    """

    SERVER = "sim.rtl_bench.device_server"

    def __init__(self, build: Build, *, irq: bool = True, **options: Any) -> None:
        super().__init__(build, **options)
        self._irq, self._dram = irq, build.memory
        self.release()

    def read(self, offset: int) -> int:
        """The register at this byte offset."""
        return int(self._order("read", offset=offset)["value"])

    def write(self, offset: int, value: int) -> None:
        """Write a register.

        Parameters
        ----------
        offset : its address.
        value : 32 bits.
        """
        self._order("write", offset=offset, value=value)

    def allocate(self, size: int) -> RtlBuffer:
        """A piece of DRAM, never the one at address 0; its own until :meth:`release`.

        Parameters
        ----------
        size : bytes; pieces begin at multiples of :data:`PAGE` bytes.

        Raises
        ------
        SimulatorError
            The simulated DRAM has no such piece left.
        """
        address = self._free
        self._free += -(-size // PAGE) * PAGE
        if self._free > self._dram.beats * self._dram.beat_bytes:
            left = self._dram.beats * self._dram.beat_bytes - address
            raise SimulatorError(f"{size} bytes of DRAM are wanted; {left} of those simulated are left")
        return RtlBuffer.of(self, address, size)

    def release(self) -> None:
        """Take all buffers back: nobody uses them any more."""
        self._free = PAGE

    def wait(self, cycles: int) -> None:
        """Let ``cycles`` cycles pass, fewer if the interrupt comes; without it at most :data:`POLL_CYCLES`."""
        self._order("wait", cycles=cycles if self._irq else min(cycles, POLL_CYCLES), irq=self._irq)

    def answer_errors(self, first: int, last: int) -> None:
        """From now on the DRAM answers SLVERR to some bytes.

        Parameters
        ----------
        first, last : ``first`` to ``last`` - 1; none if they are equal.
        """
        self._order("errors", first=first, last=last)

    def break_rules(self, fault: BusFault | None) -> None:
        """From now on the DRAM breaks the rules of AXI once, in this way; None: not any more."""
        number, port, burst = (fault.fault, fault.port, fault.burst) if fault else (0, 0, 0)
        self._order("fault", fault=number, port=port, burst=burst)

    def power(self) -> None:
        """Reset machine and DRAM through ``aresetn``; what is in the DRAM stays."""
        self._order("power")

    def write_dram(self, address: int, data: npt.NDArray[np.uint8]) -> None:
        """Write whole beats of a port.

        Parameters
        ----------
        address : of the first.
        data : uint8.
        """
        beat = self._dram.beat_bytes
        self._check(address, data.size)
        (self._folder / "load.bin").write_bytes(load_record(address, data.reshape(-1, beat)))
        self._order("load")

    def read_dram(self, address: int, size: int) -> npt.NDArray[np.uint8]:
        """Read whole beats of a port, uint8.

        Parameters
        ----------
        address : of the first.
        size : bytes.
        """
        beat = self._dram.beat_bytes
        self._check(address, size)
        self._order("dump", first=address // beat, beats=size // beat)
        return np.fromfile(self._folder / "dump.bin", np.uint8)

    def _check(self, address: int, size: int) -> None:
        if address % self._dram.beat_bytes or size % self._dram.beat_bytes:
            beat = self._dram.beat_bytes
            raise ValueError(f"{size} bytes at 0x{address:x} are not whole beats of {beat} bytes")

    def _order(self, do: str, **details: object) -> dict[str, Any]:
        """Have the simulator do something; SimulatorError if the machine breaks a rule of AXI or does not answer."""
        return self._ask({"do": do, **details}, self._judge_order)

    def _judge_order(self, answer: dict[str, Any]) -> None:
        self._heard(answer)
        if broken := [text for bit, text in enumerate(VIOLATIONS) if answer["violation"] >> bit & 1]:
            raise SimulatorError(f"the DRAM has seen {', '.join(broken)}")
