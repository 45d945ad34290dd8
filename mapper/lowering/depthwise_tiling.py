"""How a channelwise layer is cut: output rows of a spatial tile, K-tiles of a chunk; the estimate that chooses.

Chunks are the outer loop and tiles the inner one: a chunk needs only its own channels of the input. If a half of the SB
holds all of these, each row comes once, although windows of neighbouring tiles overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from arch_model.errors import MappingError
from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.timing.reference_timing import run_cycles
from arch_model.timing.transfers import row_words
from mapper.lowering.tiling import COUNT_MAX, PASS_OVERHEAD, RUN_BEATS_MAX, RUN_STRIDE_MAX, chunk_unit, out_words
from mapper.workload.depthwise import (
    entries_of,
    input_rows_of,
    input_size,
    k_tiles_of,
    row_steps,
    skewed_shape,
    stride_of,
    windows_of,
)

GROUPS_MAX = 3
"""Channel groups that a depthwise pass reads at once."""


@dataclass(frozen=True)
class Cut:
    """Output rows of a spatial tile, K-tiles of a chunk (a STORE), whether the SB holds all of a chunk's input rows."""

    rows: int
    chunk: int
    stays: bool = False


def choose_cut(layer: Layer, accelerator: Accelerator, add: bool = False) -> Cut:
    """The cut with the least estimated cycles. ``add``: STORE also reads an operand, an add's or a product's.

    Raises :class:`MappingError` if there is no legal one; it names layer, operand, buffer, bytes needed and there.

    >>> layer = Layer("a", Kind.CONV, K=16, C=16, R=3, S=3, H=88, W=88, padding=1, groups=16)
    >>> choose_cut(layer, Accelerator.load("zcu104"))       # 18 lanes of 88 x 88 pixels are in a half of the SB
    Cut(rows=4, chunk=1, stays=True)
    """
    a = accelerator
    check_cut(layer, a, Cut(1, min(chunk_unit(a), k_tiles_of(layer, a))))
    kt, unit = k_tiles_of(layer, a), chunk_unit(a)
    units = -(-kt // unit)
    cuts = (
        Cut(rows, chunk, _words(layer, a, chunk, input_size(layer)[0]) <= a.sb_half_words)
        for chunk in sorted({min(-(-units // n) * unit, kt) for n in range(1, units + 1)})
        for rows in range(1, layer.P + 1)
    )
    fitting = [cut for cut in cuts if not any(_faults(layer, a, cut))]
    return min(fitting, key=lambda cut: _estimate(layer, a, cut, add))


def _estimate(layer: Layer, accelerator: Accelerator, cut: Cut, add: bool) -> int:
    """Roughly the cycles of a layer: a pipeline of loads, passes and stores, each with two halves of its buffer."""
    a, latency, stride = accelerator, accelerator.dram.latency_cycles, stride_of(layer)
    (_, width), kt = input_size(layer), k_tiles_of(layer, a)
    operands = 2 if add else 1

    def row_cycles(cols: int) -> int:
        return max(a.pitch(cols) // a.beat_bytes * a.dram.cycles_per_beat, row_words(cols, a.pixels))

    row_in, row_out = row_cycles(width), row_cycles(layer.Q)
    windows = [run_cycles(1, layer.Q, 1, stride, width, 0) + w.col - layer.padding for w in windows_of(layer)]
    steps = row_steps(layer)
    loaded, ran, stored = 0, [0, 0], [0, 0]  # when each unit is done; of passes and stores the last two tiles
    freed = [0, 0]  # when a chunk's passes have left each half of the SB
    for chunk in range(0, kt, cut.chunk):
        k_tiles = min(cut.chunk, kt - chunk)
        groups = a.groups(min(k_tiles * a.kp, layer.C))
        come, first_of_chunk = 0, True
        for first in range(0, layer.P, cut.rows):
            rows = min(cut.rows, layer.P - first)
            low, count = input_rows_of(layer, first, rows)
            if not cut.stays:
                come, free = low, ran[0]
            else:
                free = freed[0] if first_of_chunk else 0
            if low + count > come:
                loaded = max(loaded, free) + latency + groups * (low + count - come) * row_in
            come, first_of_chunk = max(come, low + count), False
            passes = sum(max((rows - 1) * steps + window, a.kp + PASS_OVERHEAD) for window in windows)
            ran = [ran[1], max(loaded, ran[1], stored[0]) + k_tiles * passes]
            stored = [stored[1], max(ran[1], stored[1]) + operands * latency + groups * rows * row_out]
        freed = [freed[1], ran[1]]
    return stored[1]


def _words(layer: Layer, accelerator: Accelerator, chunk: int, rows: int) -> int:
    """Words of each bank of the SB that ``rows`` input rows of a chunk take."""
    groups = accelerator.groups(min(chunk * accelerator.kp, layer.C))
    return groups * skewed_shape(layer, rows)[1]


def check_cut(layer: Layer, accelerator: Accelerator, cut: Cut) -> None:
    """Raise :class:`MappingError`, naming operand, buffer, bytes needed and there, for a cut that does not fit."""
    if fault := next(_faults(layer, accelerator, cut), None):
        raise MappingError(f"layer {layer.name}: {fault}")


def _faults(layer: Layer, accelerator: Accelerator, cut: Cut) -> Iterator[str]:
    a, (height, width), pixels = accelerator, input_size(layer), cut.rows * layer.Q
    if a.nb > GROUPS_MAX:
        yield (
            f"its K-tiles of {a.kp} channels touch up to {a.nb} groups of {a.cp}; a depthwise pass reads {GROUPS_MAX}"
        )
    reach = 1 if layer.kind is Kind.SCALE else layer.R
    inside = min((cut.rows - 1) * stride_of(layer) + reach, height)
    held = height if cut.stays else inside
    words, out = _words(layer, a, cut.chunk, held), int(out_words(cut.chunk, pixels, a))
    entries = entries_of(layer, a)
    needs = [
        (f"{held} input rows", "a half of the SB", words * TAPS * a.cp, a.sb_half_words * TAPS * a.cp),
        ("chunk of outputs", "a half of the OB's output side", out * a.nb * a.cp, a.out_half_words * a.nb * a.cp),
        ("ZSB entries", "a half of the ZSB", entries * 8 * a.kp, a.zsb_half_entries * 8 * a.kp),
    ]
    if len(windows_of(layer)) > 1:
        needs.append((f"partial sums of {cut.rows} rows", "the OB", pixels * 4 * a.kp, a.ob_pixels * 4 * a.kp))
    for operand, buffer, need, there in needs:
        if need > there:
            yield f"its {operand} need {need} bytes of {buffer}; {a.name} has {there}"
    brought = min(inside + 2, height) if cut.stays else inside  # to a row of the first bank
    run_bytes = max(brought * a.pitch(width), cut.rows * a.pitch(layer.Q))
    for what, value, most in (
        ("input columns", max(layer.W, row_steps(layer)), COUNT_MAX),
        ("input rows", layer.H, COUNT_MAX),
        ("channel groups", a.groups(layer.C), COUNT_MAX),
        ("beats of a tile's rows", run_bytes // a.beat_bytes, RUN_BEATS_MAX),
        ("bytes of a channel group", max(layer.H * a.pitch(layer.W), layer.P * a.pitch(layer.Q)), RUN_STRIDE_MAX),
    ):
        if value > most:
            yield f"it has {value} {what}; a command holds at most {most}"
