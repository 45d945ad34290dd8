"""Execute a Program's bytes in NumPy, on models of the machine's buffers: a check of the mapper without the RTL.

Everything comes from the DRAM image and the commands, as the hardware has it: banks, words, lanes, halves by address.
Units work in the order that queues and tokens allow; ``seed`` picks one of the many legal orders, so a missing
token shows as wrong integers. Untimed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.machine.microarchitecture import QUEUE_DEPTH, TABLE_BYTES, TABLES
from arch_model.network.quant import MULTIPLIER_BITS, requantize, rounding_shift
from arch_model.program.isa import (
    SLOT_BYTES,
    SLOTS,
    UNITS,
    Command,
    Memory,
    Opcode,
    counts_taps,
    entry_offset,
    window_counted,
)

Int8 = npt.NDArray[np.int8]
Bytes = npt.NDArray[np.uint8]


class Machine:
    """The accelerator's state.

    The PB keeps its content from one :meth:`run` to the next; every other buffer is filled with noise at the start of
    each, which no correct Program sees.

    Parameters
    ----------
    accelerator : the machine.
    dram : uint8 array from address 0 on, read and written in place.
    seed : of the noise.
    """

    def __init__(self, accelerator: Accelerator, dram: Bytes, seed: int = 0) -> None:
        self.a, self.dram = accelerator, dram
        self.rng = np.random.default_rng(seed)
        self.pb = self._noise(max(accelerator.pb_tiles, 1) * accelerator.kp, TAPS * accelerator.cp)
        self.bytes: Counter[str] = Counter()

    def _noise(self, *shape: int) -> Int8:
        return self.rng.integers(-128, 128, shape, dtype=np.int8)

    def run(self, address: int, size: int) -> None:
        """Execute a Program.

        Parameters
        ----------
        address : of it in DRAM.
        size : bytes.

        Raises
        ------
        FastSwitchError
            It hangs, ends with tokens left or uses words that a buffer or DRAM does not have.
        """
        a = self.a
        self.sb = self._noise(TAPS, 2 * a.sb_half_words, a.cp)
        self.db = self._noise(2 * a.db_half_tiles * a.kp, TAPS * a.cp)
        self.zsb = self._noise(2 * a.zsb_half_entries, 8 * a.kp).view(np.uint8)
        self.tables = self._noise(TABLES, TABLE_BYTES)
        self.ob = self.rng.integers(-(1 << 31), 1 << 31, (a.ob_pixels, a.kp))
        self.out = self._noise(a.nb, 2 * a.out_half_words, a.cp)
        self.tokens: Counter[str] = Counter()
        self.shadow: deque[Int8] = deque()
        self.queues: dict[str, deque[Command]] = {name: deque() for names in UNITS.values() for name in names}
        self.bytes = Counter(dict.fromkeys(("wgt", "act", "b", "out"), 0) | {"prog": size})
        units = {
            "fetch": self._fetch(self.dram[address : address + size].tobytes()),
            "load_act": self._unit("load_act", self._load_act),
            "load_wgt": self._unit("load_wgt", self._load_wgt),
            "feed": self._unit("feed", self._feed),
            "run": self._unit("run", self._run),
            "store": self._unit("store", self._store),
        }
        names = list(units)
        idle: set[str] = set()
        while len(idle) < len(names):
            name = names[int(self.rng.integers(len(names)))]
            # A unit that cannot move now may move after another one has.
            if next(units[name], False):
                idle.clear()
            else:
                idle.add(name)
        if any(self.queues.values()) or not self.ended:
            stuck = ", ".join(f"{name}: {len(q)}" for name, q in self.queues.items() if q)
            raise FastSwitchError(f"Program hangs; commands queued: {stuck or 'none, FETCH waits'}")
        if left := {name: n for name, n in self.tokens.items() if n}:
            raise FastSwitchError(f"Program ends with tokens left: {left}")

    # ------------------------------------------------------------------ control

    def _fetch(self, data: bytes) -> Iterator[bool]:
        self.ended = False
        position = 0
        while True:
            command = Command.decode(data[position:])
            if command.opcode is Opcode.END:
                break
            position += SLOTS[command.opcode] * SLOT_BYTES
            queues = [self.queues[name] for name in UNITS[command.opcode]]
            while any(len(queue) >= QUEUE_DEPTH for queue in queues):
                yield False
            for queue in queues:
                queue.append(command)
            yield True
        self.ended = True
        while True:
            yield False

    def _unit(self, name, execute) -> Iterator[bool]:  # type: ignore[no-untyped-def]
        queue = self.queues[name]
        while True:
            while not queue:
                yield False
            yield from execute(queue[0])
            queue.popleft()
            yield True

    def _wait(self, *tokens: tuple[int, str]) -> Iterator[bool]:
        wanted = [token for wait, token in tokens if wait]
        while not all(self.tokens[token] for token in wanted):
            yield False
        for token in wanted:
            self.tokens[token] -= 1

    @staticmethod
    def _words(what: str, there: int, first: int, count: int) -> slice:
        """``count`` words of a buffer from ``first`` on; FastSwitchError unless they are in it."""
        if not 0 <= first < first + count <= there:
            raise FastSwitchError(f"a command uses words {first}..{first + count - 1} of {what}; it has {there}")
        return slice(first, first + count)

    def _release(self, wanted: int, token: str) -> None:
        self.tokens[token] += bool(wanted)

    def _read(self, port: str, address: int, runs: int, run_beats: int, stride: int) -> Bytes:
        """``runs`` runs from DRAM, (runs, bytes of a run)."""
        size = run_beats * (self.a.weight_beat_bytes if port == "wgt" else self.a.beat_bytes)
        self.bytes[port] += runs * size
        there = len(self.dram)
        return np.stack([self.dram[self._words("DRAM", there, address + i * stride, size)] for i in range(runs)])

    # ------------------------------------------------------------------ units

    def _load_act(self, c: Command) -> Iterator[bool]:
        yield from self._wait((c["wait_free"], "sb_free"), (c["wait_stored"], "stored"))
        cp = self.a.cp
        data = self._read("act", c["addr"], c["groups"], c["run_beats"], c["run_stride"])
        words = self.a.row(c["cols"], bool(c["folded"]))[0]
        rows = data.reshape(c["groups"], c["rows"], words * cp + c["pad"])[:, :, : words * cp]
        pixels = rows.reshape(c["groups"], c["rows"], words, cp).view(np.int8)
        if c["folded"]:
            fold, size = self.a.fold, self.a.fold_bytes
            several = pixels[..., : fold * size].reshape(c["groups"], c["rows"], words * fold, size)
            pixels = np.zeros((c["groups"], c["rows"], c["cols"], cp), np.int8)
            pixels[..., :size] = several[:, :, : c["cols"]]
        self._write_sb(c, pixels)
        self._release(c["signal_full"], "sb_full")
        self._release(c["signal_loaded"], "loaded")

    def _write_sb(self, c: Command, pixels: Int8) -> None:
        """Write (groups, rows, columns, CP) to where a LOAD_ACT or a STORE says."""
        g, y, x = np.ogrid[tuple(slice(n) for n in pixels.shape[:3])]
        first_row, first_group = (c["first_row"], c["first_group"]) if c.opcode is Opcode.STORE else (0, 0)
        if c["pointwise"]:
            number = first_group + g
            bank, word = number % 9, c["sb_base"] + number // 9 * c["group_step"] + y * c["row_step"] + x
        else:
            row, column = first_row + y, x + (first_group + g) % 3 * c["skew"]
            bank = 3 * (row % 3) + column % 3
            word = c["sb_base"] + g * c["group_step"] + row // 3 * c["row_step"] + column // 3
        self._words("the SB", self.sb.shape[1], int(word.min()), int(word.max() - word.min()) + 1)
        self.sb[bank, word] = pixels

    def _load_wgt(self, c: Command) -> Iterator[bool]:
        yield from self._wait((c["wait_free"], "w_free"))
        a = self.a
        data = self._read("wgt", c["addr"], c["runs"], c["run_beats"], c["run_stride"]).reshape(-1)
        if c["memory"] == Memory.ZSB:
            entries = data.reshape(-1, 8 * a.kp)
            self.zsb[self._words("the ZSB", len(self.zsb), c["slot"], len(entries))] = entries
        elif c["memory"] == Memory.TABLE:
            self.tables[self._words("the activation tables", len(self.tables), c["slot"], 1)] = data.view(np.int8)
        else:
            words = data.reshape(-1, a.tile_bytes)[:, : a.tile_bytes_raw].reshape(-1, TAPS * a.cp).view(np.int8)
            name, memory = self._weights(c)
            memory[self._words(name, len(memory), c["slot"] * a.kp, len(words))] = words
        self._release(c["signal_full"], "w_full")

    def _out_words(self, first: int, count: int) -> slice:
        return self._words("a bank of the OB's output side", self.out.shape[1], first, count)

    def _weights(self, c: Command) -> tuple[str, Int8]:
        return ("the PB", self.pb) if c["memory"] == Memory.PB else ("the DB", self.db)

    def _feed(self, c: Command) -> Iterator[bool]:
        yield from self._wait((c["wait_weights"], "w_full"))
        name, memory = self._weights(c)
        for rep in range(c["reps"]):
            while self.shadow:
                yield False
            words = memory[self._words(name, len(memory), (c["slot"] + rep) * self.a.kp, self.a.kp)].copy()
            if c["depthwise"]:  # the nine taps of one column
                words = words.reshape(self.a.kp, TAPS, self.a.cp)[:, :, c["sub"]]
            self.shadow.append(words)
            if rep < c["reps"] - 1:
                yield True
        self._release(c["signal_weights"], "w_free")

    def _run(self, c: Command) -> Iterator[bool]:
        yield from self._wait((c["wait_sb"], "sb_full"), (c["wait_out"], "out_free"), (c["wait_kept"], "kept"))
        pixels = c["out_rows"] * c["out_cols"]
        alone = c["start"] and c["finish"] and c["reps"] == 1  # no partial sum meets another
        sums_at = slice(0) if alone else self._words("the OB", len(self.ob), c["ob_slot"] * pixels, pixels)
        held = self.ob[sums_at]
        for rep in range(c["reps"]):
            while not self.shadow:
                yield False
            weights = self.shadow.popleft().astype(np.float64)
            if c["depthwise"]:
                sums = self._own_taps(c)
                sums = sums.max(axis=2) if c["maximum"] else (sums * weights.astype(np.int64)).sum(axis=2)
            else:
                sums = (self._taps(c, rep).astype(np.float64) @ weights.T).astype(np.int64)
            if not (c["start"] and rep == 0):
                sums += held
            assert np.all(np.abs(sums) < 1 << 31), "a sum left int32"
            if c["finish"] and rep == c["reps"] - 1:
                self._requantise(c, sums)
            else:
                held[:] = sums
            if rep < c["reps"] - 1:
                yield True
        self._release(c["signal_sb"], "sb_free")
        self._release(c["signal_out"], "out_full")

    def _taps(self, c: Command, rep: int) -> Int8:
        """What enters the array for each output pixel: (pixels, 9 * CP)."""
        base = c["sb_base"] + rep * c["group_step"]
        p, q = np.mgrid[: c["out_rows"], : c["out_cols"]].reshape(2, -1)
        y, x = c["y0"] + p * c["stride"], c["x0"] + q * c["stride"]
        taps = np.zeros((len(y), TAPS, self.a.cp), np.int8)
        for t in range(TAPS):
            if c["pointwise"]:
                if rep == c["reps"] - 1 and t >= c["last_banks"]:
                    continue
                taps[:, t] = self.sb[t, base + y * c["row_step"] + x]
                continue
            ty, tx = y + t // 3, x + t % 3
            inside = (ty >= 0) & (ty < c["rows"]) & (tx >= 0) & (tx < c["cols"])
            bank = (3 * (ty % 3) + tx % 3)[inside]
            word = (base + ty // 3 * c["row_step"] + tx // 3)[inside]
            lanes = c["last_lanes"] if rep == c["reps"] - 1 else self.a.cp
            taps[:, t, :lanes] = c["fill"]
            taps[inside, t] = self.sb[bank, word]
        return taps.reshape(len(y), -1)

    def _own_taps(self, c: Command) -> npt.NDArray[np.int64]:
        """Depthwise: the window of each filter's own channel for each output pixel, (pixels, KP, 9)."""
        kp, cp, words = self.a.kp, self.a.cp, self.sb.shape[1]
        p, q = np.mgrid[: c["out_rows"], : c["out_cols"]].reshape(2, -1, 1, 1)
        group, lane = np.divmod(c["out_lane"] + np.arange(kp)[:, None], cp)  # (KP, 1)
        t = np.arange(TAPS)
        y, x = c["y0"] + p * c["stride"] + t // 3, c["x0"] + q * c["stride"] + t % 3
        down, across = window_counted(c["last_lanes"])
        counts = (t // 3 < (down or 3)) & (t % 3 < (across or 3))
        inside = counts & (y >= 0) & (y < c["rows"]) & (x >= 0) & (x < c["cols"])
        column = x + (c["last_banks"] + group) % 3
        bank = 3 * (y % 3) + column % 3
        # Groups beyond those loaded may lie beyond the SB: what is read there meets no channel.
        word = (c["sb_base"] + group * c["group_step"] + y // 3 * c["row_step"] + column // 3) % words
        return np.where(inside, self.sb[bank, word, lane], np.int8(c["fill"])).astype(np.int64)

    def _entries(self, c: Command) -> npt.NDArray[np.int64]:
        """Which ZSB entry each output pixel takes, (1,) or (pixels,)."""
        down, across = window_counted(c["last_lanes"])
        if not counts_taps(c):
            return np.array([c["zsb"]])
        p, q = np.mgrid[: c["out_rows"], : c["out_cols"]].reshape(2, -1, 1)
        y, x = c["y0"] + p * c["stride"] + np.arange(down), c["x0"] + q * c["stride"] + np.arange(across)
        rows, cols = ((y >= 0) & (y < c["rows"])).sum(axis=1), ((x >= 0) & (x < c["cols"])).sum(axis=1)
        return np.asarray(c["zsb"] + entry_offset(rows, cols))

    def _requantise(self, c: Command, sums: npt.NDArray[np.int64]) -> None:
        a, number = self.a, self._entries(c)
        self._words("the ZSB", len(self.zsb), int(number.min()), int(np.ptp(number)) + 1)
        entry = self.zsb[number].view("<u4").reshape(-1, a.kp, 2)  # one for all pixels, or one each
        bias = entry[..., 0].view("<i4")
        multiplier, shift = entry[..., 1] & ((1 << MULTIPLIER_BITS) - 1), entry[..., 1] >> MULTIPLIER_BITS
        y = requantize(sums, bias, multiplier, shift, c["z_out"], c["lo"], c["hi"])
        if c["table"]:
            y = self.tables[c["table"] - 1][y.astype(np.int64) + 128]
        for k in range(a.kp):
            group, lane = divmod(c["out_lane"] + k, a.cp)
            wraps, bank = divmod(c["out_bank"] + group, a.nb)
            start = c["out_base"] + wraps * c["pixels"]
            self.out[bank, self._out_words(start, len(y)), lane] = y[:, k]

    def _store(self, c: Command) -> Iterator[bool]:
        yield from self._wait((c["wait_full"], "out_full"), (c["wait_loaded"], "loaded"))
        cp, pixels = self.a.cp, c["rows"] * c["cols"]
        total, product = np.zeros((c["groups"], pixels, cp), np.int64), bool(c["multiply"])
        if c["use_a"]:
            for g in range(c["groups"]):
                wraps, bank = divmod(c["out_bank"] + g, self.a.nb)
                start = c["out_base"] + wraps * c["pixels"]
                centred = self.out[bank, self._out_words(start, pixels)].astype(np.int64) - c["z_a"]
                total[g] = centred if product else centred * c["m_a"]
        self._release(c["signal_free"], "out_free")
        yield True
        if c["use_b"]:
            data = self._read("b", c["b_addr"], c["groups"], c["b_run_beats"], c["b_run_stride"])
            rows = data.reshape(c["groups"], c["rows"], c["cols"] * cp + c["b_pad"])[:, :, : c["cols"] * cp]
            b = rows.reshape(c["groups"], pixels, cp).view(np.int8)
            centred = b.astype(np.int64) - c["z_b"]
            total = total * centred if product else total + centred * c["m_b"]
        lines_out, cols = c["rows"], c["cols"]
        if c["pool"]:
            total, lines_out, cols = total.sum(axis=1, keepdims=True), 1, 1
        y = np.clip(rounding_shift(total, c["shift"]) + c["z_out"], c["lo"], c["hi"]).astype(np.int8)
        y[-1, :, c["last_lanes"] :] = 0
        if c["to_sb"]:
            self._write_sb(c, y.reshape(c["groups"], lines_out, cols, cp))
            self._release(c["signal_kept"], "kept")
            yield True
        if not c["sb_only"]:
            self._write_dram(c, y.reshape(c["groups"], lines_out, cols * cp))
        self._release(c["signal_stored"], "stored")

    def _write_dram(self, c: Command, y: Int8) -> None:
        """Write the rows of a STORE's result, (groups, rows, bytes), each with its padding."""
        lines = np.pad(y.view(np.uint8), ((0, 0), (0, 0), (0, c["pad"])))
        size = c["run_beats"] * self.a.beat_bytes
        for g, line in enumerate(lines.reshape(c["groups"], -1)):
            start = c["addr"] + g * c["run_stride"]
            self.dram[self._words("DRAM", len(self.dram), start, size)] = line
        self.bytes["out"] += c["groups"] * size
