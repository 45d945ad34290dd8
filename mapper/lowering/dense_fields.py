"""The fields of commands that follow from shapes and places alone; the tokens come later."""

from __future__ import annotations

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.weights import AddQuant, ConvQuant, PoolQuant
from arch_model.program.isa import Memory, Opcode, greatest
from arch_model.program.program import TensorPlace
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.placement import Region
from mapper.lowering.tiling import input_rows

Y0_MAX = greatest(Opcode.PASS, "y0")
"""A window beyond it is outside the tensor, where one is as good as another."""

Fields = dict[str, int]
"""The fields of a command by name."""


def load_act_fields(
    on: LayerOnMachine, place: TensorPlace, first: int, rows: int, sb_base: int, groups: range
) -> Fields:
    """Fields of a LOAD_ACT.

    Parameters
    ----------
    on : the layer that reads the input.
    place : of the input in DRAM.
    first, rows : input rows, the first and how many.
    sb_base : SB word at which they begin.
    groups : channel groups; in pointwise layout from a multiple of nine on.
    """
    a, width = on.accelerator, on.layer.W
    row_step, group_step, _ = on.sb_shape(rows)
    block = groups.start // TAPS if on.pointwise else groups.start
    return {
        "pointwise": int(on.pointwise),
        "addr": place.address + groups.start * place.group_bytes + first * place.pitch,
        "groups": len(groups),
        "run_beats": rows * place.pitch // a.beat_bytes,
        "run_stride": place.group_bytes,
        "rows": rows,
        "cols": width,
        "pad": place.pitch - a.row(width, place.folded)[0] * a.cp,
        "sb_base": sb_base + block * group_step,
        "row_step": row_step,
        "group_step": group_step,
        "folded": int(place.folded),
    }


def weight_fields(
    on: LayerOnMachine, address: int, first: tuple[int, int], length: int, runs: int, slot: int, memory: Memory
) -> Fields:
    """Fields of a LOAD_WGT of weight tiles.

    Parameters
    ----------
    on : the SuperNet's layer, which says how its tiles lie.
    address : of its first tile in DRAM.
    first : (row, C-tile) of the first tile; the other runs begin in the rows after it.
    length, runs : tiles of a run, and runs.
    slot : the first that it writes.
    memory : the DB or the PB.
    """
    a = on.accelerator
    ct, size = on.grid.ct, a.tile_bytes
    return {
        "memory": memory,
        "addr": address + (first[0] * ct + first[1]) * size,
        "runs": runs,
        "run_beats": length * a.tile_beats,
        "run_stride": ct * size if runs > 1 else 0,
        "slot": slot,
    }


def tile_fields(on: LayerOnMachine, q: ConvQuant, first: int, rows: int, sb_base: int, whole: bool = False) -> Fields:
    """What the PASS commands of a spatial tile share.

    Parameters
    ----------
    on : the layer, dense.
    q : its integers.
    first, rows : output rows, the first and how many.
    sb_base : SB word at which the input begins.
    whole : whether the SB holds all of the layer's input, not the tile's alone.
    """
    layer = on.layer
    low, count = input_rows(layer, first, rows)
    row_step, group_step, _ = on.sb_shape(layer.H if whole else count)
    if whole and on.pointwise:
        sb_base += low * row_step
    elif whole:  # rows behind those that the tile reads may not be there yet
        low, count = 0, low + count
    return {
        "pointwise": int(on.pointwise),
        "stride": layer.stride,
        "out_rows": rows,
        "out_cols": layer.Q,
        "y0": first * layer.stride - layer.padding - low,
        "x0": -layer.padding,
        "rows": count,
        "cols": layer.W,
        "fill": q.z_in,
        "sb_base": sb_base,
        "row_step": row_step,
        "group_step": group_step,
        "z_out": q.z_out,
        "lo": q.lo,
        "hi": q.hi,
        "pixels": rows * layer.Q,
    }


def k_tile_fields(tile: Fields, k_tile: int, first: int, out_base: int, accelerator: Accelerator) -> Fields:
    """The fields of a K-tile's PASS commands: where its results go.

    Groups and banks count from the chunk's first K-tile.

    Parameters
    ----------
    tile : fields of the spatial tile.
    k_tile : number of the K-tile.
    first : number of the chunk's first K-tile.
    out_base : word of the output side at which the chunk begins.
    accelerator : for which.
    """
    kp, cp, nb = accelerator.kp, accelerator.cp, accelerator.nb
    group, lane = divmod(k_tile * kp, cp)
    group -= first * kp // cp
    return tile | {"out_base": out_base + group // nb * tile["pixels"], "out_bank": group % nb, "out_lane": lane}


def counted_from(y0: int, rows: int) -> tuple[int, int, int]:
    """From which row a PASS counts whose first window begins at a row that ``y0`` has no bits for.

    It is a row of the first bank, the last one before the window. Of a window beyond all rows every tap is outside.

    Parameters
    ----------
    y0 : row of the first window's top tap.
    rows : rows that are there.

    Returns
    -------
    y0, rows, skipped
        Both from the row on, and how many SB words of a bank, a row each, come before it.

    Examples
    --------
    >>> counted_from(7, 12), counted_from(11, 12), counted_from(14, 12)
    ((7, 12, 0), (2, 3, 3), (5, 3, 3))
    """
    if y0 <= Y0_MAX:
        return y0, rows, 0
    skipped = min(y0, rows - 1) // 3
    return min(y0 - 3 * skipped, Y0_MAX), rows - 3 * skipped, skipped


def piece_fields(k_tile: Fields, on: LayerOnMachine, offset: tuple[int, int], ct: int, reps: int) -> Fields:
    """Fields of a PASS over some C-tiles of one window.

    Parameters
    ----------
    k_tile : fields of the K-tile.
    on : the layer, dense.
    offset : row and column of the window's top left tap in the kernel.
    ct : number of the first C-tile.
    reps : how many C-tiles.
    """
    cp, groups = on.accelerator.cp, on.groups
    last_banks, last_lanes = TAPS, cp
    if on.pointwise:
        last_banks = min(groups - (ct + reps - 1) * TAPS, TAPS)
    elif ct + reps == groups:
        last_lanes = on.layer.C - (groups - 1) * cp
    y0, rows, skipped = counted_from(k_tile["y0"] + offset[0], k_tile["rows"])
    return k_tile | {
        "reps": reps,
        "y0": y0,
        "rows": rows,
        "x0": k_tile["x0"] + offset[1],
        "sb_base": k_tile["sb_base"] + ct * k_tile["group_step"] + skipped * k_tile["row_step"],
        "last_banks": last_banks,
        "last_lanes": last_lanes,
    }


def store_fields(
    on: LayerOnMachine, place: TensorPlace, k_tiles: range, first: int, rows: int, out_base: int
) -> Fields:
    """Fields of a STORE of a chunk of K-tiles, without an add.

    Parameters
    ----------
    on : the layer whose output it writes.
    place : of the output in DRAM.
    k_tiles : of the chunk.
    first, rows : output rows, the first and how many.
    out_base : word of the output side at which the chunk begins.
    """
    a, layer = on.accelerator, on.layer
    group = k_tiles.start * a.kp // a.cp
    channels = min(k_tiles.stop * a.kp, layer.K) - group * a.cp
    groups = a.groups(channels)
    return {
        "use_a": 1,
        "addr": place.address + group * place.group_bytes + first * place.pitch,
        "groups": groups,
        "run_beats": rows * place.pitch // a.beat_bytes,
        "run_stride": place.group_bytes,
        "rows": rows,
        "cols": layer.Q,
        "pad": place.pitch - layer.Q * a.cp,
        "out_base": out_base,
        "pixels": rows * layer.Q,
        "last_lanes": channels - (groups - 1) * a.cp,
        "m_a": 1,
        "lo": -128,
        "hi": 127,
    }


def kept_fields(store: Fields, region: Region, group: int, first: int, in_dram: bool) -> Fields:
    """Fields of a STORE that writes its result into the SB.

    Parameters
    ----------
    store : its fields if it writes to DRAM.
    region : where the whole tensor lies.
    group, first : the first channel group, and the first row, that it writes.
    in_dram : whether it writes to DRAM, too.
    """
    layout = region.layout
    block, row = (group // TAPS, first) if layout.pointwise else (group, first // 3)
    fields = store | {
        "to_sb": 1,
        "pointwise": int(layout.pointwise),
        "skew": int(layout.skew),
        "first_row": 0 if layout.pointwise else first % 3,
        "first_group": group % TAPS,
        "sb_base": region.base + block * layout.group_step + row * layout.row_step,
        "row_step": layout.row_step,
        "group_step": layout.group_step,
    }
    if in_dram:
        return fields
    to_dram = dict.fromkeys(("addr", "run_beats", "run_stride", "pad"), 0)
    return fields | to_dram | {"sb_only": 1}


def add_fields(
    q: AddQuant, place: TensorPlace, k_tiles: range, first: int, rows: int, accelerator: Accelerator
) -> Fields:
    """What a STORE needs besides to add another tensor.

    Parameters
    ----------
    q : integers of the add.
    place : of the other tensor in DRAM.
    k_tiles : of the chunk.
    first, rows : output rows, the first and how many.
    accelerator : for which.
    """
    a = accelerator
    scalars = {name: getattr(q, name) for name in ("m_a", "m_b", "shift", "z_a", "z_b", "z_out", "lo", "hi")}
    return scalars | {
        "use_b": 1,
        "b_addr": place.address + k_tiles.start * a.kp // a.cp * place.group_bytes + first * place.pitch,
        "b_run_beats": rows * place.pitch // a.beat_bytes,
        "b_run_stride": place.group_bytes,
        "b_pad": place.pitch - place.W * a.cp,
    }


def pool_fields(on: LayerOnMachine, q: PoolQuant, source: TensorPlace, place: TensorPlace) -> Fields:
    """Fields of a STORE that averages a whole tensor.

    Parameters
    ----------
    on : the global pool.
    q : its integers.
    source, place : of its input and its output in DRAM.
    """
    a, layer = on.accelerator, on.layer
    groups = a.groups(layer.K)
    return {
        "use_b": 1,
        "pool": 1,
        "addr": place.address,
        "groups": groups,
        "run_beats": place.pitch // a.beat_bytes,
        "run_stride": place.group_bytes,
        "rows": layer.H,
        "cols": layer.W,
        "pad": place.pitch - a.cp,
        "last_lanes": layer.K - (groups - 1) * a.cp,
        "b_addr": source.address,
        "b_run_beats": source.group_bytes // a.beat_bytes,
        "b_run_stride": source.group_bytes,
        "b_pad": source.pitch - layer.W * a.cp,
        "m_b": q.m,
        "shift": q.shift,
        "z_b": q.z_in,
        "z_out": q.z_out,
        "lo": q.lo,
        "hi": q.hi,
    }
