"""What ``sim/rtl_bench/verilog/dram.v`` promises, checked edge by edge inside a simulator; tests/sim/test_dram.py runs
it.

Inputs change at falling edges, when every output is settled until the next rising edge: so a handshake at that
edge is known before it happens.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

SETTINGS = json.loads(os.environ.get("DRAM_CASES", "{}"))
B = SETTINGS.get("beat_bytes", 4)
LATENCY = SETTINGS.get("latency", 1)
GAP = SETTINGS.get("cycles_per_beat", 1)
DEPTH = SETTINGS.get("depth", 4096)
QUEUE = 16
PORTS = 4
SIZE = B.bit_length() - 1


class Bench:
    """Drives all of a dram's inputs once a cycle and keeps every handshake with the edge it happened at."""

    def __init__(self, dut) -> None:
        self.dut = dut
        self.edge = 0
        self.requests = [[] for _ in range(PORTS)]  # (address, len) still to offer on AR
        self.want_r = [lambda: True] * PORTS
        self.ar = [[] for _ in range(PORTS)]  # (edge, address, len)
        self.r = [[] for _ in range(PORTS)]  # (edge, data, resp, last)
        self.writes = []  # (address, len) still to offer on AW
        self.beats = []  # (data, last) still to offer on W
        self.want_w = self.want_b = lambda: True
        self.aw, self.w, self.b = [], [], []
        self.held = {}  # what a valid that was not taken showed
        self.withdrawn = []
        self.size, self.burst = SIZE, 1

    async def start(self, stall: int = 0, seed: int = 0) -> None:
        dut = self.dut
        Clock(dut.clk, 10, "ns").start()
        dut.silent.value = 0
        for name in ("fault", "fault_port", "fault_burst"):
            getattr(dut, name).value = 0
        for name in ("load", "dump", "dump_first", "dump_beats", "error_base", "error_limit", "arvalid", "rready"):
            getattr(dut, name).value = 0
        for name in ("awvalid", "wvalid", "bready", "awaddr", "awlen", "wdata", "wlast", "araddr", "arlen"):
            getattr(dut, name).value = 0
        dut.wstrb.value = (1 << B) - 1
        dut.awsize.value, dut.awburst.value = self.size, self.burst
        dut.arsize.value = sum(self.size << 3 * p for p in range(PORTS))
        dut.arburst.value = sum(self.burst << 2 * p for p in range(PORTS))
        dut.stall.value, dut.seed.value = stall, seed
        dut.resetn.value = 0
        for _ in range(3):
            await FallingEdge(dut.clk)
        dut.resetn.value = 1
        await FallingEdge(dut.clk)

    def _see(self, channel, valid: bool, ready: bool, shown) -> bool:
        """Note one of the dram's valids; True if it is taken. A valid that waited must be there, and the same."""
        if channel in self.held and (not valid or shown != self.held[channel]):
            self.withdrawn.append((self.edge, channel))
        self.held.pop(channel, None)
        if valid and not ready:
            self.held[channel] = shown
        return valid and ready

    async def cycle(self) -> None:
        """Choose the inputs for the coming rising edge, note its handshakes, go on to the next falling edge."""
        dut = self.dut
        arready, rvalid, rlast = int(dut.arready.value), int(dut.rvalid.value), int(dut.rlast.value)
        rdata, rresp = int(dut.rdata.value), int(dut.rresp.value)
        arvalid = araddr = arlen = rready = 0
        for p in range(PORTS):
            if self.requests[p]:
                address, length = self.requests[p][0]
                arvalid |= 1 << p
                araddr |= address << 32 * p
                arlen |= length << 8 * p
                if arready >> p & 1:
                    self.ar[p].append((self.edge, *self.requests[p].pop(0)))
            ready = bool(self.want_r[p]())
            rready |= ready << p
            shown = (
                (rdata >> 8 * B * p) & ((1 << 8 * B) - 1),
                (rresp >> 2 * p) & 3,
                (rlast >> p) & 1,
            )
            if self._see(f"r{p}", bool(rvalid >> p & 1), ready, shown):
                self.r[p].append((self.edge, *shown))
        dut.arvalid.value, dut.araddr.value, dut.arlen.value, dut.rready.value = arvalid, araddr, arlen, rready

        dut.awvalid.value = bool(self.writes)
        if self.writes:
            dut.awaddr.value, dut.awlen.value = self.writes[0]
            if int(dut.awready.value):
                self.aw.append((self.edge, *self.writes.pop(0)))
        offering = bool(self.beats) and ("w" in self.held or bool(self.want_w()))
        dut.wvalid.value = offering
        self.held.pop("w", None)
        if offering:
            dut.wdata.value, dut.wlast.value = self.beats[0]
            if int(dut.wready.value):
                self.w.append((self.edge, *self.beats.pop(0)))
            else:
                self.held["w"] = True
        ready = bool(self.want_b())
        dut.bready.value = ready
        shown = int(dut.bresp.value)
        if self._see("b", bool(int(dut.bvalid.value)), ready, shown):
            self.b.append((self.edge, shown))
        self.edge += 1
        await FallingEdge(dut.clk)

    async def cycles(self, count: int) -> None:
        for _ in range(count):
            await self.cycle()

    async def until(self, is_done, limit: int = 5000) -> None:
        end = self.edge + limit
        while not is_done():
            assert self.edge < end, f"nothing more after {limit} cycles"
            await self.cycle()

    async def write_all(self, address: int, words: list[int]) -> None:
        """Write whole bursts of up to 8 beats and wait for their responses."""
        before, bursts = len(self.b), 0
        for start in range(0, len(words), 8):
            part = words[start : start + 8]
            self.writes.append((address + start * B, len(part) - 1))
            self.beats += [(word, i == len(part) - 1) for i, word in enumerate(part)]
            bursts += 1
        await self.until(lambda: len(self.b) == before + bursts, 60_000)

    def violation(self) -> int:
        return int(self.dut.violation.value)


def words_of(seed: int, count: int) -> list[int]:
    return [random.Random(seed + i).getrandbits(8 * B) for i in range(count)]


@cocotb.test()
async def a_burst_comes_latency_cycles_after_its_address(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    words = words_of(1, 8)
    await bench.write_all(0, words)
    await bench.cycles(5)
    bench.requests[2].append((2 * B, 4))
    await bench.until(lambda: len(bench.r[2]) == 5)
    ((t, _, _),) = bench.ar[2]
    assert [edge - t for edge, *_ in bench.r[2]] == [LATENCY + i * GAP for i in range(5)]
    assert [data for _, data, _, _ in bench.r[2]] == words[2:7]
    assert [last for *_, last in bench.r[2]] == [0, 0, 0, 0, 1]
    assert {resp for _, _, resp, _ in bench.r[2]} == {0}
    assert bench.violation() == 0 and not bench.withdrawn


@cocotb.test()
async def queued_bursts_come_back_to_back_on_every_port(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    words = words_of(2, 64)
    await bench.write_all(0, words)
    lengths = [1, 3, 8, 2, 1, 5]
    for p in range(PORTS):
        address = p * B
        for length in lengths:
            bench.requests[p].append((address, length - 1))
            address += length * B
    await bench.until(lambda: all(len(r) == sum(lengths) for r in bench.r))
    for p in range(PORTS):
        accepted = [edge for edge, *_ in bench.ar[p]]
        assert accepted == list(range(accepted[0], accepted[0] + len(lengths))), "one address a cycle"
        expected, free = [], 0
        for t, length in zip(accepted, lengths, strict=True):
            for _ in range(length):
                expected.append(max(t + LATENCY, free))
                free = expected[-1] + GAP
        assert [edge for edge, *_ in bench.r[p]] == expected
        if LATENCY > 1 or GAP > 1:
            continue
        assert expected[-1] - expected[0] == sum(lengths) - 1
    assert [data for _, data, _, _ in bench.r[3]] == words[3 : 3 + sum(lengths)]


@cocotb.test()
async def an_idle_channel_gives_no_credit(dut) -> None:
    """The second address comes long after the first burst: its latency starts with it."""
    bench = Bench(dut)
    await bench.start()
    bench.requests[0].append((0, 1))
    await bench.cycles(LATENCY + 3 * GAP + 9)
    bench.requests[0].append((0, 1))
    await bench.until(lambda: len(bench.r[0]) == 4)
    assert [edge - bench.ar[0][1][0] for edge, *_ in bench.r[0][2:]] == [LATENCY, LATENCY + GAP]


@cocotb.test()
async def a_slow_reader_spaces_the_beats_after_its_own(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    await bench.write_all(0, words_of(3, 8))
    bench.want_r[1] = lambda: False
    bench.requests[1].append((0, 3))
    await bench.cycles(LATENCY + 4 * GAP + 10)
    assert not bench.r[1]
    bench.want_r[1] = lambda: True
    freed = bench.edge
    await bench.until(lambda: len(bench.r[1]) == 4)
    assert [edge for edge, *_ in bench.r[1]] == [freed + i * GAP for i in range(4)]
    assert not bench.withdrawn


@cocotb.test()
async def sixteen_bursts_fit_in_a_queue(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    for p in (0, 3):
        bench.want_r[p] = lambda: False
        bench.requests[p] += [(0, 0)] * 20
    await bench.cycles(40)
    assert [len(ar) for ar in bench.ar] == [QUEUE, 0, 0, QUEUE]
    bench.writes += [(0, 0)] * 20
    await bench.cycles(40)
    assert len(bench.aw) == QUEUE
    bench.want_r[0] = lambda: True
    await bench.until(lambda: len(bench.r[0]) == 20)
    assert len(bench.ar[3]) == QUEUE


@cocotb.test()
async def writes_are_spaced_and_acknowledged_latency_cycles_after_the_last(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    await bench.cycles(10)
    words = words_of(4, 10)
    bench.writes += [(5 * B, 3), (9 * B, 5)]
    bench.beats += [(word, i in (3, 9)) for i, word in enumerate(words)]
    await bench.until(lambda: len(bench.b) == 2)
    (first, *_), (second, *_) = bench.aw
    assert second == first + 1
    assert [edge for edge, *_ in bench.w] == [first + 1 + i * GAP for i in range(10)]
    assert bench.b == [(bench.w[3][0] + LATENCY, 0), (bench.w[9][0] + LATENCY, 0)]
    bench.requests[0].append((5 * B, 9))
    await bench.until(lambda: len(bench.r[0]) == 10)
    assert [data for _, data, _, _ in bench.r[0]] == words
    assert bench.violation() == 0


@cocotb.test()
async def a_read_sees_the_write_one_edge_before(dut) -> None:
    """A beat appears at the edge before the first at which it can be taken; it shows the writes before that edge."""
    bench = Bench(dut)
    await bench.start()
    written, seen = words_of(5, 1)[0], set()
    await bench.write_all(0, [written])
    for when in range(2, 2 * LATENCY + 8):  # cycles from asking for the read to offering the written beat
        word = words_of(50 + when, 1)[0]
        bench.writes.append((0, 0))
        await bench.until(lambda: not bench.writes)
        await bench.cycles(GAP + 1)
        bench.r[0].clear(), bench.ar[0].clear(), bench.w.clear()
        bench.requests[0].append((0, 0))
        bench.want_w = lambda at=bench.edge + when: bench.edge >= at
        bench.beats.append((word, True))
        await bench.until(lambda: bench.r[0] and bench.w)
        appears = bench.ar[0][0][0] + LATENCY - 1
        is_new = bench.w[0][0] < appears
        assert bench.r[0][0][1] == (word if is_new else written)
        seen.add(is_new)
        written = word
        await bench.cycles(LATENCY + 2)
    assert seen == ({True, False} if LATENCY > 3 else {False})


@cocotb.test()
async def stalls_keep_order_and_rules_and_only_ever_delay(dut) -> None:
    seed = 0x5EED
    print(f"seed {seed}")
    took = {}
    for stall in (0, 40, 128, 250):
        rng = random.Random(seed + stall)
        bench = Bench(dut)
        await bench.start(stall, seed=rng.getrandbits(28))
        words = words_of(6, 128)
        for p in range(PORTS):
            bench.want_r[p] = lambda rng=rng: rng.random() < 0.7
        bench.want_w = bench.want_b = lambda rng=rng: rng.random() < 0.7
        base = 4096 - 64 * B
        await bench.write_all(base, words)
        expected = [[] for _ in range(PORTS)]
        for p in range(PORTS):
            for _ in range(12):
                start, length = rng.randrange(120), rng.randint(1, 8)
                if (base + start * B) % 4096 + length * B > 4096:
                    continue
                bench.requests[p].append((base + start * B, length - 1))
                expected[p] += words[start : start + length]
        begin = bench.edge
        total = sum(map(len, expected))
        await bench.until(lambda bench=bench, total=total: sum(map(len, bench.r)) == total, 60_000)
        for p in range(PORTS):
            assert [data for _, data, _, _ in bench.r[p]] == expected[p]
            beats = iter(bench.r[p])
            free = 0
            for t, _, length in bench.ar[p]:
                for i in range(length + 1):
                    edge, _, _, last = next(beats)
                    assert edge >= max(t + LATENCY, free)
                    assert last == (i == length)
                    free = edge + GAP
        assert not bench.withdrawn
        assert bench.violation() == 0
        took[stall] = bench.edge - begin
        dut.resetn.value = 0
    assert took[0] < took[128] < took[250] and took[250] > 8 * took[0], took


@cocotb.test()
async def stalls_pause_each_handshake_as_often_as_asked(dut) -> None:
    """With the queues empty each ready is low stall cycles in 256: 4000 draws, six standard deviations."""
    bench = Bench(dut)
    await bench.start(stall=64, seed=7)
    low, awlow, both = [0] * PORTS, 0, 0
    for _ in range(4000):
        arready = int(dut.arready.value)
        for p in range(PORTS):
            low[p] += not arready >> p & 1
        both += arready & 3 == 0
        awlow += not int(dut.awready.value)
        await bench.cycle()
    for count in (*low, awlow):
        assert abs(count - 1000) < 6 * (4000 * 0.25 * 0.75) ** 0.5
    assert abs(both - 250) < 6 * (4000 * 0.0625 * 0.9375) ** 0.5, "ports stall together"


@cocotb.test()
async def what_a_master_does_wrong_is_seen(dut) -> None:
    async def seen(**change) -> int:
        bench = Bench(dut)
        for name in ("size", "burst"):
            setattr(bench, name, change.get(name, getattr(bench, name)))
        await bench.start()
        bench.requests[1] += change.get("read", [])
        bench.writes += change.get("write", [])
        bench.beats += change.get("beats", [])
        if "strobe" in change:
            dut.wstrb.value = change["strobe"]
        await bench.cycles(4)
        if "withdraw" in change:
            bench.requests[1] = change["withdraw"]
        await bench.cycles(LATENCY + 12 * GAP + 10)
        dut.resetn.value = 0
        return bench.violation()

    end = DEPTH * B
    assert await seen(read=[(0, 7)], write=[(4096 - 2 * B, 1)], beats=[(1, 0), (2, 1)]) == 0
    assert await seen(read=[(4096 - B, 1)]) == 1 << 0
    assert await seen(write=[(4096 - B, 1)]) == 1 << 0
    assert await seen(read=[(2, 0)]) == 1 << 1
    assert await seen(read=[(end - B, 0)]) == 0
    assert await seen(read=[(end, 0)]) == 1 << 2
    assert await seen(write=[(0xFFFF_F000, 0)]) == 1 << 2
    assert await seen(write=[(0, 1)], beats=[(1, 1), (2, 1)]) == 1 << 3
    assert await seen(write=[(0, 1)], beats=[(1, 0), (2, 0)]) == 1 << 3
    assert await seen(read=[(0, 0)], size=SIZE - 1) == 1 << 4
    assert await seen(read=[(0, 0)], burst=0) == 1 << 4
    assert await seen(write=[(0, 0)], beats=[(1, 1)], strobe=1) == 1 << 4
    full = [(0, 255 if 256 * B <= 4096 else 4096 // B - 1)] * (QUEUE + 2)
    assert await seen(read=[*full]) == 0
    assert await seen(read=[*full[:QUEUE], (0, 0)], withdraw=[]) in (0, 1 << 5)


@cocotb.test()
async def an_address_withdrawn_or_changed_while_it_waits_is_seen(dut) -> None:
    for then in ([], [(4 * B, 0)], [(0, 1)]):
        bench = Bench(dut)
        await bench.start()
        bench.want_r[1] = lambda: False
        bench.requests[1] += [(0, 0)] * (QUEUE + 1)
        await bench.cycles(QUEUE + 5)
        assert len(bench.requests[1]) == 1 and bench.violation() == 0
        bench.requests[1] = then
        await bench.cycles(3)
        assert bench.violation() == 1 << 5
        dut.resetn.value = 0


@cocotb.test()
async def errors_are_answered_where_asked(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    await bench.write_all(0, words_of(8, 8))
    dut.error_base.value, dut.error_limit.value = 2 * B, 4 * B
    bench.requests[0].append((0, 5))
    await bench.until(lambda: len(bench.r[0]) == 6)
    assert [resp for _, _, resp, _ in bench.r[0]] == [0, 0, 2, 2, 0, 0]
    await bench.write_all(0, words_of(9, 8))
    await bench.write_all(4 * B, words_of(10, 1))
    assert [resp for _, resp in bench.b] == [0, 2, 0]
    dut.error_limit.value = 0
    bench.requests[1].append((0, 7))
    await bench.until(lambda: len(bench.r[1]) == 8)
    old, new = words_of(8, 8), words_of(9, 8)
    assert [data for _, data, _, _ in bench.r[1]] == [*new[:2], *old[2:4], *words_of(10, 1), *new[5:]]
    bench.requests[2].append((DEPTH * B, 0))
    await bench.until(lambda: bench.r[2])
    assert bench.r[2][0][2] == 3


@cocotb.test()
async def beats_without_strobes_are_not_written(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    await bench.write_all(0, words_of(8, 4))
    dut.wstrb.value = 0
    await bench.write_all(B, words_of(9, 2))
    bench.requests[0].append((0, 3))
    await bench.until(lambda: len(bench.r[0]) == 4)
    assert [data for _, data, _, _ in bench.r[0]] == words_of(8, 4)
    assert [resp for _, resp in bench.b] == [0, 0] and bench.violation() == 0


@cocotb.test()
async def a_silent_dram_answers_nothing_until_it_speaks_again(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    bench.requests[0] += [(0, 7)] * 3
    bench.writes += [(4096, 3)]
    bench.beats += [(i, i == 3) for i in range(4)]
    await bench.cycles(LATENCY + GAP)
    dut.silent.value = 1
    await bench.cycles(2)  # what was shown may be taken
    before = [len(bench.ar[0]), len(bench.r[0]), len(bench.aw), len(bench.w), len(bench.b)]
    await bench.cycles(10 * LATENCY + 100)
    assert before == [len(bench.ar[0]), len(bench.r[0]), len(bench.aw), len(bench.w), len(bench.b)]
    dut.silent.value = 0
    await bench.until(lambda: len(bench.r[0]) == 24 and bench.b)
    assert bench.violation() == 0 and not bench.withdrawn


@cocotb.test()
async def files_load_and_dump(dut) -> None:
    bench = Bench(dut)
    await bench.start()
    await bench.write_all(0, words_of(11, 8))
    content = bytes(random.Random(12).randbytes(40 * B))
    records = b""
    for first, part in ((3, content[: 2 * B]), (100, content[2 * B :])):
        beats = len(part) // B
        records += first.to_bytes(4, "big") + beats.to_bytes(4, "big")
        records += b"".join(part[i * B : (i + 1) * B][::-1] for i in range(beats))
    Path("load.bin").write_bytes(records)
    dut.load.value = 1
    await bench.until(lambda: int(dut.load_done.value) == 1)
    bench.requests[0] += [(100 * B, 7)]
    await bench.until(lambda: len(bench.r[0]) == 8)
    got = b"".join(data.to_bytes(B, "little") for _, data, _, _ in bench.r[0])
    assert got == content[2 * B : 10 * B]
    for value, (first, beats) in ((1, (0, 8)), (0, (99, 40))):
        dut.dump_first.value, dut.dump_beats.value, dut.dump.value = first, beats, value
        await bench.until(lambda value=value: int(dut.dump_done.value) == value)
        dumped = Path("dump.bin").read_bytes()
        if first == 0:
            words = b"".join(word.to_bytes(B, "little") for word in words_of(11, 8))
            assert dumped == words[: 3 * B] + content[: 2 * B] + words[5 * B :]
        else:
            assert dumped == bytes(B) + content[2 * B :] + bytes(B)
    assert bench.violation() == 0
    Path("load.bin").write_bytes(records[:-1])
    dut.load.value = 0
    await bench.until(lambda: int(dut.load_done.value) == 0)
    await bench.cycle()
    assert bench.violation() == 1 << 6
