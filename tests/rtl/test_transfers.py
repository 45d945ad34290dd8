"""The closed forms of arch_model.transfers against LOAD_ACT and STORE themselves, DRAM as slow as it likes."""

import random

import pytest

from arch_model.transfers import read_cycles, row_beats, store_cycles
from rtl.store import Store
from tests.rtl.axi_memory import AxiMemory
from tests.rtl.test_load_act import load, tile
from tests.rtl.test_store import REGION, plain, timed

SHAPES = [(3, 2, 4), (9, 3, 16), (4, 1, 4), (5, 3, 8), (16, 1, 16), (9, 3, 4), (1, 4, 4)]  # cp, nb, beat


@pytest.mark.parametrize("seed", range(16))
def test_store(seed):
    rng = random.Random(seed)
    cp, nb, beat = rng.choice(SHAPES)
    interval, latency, add = rng.choice([1, 2, 3]), rng.choice([1, 7, 24]), seed % 3 == 0
    groups, rows, cols = rng.randint(1, 4), rng.randint(1, 5), rng.randint(1, 20)
    print(f"seed {seed}, cp {cp}, beat {beat}, interval {interval}, latency {latency}, {groups} x {rows} x {cols}")
    memory = AxiMemory(16 * REGION, beat, 16, latency=latency, cycles_per_beat=interval, max_outstanding=99)
    command = plain(cp, nb, beat, groups=groups, rows=rows, cols=cols, use_b=int(add))
    stride = rows * row_beats(cols, cp, beat) * beat
    command |= {"out_base": 0, "addr": 4 * REGION, "b_addr": 8 * REGION, "run_stride": stride, "b_run_stride": stride}
    trace = timed(Store(cp=cp, nb=nb, beat_bytes=beat, max_burst=16), memory, [command])
    (start,) = trace["accept"]
    found = trace["free"][0] - start, memory.writes.beats[-1] - start
    assert found == store_cycles(groups * rows, cols, cp, beat, interval, latency, add)


@pytest.mark.parametrize("seed", range(16))
def test_load_act(seed):
    rng = random.Random(seed)
    cp, _, beat = rng.choice(SHAPES)
    interval, latency = rng.choice([1, 2, 3]), rng.choice([1, 7, 24])
    groups, rows, cols = rng.randint(1, 4), rng.randint(1, 5), rng.randint(1, 20)
    print(f"seed {seed}, cp {cp}, beat {beat}, interval {interval}, latency {latency}, {groups} x {rows} x {cols}")
    memory = AxiMemory(1 << 15, beat, 16, latency=latency, cycles_per_beat=interval, max_outstanding=999)
    command = tile(rng, cp, beat, 1 << 15, groups, rows, cols, 0, signal_full=1)
    writes, trace, _ = load(cp, memory, [command], rng)
    first = trace["accept"][0] + 1 + latency
    assert writes[-1][0] - first == read_cycles(groups * rows, cols, cp, beat, interval)
