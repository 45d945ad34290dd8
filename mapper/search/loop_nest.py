"""A mapping as nested loops, to be read."""

from __future__ import annotations

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.tiling import Order, Tiling
from mapper.workload.depthwise import has_tiles, k_tiles_of, windows_of

Loop = tuple[str, int, str]
"""What is counted, to where, what a step brings or writes."""


def loop_nest(layer: Layer, tiling: Tiling, streamed: int, accelerator: Accelerator) -> str:
    """A mapping as nested loops, a line each, with what each brings or writes.

    Parameters
    ----------
    layer : that is mapped.
    tiling : its mapping.
    streamed : weight tiles of a dense layer that are not in the PB.
    accelerator : that runs it.

    Examples
    --------
    >>> tiny = Accelerator.load("tiny")
    >>> print(loop_nest(Layer("a", Kind.LINEAR, K=10, C=96), Tiling(1, 3), 12, tiny))
    ... # doctest: -NORMALIZE_WHITESPACE
    for tile in 0..0                       1 output row: LOAD_ACT
      for chunk in 0..0                    3 K-tiles: one STORE
        for k_tile in 0..2                 4 filters
          for c_tile in 0..3               27 channels: weights shift in (DB, loaded once)
            for pixel in 0..0              4 filters x 27 products a cycle
    """
    if layer.kind is Kind.POOL:
        groups = accelerator.groups(layer.K)
        loops = [
            ("group", groups, f"{accelerator.cp} channels: one STORE for all groups"),
            ("pixel", layer.H * layer.W, f"{accelerator.cp} sums a cycle, of operand b"),
        ]
    elif has_tiles(layer):
        loops = _dense(LayerOnMachine(layer, accelerator), tiling, streamed)
    else:
        loops = _depthwise(layer, tiling, accelerator)
    lines = (f"{'  ' * i}for {name} in 0..{count - 1}".ljust(39) + what for i, (name, count, what) in enumerate(loops))
    return "\n".join(line.rstrip() for line in lines)


def _rows(tiling: Tiling) -> str:
    return f"{tiling.rows} output row{'s' if tiling.rows > 1 else ''}"


def _dense(on: LayerOnMachine, tiling: Tiling, streamed: int) -> list[Loop]:
    a, layer, grid = on.accelerator, on.layer, on.grid
    tiles, chunks = -(-layer.P // tiling.rows), -(-grid.kt // tiling.chunk)
    depth, taps = (9 * a.cp, 1) if on.pointwise else (a.cp, 9)
    times = on.fetches(streamed, tiling)
    source = "PB" if not streamed else "DB" if streamed == grid.tiles else "PB and DB"
    often = "" if not streamed else f", loaded {'once' if times == 1 else f'{times} times'}"
    act = f"{_rows(tiling)}: LOAD_ACT"
    if tiling.prologue_parts > 1:
        act += f", the first in {-(-grid.ct // -(-grid.ct // tiling.prologue_parts))} parts"
    if tiling.interleave > 1:
        act += f", {tiling.interleave} K-tiles interleaved"
    outer = [("tile", tiles, act), ("chunk", chunks, f"{tiling.chunk} K-tiles: one STORE")]
    if tiling.order is Order.FILTERS:
        outer.reverse()
    loops = [*outer, ("k_tile", min(tiling.chunk, grid.kt), f"{a.kp} filters")]
    if grid.windows > 1:
        loops.append(("window", grid.windows, "3 x 3 taps"))
    loops.append(("c_tile", grid.ct, f"{depth} channels: weights shift in ({source}{often})"))
    loops.append(("pixel", tiling.rows * layer.Q, f"{a.kp} filters x {depth * taps} products a cycle"))
    return loops


def _depthwise(layer: Layer, tiling: Tiling, accelerator: Accelerator) -> list[Loop]:
    a, kt, windows = accelerator, k_tiles_of(layer, accelerator), len(windows_of(layer))
    tiles, chunks = -(-layer.P // tiling.rows), -(-kt // tiling.chunk)
    brings = "LOAD_ACT of the rows that are new" if tiling.stays else "LOAD_ACT"
    loops = [
        ("chunk", chunks, f"{tiling.chunk} K-tiles"),
        ("tile", tiles, f"{_rows(tiling)}: {brings}, one STORE"),
        ("k_tile", min(tiling.chunk, kt), f"{a.kp} channels"),
    ]
    if windows > 1:
        loops.append(("window", windows, "3 x 3 taps"))
    taps = 1 if layer.kind.is_product else min(9, layer.R * layer.S)
    loops.append(("pixel", tiling.rows * layer.Q, f"{a.kp} channels x {taps} taps a cycle"))
    return loops
