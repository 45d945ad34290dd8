"""Commands of channelwise layers: how often things come, and that the search's walk sees the same as the compiler."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Activation, Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.program.check import check_program
from arch_model.program.isa import Memory, Opcode
from arch_model.timing.reference_timing import time_program
from mapper.cost.layer_cost import layer_cost
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from mapper.workload.fusion import Step
from tests.mapper.random_nets import channelwise_network, random_accelerator, random_channelwise, random_quant

TINY = Accelerator.load("tiny")


def compiled(layer, accelerator, rng):
    supernet, subnet = channelwise_network(layer)
    memory_map = MemoryMap.build(supernet, [subnet], accelerator)
    return compile_subnet(subnet, supernet, accelerator, random_quant(subnet, rng), memory_map)


def loads(program, memory):
    return [c for c in program.commands if c.opcode is Opcode.LOAD_WGT and c["memory"] == memory]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_the_walk_is_the_program(seed):
    rng = np.random.default_rng(seed)
    kinds = Kind.CONV, Kind.MAXPOOL, Kind.AVGPOOL
    a, layer = random_accelerator(rng), random_channelwise(rng, kinds[rng.integers(3)])
    try:
        program = compiled(layer, a, rng)
    except MappingError:
        return
    walk = layer_cost(Step(layer), a)
    assert walk.cycles == time_program(program.commands, a).cycles
    assert walk.dram_bytes == sum(program.dram_bytes.values())


def test_weights_of_a_chunk_come_together_and_factors_once():
    rng = np.random.default_rng(0)
    deep = Layer("layer", Kind.CONV, 24, 24, 3, 3, 16, 16, padding=1, groups=24)
    program = compiled(deep, TINY, rng)
    passes = [c for c in program.commands if c.opcode is Opcode.PASS]
    # 24 channels are 6 K-tiles: 6 columns in two tiles of CP 3, each once, whatever the rows of a tile
    assert sum(c["run_beats"] for c in loads(program, Memory.DB)) == 2 * TINY.tile_beats
    assert len(passes) > 6 and {c["sub"] for c in passes} == {0, 1, 2}
    times = Layer("layer", Kind.SCALE, 24, 24, H=40, W=40, inputs=("x", "s"))
    program = compiled(times, TINY, rng)
    acts = [c for c in program.commands if c.opcode is Opcode.LOAD_ACT]
    assert sum(c["groups"] for c in acts) == 8 and len([c for c in program.commands if c["multiply"]]) > len(acts)
    assert len(loads(program, Memory.ZSB)) == 1 and loads(program, Memory.ZSB)[0]["run_beats"] == 8


@pytest.mark.parametrize(("width", "times"), [(16, 1), (130, 2)])
def test_rows_come_once_where_the_sb_holds_them(width, times):
    """A chunk is 4 groups of 16 rows, 6 words of a bank each: 6 x 6 words fit in a half of 1024, 6 x 44 do not."""
    deep = Layer("layer", Kind.CONV, 24, 24, 5, 5, 16, width, padding=2, groups=24)
    acts = [c for c in compiled(deep, TINY, np.random.default_rng(0)).commands if c.opcode is Opcode.LOAD_ACT]
    rows = sum(c["groups"] * c["rows"] for c in acts)
    assert len(acts) > 2 and (rows == 8 * 16 if times == 1 else rows > 8 * 16)


def test_a_maximum_loads_no_weights():
    program = compiled(Layer("layer", Kind.MAXPOOL, 7, 7, 3, 3, 9, 9, 2, 1), TINY, np.random.default_rng(0))
    assert not loads(program, Memory.DB) and loads(program, Memory.ZSB)


def chain(layers):
    subnet = SubNet("part", "whole", tuple(layers))
    whole = tuple(layer for layer in subnet.weight_layers)
    return SuperNet("whole", whole, lambda: subnet, lambda name: {}, ("part",)), subnet


def curved(count, channels):
    names = [INPUT, *(f"l{i}" for i in range(count))]
    return chain(
        Layer(f"l{i}", Kind.CONV, channels, channels, H=4, W=4, inputs=(names[i],), activation=Activation.HSWISH)
        for i in range(count)
    )


def test_tables_take_turns():
    supernet, subnet = curved(4, 16)
    memory_map = MemoryMap.build(supernet, [subnet], TINY)
    quant = random_quant(subnet, np.random.default_rng(0))
    program = compile_subnet(subnet, supernet, TINY, quant, memory_map)
    check_program(program)
    tables = loads(program, Memory.TABLE)
    assert [c["slot"] for c in tables] == [0, 1, 0, 1]
    assert [c["addr"] for c in tables] == [memory_map.tables["part"][layer.name] for layer in subnet.layers]
    used = [c["table"] for c in program.commands if c.opcode is Opcode.PASS and c["finish"]]
    assert [table for table, _ in groupby(used)] == [1, 2, 1, 2]


def test_a_table_that_is_still_read():
    supernet, subnet = curved(3, 4)  # one PASS a layer: too few between the first and the third
    memory_map = MemoryMap.build(supernet, [subnet], TINY)
    quant = random_quant(subnet, np.random.default_rng(0))
    with pytest.raises(MappingError, match="layer l2: its activation table would take the place of one"):
        compile_subnet(subnet, supernet, TINY, quant, memory_map)


def test_an_activation_without_its_table():
    supernet, subnet = curved(1, 4)
    quant = random_quant(chain([Layer("l0", Kind.CONV, 4, 4, H=4, W=4, inputs=(INPUT,))])[1], np.random.default_rng(0))
    with pytest.raises(MappingError, match="layer l0: its activation is hswish; give its quantisation a table of 256"):
        compile_subnet(subnet, supernet, TINY, quant, MemoryMap.build(supernet, [subnet], TINY))
