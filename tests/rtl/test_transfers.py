"""The closed forms of arch_model.timing.transfers against LOAD_ACT and STORE themselves, DRAM as slow as it likes."""

import random

import pytest

from arch_model.timing.transfers import read_cycles, row_beats, store_cycles
from rtl.store import Store
from tests.rtl.axi_memory import AxiMemory
from tests.rtl.test_load_act import image, load, tile
from tests.rtl.test_store import REGION, plain, timed

SHAPES = [(3, 2, 4), (9, 3, 16), (4, 1, 4), (5, 3, 8), (16, 1, 16), (9, 3, 4), (1, 4, 4)]  # cp, nb, beat
WIDE = [(9, 3, 32), (9, 3, 16), (3, 2, 4), (3, 2, 16), (4, 1, 8), (1, 4, 4)]  # for words of several pixels


@pytest.mark.parametrize("seed", range(32))
def test_store(seed):
    rng, pixels = random.Random(seed), (1, 2, 4)[seed % 3]
    cp, nb, beat = rng.choice(SHAPES if pixels == 1 else WIDE)
    interval, latency, add = rng.choice([1, 2, 3]), rng.choice([1, 7, 24]), seed % 5 == 0
    groups, rows, cols = rng.randint(1, 4), rng.randint(1, 4), rng.randint(1, 20)
    print(f"seed {seed}, pixels {pixels}, cp {cp}, beat {beat}, interval {interval}, latency {latency}")
    print(f"{groups} groups of {rows} x {cols}")
    memory = AxiMemory(16 * REGION, beat, 16, latency=latency, cycles_per_beat=interval, max_outstanding=99)
    command = plain(cp, nb, beat, groups=groups, rows=rows, cols=cols, use_b=int(add))
    stride = rows * row_beats(cols, cp, beat) * beat
    command |= {"out_base": 0, "addr": 4 * REGION, "b_addr": 8 * REGION, "run_stride": stride, "b_run_stride": stride}
    trace = timed(Store(cp=cp, nb=nb, beat_bytes=beat, max_burst=16, pixels=pixels), memory, [command])
    (start,) = trace["accept"]
    found = trace["free"][0] - start, memory.writes.beats[-1] - start
    assert found == store_cycles(groups * rows, cols, cp, beat, interval, latency, int(add), pixels)


@pytest.mark.parametrize("seed", range(32))
def test_load_act(seed):
    rng, pixels = random.Random(seed), (1, 2, 4)[seed % 3]
    cp, _, beat = rng.choice(SHAPES if pixels == 1 else WIDE)
    interval, latency = rng.choice([1, 2, 3]), rng.choice([1, 7, 24])
    groups, rows, cols = rng.randint(1, 4), rng.randint(1, 4), rng.randint(1, 20)
    print(f"seed {seed}, pixels {pixels}, cp {cp}, beat {beat}, interval {interval}, latency {latency}")
    print(f"{groups} groups of {rows} x {cols}")
    memory = AxiMemory(1 << 15, beat, 16, latency=latency, cycles_per_beat=interval, max_outstanding=999)
    command = tile(rng, cp, beat, 1 << 15, groups, rows, cols, 0, signal_full=1)
    writes, trace, _ = load(cp, memory, [command], rng, pixels=pixels)
    first = trace["accept"][0] + 1 + latency
    assert writes[-1][0] - first == read_cycles(groups * rows, cols, cp, beat, interval, pixels)


@pytest.mark.parametrize("seed", range(16))
def test_load_act_of_a_folded_image(seed):
    """Its words come as those of a machine that moves a pixel a cycle."""
    rng = random.Random(seed)
    cp, beat, pixels, fold = rng.choice([(9, 16, 4, 3), (9, 32, 4, 4), (9, 4, 2, 2), (8, 16, 4, 2), (4, 4, 4, 4)])
    interval, latency = rng.choice([1, 2, 3]), rng.choice([1, 7, 24])
    rows, cols = rng.randint(1, 5), rng.randint(1, 30)
    print(f"seed {seed}, pixels {pixels}, fold {fold}, cp {cp}, beat {beat}, interval {interval}, latency {latency}")
    print(f"{rows} x {cols}")
    memory = AxiMemory(1 << 15, beat, 16, latency=latency, cycles_per_beat=interval, max_outstanding=999)
    command = image(rng, cp, beat, 1 << 14, rows, cols, fold, signal_full=1)
    writes, trace, _ = load(cp, memory, [command], rng, pixels=pixels, fold=fold)
    first = trace["accept"][0] + 1 + latency
    assert writes[-1][0] - first == read_cycles(rows, -(-cols // fold), cp, beat, interval, 1)
