"""From rows of commands to commands: every field that follows from shapes, places and integers, and the tokens.

Two facts make every Program that comes out of here free of deadlock and of races: :func:`match_tokens` signals and
waits so that the k-th wait takes the k-th signal, and every command that needs an event starts after it; and the order
of :func:`arch_model.timing.recurrence.issue` has a command after all that it needs. With in-order queues, the oldest
unfinished command then always finds its tokens and its place in the queue, however short that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from arch_model.compiled import Ints
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.network.weights import AddQuant, ConvQuant, OpQuant, PoolQuant
from arch_model.program.isa import TABLE_BYTES, Command, Memory, Opcode
from arch_model.timing import rows as timed
from arch_model.timing.rows import order_of, stream
from mapper.layout.dram_image import activation_table
from mapper.layout.memory_map import MemoryMap
from mapper.layout.tensors import window_offsets
from mapper.lowering import rows
from mapper.lowering.dense_fields import (
    Fields,
    add_fields,
    k_tile_fields,
    kept_fields,
    load_act_fields,
    piece_fields,
    pool_fields,
    store_fields,
    tile_fields,
    weight_fields,
)
from mapper.lowering.depthwise_fields import ChannelwiseFields, ChannelwisePlaces, Held
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.lowering.placement import Placement
from mapper.workload.depthwise import is_channelwise, uses_ones, windows_of
from mapper.workload.fusion import Step

OPCODES = (Opcode.LOAD_ACT, Opcode.LOAD_WGT, Opcode.PASS, Opcode.STORE)
"""By unit."""

Row = Sequence[int]


def match_tokens(needs: Ints) -> tuple[Ints, Ints]:
    """Which consumers wait, and which producers signal for them.

    A consumer waits if it needs a later event than all before it did. Producers are in order too, so the k-th wait
    takes the k-th signal, which implies all events before it.

    Parameters
    ----------
    needs : (n,), for each consumer in order the producer whose event it needs, -1 for none.

    >>> match_tokens(np.array([-1, 2, 2, 1, 5]))
    (array([1, 4]), array([2, 5]))
    """
    latest = np.maximum.accumulate(np.concatenate([[-1], needs]))[:-1]
    waits = np.flatnonzero(needs > latest)
    return waits, needs[waits]


def token_fields(streams: Sequence[Ints]) -> list[list[Fields]]:
    """The token fields of every command, by unit."""
    acts, wgts, passes, stores = streams
    found: list[list[Fields]] = [[{} for _ in stream] for stream in (acts, wgts, passes, stores)]
    a, w, p, s = range(4)
    for consumer, producer, needs, wait, signal in (
        (p, a, passes[:, timed.ACT], "wait_sb", "signal_full"),
        (a, p, acts[:, timed.AFTER_PASS], "wait_free", "signal_sb"),
        (p, w, passes[:, timed.WGT], "wait_weights", "signal_full"),
        (w, p, wgts[:, timed.AFTER_PASS], "wait_free", "signal_weights"),
        (s, p, stores[:, timed.AFTER], "wait_full", "signal_out"),
        (p, s, passes[:, timed.STORE], "wait_out", "signal_free"),
        (a, s, np.maximum(acts[:, timed.AFTER_STORE], acts[:, timed.PORT_STORE] - 1), "wait_stored", "signal_stored"),
        (p, s, passes[:, timed.AWAITS] - 1, "wait_kept", "signal_kept"),
        (s, a, stores[:, timed.PORT_LOAD] - 1, "wait_loaded", "signal_loaded"),
    ):
        for waits, signals in zip(*(ends.tolist() for ends in match_tokens(needs)), strict=True):
            found[consumer][waits][wait] = 1
            found[producer][signals][signal] = 1
    return found


class Encoder:
    """The fields of a SubNet's commands.

    Parameters
    ----------
    subnet, supernet, accelerator, memory_map : as of :func:`mapper.lowering.compile.compile_subnet`.
    steps : of the SubNet, in order of execution; a command's owner is a number in it.
    quant : integers of every operator by name.
    later : names of layers whose tiles are loaded for later queries, owners from ``len(steps)`` on.
    placement : which tensors stay in the SB; None: none does.
    """

    def __init__(
        self,
        subnet: SubNet,
        supernet: SuperNet,
        accelerator: Accelerator,
        quant: Mapping[str, OpQuant],
        memory_map: MemoryMap,
        steps: Sequence[Step],
        later: Sequence[str] = (),
        placement: Placement | None = None,
    ) -> None:
        self.subnet, self.supernet, self.a, self.quant, self.map = subnet, supernet, accelerator, quant, memory_map
        self.places, self.steps = memory_map.tensors[subnet.name], steps
        self.on = [LayerOnMachine(step.layer, accelerator) for step in steps]
        self.whole: dict[str, LayerOnMachine] = {}
        self.names = [*(step.layer.name for step in steps), *later]
        self.depthwise = {i: self._depthwise(s) for i, s in enumerate(steps) if is_channelwise(s.layer)}
        self.tiles: dict[tuple[int, ...], Fields] = {}
        self.placement = placement

    def commands(self, w: Ints) -> list[tuple[Command, int]]:
        """The commands of a workspace in order, each with its owner."""
        streams = [stream(w, unit) for unit in range(len(OPCODES))]
        makers, made = (self._act, self._weights, self._pass, self._store), []
        for opcode, make, rows_of, tokens in zip(OPCODES, makers, streams, token_fields(streams), strict=True):
            fields = (make(row) | more for row, more in zip(rows_of.tolist(), tokens, strict=True))
            commands = [Command(opcode, {name: value for name, value in own.items() if value}) for own in fields]
            made.append(list(zip(commands, rows_of[:, timed.OWNER].tolist(), strict=True)))
        return [made[unit][row] for unit, row in order_of(w).tolist()]

    def integers(self, name: str) -> OpQuant:
        """The integers of an operator.

        Raises
        ------
        MappingError
            There are none.
        """
        try:
            return self.quant[name]
        except KeyError:
            raise MappingError(f"SubNet {self.subnet.name}: no quantisation for layer {name}; give one") from None

    # ------------------------------------------------------------------ by unit

    def _act(self, row: Row) -> Fields:
        owner = row[timed.OWNER]
        groups = range(row[rows.GROUP], row[rows.GROUP] + row[rows.GROUPS])
        base, low, count = self._input_base(owner, row[rows.SB_HALF]), row[rows.LOW], row[rows.IN_ROWS]
        if owner in self.depthwise:
            held = Held(range(row[rows.HELD_FROM], row[rows.HELD_FROM] + row[rows.HELD_ROWS]), base)
            return self.depthwise[owner].act(groups, range(low, low + count), held)
        return load_act_fields(self.on[owner], self.places[self.steps[owner].source], low, count, base, groups)

    def _weights(self, row: Row) -> Fields:
        a, name, memory = self.a, self.names[row[rows.OF]], Memory(row[rows.MEMORY])
        first, length, slot = row[rows.ROW], row[rows.LENGTH], row[rows.SLOT]
        if memory is Memory.ZSB:
            size = 8 * a.kp
            return {
                "memory": memory,
                "addr": self.map.zsb[self.subnet.name][name] + first * size,
                "runs": 1,
                "run_beats": length * size // a.weight_beat_bytes,
                "slot": slot,
            }
        if memory is Memory.TABLE:
            layer = self.steps[row[rows.OF]].layer
            activation_table(layer, cast(ConvQuant, self.integers(name)))  # there must be one
            return {
                "memory": memory,
                "addr": self.map.tables[self.subnet.name][name],
                "runs": 1,
                "run_beats": TABLE_BYTES // a.weight_beat_bytes,
                "slot": slot,
            }
        if row[rows.OF] in self.depthwise:
            return self.depthwise[row[rows.OF]].columns(range(first, first + length), slot)
        address, runs = self.map.weights[name], row[rows.RUNS]
        if name not in self.whole:
            self.whole[name] = LayerOnMachine(self.supernet.layer(name), a)
        return weight_fields(self.whole[name], address, (first, row[rows.CT]), length, runs, slot, memory)

    def _pass(self, row: Row) -> Fields:
        a, owner = self.a, row[timed.OWNER]
        ends = {"start": row[rows.BEGINS], "finish": row[rows.FINISHES], "table": row[rows.P_TABLE]}
        first, count, kt, chunk = row[rows.FIRST], row[rows.ROWS], row[rows.K_TILE], row[rows.CHUNK]
        base, out_base = self._input_base(owner, row[rows.P_SB_HALF]), row[rows.OUT_HALF] * a.out_half_words
        whole = self.placement is not None and self.placement.inputs[owner] >= 0
        layer = self.steps[owner].layer
        key = owner, first, base, kt, out_base, row[rows.COME]
        if owner in self.depthwise:
            make = self.depthwise[owner]
            if key not in self.tiles:
                held = Held(range(row[rows.P_HELD_FROM], row[rows.P_HELD_FROM] + row[rows.P_HELD_ROWS]), base)
                tile = make.tile(first, count, held, row[rows.COME])
                entry = row[rows.ENTRY] - (kt if layer.kind.has_weights else 0)
                self.tiles[key] = make.k_tile(tile, kt, chunk, out_base, entry, whole)
            return make.window(self.tiles[key], kt, windows_of(layer)[row[rows.WINDOW]], row[rows.P_SLOT]) | ends
        if key not in self.tiles:
            tile = tile_fields(self.on[owner], cast(ConvQuant, self.integers(layer.name)), first, count, base, whole)
            self.tiles[key] = k_tile_fields(tile, kt, chunk, out_base, a) | {"zsb": row[rows.ENTRY]}
        offset = window_offsets(layer)[row[rows.WINDOW]]
        weights = {"memory": row[rows.P_MEMORY], "slot": row[rows.P_SLOT], "ob_slot": row[rows.OB_SLOT]}
        own = piece_fields(self.tiles[key], self.on[owner], offset, row[rows.P_CT], row[timed.REPS])
        return own | weights | ends

    def _store(self, row: Row) -> Fields:
        a, owner = self.a, row[timed.OWNER]
        step = self.steps[owner]
        if step.layer.kind is Kind.POOL:
            q = cast(PoolQuant, self.integers(step.layer.name))
            fields = pool_fields(self.on[owner], q, self.places[step.source], self.places[step.output])
            return self._kept(owner, fields, 0, 0)
        k_tiles, out_base = range(row[rows.S_CHUNK], row[rows.S_STOP]), row[rows.S_OUT_HALF] * a.out_half_words
        first, count, group = row[rows.S_FIRST], row[rows.S_ROWS], k_tiles.start * a.kp // a.cp
        if owner in self.depthwise:
            return self._kept(owner, self.depthwise[owner].store(k_tiles, first, count, out_base), group, first)
        fields = store_fields(self.on[owner], self.places[step.output], k_tiles, first, count, out_base)
        if step.add is not None:
            q_add, other = cast(AddQuant, self.integers(step.add.name)), self.places[step.add.inputs[1]]
            fields |= add_fields(q_add, other, k_tiles, first, count, a)
        return self._kept(owner, fields, group, first)

    # ------------------------------------------------------------------ tensors in the SB

    def _input_base(self, owner: int, place: int) -> int:
        """SB word at which a step's input begins: the whole of it, or a tile in one of the two places of its loads."""
        if self.placement is None:
            return place * self.a.sb_half_words
        region = self.placement.region_read(owner)
        return self.placement.loads[owner].bases[place] if region is None else region.base

    def _kept(self, owner: int, fields: Fields, group: int, first: int) -> Fields:
        """A STORE's fields, with those of a result that stays in the SB."""
        if self.placement is None or (to := self.placement.outputs[owner]) == timed.TO_DRAM:
            return fields
        return kept_fields(fields, self.placement.regions[owner], group, first, to == timed.TO_BOTH)

    # ------------------------------------------------------------------ depthwise

    def _depthwise(self, step: Step) -> ChannelwiseFields:
        layer, name = step.layer, self.subnet.name
        places = ChannelwisePlaces(
            self.places[step.source],
            self.places[step.output],
            None if step.addend is None else self.places[step.addend],
            self._columns(layer),
            self.map.zsb[name][layer.name],
        )
        add = None if step.add is None else cast(AddQuant, self.integers(step.add.name))
        return ChannelwiseFields(step, self.a, places, self.integers(layer.name), add)

    def _columns(self, layer: Layer) -> int:
        """Where a depthwise layer's weight columns lie; MAXPOOL has none."""
        if uses_ones(layer):
            return self.map.ones
        return self.map.weights_of(layer) if layer.kind.has_weights else 0
