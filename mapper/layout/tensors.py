"""Bytes in DRAM: weight tiles, ZSB entries and activations, packed from NumPy arrays and back.

The layouts are those of ``docs/reference/hardware.md``, "Tensors in DRAM".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.errors import MappingError
from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.layer import Layer
from arch_model.network.quant import MULTIPLIER_BITS
from mapper.workload.depthwise import ONES, column_tiles, is_channelwise

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class TileGrid:
    """The weight tiles of a layer, in DRAM order.

    A *row* is one (K-tile, window): ``ct`` consecutive tiles.

    Attributes
    ----------
    kt : K-tiles, of KP filters each.
    windows : of 3 x 3 taps; 1 in a pointwise layer (1 x 1).
    ct : C-tiles, of CP channels each; of 9 CP in a pointwise layer.
    """

    kt: int
    windows: int
    ct: int

    @property
    def rows(self) -> int:
        """(K-tile, window) pairs."""
        return self.kt * self.windows

    @property
    def tiles(self) -> int:
        return self.rows * self.ct


def is_pointwise(layer: Layer) -> bool:
    """Whether the layer uses the pointwise layout: a 1 x 1 kernel."""
    return layer.R == 1 and layer.S == 1


def window_offsets(layer: Layer) -> list[tuple[int, int]]:
    """(row, column) of each window's top left tap in the kernel, in the order of the tiles.

    >>> from arch_model.network.layer import Kind
    >>> window_offsets(Layer("five", Kind.CONV, K=1, C=1, R=5, S=5, H=8, W=8, padding=2))
    [(0, 0), (0, 3), (3, 0), (3, 3)]
    """
    return [(r, s) for r in range(0, layer.R, 3) for s in range(0, layer.S, 3)]


def tile_grid(layer: Layer, accelerator: Accelerator) -> TileGrid:
    """The tiles that hold a layer's K x C x R x S weights.

    Parameters
    ----------
    layer : with weights.
    accelerator : gives KP and CP.

    Examples
    --------
    >>> from arch_model.network.layer import Kind
    >>> tiny = Accelerator.load("tiny")                      # KP 4, CP 3
    >>> tile_grid(Layer("a", Kind.CONV, K=10, C=16, R=3, S=3, H=8, W=8, padding=1), tiny)
    TileGrid(kt=3, windows=1, ct=6)
    >>> tile_grid(Layer("b", Kind.LINEAR, K=10, C=96), tiny)   # 27 channels a tile
    TileGrid(kt=3, windows=1, ct=4)
    """
    return slice_grid(layer, layer.K, layer.C, accelerator)


def slice_grid(layer: Layer, k: int, c: int, accelerator: Accelerator) -> TileGrid:
    """The tiles that hold the leading slice of a layer.

    Those are the tiles that the PB can hold, so a depthwise layer has none here: its weights, few as they are, lie in
    tiles of columns (:func:`pack_columns`) and always go through the DB.

    Parameters
    ----------
    layer : with weights.
    k, c : output and input channels of the slice; there are no tiles if one is 0.
    accelerator : gives KP and CP.
    """
    if is_channelwise(layer):
        return TileGrid(0, len(window_offsets(layer)), 0)
    channels = accelerator.cp * (TAPS if is_pointwise(layer) else 1)
    return TileGrid(-(-k // accelerator.kp), len(window_offsets(layer)), -(-c // channels))


def weight_tiles(weights: npt.NDArray[np.int8], kp: int, cp: int) -> npt.NDArray[np.int8]:
    """Cut weights into tiles.

    Parameters
    ----------
    weights : int8 (K, C, R, S).
    kp, cp : filters and channels of a tile.

    Returns
    -------
    int8 array
        (K-tiles, windows, C-tiles, KP, 9 CP), zero outside.

    Examples
    --------
    >>> w = np.arange(1, 10, dtype=np.int8).reshape(1, 1, 3, 3)
    >>> weight_tiles(w, kp=1, cp=2)[0, 0, 0, 0].tolist()      # byte t * CP + c
    [1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9, 0]
    """
    k, c, r, s = weights.shape
    kt = -(-k // kp)
    if r == s == 1:
        ct = -(-c // (TAPS * cp))
        flat = np.zeros((kt * kp, ct * TAPS * cp), np.int8)
        flat[:k, :c] = weights[:, :, 0, 0]
        return flat.reshape(kt, kp, 1, ct, TAPS * cp).transpose(0, 2, 3, 1, 4)
    ct, wr, ws = -(-c // cp), -(-r // 3), -(-s // 3)
    whole = np.zeros((kt * kp, ct * cp, wr * 3, ws * 3), np.int8)
    whole[:k, :c, :r, :s] = weights
    parts = whole.reshape(kt, kp, ct, cp, wr, 3, ws, 3)  # K-tile, k, C-tile, c, window y, y, window x, x
    return parts.transpose(0, 4, 6, 2, 1, 5, 7, 3).reshape(kt, wr * ws, ct, kp, TAPS * cp)


def dram_tiles(layer: Layer, accelerator: Accelerator) -> int:
    """Tiles that a layer's weights take in DRAM, dense or depthwise.

    Parameters
    ----------
    layer : with weights.
    accelerator : gives KP and CP.
    """
    return column_tiles(layer, accelerator) if is_channelwise(layer) else tile_grid(layer, accelerator).tiles


def depthwise_columns(weights: npt.NDArray[np.int8], kp: int) -> npt.NDArray[np.int8]:
    """Cut depthwise weights into columns, one for each K-tile and window.

    Parameters
    ----------
    weights : int8 (K, 1, R, S).
    kp : filters of a K-tile.

    Returns
    -------
    int8 array
        (K-tiles * windows, KP, 9), zero outside.

    Examples
    --------
    >>> w = np.arange(1, 11, dtype=np.int8).reshape(1, 1, 2, 5)
    >>> depthwise_columns(w, kp=1)[:, 0].tolist()
    [[1, 2, 3, 6, 7, 8, 0, 0, 0], [4, 5, 0, 9, 10, 0, 0, 0, 0]]
    """
    k, _, r, s = weights.shape
    kt, wr, ws = -(-k // kp), -(-r // 3), -(-s // 3)
    whole = np.zeros((kt * kp, wr * 3, ws * 3), np.int8)
    whole[:k, :r, :s] = weights[:, 0]
    return whole.reshape(kt, kp, wr, 3, ws, 3).transpose(0, 2, 4, 1, 3, 5).reshape(kt * wr * ws, kp, TAPS)


def ones_columns(kp: int) -> npt.NDArray[np.int8]:
    """The constant columns of pools and scaling, int8 (ONES, KP, 9): number 3 (r - 1) + s - 1 has r x s ones.

    >>> ones_columns(1)[4, 0].tolist()
    [1, 1, 0, 1, 1, 0, 0, 0, 0]
    """
    taps = np.arange(TAPS)
    columns = [(taps // 3 <= n // 3) & (taps % 3 <= n % 3) for n in range(ONES)]
    return np.repeat(np.array(columns, np.int8)[:, None], kp, axis=1)


def pack_columns(columns: npt.NDArray[np.int8], accelerator: Accelerator) -> Bytes:
    """Weight columns as DRAM bytes: CP of them in a tile.

    Byte t * CP + c of a word is tap t of column c.

    Parameters
    ----------
    columns : int8 (numbers, KP, 9).
    accelerator : gives KP and CP.

    Returns
    -------
    uint8 array
        Tiles in order, each padded to whole beats.
    """
    a, tiles = accelerator, -(-len(columns) // accelerator.cp)
    whole = np.zeros((tiles * a.cp, a.kp, TAPS), np.int8)
    whole[: len(columns)] = columns
    return _padded(whole.reshape(tiles, a.cp, a.kp, TAPS).transpose(0, 2, 3, 1), a)


def pack_weights(weights: npt.NDArray[np.int8], accelerator: Accelerator) -> Bytes:
    """A layer's weights as DRAM bytes.

    Parameters
    ----------
    weights : int8 (K, C, R, S).
    accelerator : gives KP and CP.

    Returns
    -------
    uint8 array
        Tiles in order, each padded to whole beats.
    """
    return _padded(weight_tiles(weights, accelerator.kp, accelerator.cp), accelerator)


def _padded(tiles: npt.NDArray[np.int8], accelerator: Accelerator) -> Bytes:
    raw = np.ascontiguousarray(tiles).reshape(-1, accelerator.tile_bytes_raw)
    padded = np.zeros((len(raw), accelerator.tile_bytes), np.uint8)
    padded[:, : raw.shape[1]] = raw.view(np.uint8)
    return padded.reshape(-1)


def fold_zero_point(
    bias: npt.ArrayLike, weights: npt.NDArray[np.int8], z_in: int, name: str = "conv"
) -> npt.NDArray[np.int64]:
    """The bias for inputs as they are in memory, zero point and all: sum w (x - z) = sum w x - z sum w.

    Parameters
    ----------
    bias : int32, (K,).
    weights : int8 (K, C, R, S).
    z_in : zero point of the input.
    name : of the layer, for the error.

    Returns
    -------
    int64 array
        (K,), ``bias - z_in * sum(w)``.

    Raises
    ------
    MappingError
        One does not fit int32.

    Examples
    --------
    >>> fold_zero_point([10], np.full((1, 2, 3, 3), 2, np.int8), z_in=-1).tolist()   # 10 + 36
    [46]
    """
    total: npt.NDArray[np.int64] = np.asarray(bias, np.int64) - z_in * weights.sum(axis=(1, 2, 3), dtype=np.int64)
    if np.any(np.abs(total) > np.iinfo(np.int32).max):
        raise MappingError(f"layer {name}: bias {total[np.argmax(np.abs(total))]} does not fit the ZSB's 32 bits")
    return total


def pack_zsb(bias: npt.ArrayLike, multiplier: npt.ArrayLike, shift: npt.ArrayLike, kp: int) -> Bytes:
    """ZSB entries, one a K-tile, as DRAM bytes.

    For each filter: bias (int32), then multiplier | shift << 26, little-endian. Filters that fill up the last K-tile
    get zeros.

    Parameters
    ----------
    bias, multiplier, shift : integers, (K,).
    kp : filters of a K-tile.

    Returns
    -------
    uint8 array

    Examples
    --------
    >>> pack_zsb([-2], [3], [1], kp=1).tolist()
    [254, 255, 255, 255, 3, 0, 0, 4]
    """
    b = np.asarray(bias, np.int64)
    entries = np.zeros((-(-len(b) // kp) * kp, 2), np.uint32)
    entries[: len(b), 0] = b.astype(np.int32).view(np.uint32)
    scale = np.asarray(multiplier, np.int64) | (np.asarray(shift, np.int64) << MULTIPLIER_BITS)
    entries[: len(b), 1] = scale.astype(np.uint32)
    return entries.astype("<u4").reshape(-1).view(np.uint8)


def folds(layer: Layer, accelerator: Accelerator) -> bool:
    """Whether the layer takes its input as a folded image: few channels, windows; the host writes such an input.

    Parameters
    ----------
    layer : any.
    accelerator : gives the pixels that fit a word.

    Examples
    --------
    >>> from arch_model.network.layer import Kind
    >>> stem = Layer("stem", Kind.CONV, K=8, C=3, R=3, S=3, H=8, W=8, padding=1)
    >>> folds(stem, Accelerator.load("zcu104")), folds(stem, Accelerator.load("tiny"))   # tiny: a pixel a word
    (True, False)
    """
    few = accelerator.fold > 1 and accelerator.fold_bytes >= layer.C
    return few and not is_pointwise(layer) and not is_channelwise(layer)


def pack_activations(tensor: npt.NDArray[np.int8], accelerator: Accelerator, folded: bool = False) -> Bytes:
    """A tensor as DRAM bytes: [group][row][column][CP], rows padded to the pitch; or as a folded image.

    Parameters
    ----------
    tensor : int8 (C, H, W).
    accelerator : gives CP and the beat.
    folded : whether several pixels share a word.

    Returns
    -------
    uint8 array

    Examples
    --------
    >>> tiny = Accelerator.load("tiny")                       # CP 3, beats of 4 bytes
    >>> pack_activations(np.array([[[1, 2]], [[3, 4]]], np.int8), tiny).tolist()
    [1, 3, 0, 2, 4, 0, 0, 0]
    """
    c, h, w = tensor.shape
    a, pitch = accelerator, accelerator.pitch(w, folded)
    if folded:
        words = a.row(w, folded)[0]
        pixels = np.zeros((h, words * a.fold, a.fold_bytes), np.int8)
        pixels[:, :w, :c] = tensor.transpose(1, 2, 0)
        image = np.zeros((h, words, a.cp), np.int8)
        image[:, :, : a.fold * a.fold_bytes] = pixels.reshape(h, words, -1)
        held = image.reshape(1, h, -1)
    else:
        lanes = np.zeros((a.groups(c) * a.cp, h, w), np.int8)
        lanes[:c] = tensor
        held = lanes.reshape(-1, a.cp, h, w).transpose(0, 2, 3, 1).reshape(-1, h, w * a.cp)
    rows = np.zeros((*held.shape[:2], pitch), np.uint8)
    rows[:, :, : held.shape[2]] = held.view(np.uint8)
    return rows.reshape(-1)


def activation_bytes(c: int, h: int, w: int, accelerator: Accelerator, folded: bool = False) -> int:
    """Bytes that a tensor takes in DRAM.

    Parameters
    ----------
    c, h, w : its shape.
    accelerator : gives CP and the beat.
    folded : whether several pixels share a word.
    """
    return accelerator.groups(c) * h * accelerator.pitch(w, folded)


def unpack_activations(
    data: npt.NDArray[np.uint8] | bytes | bytearray | memoryview,
    shape: tuple[int, int, int],
    accelerator: Accelerator,
    folded: bool = False,
) -> npt.NDArray[np.int8]:
    """The inverse of :func:`pack_activations`.

    Parameters
    ----------
    data : begins with the tensor.
    shape : (C, H, W).
    accelerator : gives CP and the beat.
    folded : whether several pixels share a word.

    Returns
    -------
    int8 array
        (C, H, W), a copy.
    """
    c, h, w = shape
    groups, cp = accelerator.groups(c), accelerator.cp
    flat = data if isinstance(data, np.ndarray) else np.frombuffer(data, np.uint8)
    held = flat[: activation_bytes(c, h, w, accelerator, folded)].view(np.int8).reshape(groups, h, -1)
    words = accelerator.row(w, folded)[0]
    rows = held[:, :, : words * cp]
    if folded:
        fold, size = accelerator.fold, accelerator.fold_bytes
        pixels = rows.reshape(h, words, cp)[:, :, : fold * size].reshape(h, words * fold, size)
        return pixels[:, :w, :c].transpose(2, 0, 1).copy()
    return rows.reshape(groups, h, w, cp).transpose(0, 3, 1, 2).reshape(groups * cp, h, w)[:c].copy()
