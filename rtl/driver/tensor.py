"""Where a tensor is in the machine's memory, and its bytes from an array and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Place:
    """Where an int8 (C, H, W) tensor is, stored by groups of channels: ``[group][row][column][CP]``.

    Attributes
    ----------
    address : of its first byte, as commands count.
    C, H, W : its shape.
    pitch : bytes of a row of one group, W·CP and padding.
    CP : channels of a group.
    fold : of a folded image, pixels of CP // fold channels in CP bytes; else 1.

    Examples
    --------
    >>> place = Place(address=0, C=2, H=1, W=2, pitch=8, CP=3)
    >>> place.pack(np.array([[[1, 2]], [[3, 4]]], np.int8)).tolist()
    [1, 3, 0, 2, 4, 0, 0, 0]
    >>> place.unpack(place.pack(np.array([[[1, 2]], [[3, 4]]], np.int8))).tolist()
    [[[1, 2]], [[3, 4]]]
    """

    address: int
    C: int
    H: int
    W: int
    pitch: int
    CP: int
    fold: int = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.C, self.H, self.W

    @property
    def groups(self) -> int:
        """Channel groups."""
        return -(-self.C // self.CP)

    @property
    def size(self) -> int:
        """Bytes that the tensor takes."""
        return self.groups * self.H * self.pitch

    def pack(self, tensor: npt.NDArray[np.int8]) -> Bytes:
        """The bytes of an int8 (C, H, W) array; padding and channels above C are 0."""
        data = np.zeros((self.groups, self.H, self.pitch), np.uint8)
        channels = np.zeros((self.groups * self._lanes, self.H, self.W), np.int8)
        channels[: self.C] = tensor
        pixels = channels.reshape(self.groups, self._lanes, self.H, self.W).transpose(0, 2, 3, 1)
        for lane in range(self._lanes):
            data[:, :, self._at(lane)] = pixels[..., lane].view(np.uint8)
        return data.reshape(-1)

    def unpack(self, data: Bytes) -> npt.NDArray[np.int8]:
        """The inverse of :meth:`pack`."""
        rows = data.view(np.int8).reshape(self.groups, self.H, self.pitch)
        channels = np.zeros((self.groups, self._lanes, self.H, self.W), np.int8)
        for lane in range(self._lanes):
            channels[:, lane] = rows[:, :, self._at(lane)]
        return channels.reshape(-1, self.H, self.W)[: self.C].copy()

    @property
    def _lanes(self) -> int:
        """Bytes of a pixel."""
        return self.CP // self.fold

    def _at(self, lane: int) -> npt.NDArray[np.int64]:
        """Where in a row the pixels' bytes of a lane are."""
        x = np.arange(self.W)
        return x // self.fold * self.CP + x % self.fold * self._lanes + lane
