"""How a channelwise layer is cut: output rows of a spatial tile, K-tiles of a chunk; what does not fit.

Chunks are the outer loop and tiles the inner one: a chunk needs only its own channels of the input. If a half of the SB
holds all of these, each row comes once, although windows of neighbouring tiles overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.lowering.tiling import (
    COUNT_MAX,
    RUN_BEATS_MAX,
    RUN_STRIDE_MAX,
    Order,
    Tiling,
    chunk_unit,
    out_words,
    sb_needs,
)
from mapper.workload.depthwise import (
    entries_of,
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
    """How a channelwise layer is cut.

    Attributes
    ----------
    rows : output rows of a spatial tile.
    chunk : K-tiles of a chunk, which one STORE writes.
    stays : whether the SB holds all of a chunk's input rows.
    """

    rows: int
    chunk: int
    stays: bool = False


def _words(layer: Layer, accelerator: Accelerator, chunk: int, rows: int) -> int:
    """Words of each bank of the SB that ``rows`` input rows of a chunk take."""
    groups = accelerator.groups(min(chunk * accelerator.kp, layer.C))
    return groups * skewed_shape(layer, rows)[1]


def check_cut(layer: Layer, accelerator: Accelerator, cut: Cut, room: int | None = None) -> None:
    """Refuse a cut that does not fit.

    Parameters
    ----------
    layer : channelwise.
    accelerator : that would run it.
    cut : to check.
    room : SB words that a place for input has; None: a half of the SB.

    Raises
    ------
    MappingError
        Naming operand, buffer, bytes needed and there.
    """
    if fault := next(_faults(layer, accelerator, cut, room), None):
        raise MappingError(f"layer {layer.name}: {fault}")


def check_channelwise(layer: Layer, accelerator: Accelerator, tiling: Tiling, room: int | None = None) -> None:
    """Refuse a tiling that is not legal for a layer whose outputs have one input channel each.

    Parameters
    ----------
    layer : channelwise.
    accelerator : that would run it.
    tiling : to check.
    room : SB words that a place for input has; None: a half of the SB.

    Raises
    ------
    MappingError
        Naming the field and what is legal, or operand, buffer, bytes needed and there.
    """
    kt = k_tiles_of(layer, accelerator)
    chunks = sorted({min(n * chunk_unit(accelerator), kt) for n in range(1, kt + 1)})
    if layer.kind is Kind.POOL:
        chunks = [1]
    for field, value, legal, right in (
        ("rows", tiling.rows, 1 <= tiling.rows <= layer.P, f"1 to {layer.P}"),
        ("chunk", tiling.chunk, tiling.chunk in chunks, f"one of {', '.join(map(str, chunks))}"),
        ("prologue_parts", tiling.prologue_parts, tiling.prologue_parts == 1, "1"),
        ("prefetch_rows", tiling.prefetch_rows, tiling.prefetch_rows == 0, "0"),
        ("interleave", tiling.interleave, tiling.interleave == 1, "1"),
        ("order", str(tiling.order), tiling.order is Order.ROWS, str(Order.ROWS)),
    ):
        if not legal:
            raise MappingError(f"layer {layer.name}: {field} of its tiling is {value}; give {right}")
    if layer.kind is not Kind.POOL:  # a STORE that streams its input in: there is nothing to fit
        check_cut(layer, accelerator, Cut(tiling.rows, tiling.chunk, tiling.stays), room)


def _faults(layer: Layer, accelerator: Accelerator, cut: Cut, room: int | None) -> Iterator[str]:
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
        (f"{held} input rows", *sb_needs(words, a, room)),
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
