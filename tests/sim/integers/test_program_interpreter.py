"""The Program, executed on raw buffers, gives the reference's integers and the predicted bytes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.errors import FastSwitchError, MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.network.supernet import SubGraph
from arch_model.program.isa import Command, Memory, Opcode
from arch_model.spaces import get_space
from arch_model.spaces.trained import weights_of
from mapper.layout import dram_image
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer, subgraph_tile_count
from mapper.layout.tensors import activation_bytes
from mapper.lowering.compile import compile_layer, compile_subnet, single_layer
from mapper.lowering.placement import candidates, place
from mapper.search.policy import Policy, chosen
from mapper.search.tensors import Tensors, viewed
from mapper.workload.fusion import steps
from sim.integers.program_interpreter import Machine
from sim.integers.reference import run_layers
from tests.mapper.random_nets import (
    random_accelerator,
    random_image,
    random_mobile_network,
    random_network,
    random_quant,
    random_subgraph,
    random_weights,
)

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")


class Host:
    """DRAM with a SuperNet's weights, and a machine; runs Programs and compares every tensor and byte."""

    def __init__(self, memory_map, weights, seed=0):
        self.map, self.weights = memory_map, weights
        self.rng = np.random.default_rng(seed)
        self.dram = self.rng.integers(0, 256, memory_map.accelerator.dram.bytes, dtype=np.uint8)
        dram_image.write_segments(self.dram, dram_image.weights_segments(memory_map, weights))
        self.machine = Machine(memory_map.accelerator, self.dram, seed)

    def run(self, program, subnet, quant):
        image = random_image(subnet, self.map, self.rng)
        for name, at in program.tensors.items():
            size = activation_bytes(*at.shape, program.accelerator)
            if name != "input":
                self.dram[at.address : at.address + size] = 0x55
        segments = [
            *dram_image.zsb_segments(self.map, subnet, self.weights, quant),
            dram_image.image_segment(self.map, subnet, image),
            dram_image.program_segment(program),
        ]
        dram_image.write_segments(self.dram, segments)
        self.machine.run(program.address, len(program.encode()))
        expected = run_layers(subnet.layers, self.weights, quant, image)
        for span in program.layers:
            if span.tensor in program.on_chip:
                continue
            got = dram_image.read_tensor(self.dram, program, span.tensor)
            assert np.array_equal(got, expected[span.tensor]), span.tensor
        assert dict(self.machine.bytes) == dict(program.dram_bytes)
        return expected


@pytest.mark.parametrize("name", ["fashion-d111-w222", "fashion-d211-w324"])
def test_whole_fashion_subnets(name):
    rng = np.random.default_rng(5)
    subnet = FASHION.subnet(name)
    quant, memory_map = random_quant(subnet, rng), MemoryMap.build(FASHION, [subnet], TINY)
    host = Host(memory_map, random_weights(FASHION, rng))
    expected = host.run(compile_subnet(subnet, FASHION, TINY, quant, memory_map), subnet, quant)
    assert len(np.unique(expected["s1b1_conv1"])) > 50  # not all clamped


def test_the_cifar_that_ships():
    """Its trained integers as a Program of ``small``, on a random image."""
    cifar, small, name = get_space("cifar"), Accelerator.load("small"), "cifar-d111-e101010"
    weights, subnet = weights_of(cifar).only([name]), cifar.subnet(name)
    memory_map, quant = MemoryMap.build(cifar, [subnet], small), weights.subnets[name].ops
    expected = Host(memory_map, weights.layers).run(
        compile_subnet(subnet, cifar, small, quant, memory_map), subnet, quant
    )
    assert len(np.unique(expected["s1b1_conv1"])) > 50


def test_a_stream_of_fashion_subnets_with_switches():
    """Four queries, two switches: each Program finds in the PB what the one before left there."""
    rng = np.random.default_rng(6)
    names = ["fashion-d111-w222", "fashion-d111-w243", "fashion-d111-w222", "fashion-d211-w232"]
    subnets = {name: FASHION.subnet(name) for name in names}
    memory_map = MemoryMap.build(FASHION, subnets.values(), TINY)
    host = Host(memory_map, random_weights(FASHION, rng))
    graphs = [SubGraph.of(subnets[name], FASHION) for name in names]
    targets = [graphs[0] & graphs[1], None, SubGraph("fashion", tuple((k // 2, c) for k, c in graphs[3].slices)), None]
    state, hits = PersistentBuffer.empty(FASHION), []
    for name, graph in zip(names, targets, strict=True):
        if graph is not None and subgraph_tile_count(graph, FASHION, TINY) > TINY.pb_tiles:
            slices = [s if i < 8 else (0, 0) for i, s in enumerate(graph.slices)]
            graph = SubGraph("fashion", tuple(slices))
        target = None if graph is None else state.switch(graph, FASHION, TINY)
        quant = random_quant(subnets[name], rng)
        program = compile_subnet(subnets[name], FASHION, TINY, quant, memory_map, state, target)
        host.run(program, subnets[name], quant)
        hits.append(program.pb_hit_bytes)
        state = target or state
    assert hits[0] == 0 and hits[1] > 10_000 and hits[3] > 10_000


@pytest.mark.parametrize("shape", [(4, 3), (4, 4), (8, 3), (3, 5), None], ids=str)
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_random_networks(shape, seed):
    """Empty PB, filled PB, a switch, and the same SubNet again with what the switch left."""
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng, shape)
    supernet, subnet = random_network(rng)
    quant = random_quant(subnet, rng)
    try:
        memory_map = MemoryMap.build(supernet, [subnet], a)
        first = PersistentBuffer.of(random_subgraph(supernet, a, rng), supernet, a)
        second = first.switch(random_subgraph(supernet, a, rng), supernet, a)
        states = [(None, None), (None, first), (first, None), (first, second), (second, None)]
        programs = [compile_subnet(subnet, supernet, a, quant, memory_map, *state) for state in states]
    except MappingError:
        return
    host = Host(memory_map, random_weights(supernet, rng), seed)
    for program in programs:
        host.run(program, subnet, quant)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.booleans())
def test_random_networks_with_tensors_in_the_sb(seed, mobile):
    """Any of the tensors that can stay, in any order that queues and tokens allow."""
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    supernet, subnet = (random_mobile_network if mobile else random_network)(rng)
    quant = random_quant(subnet, rng)
    try:
        memory_map, order = MemoryMap.build(supernet, [subnet], a), steps(subnet.layers)
        kept = [one for one in candidates(order, a, viewed(subnet.layers)) if rng.random() < 0.7]
        program = compile_subnet(subnet, supernet, a, quant, memory_map, placement=place(order, a, kept))
    except MappingError:
        return
    Host(memory_map, random_weights(supernet, rng), seed).run(program, subnet, quant)


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.booleans())
def test_searched_mappings_with_tensors_in_the_sb(seed, mobile):
    """Tilings of the search, prologues and K-tiles that take turns among them, over an input that is there."""
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    supernet, subnet = (random_mobile_network if mobile else random_network)(rng)
    quant = random_quant(subnet, rng)
    try:
        memory_map = MemoryMap.build(supernet, [subnet], a)
        tilings, placement = chosen(subnet, a, None, Policy.BEST, Tensors.CHIP)
        program = compile_subnet(subnet, supernet, a, quant, memory_map, tilings=tilings, placement=placement)
    except MappingError:
        return
    Host(memory_map, random_weights(supernet, rng), seed).run(program, subnet, quant)


def test_a_prologue_over_an_input_that_is_there():
    """K-tiles that take turns, parts of rows and groups of weights: of a layer whose input a STORE wrote."""
    rng, subnet = np.random.default_rng(0), FASHION.subnet("fashion-d111-w222")
    quant, memory_map = random_quant(subnet, rng), MemoryMap.build(FASHION, [subnet], TINY)
    tilings, placement = chosen(subnet, TINY, None, Policy.BEST, Tensors.CHIP)
    order = steps(subnet.layers)
    used = [tilings[step.layer.name] for i, step in enumerate(order) if placement.inputs[i] >= 0 and i < 11]
    assert any(tiling.prologue_parts > 1 and tiling.interleave > 1 for tiling in used)
    program = compile_subnet(subnet, FASHION, TINY, quant, memory_map, tilings=tilings, placement=placement)
    Host(memory_map, random_weights(FASHION, rng)).run(program, subnet, quant)


@pytest.mark.parametrize("size", [1, 2, 7, 12])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("r", [1, 3, 5, 7])
def test_single_layers(size, stride, r):
    rng = np.random.default_rng([size, stride, r])
    layer = Layer("a", Kind.CONV, K=11, C=8, R=r, S=r, H=size, W=size + 1, stride=stride, padding=r // 2)
    supernet, subnet = single_layer(layer)
    quant = random_quant(subnet, rng)
    program, memory_map = compile_layer(layer, TINY, quant["a"])
    Host(memory_map, random_weights(supernet, rng)).run(program, subnet, quant)


@pytest.fixture
def small():
    """A layer of several tiles and chunks: every token in use."""
    layer = Layer("a", Kind.CONV, K=24, C=12, R=3, S=3, H=16, W=16, padding=1)
    a = TINY.replace(buffers={"db_bytes": 216 * 10, "sb_bytes": 54 * 80, "ob_bytes": 16 * 48, "ob_out_bytes": 12 * 96})
    supernet, subnet = single_layer(layer)
    rng = np.random.default_rng(0)
    quant = random_quant(subnet, rng)
    program, memory_map = compile_layer(layer, a, quant["a"])
    return Host(memory_map, random_weights(supernet, rng)), program, subnet, quant


@pytest.mark.parametrize(
    ("opcode", "field"),
    [
        (Opcode.LOAD_ACT, "wait_free"),
        (Opcode.LOAD_WGT, "wait_free"),
        (Opcode.PASS, "wait_sb"),
        (Opcode.PASS, "wait_weights"),
        (Opcode.PASS, "wait_out"),
        (Opcode.STORE, "wait_full"),
    ],
)
def test_a_program_without_its_waits_is_found_out(small, opcode, field):
    host, program, subnet, quant = small
    host.run(program, subnet, quant)
    assert any(c.opcode is opcode and c[field] for c in program.commands)
    stripped = tuple(Command(c.opcode, {**c.fields, field: 0}) if c.opcode is opcode else c for c in program.commands)
    with pytest.raises((FastSwitchError, AssertionError)):
        host.run(replace(program, commands=stripped), subnet, quant)


def test_a_program_without_a_signal_hangs(small):
    host, program, subnet, quant = small
    stripped = tuple(
        Command(c.opcode, {**c.fields, "signal_free": 0}) if c.opcode is Opcode.STORE else c for c in program.commands
    )
    with pytest.raises(FastSwitchError, match=r"Program hangs; commands queued: .*run"):
        host.run(replace(program, commands=stripped), subnet, quant)


@pytest.mark.parametrize(
    ("opcode", "fields", "message"),
    [
        (Opcode.LOAD_ACT, {"sb_base": 2 * TINY.sb_half_words - 1}, "of the SB; it has 2048"),
        (Opcode.LOAD_WGT, {"memory": Memory.DB, "slot": 2 * TINY.db_half_tiles}, "of the DB; it has 512"),
        (Opcode.LOAD_WGT, {"memory": Memory.PB, "slot": TINY.pb_tiles}, "of the PB; it has 1820"),
        (Opcode.LOAD_WGT, {"memory": Memory.ZSB, "slot": 128, "runs": 1, "run_beats": 8}, "of the ZSB; it has 128"),
        (Opcode.LOAD_WGT, {"addr": TINY.dram.bytes - 4}, "of DRAM; it has 4194304"),
        (Opcode.PASS, {"slot": 2 * TINY.db_half_tiles}, "512..515 of the DB; it has 512"),
        (Opcode.PASS, {"memory": Memory.PB, "slot": 65535}, "262140..262143 of the PB; it has 1820"),
        (Opcode.PASS, {"zsb": 1023}, "1023..1023 of the ZSB; it has 128"),
        (Opcode.PASS, {"out_base": 65535}, "of a bank of the OB's output side; it has 4096"),
        (Opcode.PASS, {"start": 0, "ob_slot": 3, "out_rows": 150}, "of the OB; it has 400"),
        (Opcode.STORE, {"out_base": 65535}, "of a bank of the OB's output side; it has 4096"),
        (Opcode.STORE, {"addr": TINY.dram.bytes - 4}, "of DRAM; it has 4194304"),
    ],
)
def test_words_beyond_a_buffer_are_an_error(opcode, fields, message):
    """As wide as a command's field is, not as a NumPy slice, which would end where the buffer does."""
    layer = Layer("a", Kind.CONV, 8, 3, 3, 3, 8, 8, padding=1)
    quant = random_quant(single_layer(layer)[1], np.random.default_rng(0))["a"]
    program, _ = compile_layer(layer, TINY, quant)
    at = max(i for i, c in enumerate(program.commands) if c.opcode is opcode)
    commands = list(program.commands)
    commands[at] = Command(opcode, {**commands[at].fields, **fields})
    edited = replace(program, commands=tuple(commands))
    machine = Machine(TINY, np.zeros(TINY.dram.bytes, np.uint8))
    machine.dram[edited.address :][: len(edited.encode())] = np.frombuffer(edited.encode(), np.uint8)
    with pytest.raises(FastSwitchError, match=f"a command uses words .*{message}"):
        machine.run(edited.address, len(edited.encode()))
