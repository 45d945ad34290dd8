"""How a channelwise layer is cut: output rows of a spatial tile, K-tiles of a chunk; the estimate that chooses.

Chunks are the outer loop and tiles the inner one: a chunk needs only its own channels of the input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from arch_model.accelerator import TAPS, Accelerator
from arch_model.errors import MappingError
from arch_model.layer import Kind, Layer
from arch_model.timing import run_cycles
from arch_model.transfers import row_words
from mapper.channelwise import entries_of, input_size, k_tiles_of, skewed_shape, stride_of, windows_of
from mapper.tiling import PASS_OVERHEAD, RUN_BEATS_MAX, chunk_unit, out_words

GROUPS_MAX = 3
"""Channel groups that a depthwise pass reads at once."""


@dataclass(frozen=True)
class Cut:
    """Output rows of a spatial tile, K-tiles of a chunk (a STORE), and the estimated cycles of the layer."""

    rows: int
    chunk: int
    cycles: int = 0


def choose_cut(layer: Layer, accelerator: Accelerator, add: bool = False) -> Cut:
    """The cut with the least estimated cycles. ``add``: STORE also reads an operand.

    Raises :class:`MappingError` if there is no legal one; it names layer, operand, buffer, bytes needed and there.
    """
    a, dram = accelerator, accelerator.dram
    check_cut(layer, a, Cut(1, min(chunk_unit(a), k_tiles_of(layer, a))))
    (height, width), windows = input_size(layer), windows_of(layer)
    kt, unit = k_tiles_of(layer, a), chunk_unit(a)
    rows = np.unique(-(-layer.P // np.arange(1, layer.P + 1)))[:, None]
    units = -(-kt // unit)
    chunks = np.minimum(np.unique(-(-units // np.arange(1, units + 1)))[None, :] * unit, kt)
    groups = -(-np.minimum(chunks * a.kp, layer.C) // a.cp)
    reach = 1 if layer.kind is Kind.SCALE else layer.R
    inside = np.minimum((rows - 1) * stride_of(layer) + reach, height)
    row_step, _ = skewed_shape(layer, 1)
    legal = groups * -(-inside // 3) * row_step <= a.sb_half_words
    legal &= out_words(chunks, rows * layer.Q, a) <= a.out_half_words
    if len(windows) > 1:
        legal &= rows * layer.Q <= a.ob_pixels

    def row_cycles(cols: int) -> int:
        return max(a.pitch(cols) // a.beat_bytes * dram.cycles_per_beat, row_words(cols, a.pixels))

    least = a.kp + PASS_OVERHEAD
    steps = layer.Q if layer.kind is Kind.SCALE else width
    last = run_cycles(1, layer.Q, 1, stride_of(layer), width, 0)  # of a row, for x0 = 0
    passes = sum(np.maximum((rows - 1) * steps + last + w.col - layer.padding, least) for w in windows)
    load = dram.latency_cycles + groups * inside * row_cycles(width)
    operands = 2 if add or layer.kind is Kind.SCALE else 1
    store = operands * dram.latency_cycles + groups * rows * row_cycles(layer.Q)
    pieces = -(-layer.P // rows) * -(-kt // chunks)
    cycles = pieces * np.maximum(chunks * passes, np.maximum(load, store)) + load + store
    cycles = np.where(legal, cycles, np.iinfo(np.int64).max)
    row, chunk = np.unravel_index(int(cycles.argmin()), cycles.shape)
    cut = Cut(int(rows[row, 0]), int(chunks[0, chunk]), int(cycles[row, chunk]))
    check_cut(layer, a, cut)
    return cut


def check_cut(layer: Layer, accelerator: Accelerator, cut: Cut) -> None:
    """Raise :class:`MappingError`, naming operand, buffer, bytes needed and there, for a cut that does not fit."""
    a, (height, width), pixels = accelerator, input_size(layer), cut.rows * layer.Q
    if a.nb > GROUPS_MAX:
        raise MappingError(
            f"layer {layer.name}: its K-tiles of {a.kp} channels touch up to {a.nb} groups of {a.cp}; a depthwise pass "
            f"reads {GROUPS_MAX}"
        )
    groups = a.groups(min(cut.chunk * a.kp, layer.C))
    reach = 1 if layer.kind is Kind.SCALE else layer.R
    inside = min((cut.rows - 1) * stride_of(layer) + reach, height)
    words, out = groups * skewed_shape(layer, inside)[1], int(out_words(cut.chunk, pixels, a))
    entries = entries_of(layer, a)
    needs = [
        (f"{inside} input rows", "a half of the SB", words * TAPS * a.cp, a.sb_half_words * TAPS * a.cp),
        ("chunk of outputs", "a half of the OB's output side", out * a.nb * a.cp, a.out_half_words * a.nb * a.cp),
        ("ZSB entries", "a half of the ZSB", entries * 8 * a.kp, a.zsb_half_entries * 8 * a.kp),
    ]
    if len(windows_of(layer)) > 1:
        needs.append((f"partial sums of {cut.rows} rows", "the OB", pixels * 4 * a.kp, a.ob_pixels * 4 * a.kp))
    for operand, buffer, need, there in needs:
        if need > there:
            raise MappingError(f"layer {layer.name}: its {operand} need {need} bytes of {buffer}; {a.name} has {there}")
    run_bytes = max(inside * a.pitch(width), cut.rows * a.pitch(layer.Q))
    for what, value, most in (
        ("input columns", layer.W, 4095),
        ("input rows", layer.H, 4095),
        ("channel groups", a.groups(layer.C), 4095),
        ("beats of a tile's rows", run_bytes // a.beat_bytes, RUN_BEATS_MAX),
        ("bytes of a channel group", max(layer.H * a.pitch(layer.W), layer.P * a.pitch(layer.Q)), (1 << 28) - 1),
    ):
        if value > most:
            raise MappingError(f"layer {layer.name}: it has {value} {what}; a command holds at most {most}")
