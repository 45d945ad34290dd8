"""How the layers of one Program overlap: what a layer makes of when the one before it let go of each unit.

In the middle of a Program a layer is a function of a few events: RUN is free, its first input tile may load,
what the layer before wrote is all stored, a half of the DB is free for its first weights, the other one for its
second, an output half is free. All times are sums and maxima, so when the layer is done is the maximum over
those events of (the event + a number of the layer): that number is what the recurrence gives when this event
alone holds the layer up. A chain of layers is then a chain of such maxima. ``docs/concepts/time.md`` says what this
leaves out and how little that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Layer
from arch_model.timing.closed_form import BatchTiming, Entry, time_batch
from arch_model.timing.reference_timing import FEED_FULL, STORE_GIVE, STORE_NEXT, TOKEN
from arch_model.timing.transfers import STORE_ADDRESS, STORE_BEAT, read_cycles
from mapper.cost.layer_batch import LayerBatch, blocks, layer_streams

Ints = npt.NDArray[np.int64]

EVENTS = ("run", "act", "stored", "weights", "next_weights", "out")
"""What holds a layer up: RUN is in use, its first LOAD_ACT cannot start, rows are not stored, its first
(second) group of weights cannot start to load, its first finished K-tile has no output half.
"""

RESULTS = ("run", "loader", "half")
"""What a layer gives: its last pixel, its last LOAD_WGT, and the last PASS of the last group but one."""

FAR = -(1 << 40)
"""An event so long ago that it holds nothing up."""

_ORIGIN = 1 << 40
_OUT_BEFORE = STORE_BEAT + STORE_GIVE + TOKEN  # a last word is read so long, and DRAM's latency, before rows are stored


@dataclass(frozen=True)
class Joints:
    """Layers as functions of events, int64; ``docs/concepts/time.md`` has the formulas.

    Attributes
    ----------
    respond : (EVENTS, RESULTS, n): cycles from an event that alone holds the layer up to a result.
    zsb, fills : (n,) cycles of its ZSB table's load; how often it fills a half of the DB.
    rows, spatial, need : (n,) output rows of a spatial tile, how many there are, the last input row of the first.
    stored : (most tiles, n) each tile's rows are in DRAM so long after the layer's last pixel; ``last`` (n,):
        all of it.
    half, act, out : (n,) likewise: the SB half that the next layer takes is free, the last LOAD_ACT is done,
        the output half that the next layer takes is free. Negative where that is before the last pixel.
    """

    respond: Ints
    zsb: Ints
    fills: Ints
    rows: Ints
    spatial: Ints
    need: Ints
    stored: Ints
    last: Ints
    half: Ints
    act: Ints
    out: Ints

    def __len__(self) -> int:
        return len(self.zsb)

    @cached_property
    def table(self) -> Ints:
        """All of a layer in one row, but for ``stored``: (n, columns)."""
        names = ("zsb", "fills", "rows", "spatial", "need", "last", "half", "act", "out")
        columns = [self.respond.reshape(-1, len(self)), *(getattr(self, name)[None] for name in names)]
        return np.ascontiguousarray(np.concatenate(columns).T)

    @classmethod
    def of(cls, batch: LayerBatch) -> Joints:
        """The functions of a batch's layers."""
        most = int(batch.spatial.max(initial=1))
        found = {f.name: np.zeros(len(batch), np.int64) for f in fields(cls)}
        found["respond"] = np.zeros((len(EVENTS), len(RESULTS), len(batch)), np.int64)
        found["stored"] = np.zeros((most, len(batch)), np.int64)
        for index in blocks(batch):
            part = _Part(batch.take(index))
            for name, values in part.joints().items():
                if name == "respond":
                    found[name][:, :, index] = values
                elif name == "stored":
                    found[name][: len(values), index] = values
                else:
                    found[name][index] = values
        return cls(**found)

    @classmethod
    def join(cls, parts: Sequence[Joints]) -> Joints:
        """Several as one, in order."""
        most = max(len(part.stored) for part in parts)
        parts = [replace(p, stored=np.pad(p.stored, ((0, most - len(p.stored)), (0, 0)))) for p in parts]
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts], axis=-1) for f in fields(cls)))


class _Part:
    """One block of layers while they are tried with each event in turn; all arrays in the order of the streams."""

    def __init__(self, batch: LayerBatch) -> None:
        streams = layer_streams(batch, merged=True)
        self.order, self.b, self.s, self.w = streams.order, streams.layers, streams.batch, streams.groups
        b, w = self.b, self.w
        self.line, self.spatial, self.chunks = np.arange(len(b)), b.spatial, -(-b.kt // b.chunk)
        reload = b.streamed > b.of_machine(lambda a: a.db_half_tiles)
        self.fills = w.groups * np.where(reload, self.spatial, 1)
        tile, run = np.divmod(np.maximum(np.arange(len(self.s.wgts.need)) - 1, 0)[:, None], np.maximum(w.runs, 1))
        # Which fill of a half each LOAD_WGT is part of; the ZSB table of none.
        self.fill = tile * np.maximum(w.groups, 1) + w.run_group[self.line, run]
        self.fill[0] = -1

    def joints(self) -> dict[str, Ints]:
        b, s, last_pass = self.b, self.s, self.s.passes.count - 1
        respond = np.full((len(EVENTS), len(RESULTS), len(b)), FAR)
        free = self._time({"run": _ORIGIN}, self.line)
        end = free.run_last[last_pass, self.line]
        respond[0] = self._results(free, self.line)
        several, streams = self.spatial > 1, self.fills > 0
        fed = several | (self.fills > 2)  # FEED reads the first PASS before its input is there, which frees a half
        wanted = {"act": fed, "stored": several | (self.chunks > 1), "weights": several | streams}
        for event, which in (wanted | {"next_weights": self.fills > 1}).items():
            if len(at := np.flatnonzero(which)):
                respond[EVENTS.index(event)][:, at] = self._results(self._time({event: _ORIGIN}, at), at)
        # With one tile, what holds up its first PASS holds up everything: all is as after "run", only later.
        act, least = s.acts.cycles[0] + TOKEN, s.machines.kp + FEED_FULL
        respond[1] = np.where(fed, respond[1], respond[0] + act)
        weights = TOKEN + least - 1
        respond[3] = np.where(several | streams, respond[3], respond[0] + weights)
        respond[3, 1] = np.where(several | streams, respond[3, 1], 0)  # then the event is its last LOAD_WGT's end
        first = (s.passes.store == -2).argmax(axis=0)  # the first PASS that finishes a K-tile
        took = s.passes.reps[first, self.line] * np.maximum(s.passes.pixels[first, self.line], least)
        begin = free.run_last[first, self.line] - took
        respond[5, 0] = end - begin

        count = s.stores.count
        tiles = np.minimum(np.arange(int(self.spatial.max()))[:, None], self.spatial - 1)
        last = free.store_done[count - 1, self.line] - end
        high = (np.minimum(b.rows, b.P) - 1) * b.stride - b.padding + b.R
        half = free.run_last[np.maximum((self.spatial - 1) * self.w.pieces - 1, 0), self.line] - end
        found = {
            "respond": respond,
            "zsb": s.wgts.cycles[0],
            "fills": self.fills,
            "rows": b.rows,
            "spatial": self.spatial,
            "need": np.minimum(b.H, high) - 1,
            "stored": free.store_done[(tiles + 1) * self.chunks - 1, self.line] - end,
            "last": last,
            "half": np.where(several, half, FAR),
            "act": free.act_done[self.spatial - 1, self.line] - end,
            "out": last - s.stores.cycles[count - 1, self.line],
        }
        back = np.argsort(self.order)
        return {name: values[..., back] for name, values in found.items()}

    def _time(self, events: Mapping[str, int], index: Ints) -> BatchTiming:
        """Layers held up by these events, at times near _ORIGIN; what is not named is long past."""
        at = dict.fromkeys(EVENTS, 0) | dict(events)
        s = self.s if len(index) == len(self.b) else self.s.take(index)
        n, tile, fill = len(index), np.arange(len(s.acts.need))[:, None], self.fill[:, index]
        # The first tile waits for `act`; the second takes the half of the layer before's last one, so it waits for RUN;
        # the last one reads the last rows.
        act = np.where(tile == 0, at["act"], np.where(tile == 1, at["run"], 0))
        act = np.where(tile >= np.maximum(1, self.spatial[index] - 1), np.maximum(act, at["stored"]), act)
        wgt = np.where(fill == 0, at["weights"], np.where(fill == 1, at["next_weights"], 0))
        if at["weights"]:  # without weights to stream it is the end of the ZSB table's load
            wgt[0] = np.where(self.w.groups[index] == 0, at["weights"] - s.wgts.cycles[0], 0)
        out = np.zeros((2, n), np.int64)
        out[1] = at["stored"] - s.machines.latency - _OUT_BEFORE
        return time_batch(s, Entry(np.full(n, at["run"]), np.full(n, at["stored"]), act, wgt, out))

    def _results(self, timing: BatchTiming, index: Ints) -> Ints:
        """RESULTS of layers at ``index``, (RESULTS, m), from the event on."""
        w, fills, every = self.w, self.fills[index], np.arange(len(index))
        tile, group = np.divmod(np.maximum(fills - 2, 0), np.maximum(w.groups[index], 1))
        before = timing.read_last[tile * w.pieces[index] + w.group_last[index, group], every]
        found = (
            timing.run_last[self.s.passes.count[index] - 1, every],
            timing.wgt_done[self.s.wgts.count[index] - 1, every],
            np.where(fills >= 2, before, _ORIGIN + FAR),
        )
        return np.array(found) - _ORIGIN


class _Columns:
    """Rows of :attr:`Joints.table`, by name."""

    def __init__(self, columns: Ints) -> None:
        size = len(EVENTS) * len(RESULTS)
        self.respond = np.ascontiguousarray(columns[:size]).reshape(len(EVENTS), len(RESULTS), -1)
        self.zsb, self.fills, self.rows, self.spatial, self.need = columns[size : size + 5]
        self.last, self.half, self.act, self.out = columns[size + 5 :]


def start_cycles(batch: LayerBatch) -> Ints:
    """Cycles (n,) from the start of a Program that begins with the layer to the layer's last pixel."""
    found = np.zeros(len(batch), np.int64)
    for index in blocks(batch):
        streams = layer_streams(batch.take(index))
        last = time_batch(streams.batch).run_last[streams.batch.passes.count - 1, np.arange(len(index))]
        found[index[streams.order]] = last
    return found


@dataclass(frozen=True)
class Link:
    """How a layer is tied to the one before it: ``reads`` what that one writes, if not something older; through
    a global pool, that takes ``pool`` cycles from the last store on (0: none).
    """

    reads: bool
    pool: int = 0


def pool_cycles(pool: Layer, accelerator: Accelerator) -> int:
    """Cycles of a global pool, a STORE, from the end of the STORE before it to its own."""
    a, dram = accelerator, accelerator.dram
    read = read_cycles(a.groups(pool.K) * pool.H, pool.W, a.cp, a.beat_bytes, dram.cycles_per_beat, 1)
    written = STORE_BEAT + dram.cycles_per_beat * (a.pitch(1) // a.beat_bytes - 1)
    return STORE_NEXT + STORE_ADDRESS + dram.latency_cycles + read + written + dram.latency_cycles + STORE_GIVE


def chain_cycles(joints: Joints, start: Ints, layers: Sequence[Ints], links: Sequence[Link], after: int = 0) -> Ints:
    """Cycles that each layer of a SubNet adds to its Program, int64 (layers, m); their sum is the Program's.

    ``start`` (m,): the first layer's :func:`start_cycles`. ``layers``: for each position the index in
    ``joints`` of the layer there, (m,), one for each cached SubGraph. ``links``: how each is tied to the one
    before; the first one's is not looked at. ``after``: cycles of a pool at the end.
    """
    table, stored_of = joints.table, joints.stored
    cycles = np.zeros((len(layers), len(start)), np.int64)
    cycles[0] = start
    before = layers[0]
    had = _Columns(table.take(before, axis=0).T)
    run, loader, inner = had.respond[0]
    loader, half = loader - run, np.where(had.fills >= 2, inner - run, FAR)
    other = np.where(had.fills >= 1, 0, FAR)
    events = np.zeros((len(EVENTS), len(start)), np.int64)
    _, act, stored, weights, next_weights, out = events
    for i in range(1, len(layers)):
        now, link = layers[i], links[i]
        has = _Columns(table.take(now, axis=0).T)
        np.add(had.last, TOKEN + link.pool, out=stored)
        np.maximum(had.half, had.act, out=act)
        if link.pool:
            np.maximum(act, stored, out=act)
        elif link.reads:
            tile = np.minimum(has.need // had.rows, had.spatial - 1)
            np.maximum(act, stored_of[tile, before] + TOKEN, out=act)
        np.maximum(loader + has.zsb, half, out=weights)
        next_weights[:], out[:] = other, had.out
        run, loader, inner = (has.respond + events[:, None]).max(axis=0)
        cycles[i] = run
        fills = has.fills
        half = np.where(fills >= 2, inner, np.where(fills == 1, other, half)) - run
        other = np.where(fills >= 1, 0, other - run)
        loader, before, had = loader - run, now, has
    cycles[-1] += had.last + after + 2  # idle shows a cycle later, done another
    return cycles
