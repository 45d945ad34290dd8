"""A mapping's exact cost without its Program: the same commands as the compiler's, with only the fields that cost.

:mod:`mapper.lowering.issue_order` puts every command after all that it waits for, so the recurrence of
``arch_model/timing/reference_timing.py`` needs no processes here: one loop in that order, a few maxima a command.
Cycles and bytes equal those of ``time_program`` on the compiled Program (``tests/mapper/cost/test_walk.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from arch_model.cost.activity import Activity, count_activity
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.microarchitecture import TOKENS
from arch_model.network.layer import Kind, Layer
from arch_model.network.weights import AddQuant, MaxPoolQuant, OpQuant, PoolQuant, ScaleQuant
from arch_model.program.isa import SLOTS, TABLE_BYTES, Command, Memory, Opcode
from arch_model.program.program import TensorPlace
from arch_model.timing.reference_timing import (
    FEED_FULL,
    FETCH_ADDRESS,
    FETCH_DECODE,
    FETCH_END,
    FETCH_QUEUE,
    LANE_BYTES,
    LOAD_ADDRESS,
    LOAD_GIVE,
    QUEUE_DEPTH,
    RUN_WRITE,
    STORE_GIVE,
    STORE_NEXT,
    TOKEN,
    load_words,
    slot_pace,
)
from arch_model.timing.transfers import read_cycles, store_cycles
from mapper.layout.tensors import folds
from mapper.lowering.dense import LayerStreams
from mapper.lowering.depthwise import append_channelwise
from mapper.lowering.depthwise_fields import ChannelwiseFields, ChannelwisePlaces
from mapper.lowering.depthwise_tiling import choose_cut
from mapper.lowering.issue_order import Fields, run_cycles_of, schedule
from mapper.lowering.tiling import Tiling
from mapper.lowering.weight_tiles import LayerWeights, Piece, Run
from mapper.workload.depthwise import input_size
from mapper.workload.fusion import Step

PORTS = ("prog", "wgt", "act", "b", "out")

NEUTRAL_ADD = AddQuant(1, 1, 1, 0, 0, 0, -128, 127)
"""Integers where none matters: they take no time."""


def neutral_quant(layer: Layer) -> OpQuant:
    """Integers of a channelwise layer where none matters."""
    if layer.kind is Kind.MAXPOOL:
        return MaxPoolQuant()
    if layer.kind.is_product:
        return ScaleQuant(0, 1, 0, 0, 0, 0, -128, 127)
    return PoolQuant(1, 0, 0, 0, -128, 127)


class LeanFields:
    """What takes time or energy, and nothing else: a :class:`mapper.lowering.dense.Maker`."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.a, self.tile_beats = accelerator, accelerator.tile_beats

    def act(self, layer: Layer, low: int, rows: int, sb_base: int, groups: range) -> Fields:
        folded = folds(layer, self.a)
        beats = rows * (self.a.pitch(layer.W, folded) // self.a.beat_bytes)
        return {"groups": len(groups), "rows": rows, "cols": layer.W, "run_beats": beats, "folded": int(folded)}

    def weights(self, layer: str, run: Run, memory: Memory) -> Fields:
        return {"memory": memory, "runs": run.runs, "run_beats": run.length * self.tile_beats}

    def zsb(self, layer: Layer, entries: range, slot: int) -> Fields:
        beats = len(entries) * LANE_BYTES * self.a.kp // self.a.weight_beat_bytes
        return {"memory": Memory.ZSB, "runs": 1, "run_beats": beats}

    def table(self, layer: Layer, slot: int) -> Fields:
        return {"memory": Memory.TABLE, "runs": 1, "run_beats": TABLE_BYTES // self.a.weight_beat_bytes}

    def tile(self, layer: Layer, first: int, rows: int, sb_base: int) -> Fields:
        return {"out_rows": rows, "out_cols": layer.Q}

    def k_tile(self, tile: Fields, k_tile: int, first: int, out_base: int, zsb: int) -> Fields:
        return tile

    def piece(self, k_tile: Fields, layer: Layer, window: int, piece: Piece) -> Fields:
        return {**k_tile, "reps": piece.length}

    def store(self, step: Step, k_tiles: range, first: int, rows: int, out_base: int) -> Fields:
        a, layer = self.a, step.layer
        groups = a.groups(min(k_tiles.stop * a.kp, layer.K) - k_tiles.start * a.kp // a.cp * a.cp)
        beats = rows * (a.pitch(layer.Q) // a.beat_bytes)
        fields = {"use_a": 1, "groups": groups, "rows": rows, "cols": layer.Q, "run_beats": beats}
        return fields if step.add is None else fields | {"use_b": 1, "b_run_beats": beats}


@dataclass(frozen=True, eq=False)
class Walk:
    """Cycles of one layer as a Program of its own, from start to done, and what else follows from its commands.

    ``waits``: cycles that RUN stood still, by cause (``sb``, ``weights``, ``out``).
    """

    accelerator: Accelerator
    cycles: int
    waits: Mapping[str, int]
    order: Sequence[tuple[Opcode, Fields, int]]

    @cached_property
    def activity(self) -> Activity:
        """What the machine does."""
        return count_activity(self.commands(), self.accelerator)

    def commands(self) -> Iterator[Command]:
        """The commands in this order, END last, with the fields that cost."""
        for opcode, fields, _ in self.order:
            yield Command(opcode, fields)
        yield Command(Opcode.END, {})

    @property
    def dram_bytes(self) -> int:
        """Bytes on all ports."""
        return sum(self.activity[f"dram.{port}"] for port in PORTS)


def walk_layer(step: Step, weights: LayerWeights, tiling: Tiling, accelerator: Accelerator) -> Walk:
    """Cost of a weight layer (with the add in its STORE) whose input and addend are in DRAM, cut as ``tiling`` says.

    ``weights`` and ``tiling`` as :func:`mapper.lowering.compile.cut_weights` returns them.

    >>> from arch_model.network.layer import Kind
    >>> from mapper.lowering.compile import cut_weights
    >>> from mapper.layout.tensors import tile_grid
    >>> import numpy as np
    >>> tiny = Accelerator.load("tiny")
    >>> layer = Layer("a", Kind.CONV, K=6, C=3, R=3, S=3, H=3, W=2, padding=1)
    >>> none = np.full((2, 1), -1)
    >>> walk_layer(Step(layer), *cut_weights(Step(layer), tiny, none, none), tiny).dram_bytes   # 8 slots, 2 + 1 tiles
    608
    """
    streams = LayerStreams(accelerator, LeanFields(accelerator))
    streams.layer(step, 0, weights, tiling)
    order, _, _ = schedule(streams.s, accelerator)
    cycles, waits = time_in_order(order, accelerator)
    return Walk(accelerator, cycles, waits, order)


def walk_channelwise(step: Step, accelerator: Accelerator) -> Walk:
    """Cost of a channelwise layer (with the add in its STORE) whose operands are in DRAM.

    >>> layer = Layer("a", Kind.CONV, K=3, C=3, R=3, S=3, H=3, W=2, padding=1, groups=3)
    >>> walk_channelwise(Step(layer), Accelerator.load("tiny")).dram_bytes    # 24 + 24, a tile, an entry, 7 slots
    412
    """
    a, layer = accelerator, step.layer
    height, width = input_size(layer)
    source = TensorPlace(0, layer.C, height, width, a.pitch(width))
    output = TensorPlace(0, layer.K, layer.P, layer.Q, a.pitch(layer.Q))
    both = step.add is not None or layer.kind.is_product
    places = ChannelwisePlaces(source, output, output if both else None)
    streams = LayerStreams(a, LeanFields(a))
    quant = neutral_quant(layer)
    append_channelwise(streams, ChannelwiseFields(step, a, places, quant, NEUTRAL_ADD), 0, choose_cut(layer, a, both))
    order, _, _ = schedule(streams.s, a)
    cycles, waits = time_in_order(order, a)
    return Walk(a, cycles, waits, order)


def time_in_order(order: Sequence[tuple[Opcode, Fields, int]], accelerator: Accelerator) -> tuple[int, dict[str, int]]:
    """(cycles, waits of RUN) of commands without END, each behind all that it waits for; no pools among them."""
    a = accelerator
    kp, cp, beat, latency, interval = a.kp, a.cp, a.beat_bytes, a.dram.latency_cycles, a.dram.cycles_per_beat
    together = a.pixels
    weight_beat = a.weight_beat_bytes
    beat_slots, pace, behind = slot_pace(a.program_beat_bytes, interval)
    arrival, left, read = FETCH_ADDRESS + latency - interval, -1, 0
    load_fixed = LOAD_ADDRESS + latency + LOAD_GIVE
    accepted: list[list[int]] = [[] for _ in range(5)]
    act_accepted, wgt_accepted, feed_accepted, run_accepted, store_accepted = accepted
    queues = {
        Opcode.LOAD_ACT: (act_accepted,),
        Opcode.LOAD_WGT: (wgt_accepted,),
        Opcode.PASS: (feed_accepted, run_accepted),
        Opcode.STORE: (store_accepted,),
    }
    slots_of = {opcode: range(slots) for opcode, slots in SLOTS.items()}
    act_free = wgt_free = feed_free = run_free = store_free = idle = 0
    consumed = -1  # when the pass before began; -1: there is none
    given: dict[str, list[int]] = {token: [] for token in TOKENS}
    taken = dict.fromkeys(given, 0)

    def take(token: str) -> int:
        index = taken[token]
        taken[token] = index + 1
        return given[token][index]

    wait_sb = wait_weights = wait_out = 0
    for opcode, f, _ in order:  # conditions, not max(): this loop is most of a search
        for _ in slots_of[opcode]:
            if not read % beat_slots:
                arrival += pace
            if arrival < left + behind:
                arrival = left + behind
            left = left + 1 if arrival < left else arrival + FETCH_DECODE
            read += 1
        for queue in queues[opcode]:
            if len(queue) >= QUEUE_DEPTH and queue[-QUEUE_DEPTH] >= left:
                left = queue[-QUEUE_DEPTH] + 1
        there = left + FETCH_QUEUE
        if opcode is Opcode.PASS:
            pixels, reps = run_cycles_of(f) if "depthwise" in f else f["out_rows"] * f["out_cols"], f["reps"]
            # FEED's first tile, then RUN's
            feed = there if there > feed_free else feed_free
            if "wait_weights" in f and (w_full := take("w_full")) > feed:
                feed = w_full
            feed_accepted.append(feed)
            start = there if there > run_free else run_free
            if "wait_sb" in f and (sb_full := take("sb_full")) > start:
                wait_sb += sb_full - start
                start = sb_full
            if "wait_out" in f and (out_free := take("out_free")) > start:
                wait_out += out_free - start
                start = out_free
            run_accepted.append(start)
            read = (feed if feed > consumed else consumed) + 1
            full = read + kp - 1 + FEED_FULL
            consumed = start + 1
            if full > consumed:
                wait_weights += full - consumed
                consumed = full
            feed_free = read + kp
            if reps > 1:  # from the second one on, each tile is read while the one before is at work
                pass_cycles = max(pixels, kp + FEED_FULL)
                wait_weights += (reps - 1) * (pass_cycles - pixels)
                consumed += (reps - 1) * pass_cycles
                feed_free = consumed - pass_cycles + 1 + kp
            run_free = consumed + pixels - 1
            if f.get("signal_weights"):
                given["w_free"].append(feed_free - 1 + TOKEN)
            if f.get("signal_sb"):
                given["sb_free"].append(run_free + TOKEN)
            if f.get("signal_out"):
                given["out_full"].append(run_free + RUN_WRITE + TOKEN)
            end = run_free
        elif opcode is Opcode.LOAD_WGT:
            start = max(there, wgt_free, take("w_free") if f.get("wait_free") else 0)
            wgt_accepted.append(start)
            words = read_cycles(*load_words(f["memory"], f["runs"], f["run_beats"], a), weight_beat, interval)
            wgt_free = start + load_fixed + words
            if f.get("signal_full"):
                given["w_full"].append(wgt_free + TOKEN)
            end = wgt_free - LOAD_GIVE
        elif opcode is Opcode.LOAD_ACT:
            sb_free = take("sb_free") if f.get("wait_free") else 0
            stored = take("stored") if f.get("wait_stored") else 0
            start = max(there, act_free, sb_free, stored)
            act_accepted.append(start)
            act_free = start + load_fixed
            cols, words = a.row(f["cols"], bool(f.get("folded")))
            act_free += read_cycles(f["groups"] * f["rows"], cols, cp, beat, interval, words)
            if f.get("signal_full"):
                given["sb_full"].append(act_free + TOKEN)
            end = act_free - LOAD_GIVE
        else:
            start = max(there, store_free, take("out_full") if f.get("wait_full") else 0)
            store_accepted.append(start)
            rows, add = f["groups"] * f["rows"], bool(f.get("use_b"))
            last_word, last_beat = store_cycles(rows, f["cols"], cp, beat, interval, latency, add, together)
            if f.get("signal_free"):
                given["out_free"].append(start + last_word + TOKEN)
            end = start + last_beat + latency + STORE_GIVE
            if f.get("signal_stored"):
                given["stored"].append(end + TOKEN)
            store_free = end + STORE_NEXT
        idle = max(idle, end)
    arrival = max(arrival if read % beat_slots else arrival + pace, left + behind)
    cycles = max(idle + 1, max(arrival + FETCH_DECODE, left + 1) + FETCH_END) + 1
    return cycles, {"sb": wait_sb, "weights": wait_weights, "out": wait_out}
