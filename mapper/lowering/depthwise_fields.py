"""Every field of a channelwise layer's commands, tokens apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind
from arch_model.network.weights import AddQuant, ConvQuant, MaxPoolQuant, OpQuant, PoolQuant, ScaleQuant
from arch_model.program.isa import Memory
from arch_model.program.program import TensorPlace
from mapper.lowering.dense_fields import Y0_MAX, Fields, add_fields, k_tile_fields, store_fields
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.workload.depthwise import (
    Window,
    column_of,
    counted_taps,
    entries_of,
    input_size,
    skewed_shape,
    stride_of,
)
from mapper.workload.fusion import Step

MAX_FILL = -128
"""What a maximum reads outside the tensor: it never wins."""


@dataclass(frozen=True)
class ChannelwisePlaces:
    """Where a channelwise step's data are in DRAM.

    Attributes
    ----------
    source : what LOAD_ACT brings.
    output : what STORE writes.
    other : what STORE reads: an add's second operand, a product's first. None: nothing.
    weights : address of its tiles of columns, its own or the constant ones.
    zsb : address of its entries.
    """

    source: TensorPlace
    output: TensorPlace
    other: TensorPlace | None = None
    weights: int = 0
    zsb: int = 0


class Held(NamedTuple):
    """Input rows that lie together in the SB.

    Attributes
    ----------
    rows : of the tensor.
    sb_base : word at which the first row of each group begins.
    """

    rows: range
    sb_base: int


@dataclass(frozen=True)
class ChannelwiseFields:
    """The fields of one channelwise step's commands.

    Attributes
    ----------
    step : the layer and the add in its STORE.
    accelerator : for which.
    places : of its data in DRAM.
    quant : integers of the layer.
    add : integers of the add; None without.
    """

    step: Step
    accelerator: Accelerator
    places: ChannelwisePlaces
    quant: OpQuant
    add: AddQuant | None = None

    def act(self, groups: range, rows: range, held: Held) -> Fields:
        """LOAD_ACT of input rows to where they are held.

        Parameters
        ----------
        groups : channel groups.
        rows : of the tensor.
        held : the rows that lie together in the SB.
        """
        a, place = self.accelerator, self.places.source
        row_step, group_step = skewed_shape(self.step.layer, len(held.rows))
        return {
            "addr": place.address + groups.start * place.group_bytes + rows.start * place.pitch,
            "groups": len(groups),
            "run_beats": len(rows) * place.pitch // a.beat_bytes,
            "run_stride": place.group_bytes,
            "rows": len(rows),
            "cols": place.W,
            "pad": place.pitch - place.W * a.cp,
            "sb_base": held.sb_base + (rows.start - held.rows.start) // 3 * row_step,
            "row_step": row_step,
            "group_step": group_step,
            "skew": 1,
        }

    def columns(self, tiles: range, slot: int) -> Fields:
        """LOAD_WGT of tiles of weight columns to the DB.

        Parameters
        ----------
        tiles : their numbers.
        slot : the first that it writes.
        """
        a = self.accelerator
        return {
            "memory": Memory.DB,
            "addr": self.places.weights + tiles.start * a.tile_bytes,
            "runs": 1,
            "run_beats": len(tiles) * a.tile_beats,
            "slot": slot,
        }

    def zsb(self, slot: int) -> Fields:
        """LOAD_WGT of all the layer's ZSB entries."""
        a = self.accelerator
        beats = entries_of(self.step.layer, a) * 8 * a.kp // a.weight_beat_bytes
        return {"memory": Memory.ZSB, "addr": self.places.zsb, "runs": 1, "run_beats": beats, "slot": slot}

    def tile(self, first: int, rows: int, held: Held, come: int) -> Fields:
        """What the PASS commands of a spatial tile share, but for where each window begins.

        Parameters
        ----------
        first, rows : output rows, the first and how many.
        held : the input rows in the SB.
        come : input rows from this one on are not there yet; a window may reach them where its weights are zero.
        """
        layer = self.step.layer
        row_step, group_step = skewed_shape(layer, len(held.rows))
        fill, z_out, lo, hi = self._outputs()
        still = layer.kind is Kind.SCALE
        return {
            "reps": 1,
            "depthwise": 1,
            "maximum": int(layer.kind is Kind.MAXPOOL),
            "stride": stride_of(layer),
            "out_rows": rows,
            "out_cols": layer.Q,
            "y0": 0 if still else first * layer.stride - layer.padding - held.rows.start,
            "x0": -layer.padding,
            "rows": come - held.rows.start,
            "cols": input_size(layer)[1],
            "fill": fill,
            "last_lanes": counted_taps(layer),
            "sb_base": held.sb_base,
            "row_step": row_step,
            "group_step": group_step,
            "z_out": z_out,
            "lo": lo,
            "hi": hi,
            "pixels": rows * layer.Q,
        }

    def k_tile(self, tile: Fields, k_tile: int, first: int, out_base: int, zsb: int, whole: bool = False) -> Fields:
        """The fields of a K-tile's PASS commands.

        Parameters
        ----------
        tile : fields of the spatial tile.
        k_tile : number of the K-tile.
        first : number of the K-tile with which the chunk and the LOAD_ACT begin.
        out_base : word of the output side at which the chunk begins.
        zsb : the layer's first entry.
        whole : whether the SB holds all of the layer's groups, not the chunk's alone.
        """
        a = self.accelerator
        group = k_tile * a.kp // a.cp - (0 if whole else first * a.kp // a.cp)
        entry = zsb + (k_tile if self.step.layer.kind.has_weights else 0)
        return k_tile_fields(tile, k_tile, first, out_base, a) | {
            "zsb": entry,
            "sb_base": tile["sb_base"] + group * tile["group_step"],
            "last_banks": group % 3,
        }

    def window(self, k_tile_fields: Fields, k_tile: int, window: Window, slot: int) -> Fields:
        """Fields of the PASS that computes one window of a layer.

        ``y0`` has few bits, so the pass counts input rows from the last row of the first bank that it may count from.

        Parameters
        ----------
        k_tile_fields : of the K-tile.
        k_tile : its number.
        window : one of the layer's.
        slot : tile slot of the DB with its weight column.
        """
        column, rows = column_of(self.step.layer, k_tile, window), k_tile_fields["rows"]
        y0 = k_tile_fields["y0"] + window.row
        blocks = max(0, min(y0, rows - 1)) // 3
        return k_tile_fields | {
            "sb_base": k_tile_fields["sb_base"] + blocks * k_tile_fields["row_step"],
            "rows": rows - 3 * blocks,
            "y0": min(y0 - 3 * blocks, Y0_MAX),
            "x0": k_tile_fields["x0"] + window.col,
            "memory": Memory.DB,
            "slot": slot,
            "sub": 0 if k_tile_fields["maximum"] else column % self.accelerator.cp,
        }

    def store(self, k_tiles: range, first: int, rows: int, out_base: int) -> Fields:
        """Fields of the STORE of a chunk, with those of a fused addition or a product.

        Parameters
        ----------
        k_tiles : of the chunk.
        first, rows : output rows, the first and how many.
        out_base : word of the output side at which the chunk begins.
        """
        layer, other, a = self.step.layer, self.places.other, self.accelerator
        fields = store_fields(LayerOnMachine(layer, a), self.places.output, k_tiles, first, rows, out_base)
        if other is None:
            return fields
        if not layer.kind.is_product:
            return fields | add_fields(cast(AddQuant, self.add), other, k_tiles, first, rows, a)
        q = cast(ScaleQuant, self.quant)
        scaled = AddQuant(0, 0, q.shift, 0, q.z_x, q.z_out, q.lo, q.hi)
        return fields | add_fields(scaled, other, k_tiles, first, rows, a) | {"multiply": 1}

    def _outputs(self) -> tuple[int, int, int, int]:
        """(fill, z_out, lo, hi) of a PASS; those of a product are the factors'."""
        q = self.quant
        if isinstance(q, MaxPoolQuant):
            return MAX_FILL, 0, q.lo, q.hi
        if isinstance(q, ScaleQuant):
            return 0, 0, -128, 127
        q = cast(ConvQuant | PoolQuant, q)
        return q.z_in, q.z_out, q.lo, q.hi
