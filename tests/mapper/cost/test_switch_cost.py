"""The estimated cost of a switch: by hand for one layer, and against compiled Programs."""

import random

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.network.weights import load_weights
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.cost.switch_cost import Switches, estimated_switches
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.pinning.greedy import candidates

TINY = Accelerator.load("tiny")

# Two layers of 2 x 2 tiles each on KP 4, CP 3. A tile takes 27 beats of 2 cycles; "a" works on 2 x 2 pixels, 9 cycles
# (KP + 5) a pass, so weights bound it: 4 tiles of 54.
LAYERS = tuple(Layer(name, Kind.CONV, K=8, C=6, R=3, S=3, H=2, W=2, padding=1, inputs=(INPUT,)) for name in ("a", "b"))
TOY = SuperNet("toy", LAYERS, lambda: None, lambda name: {}, ())
ONLY_A = SubNet("only-a", "toy", LAYERS[:1])
NONE, A, B = (SubGraph("toy", slices) for slices in (((0, 0), (0, 0)), ((8, 6), (0, 0)), ((0, 0), (8, 3))))


def test_by_hand():
    cycles = np.array([[1000, 1000 - 4 * 54 + 36, 1000]])
    found = estimated_switches([ONLY_A], [NONE, A, B], TOY, TINY, cycles)
    # To A: its four tiles come all the same. To B: two tiles that "a" does not use.
    assert found.cycles[0, 0].tolist() == [0, 0, 2 * 54]
    assert found.bytes[0, 0].tolist() == [0, 0, 2 * 108]
    # From A to B: the hits stay, the two tiles are extra. From B to A as from nothing.
    assert found.cycles[0, 1, 2] == 2 * 54 and found.bytes[0, 1, 2] == 2 * 108
    assert found.cycles[0, 2, 1] == 0 and found.bytes[0, 2, 1] == 0
    assert not found.cycles[0].diagonal().any()


def test_a_tail_hides_what_is_loaded_for_later():
    cycles = np.array([[1000, 820, 1000]])
    hidden = estimated_switches([ONLY_A], [NONE, A, B], TOY, TINY, cycles, tail=np.array([100]))
    assert hidden.cycles[0, 0, 2] == 2 * 54 - 100 and hidden.bytes[0, 0, 2] == 2 * 108


def test_a_table_that_is_too_large_takes_every_new_tile_for_later(monkeypatch):
    monkeypatch.setattr("mapper.cost.switch_cost.MOST", 8)
    found = estimated_switches([ONLY_A], [NONE, A, B], TOY, TINY, np.array([[1000, 820, 1000]]))
    assert found.cycles.tolist() == [[[0, 4 * 54, 2 * 54], [0, 0, 2 * 54], [0, 4 * 54, 0]]]
    assert found.bytes.tolist() == [[[0, 4 * 108, 2 * 108], [0, 0, 2 * 108], [0, 4 * 108, 0]]]


def test_nothing_switched_costs_nothing():
    none = Switches.none(3)
    assert none.cycles.shape == (1, 3, 3) and not none.cycles.any() and not none.bytes.any()


@pytest.mark.slow
def test_compiled_programs_agree():
    seed, fashion, weights = 5, get_space("fashion"), load_weights()
    rng = random.Random(seed)
    print("seed", seed)
    order = sorted(weights.subnets, key=lambda name: fashion.subnet(name).macs)
    nets = {name: fashion.subnet(name) for name in order[::4]}
    places = MemoryMap.build(fashion, nets.values(), TINY)
    graphs = [SubGraph.empty(fashion), *candidates(nets, fashion, TINY).values()]
    buffers = [PersistentBuffer.of(graph, fashion, TINY) for graph in graphs]

    def run(name, resident, target):
        program = compile_subnet(
            nets[name], fashion, TINY, weights.subnets[name].ops, places, resident=resident, target=target
        )
        return time_program(program.commands, TINY), sum(program.dram_bytes.values())

    plain = {(name, column): run(name, buffer, buffer) for name in nets for column, buffer in enumerate(buffers)}
    cycles = np.array([[plain[name, column][0].cycles for column in range(len(graphs))] for name in nets])
    ends = [max(i.end for i in plain[name, 0][0].timeline if i.unit == "LOAD_WGT") for name in nets]
    found = estimated_switches(list(nets.values()), graphs, fashion, TINY, cycles, cycles[:, 0] - np.array(ends))
    errors, byte_errors = [], []
    for _ in range(40):
        row, (before, after) = rng.randrange(len(nets)), rng.sample(range(len(graphs)), 2)
        name = list(nets)[row]
        timing, moved = run(name, buffers[before], buffers[before].switch(graphs[after], fashion, TINY))
        errors.append((cycles[row, before] + found.cycles[row, before, after]) / timing.cycles - 1)
        byte_errors.append((plain[name, before][1] + found.bytes[row, before, after]) / moved - 1)
    print("cycles", np.round(errors, 3), "bytes", np.round(byte_errors, 3))
    assert np.abs(errors).mean() <= 0.05 and abs(np.mean(errors)) <= 0.03
    assert np.abs(byte_errors).mean() <= 0.03 and np.abs(byte_errors).max() <= 0.12
