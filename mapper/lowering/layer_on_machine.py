"""A layer on a machine: what follows from the two together, and what the machine refuses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from arch_model.errors import MappingError
from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.layer import Layer
from mapper.layout.tensors import TileGrid, is_pointwise, tile_grid
from mapper.lowering.tiling import (
    COUNT_MAX,
    INTERLEAVES,
    RUN_BEATS_MAX,
    RUN_STRIDE_MAX,
    Order,
    Tiling,
    chunk_unit,
    out_words,
    sb_needs,
)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LayerOnMachine:
    """A layer and the machine that runs it.

    Weight tiles, chunks and the checks are of dense layers; :mod:`mapper.lowering.depthwise_tiling` is for others.

    Parameters
    ----------
    layer : any.
    accelerator : the machine.

    Examples
    --------
    >>> from arch_model.network.layer import Kind
    >>> conv = Layer("a", Kind.CONV, K=10, C=16, R=3, S=3, H=8, W=8, padding=1)
    >>> on = LayerOnMachine(conv, Accelerator.load("tiny"))      # KP 4, CP 3
    >>> on.grid, on.groups, on.chunks.tolist(), on.accumulates
    (TileGrid(kt=3, windows=1, ct=6), 6, [3], True)
    """

    layer: Layer
    accelerator: Accelerator

    @cached_property
    def grid(self) -> TileGrid:
        """The layer's weight tiles."""
        return tile_grid(self.layer, self.accelerator)

    @cached_property
    def pointwise(self) -> bool:
        """Whether the kernel is 1 x 1, so that a tile's nine taps are of nine channel groups."""
        return is_pointwise(self.layer)

    @cached_property
    def groups(self) -> int:
        """Channel groups of the input."""
        return self.accelerator.groups(self.layer.C)

    @cached_property
    def chunks(self) -> Ints:
        """Every number of K-tiles that a chunk can have: whole units, or all of them."""
        kt, unit = self.grid.kt, chunk_unit(self.accelerator)
        return np.minimum(np.arange(1, -(-kt // unit) + 1) * unit, kt)

    @property
    def accumulates(self) -> bool:
        """Whether partial sums meet in the OB: a K-tile has more than one pass."""
        return self.grid.windows * self.grid.ct > 1

    def sb_shape(self, rows: int) -> tuple[int, int, int]:
        """How input rows of all channels lie in the SB.

        Returns
        -------
        row_step, group_step, words
            SB words from row to row of a bank, from group to group, and of a bank altogether.

        Examples
        --------
        >>> from arch_model.network.layer import Kind
        >>> tiny = Accelerator.load("tiny")                      # CP 3
        >>> windows = Layer("a", Kind.CONV, K=1, C=6, R=3, S=3, H=8, W=8)
        >>> LayerOnMachine(windows, tiny).sb_shape(4)            # 2 groups of 2 x 3 cells
        (3, 6, 12)
        >>> LayerOnMachine(Layer("b", Kind.CONV, K=1, C=30, H=8, W=8), tiny).sb_shape(4)     # 2 blocks of 4 x 8 pixels
        (8, 32, 64)
        """
        width = self.layer.W
        if self.pointwise:
            return width, rows * width, -(-self.groups // TAPS) * rows * width
        row_step = -(-width // 3)
        group_step = -(-rows // 3) * row_step
        return row_step, group_step, self.groups * group_step

    def fetches(self, streamed: int, tiling: Tiling) -> int:
        """How often each weight tile that is not in the PB is loaded into the DB.

        Parameters
        ----------
        streamed : weight tiles that are not in the PB.
        tiling : of the layer.
        """
        stays = tiling.order is Order.FILTERS or streamed <= self.accelerator.db_half_tiles
        return 1 if stays else -(-self.layer.P // tiling.rows)

    def saved_tiles(self, tiling: Tiling, without: Tiling, streamed: int) -> int:
        """Weight tiles that need not be fetched thanks to the PB.

        Those that would be if the PB were empty, less the streamed ones as often as they are loaded.

        Parameters
        ----------
        tiling : with the PB's content.
        without : the tiling with an empty PB.
        streamed : weight tiles that are not in the PB.
        """
        tiles = self.grid.tiles
        return tiles * self.fetches(tiles, without) - streamed * self.fetches(streamed, tiling)

    def check_tiling(self, tiling: Tiling, group: int, room: int | None = None) -> None:
        """Refuse a tiling that is not legal.

        Parameters
        ----------
        tiling : to check.
        group : the most tiles that a half of the DB must hold at once.
        room : SB words that a place for input has; None: a half of the SB.

        Raises
        ------
        MappingError
            Naming the field and what is legal, or operand, buffer, bytes needed and there.
        """
        self.check_least()
        a, layer, chunks = self.accelerator, self.layer, self.chunks
        for field, value, legal in (
            ("rows", tiling.rows, 1 <= tiling.rows <= layer.P),
            ("chunk", tiling.chunk, tiling.chunk in chunks),
            ("prologue_parts", tiling.prologue_parts, tiling.prologue_parts >= 1),
            ("prefetch_rows", tiling.prefetch_rows, tiling.prefetch_rows >= -1),
            ("interleave", tiling.interleave, tiling.interleave in INTERLEAVES and tiling.interleave <= tiling.chunk),
        ):
            if not legal:
                right = {
                    "rows": f"1 to {layer.P}",
                    "chunk": f"one of {', '.join(map(str, chunks))}",
                    "prologue_parts": "1 or more",
                    "prefetch_rows": "-1 or more",
                    "interleave": "1, or 4 if a chunk has as many K-tiles",
                }
                raise MappingError(f"layer {layer.name}: {field} of its tiling is {value}; give {right[field]}")
        inside, pixels = min((tiling.rows - 1) * layer.stride + layer.R, layer.H), tiling.rows * layer.Q
        words, out = self.sb_shape(inside)[2], int(out_words(tiling.chunk, pixels, a))
        needs = [
            (f"{inside} input rows", *sb_needs(words, a, room)),
            ("chunk of outputs", "a half of the OB's output side", out * a.nb * a.cp, a.out_half_words * a.nb * a.cp),
            ("weights of a chunk", "a half of the DB", group * a.tile_bytes_raw, a.db_half_tiles * a.tile_bytes_raw),
        ]
        if self.accumulates:
            sums = tiling.interleave * pixels * 4 * a.kp
            needs.append((f"partial sums of {tiling.rows} rows", "the OB", sums, a.ob_pixels * 4 * a.kp))
        self._check_bytes(needs)

    def check_least(self) -> None:
        """Refuse a layer of which one output row and the least chunk do not fit some buffer.

        Raises
        ------
        MappingError
            Naming operand, buffer, bytes needed and there.
        """
        a, layer, kt = self.accelerator, self.layer, self.grid.kt
        inside = min(layer.R, layer.H)
        words = self.sb_shape(inside)[2]
        least = int(out_words(min(chunk_unit(a), kt), layer.Q, a))
        needs = [
            ("input rows", "a half of the SB", words * TAPS * a.cp, a.sb_half_words * TAPS * a.cp),
            ("outputs of a row", "a half of the OB's output side", least * a.nb * a.cp, a.out_half_words * a.nb * a.cp),
            ("ZSB entries", "a half of the ZSB", kt * 8 * a.kp, a.zsb_half_entries * 8 * a.kp),
        ]
        if self.accumulates:
            needs.append(("partial sums of a row", "the OB", layer.Q * 4 * a.kp, a.ob_pixels * 4 * a.kp))
        self._check_bytes(needs)
        for what, value, most in (
            ("input columns", layer.W, COUNT_MAX),
            ("input rows", layer.H, COUNT_MAX),
            ("input channel groups", self.groups, COUNT_MAX),
            ("output channel groups", a.groups(layer.K), COUNT_MAX),
            ("bytes of a channel group", max(layer.H * a.pitch(layer.W), layer.P * a.pitch(layer.Q)), RUN_STRIDE_MAX),
            ("beats of a row's input", inside * max(a.pitch(layer.W), a.pitch(layer.Q)) // a.beat_bytes, RUN_BEATS_MAX),
        ):
            if value > most:
                raise MappingError(f"layer {layer.name}: it has {value} {what}; a command holds at most {most}")

    def _check_bytes(self, needs: list[tuple[str, str, int, int]]) -> None:
        name, machine = self.layer.name, self.accelerator.name
        for operand, buffer, need, there in needs:
            if need > there:
                raise MappingError(f"layer {name}: its {operand} need {need} bytes of {buffer}; {machine} has {there}")
