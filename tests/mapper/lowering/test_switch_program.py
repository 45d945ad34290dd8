"""The Program that only switches: from any SubGraph to any other, the PB then holds exactly the target's tiles."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.program.check import check_program
from arch_model.program.isa import Opcode
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.switch_program import switch_program
from sim.integers.program_interpreter import Machine
from tests.mapper.random_nets import random_accelerator, random_network, random_subgraph

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_every_tile_is_where_the_target_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    supernet, _ = random_network(rng)
    places = MemoryMap.build(supernet, [], a)
    dram = np.zeros(places.program + (1 << 16), np.uint8)
    dram[: places.program] = rng.integers(0, 256, places.program, np.uint8)
    machine = Machine(a, dram, seed % 1000)
    before = PersistentBuffer.empty(supernet)
    for _ in range(3):
        after = before.switch(random_subgraph(supernet, a, rng), supernet, a)
        program = switch_program(before, after, places)
        check_program(program)
        data = program.encode()
        dram[places.program : places.program + len(data)] = np.frombuffer(data, np.uint8)
        machine.run(places.program, len(data))
        tiles = {tile: slot for tile, slot in after.slots.items() if before.slots.get(tile) != slot}
        assert program.switch_bytes == len(tiles) * a.tile_bytes == program.dram_bytes["wgt"]
        for (name, kt, w, ct), slot in after.slots.items():
            layer = supernet.layer(name)
            row = kt * -(-layer.R // 3) * -(-layer.S // 3) + w
            number = row * -(-layer.C // (a.cp * (9 if layer.R == layer.S == 1 else 1))) + ct
            start = places.weights[name] + number * a.tile_bytes
            held = machine.pb[slot * a.kp : (slot + 1) * a.kp].view(np.uint8).ravel()
            assert (held == dram[start : start + a.tile_bytes_raw]).all(), (seed, name, kt, w, ct)
        before = after


def test_nothing_new_is_nothing_to_do() -> None:
    stem = SubGraph(FASHION.name, ((16, 1),) + ((0, 0),) * (len(FASHION.layers) - 1))
    held = PersistentBuffer.of(stem, FASHION, TINY)
    program = switch_program(held, held, MemoryMap.build(FASHION, [], TINY))
    assert [c.opcode for c in program.commands] == [Opcode.END] and program.dram_bytes["wgt"] == 0


def test_cycles_by_hand() -> None:
    """tiny answers after 24 cycles, with a beat of 4 bytes every 2.

    A slot, 8 beats: asked for in cycle 1, there from 25 to 39, decoded in 40; END is done in 41: cycles 0 to 41. The
    stem's 4 tiles are 108 beats: dispatched in 40, at the unit in 42, asked for in 43, there from 67 on, the last
    2 * 107 later, written in the cycle after, 282; the unit is idle and the machine done in 283.
    """
    stem = SubGraph(FASHION.name, ((16, 1),) + ((0, 0),) * (len(FASHION.layers) - 1))
    places = MemoryMap.build(FASHION, [], TINY)
    empty, held = PersistentBuffer.empty(FASHION), PersistentBuffer.of(stem, FASHION, TINY)
    assert time_program(switch_program(empty, empty, places).commands, TINY).cycles == 42
    assert time_program(switch_program(empty, held, places).commands, TINY).cycles == 284
