"""FPGA resources by component: LUTs, flip-flops, DSPs, block RAMs and UltraRAMs of an AMD UltraScale+ device.

Flip-flops, DSPs and memories follow from the structure of ``rtl``. LUTs are a few coefficients times structural
counts; ``docs/energy.md`` has the syntheses (Yosys ``synth_xilinx``) that they were fitted on, and the error on others.
Yosys is not Vivado: expect another tool to differ by tens of per cent in LUTs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from math import gcd, log2

import pandas as pd

from arch_model.accelerator import TAPS, Accelerator
from arch_model.activity import (
    PRODUCT_BITS,
    REQUANTISER_BITS,
    STORE_LANE_BITS,
    SUM_BITS,
    TOTAL_BITS,
    tree_bits,
    tree_width,
)
from arch_model.memories import Memory, memories

# LUTs a structural unit, fitted (docs/energy.md).
ADDER_BIT = 1.3  # of a tree of more than two terms, compressed three to two
ROTATED_BIT = 4.0  # of the LB: two choices of three and one of the outside
SHIFTED_BIT = 1.5  # of a gearbox's buffer: stays, moves by a word, or takes an arriving byte
ARRIVING_BIT = 0.2  # and each doubling of the bytes that arrive
DROPPED_BIT = 0.9  # and each bit that tells how many bytes are dropped
REQUANTISER_LUTS, STORE_LANE_LUTS = 577, 400  # lanes do not depend on the Accelerator
ACCUMULATOR_LUTS = 2 * SUM_BITS  # choose the partial sum or 0, and add

# DSPs: a product of 33 × 26 bits takes four of 27 × 18, one of 9 × 25 bits one. RUN multiplies row steps.
REQUANTISER_DSPS, STORE_LANE_DSPS, RUN_DSPS = 4, 2, 3

# LUTs and flip-flops of what hardly depends on the Accelerator, as synthesised.
RUN, CONTROL, FETCH, LOAD_ACT, LOAD_WEIGHTS, STORE = (609, 351), (945, 656), (46, 261), (205, 154), (40, 30), (245, 329)
DMA_READ, DMA_WRITE, SEMAPHORE = (275, 174), (260, 201), (11, 8)
PIPELINE_FFS = 900  # what travels beside the pixels (rtl/pixel.py), twelve stages
SEMAPHORES = 7
QUEUE_BITS, QUEUE_DEPTH = (256, 256, 256, 256, 512), 4  # FETCH's (rtl/fetch.py)
FIFO_DEPTH = 16  # STORE's results (rtl/store.py)
FIFO_LUTS, FIFO_FFS = 11, 7

LUTRAM_DEPTH = 64
"""Deepest memory built of LUTs."""

RAMB18 = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
RAMB36 = ((512, 72), (1024, 36), (2048, 18), (4096, 9), (8192, 4), (16384, 2), (32768, 1))
"""Depth and width of a block RAM with one write and one read port (AMD UG573)."""

URAM = (4096, 72)


@dataclass(frozen=True)
class Resources:
    """What a component takes. ``bram36`` counts half ones; ``lutram`` are LUTs used as memory, not part of ``luts``."""

    component: str
    luts: int = 0
    lutram: int = 0
    ffs: int = 0
    dsps: int = 0
    bram36: float = 0.0
    uram: int = 0


@dataclass(frozen=True)
class Estimate:
    """The resources of an Accelerator, component by component."""

    components: tuple[Resources, ...]

    @property
    def total(self) -> Resources:
        """All components together."""
        sums = {f.name: sum(getattr(c, f.name) for c in self.components) for f in fields(Resources)[1:]}
        return Resources("total", **sums)

    def __getitem__(self, component: str) -> Resources:
        return next(c for c in self.components if c.component == component)

    def to_frame(self) -> pd.DataFrame:
        """One row a component and one for the total: component, luts, lutram, ffs, dsps, bram36, uram."""
        return pd.DataFrame([*self.components, self.total])


def fpga_resources(accelerator: Accelerator, *, uram_depth: int | None = None) -> Estimate:
    """What an Accelerator takes of an UltraScale+ device.

    Memories of ``uram_depth`` words or more become UltraRAMs; None: none does, as on devices without them.

    >>> total = fpga_resources(Accelerator.load("zcu104"), uram_depth=4096).total
    >>> total.dsps, total.uram      # 1296 of the array, 64 of the requantisers, 72 of STORE, 3 of RUN
    (1435, 102)
    """
    built = [_memory(memory, uram_depth) for memory in memories(accelerator).values()]
    return Estimate((*_datapath(accelerator), *_transfers(accelerator), *built))


def gearbox_bytes(in_bytes: int, out_bytes: int, max_pad: int, max_drop: int) -> int:
    """Bytes that a gearbox holds, as ``rtl.gearbox.capacity``.

    >>> gearbox_bytes(16, 9, 0, 15), gearbox_bytes(9, 16, 15, 0), gearbox_bytes(16, 81, 0, 15)
    (48, 41, 112)
    """
    need = in_bytes + out_bytes
    if in_bytes >= out_bytes:
        need = in_bytes + 2 * out_bytes + max_drop - 1
    if in_bytes <= out_bytes:
        need = max(need, min(2 * out_bytes, out_bytes + in_bytes + max_pad - 1) + in_bytes)
    return need


def _datapath(a: Accelerator) -> Iterable[Resources]:
    engines, window = a.kp * a.cp, 8 * TAPS * a.cp
    adders = engines * tree_bits(TAPS, PRODUCT_BITS) + a.kp * tree_bits(a.cp, TOTAL_BITS)
    registers = engines * (TAPS * PRODUCT_BITS + TOTAL_BITS) + a.kp * tree_width(a.cp, TOTAL_BITS)
    # Two sets of weights: the active one and its shadow.
    yield Resources("array", luts=round(ADDER_BIT * adders), ffs=registers + 2 * a.kp * window, dsps=a.multipliers)
    yield Resources("lb", luts=round(ROTATED_BIT * window), ffs=window)
    yield Resources("accumulator", luts=a.kp * ACCUMULATOR_LUTS, ffs=a.kp * SUM_BITS + 1 + _address(a.ob_pixels))
    yield Resources(
        "requantiser", luts=a.kp * REQUANTISER_LUTS, ffs=a.kp * REQUANTISER_BITS, dsps=a.kp * REQUANTISER_DSPS
    )
    outputs, sources = a.nb * 9 * a.cp, a.nb * a.cp // gcd(a.kp, a.cp)
    # A LUT chooses one of four: of so many lane offsets and banks a byte may come.
    yield Resources("repacker", luts=round(outputs * max(1.0, (sources - 1) / 3)), ffs=outputs + 16 * a.nb)
    yield Resources("run", luts=RUN[0], ffs=RUN[1] + PIPELINE_FFS, dsps=RUN_DSPS)
    yield Resources("feed", luts=window + 45, ffs=37 + a.kp, dsps=_slot_dsps(a))


def _transfers(a: Accelerator) -> Iterable[Resources]:
    beat, padding, word = a.beat_bytes, -9 * a.kp * a.cp % a.beat_bytes, a.pixels * a.cp
    slot = 32
    queues = _sum("", [_fifo(bits, QUEUE_DEPTH) for bits in QUEUE_BITS])
    yield _sum("fetch", [Resources("", *_plain(FETCH)), _dma(), _gearbox(a.program_beat_bytes, slot, 0, 0), queues])
    yield _sum("load_act", [Resources("", *_plain(LOAD_ACT)), _dma(), _gearbox(beat, word, 0, min(beat - 1, 255))])
    yield _sum(
        "load_weights",
        [
            Resources("", *_plain(LOAD_WEIGHTS), _slot_dsps(a)),
            _dma(),
            _gearbox(beat, 9 * a.cp, 0, padding, drops=int(padding > 0)),
            _gearbox(beat, 8, 0, 0),
        ],
    )
    lanes = Resources("", luts=word * STORE_LANE_LUTS, ffs=word * STORE_LANE_BITS, dsps=word * STORE_LANE_DSPS)
    own = Resources("", luts=STORE[0] + 9 * word, ffs=STORE[1] - 14 + 8 * word)
    write = Resources("", *_plain(DMA_WRITE))
    result = 8 * word + 1 + (a.pixels - 1).bit_length()  # a word, whether it ends a row, the pixels it lacks
    unpack, pack = _gearbox(beat, word, 0, min(beat - 1, 255)), _gearbox(word, beat, min(beat - 1, 255), 0)
    yield _sum("store", [lanes, own, _dma(), write, unpack, pack, _fifo(result, FIFO_DEPTH)])
    luts, ffs = SEMAPHORE
    yield Resources("control", luts=CONTROL[0] + SEMAPHORES * luts, ffs=CONTROL[1] + SEMAPHORES * ffs)


def _slot_dsps(a: Accelerator) -> int:
    """A tile's slot times KP is its address: a shift if KP is a power of two, else a DSP."""
    return int(a.kp & (a.kp - 1) != 0)


def _plain(counts: tuple[int, int]) -> tuple[int, int, int]:
    luts, ffs = counts
    return luts, 0, ffs


def _dma() -> Resources:
    return Resources("", *_plain(DMA_READ))


def _gearbox(in_bytes: int, out_bytes: int, max_pad: int, max_drop: int, drops: int | None = None) -> Resources:
    """``drops``: bits that tell what is dropped, if fewer than ``max_drop`` takes (a tile's padding: all or none)."""
    if drops is None:
        drops = max_drop.bit_length()
    size = gearbox_bytes(in_bytes, out_bytes, max_pad, max_drop)
    luts = 8 * size * (SHIFTED_BIT + ARRIVING_BIT * log2(in_bytes) + DROPPED_BIT * drops)
    return Resources("", luts=round(luts), ffs=8 * size + (size + max_pad).bit_length())


def _fifo(bits: int, depth: int) -> Resources:
    """A small FIFO: memory of LUTs and an output register. Eight LUTs hold 14 bits, 32 deep (RAM32M16)."""
    return Resources("", luts=FIFO_LUTS, lutram=8 * -(-bits // 14), ffs=bits + FIFO_FFS)


def _sum(component: str, parts: Iterable[Resources]) -> Resources:
    total = Estimate(tuple(parts)).total
    return Resources(component, total.luts, total.lutram, total.ffs, total.dsps, total.bram36, total.uram)


def _address(depth: int) -> int:
    return max(1, (depth - 1).bit_length())


def _memory(memory: Memory, uram_depth: int | None) -> Resources:
    if memory.depth <= LUTRAM_DEPTH:
        # Eight LUTs hold 7 bits, 64 deep (RAM64M8), or 14 bits, 32 deep; the registered read is flip-flops.
        groups = -(-memory.width // (7 if memory.depth > 32 else 14))
        return Resources(memory.buffer, lutram=memory.banks * 8 * groups, ffs=memory.banks * memory.width)
    if uram_depth is not None and memory.depth >= uram_depth:
        depth, width = URAM
        # Its nine write enables are a byte each: the ninth byte has one too.
        ram = -(-memory.depth // depth) * -(-memory.width // width)
        return Resources(memory.buffer, uram=memory.banks * ram)
    return Resources(memory.buffer, bram36=memory.banks * block_rams(memory.depth, memory.width, memory.granularity))


def block_rams(depth: int, width: int, granularity: int | None = None) -> float:
    """Block RAMs of 36 Kb for a memory of one write and one read port, in halves; the cheapest of one shape.

    ``granularity`` bits have a write enable of their own. A block RAM has one for every 9 bits, so a byte with its own
    takes 9 of them, and a block RAM less than 9 bits wide serves one enable.

    >>> block_rams(512, 72), block_rams(2048, 24), block_rams(512, 72, 8)
    (1.0, 1.5, 1.5)
    """
    bits = granularity or width
    parts = width // bits
    costs = []
    for shapes, size in ((RAMB18, 0.5), (RAMB36, 1.0)):
        for rows, columns in shapes:
            enables, needed = columns // 9, -(-bits // 9)
            if enables == 0:
                wide = parts * -(-bits // columns)
            elif needed <= enables:
                wide = -(-parts // (enables // needed))
            else:
                wide = parts * -(-needed // enables)
            costs.append(size * wide * -(-depth // rows))
    return min(costs)
