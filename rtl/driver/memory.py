"""The machine's one flat memory, whose beats lie over several stripes, as buffers of a device."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .device import Buffer, Device
from .errors import DriverError

Bytes = npt.NDArray[np.uint8]

ADDRESSES = 1 << 32
"""An AXI address has 32 bits."""


def allocate(device: Device, size: int, burst_bytes: int) -> Buffer:
    """A buffer that the machine can reach: it begins on a multiple of a port's longest burst.

    Parameters
    ----------
    device : that gives it.
    size : bytes.
    burst_bytes : of the longest burst.

    Raises
    ------
    DriverError
        The device gives another.
    """
    buffer = device.allocate(size)
    address = buffer.physical_address
    if address % burst_bytes or address + size > ADDRESSES:
        raise DriverError(
            f"the device gave {size} bytes at 0x{address:x}; give them at a multiple of {burst_bytes}, below 2**32"
        )
    return buffer


class FlatMemory:
    """Memory as commands count its bytes: part i of the beat at address a lies at ``bases[i] + a / stripes``, modulo
    2**32.

    Addresses, sizes and lengths are whole beats of ``stripes`` times ``port_bytes``.

    Parameters
    ----------
    device : that gives the buffers.
    size : bytes.
    stripes : over which beats lie.
    port_bytes : bytes of a beat of one port.
    burst_bytes : of the longest burst.
    start : address of the first byte.
    """

    def __init__(
        self, device: Device, size: int, stripes: int, port_bytes: int, burst_bytes: int, start: int = 0
    ) -> None:
        self.stripes, self.port_bytes, self.start = stripes, port_bytes, start
        self._buffers = [allocate(device, size // stripes, burst_bytes) for _ in range(stripes)]

    @property
    def bases(self) -> list[int]:
        """What the stripes' registers must hold."""
        begin = self.start // self.stripes
        return [(int(buffer.physical_address) - begin) % ADDRESSES for buffer in self._buffers]

    def write(self, address: int, data: Bytes) -> None:
        """Put data where the machine sees it.

        Parameters
        ----------
        address : of the first byte.
        data : uint8.
        """
        beats = data.reshape(-1, self.stripes, self.port_bytes)
        for i, part in enumerate(self._parts(address, len(data))):
            part[:] = beats[:, i].reshape(-1)
            part.flush()

    def read(self, address: int, size: int) -> Bytes:
        """What the machine has left in memory, uint8.

        Parameters
        ----------
        address : of the first byte.
        size : bytes.
        """
        parts = []
        for part in self._parts(address, size):
            part.invalidate()
            parts.append(np.array(part, np.uint8).reshape(-1, self.port_bytes))
        return np.stack(parts, axis=1).reshape(-1)

    def _parts(self, address: int, size: int) -> list[Buffer]:
        first, length = (address - self.start) // self.stripes, size // self.stripes
        return [buffer[first : first + length] for buffer in self._buffers]
