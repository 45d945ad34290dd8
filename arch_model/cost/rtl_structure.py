"""What the RTL is made of, part by part: the counts that LUTs and flip-flops are proportional to.

A part is a module of ``rtl`` below the top, all its copies together, named by its path (``store.pack``). Parts of one
kind share coefficients (:mod:`arch_model.cost.resources`), which ``bench/fit_resources.py`` fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import gcd

from arch_model.cost.activity import (
    PRODUCT_BITS,
    REQUANTISER_BITS,
    STORE_LANE_BITS,
    SUM_BITS,
    TOTAL_BITS,
    tree_bits,
    tree_width,
)
from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.machine.microarchitecture import LANE_BYTES, QUEUE_DEPTH, STORE_FIFO, TOKENS, gearbox_bytes
from arch_model.program.isa import SLOT_BITS, SLOT_BYTES, SLOTS, UNITS

# DSPs of 27 × 18 bits: a requantiser's product of 33 × 26 bits is made of two, one of 9 × 25 bits takes one. RUN
# multiplies row steps.
REQUANTISER_DSPS, STORE_LANE_DSPS, RUN_DSPS = 2, 2, 3

QUEUES = {unit: SLOTS[opcode] * SLOT_BITS for opcode, units in UNITS.items() for unit in units}
"""FETCH's queues (rtl/fetch.py) and the bits of their commands."""
PACKED_DPE_BITS = 354  # registers of a pair (rtl/dpe.py): nine products of 35 bits, two totals; one sign is shared
PIPELINE_BITS, OWN_BITS, WRAP_BITS = 744, 26, 176  # beside the pixels (rtl/pixel.py); two stages of what windows of
# the filters' own need; how far a bank further is, eleven stages
TABLE_BYTE_BITS = 3  # which byte of a table's word: synthesis keeps it with the table's memory
HIGH_WEIGHT_BITS = 9  # of the upper filter of a pair
GROUPS, MAXIMUM_STAGES = 3, 2  # of a column (rtl/column_buffer.py); that the choice of a maximum waits in the array
ADDRESS = 16

Counts = Mapping[str, float]


@dataclass(frozen=True)
class Part:
    """A unit of the RTL and what it is made of.

    Attributes
    ----------
    path : of the instance in the design.
    kind : names its coefficients.
    luts, ffs : structural counts by name, each of which has a coefficient.
    dsps : DSP slices, exact.
    lutram : LUTs used as memory, exact.
    component : to which results add it.
    """

    path: str
    kind: str
    luts: Counts
    ffs: Counts
    dsps: int = 0
    lutram: int = 0
    component: str = field(default="")

    def __post_init__(self) -> None:
        if not self.component:
            object.__setattr__(self, "component", self.path.split(".")[0])


def parts(a: Accelerator) -> Iterator[Part]:
    """Every part of a machine but its memories.

    >>> {part.path: part.dsps for part in parts(Accelerator.load("tiny")) if part.dsps}["compute.array.dpe"]
    108
    """
    yield from _compute(a)
    yield from _fetch(a)
    yield from _loads(a)
    yield from _store(a)
    yield from _edges(a)


def _one(path: str, kind: str = "", copies: int = 1, *, component: str = "", dsps: int = 0) -> Part:
    """A part that does not depend on the Accelerator."""
    return Part(path, kind or path, {"each": copies}, {"each": copies}, dsps=dsps, component=component)


def _compute(a: Accelerator) -> Iterator[Part]:
    """The compute path and FEED, which fills the array's shadow."""
    yield from _array(a)
    # A byte is one of three rows, one of three columns, or what lies outside.
    window = 8 * TAPS * a.cp
    yield Part("compute.lb", "lb", {"rotated bits": window}, {"registers": window}, component="lb")
    yield from _results(a)
    yield _one("compute.run", "run", component="run", dsps=RUN_DSPS)
    registers = PIPELINE_BITS + OWN_BITS * _own(a) + WRAP_BITS * (a.nb > 1)
    # Address and data of what LOAD_ACT or STORE writes to the SB, whose turn it is.
    writes = a.pixels * (ADDRESS + 8 * a.cp)
    yield Part("compute", "compute", {"each": 1, "write choices": writes}, {"registers": registers}, component="run")
    yield from _split_memories(a)
    # Where filters are in pairs it keeps whether a row is the upper one, whose own weights go to another channel.
    upper = int(a.array.dsp_packing and a.kp > 1 and a.cp > 1)
    choices = 8 * TAPS * (a.cp - 1)
    yield Part(
        "feed",
        "feed",
        {"window bits": window, "column choices": choices, "upper bits": 8 * TAPS * upper, "each": 1, "filter": a.kp},
        {"each": 1, "filter": a.kp, "upper": upper},
        dsps=_slot_dsps(a),
    )


def _own(a: Accelerator) -> int:
    """1 where filters may have windows of their own: where three groups hold a K-tile."""
    return int(a.nb <= GROUPS)


def _array(a: Accelerator) -> Iterator[Part]:
    """The array and its DPEs and, for depthwise layers, its maxima and the column buffer."""
    window, own = 8 * TAPS * a.cp, _own(a)
    # Where filters have windows of their own, a pair needs two channels.
    pairs = a.kp // 2 if a.array.dsp_packing and (a.cp > 1 or not own) else 0
    sums = a.kp * tree_width(a.cp, TOTAL_BITS)
    single, shared = (a.kp - 2 * pairs) * a.cp, pairs * a.cp  # DPEs of one filter, of two
    # Two sets of weights: the active one and its shadow. Of pairs the upper filter's have nine bits, and signs of the
    # lower one's wait for them; those of a single pair are in its shadow.
    weights = 2 * (a.kp * window + TAPS * shared * (HIGH_WEIGHT_BITS - 8)) + (TAPS * a.cp if pairs > 1 else 0)
    yield Part(
        "compute.array",
        "array",
        {
            "adder bits": a.kp * tree_bits(a.cp, TOTAL_BITS),
            "borrow bits": HIGH_WEIGHT_BITS * TAPS * a.cp * bool(pairs),
            "own bits": own * a.kp * 8 * TAPS,
        },
        {"registers": sums + weights + own * MAXIMUM_STAGES},
        component="array",
    )
    yield Part(
        "compute.array.dpe",
        "dpe",
        {"each": single, "pair": shared},
        {"registers": single * (TAPS * PRODUCT_BITS + TOTAL_BITS) + shared * PACKED_DPE_BITS},
        dsps=TAPS * (single + shared),
        component="array",
    )
    if own:
        yield Part(
            "compute.array.greatest",
            "greatest",
            {"each": a.kp},
            {"registers": 8 * 4 * a.kp},  # of three rows, of all
            component="array",
        )
        yield Part(
            "compute.column_buffer",
            "columns",
            {"lane choices": 3 * 8 * a.kp * (a.cp // gcd(a.kp, a.cp) - 1), "masked bits": 8 * TAPS * a.kp},
            {"registers": 8 * TAPS * a.kp},
            component="column_buffer",
        )


def _results(a: Accelerator) -> Iterator[Part]:
    """From the array's sums to words of the output side: accumulator, requantisers and repacker."""
    yield Part(
        "compute.accumulator",
        "accumulator",
        {"sum bits": a.kp * SUM_BITS},
        {"registers": a.kp * SUM_BITS + 1 + _address(a.ob_pixels)},
        component="accumulator",
    )
    yield Part(
        "compute.requantiser",
        "requantiser",
        {"each": a.kp},
        {"registers": a.kp * (REQUANTISER_BITS - TABLE_BYTE_BITS)},
        dsps=a.kp * REQUANTISER_DSPS,
        component="requantiser",
    )
    lanes, banks = _repacker_choices(a)
    yield Part(
        "compute.repacker",
        "repacker",
        {"lane choices": lanes, "bank choices": banks, "bank": a.nb},
        {"registers": a.nb * (9 * a.cp + ADDRESS)},
        component="repacker",
    )


def _split_memories(a: Accelerator) -> Iterator[Part]:
    """What lies around the memories that several pixels a cycle share: the SB's banks and the output side's.

    The SB: a word for each part from one of ``pixels`` writes, gated; one word out of ``pixels`` parts.
    """
    word, low = 8 * a.cp, (a.pixels - 1).bit_length()
    address = _address(-(-2 * a.sb_half_words // a.pixels))
    yield Part(
        "compute.sb",
        "split",
        {"write choices": TAPS * a.pixels * a.pixels * (word + address), "read choices": TAPS * (a.pixels - 1) * word},
        {"registers": TAPS * low},
        component="sb",
    )
    address = _address(-(-2 * a.out_half_words // a.pixels))
    yield Part(
        "compute.out",
        "split",
        {
            "write choices": a.nb * a.pixels * (word + address),
            "read choices": a.nb * a.pixels * (a.pixels - 1) * word,
            "read addresses": a.nb * (a.pixels - 1) * address,
        },
        {"registers": a.nb * low},
        component="ob_out",
    )


def _repacker_choices(a: Accelerator) -> tuple[float, float]:
    """Two-way choices of a bit: at which lane a K-tile starts, and in which bank."""
    offsets = range(0, a.cp, gcd(a.kp, a.cp))
    sources = sum(max(0, sum(0 <= place - lane < a.kp for lane in offsets) - 1) for place in range(a.nb * a.cp))
    return 8 * sources, 8 * a.nb * a.cp * (a.nb - 1)


def _fetch(a: Accelerator) -> Iterator[Part]:
    yield _one("fetch")
    for command in ("load_act", "load_wgt", "pass", "store"):
        yield _one(f"fetch.check_{command}")
    yield _dma_read("fetch.dma", a.program_beat_bytes)
    yield _gearbox("fetch.gearbox", a.program_beat_bytes, SLOT_BYTES, 0, 0)
    for queue, bits in QUEUES.items():
        yield _fifo(f"fetch.{queue}_queue", bits, QUEUE_DEPTH)


def _loads(a: Accelerator) -> Iterator[Part]:
    beat, word, weight_beat = a.beat_bytes, a.pixels * a.cp, a.weight_beat_bytes
    folds = int(a.fold > 1)  # else there are no folded images, whose words it takes apart
    yield Part("load_act", "load_act", {"each": 1, "folded bits": 8 * a.cp * folds}, {"each": 1, "folds": folds})
    yield _bank_walk("load_act.walk", "load_walk", a.pixels, folds)
    yield _dma_read("load_act.dma", beat)
    yield _gearbox("load_act.gearbox", beat, word, 0, min(beat - 1, 255), out_parts=a.pixels)
    yield Part(
        "load_weights",
        "load_weights",
        {"each": 1, "filter": a.kp},
        {"each": 1, "filter": a.kp},
        dsps=1,  # a slot times its words, which depend on the memory
    )
    yield _dma_read("load_weights.dma", weight_beat)
    yield _gearbox("load_weights.words", weight_beat, 9 * a.cp, 0, -9 * a.kp * a.cp % weight_beat)
    yield _gearbox("load_weights.lanes", weight_beat, LANE_BYTES, 0, 0)


def _store(a: Accelerator) -> Iterator[Part]:
    beat, word, pad = a.beat_bytes, a.pixels * a.cp, min(a.beat_bytes - 1, 255)
    yield Part(
        "store",
        "store",
        {"each": 1, "bank choices": 8 * word * (a.nb - 1), "byte": word, "pixel": a.pixels - 1},
        {"each": 1, "byte bits": 8 * word, "pixel": a.pixels - 1, "bank": _address(a.nb)},
    )
    yield Part(
        "store.lane",
        "store_lane",
        {"each": word},
        {"registers": word * STORE_LANE_BITS},
        dsps=word * STORE_LANE_DSPS,
    )
    yield _bank_walk("store.walk", "store_walk", a.pixels, 0)
    yield _dma_read("store.read", beat)
    bits = _beat_address(beat)
    yield Part("store.write", "dma_write", {"each": 1, "address bits": bits}, {"each": 1, "address bits": bits})
    yield _gearbox("store.unpack", beat, word, 0, min(beat - 1, 255), out_parts=a.pixels)
    yield _gearbox("store.pack", word, beat, pad, 0, in_parts=a.pixels)
    # A word, whether it ends a row, the pixels that it lacks.
    yield _fifo("store.results", 8 * word + 3, STORE_FIFO)


def _edges(a: Accelerator) -> Iterator[Part]:
    # Of each stripe beyond the first a base address of its own.
    control = {"each": 1, "base bits": 32 * (a.stripes + a.weight_stripes - 2)}
    yield Part("control", "control", control, control)
    for token in TOKENS:
        yield _one(token, "token", component="control")
    yield _one("machine", component="top")
    for name, stripes in (("prog", 1), ("wgt", a.weight_stripes), ("act", a.stripes), ("out_read", a.stripes)):
        yield _stripes(f"stripes_{name}", "stripes_read", stripes)
    yield _stripes("stripes_out_write", "stripes_write", a.stripes)
    yield _one("drain_prog", "drain_read", component="drains")
    for name in ("wgt", "act", "out_read"):
        yield _one(f"drain_{name}", "drain_read", component="drains")
    data = {"each": 1, "data bits": 8 * a.beat_bytes}
    # Eight LUTs of memory hold the lengths of the bursts announced.
    yield Part("drain_out_write", "drain_write", data, {"each": 1}, lutram=8, component="drains")


def _stripes(path: str, kind: str, stripes: int) -> Part:
    return Part(path, kind, {"base": stripes, "handshake": stripes - 1}, {"base": stripes}, component="stripes")


def _bank_walk(path: str, kind: str, pixels: int, folds: int) -> Part:
    """Where pixels go in the SB; LOAD_ACT's begins with fixed rings, which STORE's takes from its command.

    Each pixel beyond a word's first has its banks and an address; with folded images words have two lengths.
    """
    counts = {"each": 1, "pixel": pixels - 1, "folds": folds}
    return Part(path, kind, counts, {"each": 1, "pixel": pixels - 1, "folds": folds})


def _dma_read(path: str, beat_bytes: int) -> Part:
    bits = _beat_address(beat_bytes)
    return Part(path, "dma_read", {"each": 1, "address bits": bits}, {"each": 1, "address bits": bits})


def _beat_address(beat_bytes: int) -> int:
    """Bits of the three addresses that a DMA counts in beats."""
    return 3 * (32 - (beat_bytes.bit_length() - 1))


def _gearbox(
    path: str, in_bytes: int, out_bytes: int, max_pad: int, max_drop: int, *, in_parts: int = 1, out_parts: int = 1
) -> Part:
    """Arriving bytes shifted to their place, the rest shifted down by a word and by what is dropped.

    A shifter has a stage a bit of its distance; of the arriving bytes' the first stages are short.
    """
    size = gearbox_bytes(in_bytes, out_bytes, max_pad, max_drop)
    stages = (size - in_bytes).bit_length()
    arriving = sum(min(size, in_bytes + (2 << stage) - 1) for stage in range(stages))
    dropped = max(size - out_bytes, 0) * max_drop.bit_length()
    return Part(
        path,
        "gearbox",
        {
            "held bits": 8 * size,
            "arriving bits": 8 * arriving,
            "dropped bits": 8 * dropped,
            "part bits": 8 * size * (out_parts - 1),
            "absent parts": in_parts - 1 + out_parts - 1,
        },
        {"registers": 8 * size + (size + max_pad).bit_length()},
    )


def _fifo(path: str, bits: int, depth: int) -> Part:
    """A small FIFO: memory of LUTs (eight hold 14 bits, 32 deep: RAM32M16) and an output register."""
    pointer = _address(depth)
    return Part(
        path,
        "fifo",
        {"each": 1, "pointer bits": pointer},
        {"output bits": bits, "pointer bits": pointer},
        lutram=8 * -(-bits // 14),
    )


def _slot_dsps(a: Accelerator) -> int:
    """A tile's slot times KP is its address: a shift if KP is a power of two, else a DSP."""
    return int(a.kp & (a.kp - 1) != 0)


def _address(depth: int) -> int:
    return max(1, (depth - 1).bit_length())
