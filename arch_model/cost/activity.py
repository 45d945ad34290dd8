"""What a Program makes the machine do: every transfer, access and operation, counted from its commands.

The formulas are those of ``docs/reference/hardware.md`` (section Buffers: who reads and writes how much a cycle) and
``docs/concepts/energy.md``. Counts are of what the commands need: a memory whose output nobody wants in a
cycle is taken as idle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.machine.memories import BUFFERS
from arch_model.machine.microarchitecture import LANE_BYTES
from arch_model.program.isa import SLOT_BYTES, SLOTS, Command, Memory, Opcode

if TYPE_CHECKING:
    import pandas as pd

PRODUCT_BITS, TOTAL_BITS, SUM_BITS = 16, 20, 32  # of a tap, of a DPE (rtl/dpe.py), of the OB
REQUANTISER_BITS = 293  # registers of a lane (rtl/requantiser.py): 33 + 26 + 6 + 43 + 42 + 59 + 2·6 + 60 + 8 + 4
STORE_LANE_BITS = 224  # registers of a lane (rtl/store_lane.py): 2·9 + 2·33 + 34 + 48 + 49 + 1 + 8

UNITS: Mapping[str, str] = {
    **{f"dram.{port}": "bytes" for port in ("prog", "wgt", "act", "b", "out")},
    **{f"{buffer}.{way}": "bytes" for buffer in BUFFERS for way in ("read", "write")},
    "lb": "register bits",
    "weight_registers": "register bits",
    "array.multiply": "int8 products",
    "array.add": "adder bits",
    "array.registers": "register bits",
    "accumulate": "adder bits",
    "requantise": "values",
    "store.a": "values",
    "store.b": "values",
    "store.out": "values",
}
"""Every count that there is, and its unit."""

TOTALS: Mapping[str, str] = {
    **{f"{port}_bytes": f"bytes of DRAM on port {port}" for port in ("prog", "wgt", "act", "b", "out")},
    "load_words": "words of CP bytes that LOAD_ACT writes",
    "kept_words": "words of CP bytes that STORE writes to the SB",
    "db_tiles_loaded": "weight tiles that LOAD_WGT writes to the DB",
    "pb_tiles_loaded": "weight tiles that LOAD_WGT writes to the PB",
    "zsb_bytes": "bytes that LOAD_WGT writes to the ZSB",
    "db_tiles": "weight tiles that FEED reads from the DB",
    "pb_tiles": "weight tiles that FEED reads from the PB",
    "steps": "pixels that RUN issues, one a cycle and pass",
    "sums_read": "pixels whose partial sums come from the OB",
    "sums_kept": "pixels whose partial sums go back to the OB",
    "pixels_done": "pixels of a K-tile that the requantiser finishes",
    "store_words": "words of CP bytes that STORE computes",
    "store_a_words": "words that it reads from the OB's output side",
    "store_b_words": "words that it takes from operand b",
    "table_bytes": "bytes that LOAD_WGT writes to each copy of the activation tables",
    "pixels_looked_up": "pixels of a K-tile that an activation table gives",
}
"""What a Program is, for energy: everything in an :class:`Activity` is linear in these."""


@dataclass(frozen=True)
class Activity:
    """Counts by the names of :data:`UNITS`; adds like a number, layer by layer."""

    counts: Mapping[str, int]

    def __getitem__(self, name: str) -> int:
        return self.counts.get(name, 0)

    def __add__(self, other: Activity) -> Activity:
        return Activity({name: self[name] + other[name] for name in UNITS})

    def to_frame(self) -> pd.DataFrame:
        """One row a count: component, count, unit."""
        import pandas as pd  # a third of a second: only those who ask for a table wait for it

        return pd.DataFrame([(n, self[n], unit) for n, unit in UNITS.items()], columns=["component", "count", "unit"])


def tree_bits(terms: int, bits: int) -> int:
    """Bits of all adders of a balanced tree over ``terms`` numbers of ``bits`` each; a sum is a bit wider.

    Parameters
    ----------
    terms : numbers that are added.
    bits : of each.

    Examples
    --------
    >>> tree_bits(9, 16)      # a DPE: 4 of 17, 2 of 18, 1 of 19 and 1 of 20
    143
    """
    widths, total = [bits] * terms, 0
    while len(widths) > 1:
        pairs = [max(a, b) + 1 for a, b in zip(widths[::2], widths[1::2], strict=False)]
        total += sum(pairs)
        widths = pairs + ([widths[-1]] if len(widths) % 2 else [])
    return total


def tree_width(terms: int, bits: int) -> int:
    """Bits of the sum of such a tree.

    Parameters
    ----------
    terms : numbers that are added.
    bits : of each.

    Examples
    --------
    >>> tree_width(9, 16), tree_width(3, 20), tree_width(1, 20)
    (20, 22, 20)
    """
    return bits + (terms - 1).bit_length()


def count_activity(commands: Iterable[Command], accelerator: Accelerator) -> Activity:
    """The activity of a Program, or of some of its commands (one layer's).

    ``dram.prog`` counts whole beats of the commands given: for a whole Program what is fetched, for layers up to a beat
    a layer more.

    Parameters
    ----------
    commands : a whole Program or some of its commands.
    accelerator : that runs them.

    Examples
    --------
    >>> from arch_model.machine.accelerator import Accelerator
    >>> count_activity([], Accelerator.load("tiny"))["dram.act"]
    0
    """
    return activity_of(count_totals(commands, accelerator), accelerator)


def count_totals(commands: Iterable[Command], accelerator: Accelerator) -> dict[str, int]:
    """The :data:`TOTALS` of commands: what their fields say, summed.

    Parameters
    ----------
    commands : a whole Program or some of its commands.
    accelerator : that runs them.
    """
    totals: Counter[str] = Counter()
    slots = 0
    for command in commands:
        slots += SLOTS[command.opcode]
        if command.opcode in _COUNTERS:
            _COUNTERS[command.opcode](command, accelerator, totals)
    totals["prog_bytes"] = -(-slots * SLOT_BYTES // accelerator.program_beat_bytes) * accelerator.program_beat_bytes
    return {name: totals[name] for name in TOTALS}


def activity_of(totals: Mapping[str, int], accelerator: Accelerator) -> Activity:
    """The activity that totals mean.

    Parameters
    ----------
    totals : :data:`TOTALS` by name; those that are left out are 0.
    accelerator : that does it.
    """
    a, of = accelerator, Counter(totals)
    engines, tile, window = a.kp * a.cp, a.tile_bytes_raw, TAPS * a.cp
    tiles, steps, done = of["db_tiles"] + of["pb_tiles"], of["steps"], of["pixels_done"]
    adder_bits = engines * tree_bits(TAPS, PRODUCT_BITS) + a.kp * tree_bits(a.cp, TOTAL_BITS)
    # Of a step: a DPE's products and total, a filter's sum and its partial sum.
    step_bits = engines * (TAPS * PRODUCT_BITS + TOTAL_BITS) + a.kp * (tree_width(a.cp, TOTAL_BITS) + SUM_BITS)
    counts = {
        **{f"dram.{port}": of[f"{port}_bytes"] for port in ("prog", "wgt", "act", "b", "out")},
        "pb.read": of["pb_tiles"] * tile,
        "pb.write": of["pb_tiles_loaded"] * tile,
        "db.read": of["db_tiles"] * tile,
        "db.write": of["db_tiles_loaded"] * tile,
        "sb.read": steps * window,
        "sb.write": (of["load_words"] + of["kept_words"]) * a.cp,
        "ob.read": of["sums_read"] * 4 * a.kp,
        "ob.write": of["sums_kept"] * 4 * a.kp,
        "ob_out.read": of["store_a_words"] * a.cp,
        "ob_out.write": done * a.kp,
        "zsb.read": done * LANE_BYTES * a.kp,
        "zsb.write": of["zsb_bytes"],
        "table.read": of["pixels_looked_up"] * LANE_BYTES * a.kp,
        "table.write": of["table_bytes"] * a.kp,
        "lb": steps * 8 * window,
        # A tile is written to the shadow word by word, and to the active registers by the swap.
        "weight_registers": tiles * 2 * 8 * tile,
        "array.multiply": steps * a.multipliers,
        "array.add": steps * adder_bits,
        "array.registers": steps * step_bits,
        "accumulate": steps * a.kp * SUM_BITS,
        "requantise": done * a.kp,
        "store.a": of["store_a_words"] * a.cp,
        "store.b": of["store_b_words"] * a.cp,
        "store.out": of["store_words"] * a.cp,
    }
    return Activity({name: counts[name] for name in UNITS})


def _load_act(c: Command, a: Accelerator, totals: Counter[str]) -> None:
    totals["act_bytes"] += c["groups"] * c["run_beats"] * a.beat_bytes
    totals["load_words"] += c["groups"] * c["rows"] * c["cols"]


def _load_wgt(c: Command, a: Accelerator, totals: Counter[str]) -> None:
    beats = c["runs"] * c["run_beats"]
    totals["wgt_bytes"] += beats * a.weight_beat_bytes
    if c["memory"] == Memory.ZSB:
        totals["zsb_bytes"] += beats * a.weight_beat_bytes
    elif c["memory"] == Memory.TABLE:
        totals["table_bytes"] += beats * a.weight_beat_bytes
    else:
        totals["pb_tiles_loaded" if c["memory"] == Memory.PB else "db_tiles_loaded"] += beats // a.tile_beats


def _pass(c: Command, a: Accelerator, totals: Counter[str]) -> None:
    reps, pixels = c["reps"], c["out_rows"] * c["out_cols"]
    totals["pb_tiles" if c["memory"] == Memory.PB else "db_tiles"] += reps
    totals["steps"] += reps * pixels
    # The first repetition of a sum reads no partial sums; the last one of it keeps none, it is requantised.
    totals["sums_read"] += (reps - c["start"]) * pixels
    totals["sums_kept"] += (reps - c["finish"]) * pixels
    totals["pixels_done"] += c["finish"] * pixels
    totals["pixels_looked_up"] += bool(c["table"]) * c["finish"] * pixels


def _store(c: Command, a: Accelerator, totals: Counter[str]) -> None:
    words = c["groups"] * c["rows"] * c["cols"]
    if not c["sb_only"]:
        totals["out_bytes"] += c["groups"] * c["run_beats"] * a.beat_bytes
    if c["to_sb"]:
        totals["kept_words"] += c["groups"] if c["pool"] else words
    totals["store_words"] += words
    if c["use_a"]:
        totals["store_a_words"] += words
    if c["use_b"]:
        totals["b_bytes"] += c["groups"] * c["b_run_beats"] * a.beat_bytes
        totals["store_b_words"] += words


_COUNTERS = {Opcode.LOAD_ACT: _load_act, Opcode.LOAD_WGT: _load_wgt, Opcode.PASS: _pass, Opcode.STORE: _store}
