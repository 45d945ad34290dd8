"""A channelwise layer as commands of the four units: its loops, and what lives in which half of which buffer.

Loops, from the outside: chunks of K-tiles; spatial tiles (one LOAD_ACT of the chunk's groups and one STORE each);
K-tiles; windows (PASS). Where a half of the SB holds all of a chunk's input, each tile brings the rows that no tile
before it brought, and chunks alternate between the halves; else each tile brings all of its rows, and tiles alternate.
Output tiles alternate between the halves of the OB's output side, tiles of weight columns go to one half of the DB
until it is full and then to the other. A maximum has no weights, its passes read what lies in the first slot.
"""

from __future__ import annotations

from mapper.lowering.dense import LayerStreams
from mapper.lowering.depthwise_fields import ChannelwiseFields, Held
from mapper.lowering.depthwise_tiling import Cut
from mapper.lowering.issue_order import Load, Store
from mapper.lowering.tiling import RUN_BEATS_MAX
from mapper.workload.depthwise import (
    column_of,
    column_tiles,
    entries_of,
    input_rows_of,
    input_size,
    k_tiles_of,
    ones_tiles,
    uses_ones,
    windows_of,
)


def append_channelwise(streams: LayerStreams, fields: ChannelwiseFields, owner: int, cut: Cut) -> None:
    """Append the commands of a channelwise step."""
    _Layer(streams, fields, owner, cut).run()


class _Layer:
    def __init__(self, streams: LayerStreams, fields: ChannelwiseFields, owner: int, cut: Cut) -> None:
        self.z, self.make, self.owner, self.cut = streams, fields, owner, cut
        self.step, self.l, self.a = fields.step, fields.step.layer, streams.a
        self.windows = windows_of(self.l)
        self.kt = k_tiles_of(self.l, self.a)
        self.tiles = ones_tiles(self.a) if uses_ones(self.l) else column_tiles(self.l, self.a)
        self.table = streams.load_table(self.l, owner)
        entries = entries_of(self.l, self.a)
        self.zsb_base, after = streams.take_zsb(self.l, entries)
        load = fields.zsb(self.zsb_base)
        self.zsb_load = len(streams.s.wgts)
        streams.s.wgts.append(Load(load, owner, len(streams.s.passes), load["run_beats"], after))
        self.sb_half, self.act = 0, -1
        self.input, self.come = Held(range(0), 0), 0  # rows of the SB's half, and up to which they have come
        # The tiles of columns in the current half of the DB, and the load of each.
        self.half, self.held, self.loads, self.after = -1, range(0), dict[int, int](), -1

    def run(self) -> None:
        z, cut = self.z, self.cut
        for chunk in range(0, self.kt, cut.chunk):
            k_tiles = range(chunk, min(chunk + cut.chunk, self.kt))
            self.input = Held(range(0), 0)
            for first in range(0, self.l.P, cut.rows):
                self._tile(k_tiles, first, min(cut.rows, self.l.P - first))
        z.end_layer(self.table)

    def _tile(self, k_tiles: range, first: int, rows: int) -> None:
        z, a = self.z, self.a
        self._load_act(k_tiles, first, rows)
        half, stored = z.out.take()
        out_base = half * z.out_half
        tile = self.make.tile(first, rows, self.input, self.come)
        columns = [column_of(self.l, kt, w) // a.cp for kt in (k_tiles[0], k_tiles[-1]) for w in self.windows]
        for kt in k_tiles:
            shared = self.make.k_tile(tile, kt, k_tiles.start, out_base, self.zsb_base)
            for window in self.windows:
                start, finish = window is self.windows[0], window is self.windows[-1]
                slot, load = 0, -1
                if self.tiles:
                    wanted = column_of(self.l, kt, window) // a.cp
                    slot, load = self._column(wanted, min(columns), max(columns))
                fields = self.make.window(shared, kt, window, slot)
                fields["start"], fields["finish"] = int(start), int(finish)
                if finish:
                    load, fields["table"] = max(load, self.zsb_load), self.table + 1
                here = len(z.s.passes)
                z.add_pass(fields, self.owner, self.act, load, stored if finish else -1)
                if self.tiles:
                    z.db.used(self.half, here)
        here = len(z.s.passes) - 1
        z.sb.used(self.sb_half, here)
        z.s.stores.append(Store(self.make.store(k_tiles, first, rows, out_base), self.owner, here, here))
        done = z.row_stores.setdefault(self.step.output, [-1] * self.l.P)
        done[first : first + rows] = [len(z.s.stores) - 1] * rows
        z.out.used(half, len(z.s.stores) - 1)

    def _load_act(self, k_tiles: range, first: int, rows: int) -> None:
        """Bring what the tile wants of the chunk's groups and is not there."""
        z, a = self.z, self.a
        low, count = input_rows_of(self.l, first, rows)
        groups = range(k_tiles.start * a.kp // a.cp, a.groups(min(k_tiles.stop * a.kp, self.l.C)))
        height, last = input_size(self.l)[0], -1
        if not (self.cut.stays and self.input.rows):
            self.sb_half, last = z.sb.take()
            rows_held = range(height) if self.cut.stays else range(low, low + count)
            self.input, self.come = Held(rows_held, self.sb_half * a.sb_half_words), rows_held.start
        # To where the next block can begin: a row of the first bank.
        stop = min(self.input.rows.start + -(-(low + count - self.input.rows.start) // 3) * 3, self.input.rows.stop)
        if stop <= self.come:
            return
        source = self.step.source
        stored = z.row_stores[source][stop - 1] if source in z.row_stores else -1
        fields = self.make.act(groups, range(self.come, stop), self.input)
        beats = len(groups) * fields["run_beats"]
        z.s.acts.append(Load(fields, self.owner, len(z.s.passes), beats, last, stored))
        self.act, self.come = len(z.s.acts) - 1, stop

    def _column(self, tile: int, first: int, last: int) -> tuple[int, int]:
        """(slot, load to wait for) of a tile of columns, brought now if it is not there.

        ``first`` .. ``last``: the tiles that the chunk needs; they come together if half the DB holds them.
        """
        z = self.z
        if tile not in self.held:
            if not (self.half >= 0 and tile == self.held.stop and len(self.held) < z.half_tiles):
                self.half, self.after = z.db.take()
                begin = first if last - first < z.half_tiles else tile
                self.held = range(begin, begin)
            stop = min(last + 1, self.held.start + z.half_tiles, self.held.stop + RUN_BEATS_MAX // z.tile_beats)
            new = range(self.held.stop, max(stop, tile + 1))
            self.loads.update(dict.fromkeys(new, len(z.s.wgts)))
            fields = self.make.columns(new, self.half * z.half_tiles + new.start - self.held.start)
            z.s.wgts.append(Load(fields, self.owner, len(z.s.passes), fields["run_beats"], self.after))
            self.held = range(self.held.start, new.stop)
        return self.half * z.half_tiles + tile - self.held.start, self.loads[tile]
