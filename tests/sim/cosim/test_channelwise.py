"""Depthwise, pools, tables and squeeze-excite: Programs free of races that compute the reference's integers."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator, preset_names
from arch_model.network.layer import INPUT, Kind, Layer, read_layer_table
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.program.check import check_program
from mapper.layout.dram_image import program_segment, read_tensor, write_segments
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from sim.cosim.layer_tables import LayerJob
from sim.integers.program_interpreter import Machine
from tests.mapper.random_nets import (
    channelwise_network,
    random_accelerator,
    random_channelwise,
    random_mobile_network,
    random_quant,
    random_subgraph,
    random_weights,
)
from tests.sim.integers.test_program_interpreter import Host

KINDS = (Kind.CONV, Kind.MAXPOOL, Kind.AVGPOOL, Kind.SCALE, Kind.MUL)
PRESETS = {name: Accelerator.load(name).replace(dram={"bytes": 1 << 20}) for name in preset_names()}
SHAPES = ((4, 3), (16, 9), (1, 1), (2, 7), (5, 2), (6, 4), (3, 3))


def run(network, accelerator, rng, seed=0):
    """Compile, check and execute; None if the accelerator is too small."""
    supernet, subnet = network
    quant = random_quant(subnet, rng)
    try:
        memory_map = MemoryMap.build(supernet, [subnet], accelerator)
        program = compile_subnet(subnet, supernet, accelerator, quant, memory_map)
    except MappingError:
        return None
    check_program(program)
    return Host(memory_map, random_weights(supernet, rng), seed).run(program, subnet, quant)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_single_layers(kind, seed):
    rng = np.random.default_rng(seed)
    layer = random_channelwise(rng, kind)
    a = random_accelerator(rng, SHAPES[rng.integers(len(SHAPES))]) if rng.random() < 0.7 else PRESETS["tiny"]
    run(channelwise_network(layer), a, rng, seed)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_presets_take_every_kind(kind, preset):
    rng = np.random.default_rng(7)
    for _ in range(5):
        layer = random_channelwise(rng, kind)
        computed = run(channelwise_network(layer), PRESETS[preset], rng)
        assert computed is not None


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_mobile_networks(seed):
    """Everything together, with weights in the PB and a switch."""
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng, SHAPES[rng.integers(len(SHAPES))]) if rng.random() < 0.7 else PRESETS["tiny"]
    supernet, subnet = random_mobile_network(rng)
    quant = random_quant(subnet, rng)
    try:
        memory_map = MemoryMap.build(supernet, [subnet], a)
        first = PersistentBuffer.of(random_subgraph(supernet, a, rng), supernet, a)
        second = first.switch(random_subgraph(supernet, a, rng), supernet, a)
        states = [(None, first), (first, second)]
        programs = [compile_subnet(subnet, supernet, a, quant, memory_map, *state) for state in states]
    except MappingError:
        return
    host = Host(memory_map, random_weights(supernet, rng), seed)
    for program in programs:
        check_program(program)
        host.run(program, subnet, quant)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_elastic_kernels(seed):
    """SubNets with kernels of 3, 5 and 7 in one depthwise layer, each the middle of the SuperNet's."""
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng, SHAPES[rng.integers(len(SHAPES))]) if rng.random() < 0.7 else PRESETS["tiny"]
    size, stride, most = int(rng.integers(1, 14)), int(rng.integers(1, 3)), int(rng.integers(2, 40))
    subnets = []
    for r in rng.permutation([3, 5, 7]).tolist():
        k = int(rng.integers(2, most + 1))
        inner = Layer("inner", Kind.CONV, k, k, r, r, size, size + 2, stride, r // 2, k, inputs=(INPUT,))
        dense = Layer("dense", Kind.CONV, 3, k, H=inner.P, W=inner.Q, inputs=("inner",))
        subnets.append(SubNet(f"of{r}", "whole", (inner, dense)))
    whole = (
        Layer("inner", Kind.CONV, most, most, 7, 7, size, size + 2, stride, 3, most),
        Layer("dense", Kind.CONV, 3, most, H=size, W=size + 2),
    )
    supernet = SuperNet("whole", whole, lambda: subnets[0], lambda name: {}, ())
    try:
        memory_map = MemoryMap.build(supernet, subnets, a)
        quants = [random_quant(subnet, rng) for subnet in subnets]
        programs = [
            compile_subnet(subnet, supernet, a, quant, memory_map)
            for subnet, quant in zip(subnets, quants, strict=True)
        ]
    except MappingError:
        return
    host = Host(memory_map, random_weights(supernet, rng), seed)
    for program, subnet, quant in zip(programs, subnets, quants, strict=True):
        check_program(program)
        host.run(program, subnet, quant)


TABLE = """\
network,layer_index,supernet_layer_index,name,N,K,C,H,W,R,S,stride,padding,out_H,out_W,macs,weight_bytes,kind,groups,activation
a,,,deep,1,10,10,9,8,5,5,2,2,5,4,5000,250,,10,hswish
a,,,most,1,7,7,9,8,3,3,2,1,5,4,0,0,maxpool,,
a,,,mean,1,7,7,8,8,2,2,2,0,4,4,0,0,avgpool,1,
a,,,whole,1,7,7,8,8,1,1,1,0,1,1,0,0,pool,,
a,,,times,1,10,10,6,5,1,1,1,0,6,5,0,0,scale,,
a,,,product,1,10,10,6,5,1,1,1,0,6,5,0,0,mul,,
a,,,few,1,7,7,9,8,2,2,2,0,4,4,0,0,maxpool,,
a,,,edge,1,7,7,8,8,3,3,2,1,4,4,0,0,avgpool,1,
a,,,bent,1,6,10,6,5,1,1,1,0,6,5,1800,60,,,hsigmoid
"""


def test_rows_of_a_table_have_operands_and_a_reference(tmp_path):
    """What ``fastswitch cosim`` simulates, on the functional model instead of the RTL."""
    path, a = tmp_path / "layers.csv", PRESETS["tiny"]
    path.write_text(TABLE)
    for row in read_layer_table(path):
        job = LayerJob(row, a, 3, path, best=True)
        segments, expected = job.tensors()
        dram = np.zeros(a.dram.bytes, np.uint8)
        write_segments(dram, [*segments, program_segment(job.program)])
        machine = Machine(a, dram, 4)
        machine.run(job.program.address, len(job.program.encode()))
        check_program(job.program)
        for name in job.program.tensors:
            assert np.array_equal(read_tensor(dram, job.program, name), expected[name]), name
        assert len(np.unique(expected[row.layer.name])) > (4 if row.layer.kind is Kind.POOL else 20)
        assert dict(machine.bytes) == dict(job.program.dram_bytes)
