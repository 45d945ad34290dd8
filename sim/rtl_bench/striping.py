"""Where the bench's DRAM keeps what the machine's addresses name: stripes of weights and of tensors, the Program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mapper.layout.tensors import Bytes
from sim.rtl_bench.bench_build import Memory


class Place(NamedTuple):
    """A part of one range, whose beats lie side by side over stripes.

    Attributes
    ----------
    start : the machine's address.
    length : bytes.
    """

    start: int
    length: int
    stripes: tuple[int, ...]
    """Byte addresses in the DRAM, one a stripe."""


@dataclass(frozen=True)
class Striping:
    """One memory behind all ports: weights over their stripes, tensors behind them over theirs.

    Parameters
    ----------
    memory : the DRAM.
    weight_bytes : addresses below are of weights.

    Examples
    --------
    >>> striping = Striping(Memory(beat_bytes=4, beats=1024, stripes=1, weight_stripes=2), weight_bytes=512)
    >>> striping.bases()["WGT_BASE_1"], list(striping.places(496, 32))
    (256, [Place(start=496, length=16, stripes=(248, 504)), Place(start=512, length=16, stripes=(512,))])
    """

    memory: Memory
    weight_bytes: int = 0

    def bases(self) -> Mapping[str, int]:
        """The registers that tell the machine where stripes begin."""
        m, weights = self.memory, self.weight_bytes
        tensors = weights - weights // m.stripes
        step = (m.size - weights) // m.stripes
        return {f"WGT_BASE_{i}": i * (weights // m.weight_stripes) for i in range(m.weight_stripes)} | {
            f"BASE_{i}": tensors + i * step for i in range(m.stripes)
        }

    def program(self, address: int) -> int:
        """Where the Program lies that the memory map has at ``address``: in the first stripe of the tensors."""
        return self.bases()["BASE_0"] + address // self.memory.stripes

    def beat_bytes(self, address: int) -> int:
        """Bytes of a beat where the byte at ``address`` lies: weights and tensors have their own."""
        m = self.memory
        return m.beat_bytes * (m.weight_stripes if address < self.weight_bytes else m.stripes)

    def whole_beats(self, address: int, data: Bytes) -> Bytes:
        """Data with zeros up to the end of the beat that its last byte lies in.

        Parameters
        ----------
        address : of the first byte.
        data : uint8.

        Examples
        --------
        >>> striping = Striping(Memory(beat_bytes=4, beats=1024, stripes=1, weight_stripes=4), weight_bytes=512)
        >>> [striping.whole_beats(address, np.ones(5, np.uint8)).size for address in (496, 512)]
        [16, 8]
        """
        last = max(address + data.size - 1, address)
        return np.pad(data, (0, -(address + data.size) % self.beat_bytes(last)))

    def places(self, address: int, length: int) -> Iterator[Place]:
        """The places of a range of the machine's addresses, in order.

        Parameters
        ----------
        address : of the first byte.
        length : bytes.

        Raises
        ------
        ValueError
            The range is not whole beats inside the DRAM.
        """
        m, bases, end = self.memory, self.bases(), address + length
        if address < 0 or end > m.size:
            raise ValueError(f"{length} bytes at 0x{address:x} are not inside the {m.size} bytes of DRAM simulated")
        for name, count, low, high in (
            ("WGT_BASE", m.weight_stripes, 0, self.weight_bytes),
            ("BASE", m.stripes, self.weight_bytes, m.size),
        ):
            start, stop = max(address, low), min(end, high)
            if stop <= start:
                continue
            beat = count * m.beat_bytes
            if start % beat or stop % beat:
                raise ValueError(f"{length} bytes at 0x{address:x} are not whole beats of {beat} bytes")
            yield Place(start, stop - start, tuple(bases[f"{name}_{i}"] + start // count for i in range(count)))
