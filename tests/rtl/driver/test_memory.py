"""Flat memory over stripes: byte a of the machine's memory is where docs/reference/hardware.md says."""

from __future__ import annotations

import numpy as np
import pytest

from rtl.driver.errors import DriverError
from rtl.driver.memory import FlatMemory


class Ram(np.ndarray):
    """A buffer in a memory that has no cache."""

    physical_address: int

    def flush(self) -> None:
        pass

    def invalidate(self) -> None:
        pass


class Board:
    """A device of memory alone, whose buffers begin at given addresses."""

    def __init__(self, *addresses: int) -> None:
        self.addresses, self.buffers = list(addresses), []

    def allocate(self, size: int) -> Ram:
        buffer = np.zeros(size, np.uint8).view(Ram)
        buffer.physical_address = self.addresses[len(self.buffers)]
        self.buffers.append(buffer)
        return buffer


def test_each_stripe_has_its_part_of_every_beat() -> None:
    board = Board(0x2000, 0x1000)
    memory = FlatMemory(board, 32, stripes=2, port_bytes=4, burst_bytes=64)
    assert memory.bases == [0x2000, 0x1000]
    memory.write(8, np.arange(16, dtype=np.uint8))  # two beats of 8 bytes from address 8 on
    assert board.buffers[0].tolist() == [0] * 4 + [0, 1, 2, 3, 8, 9, 10, 11] + [0] * 4
    assert board.buffers[1].tolist() == [0] * 4 + [4, 5, 6, 7, 12, 13, 14, 15] + [0] * 4
    assert memory.read(16, 8).tolist() == list(range(8, 16))


@pytest.mark.parametrize("address", [0x20, (1 << 32) - 16])
def test_a_place_that_ports_cannot_reach_is_refused(address: int) -> None:
    with pytest.raises(DriverError, match=f"gave 32 bytes at 0x{address:x}; give them at a multiple of 64, below"):
        FlatMemory(Board(address), 32, stripes=1, port_bytes=4, burst_bytes=64)
