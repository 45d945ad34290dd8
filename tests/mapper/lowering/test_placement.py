"""Tensors in the SB: places that nobody else uses meanwhile, and Programs that are right, priced and checked."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.program.check import check_program
from arch_model.program.isa import Opcode
from arch_model.timing.reference_timing import time_program
from arch_model.timing.rows import TO_BOTH, TO_DRAM, TO_SB
from mapper.cost.program_cost import ProgramCosts
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from mapper.lowering.placement import candidates, layout_for, least_room, place
from mapper.lowering.tiling import Tiling
from mapper.search.tensors import viewed
from mapper.workload.fusion import Step, steps
from tests.mapper.random_nets import random_accelerator, random_mobile_network, random_network, random_quant

TINY = Accelerator.load("tiny")


def conv(name, source, k, c, size, kernel=1, **more):
    return Layer(name, Kind.CONV, k, c, kernel, kernel, size, size, padding=kernel // 2, inputs=(source,), **more)


def block():
    """A residual block: an expansion, a depthwise layer, a projection that is added to the block's input."""
    first = conv("first", INPUT, 6, 3, 8, 3)
    return (
        first,
        conv("expand", "first", 12, 6, 8),
        conv("deep", "expand", 12, 12, 8, 3, groups=12),
        conv("project", "deep", 6, 12, 8),
        Layer("add", Kind.ADD, 6, 6, H=8, W=8, inputs=("project", "first")),
        conv("last", "add", 9, 6, 8),
    )


def test_candidates_by_hand():
    """Who reads what, in which layout, and whether DRAM has it, too."""
    found = candidates(steps(block()), TINY)
    kinds = [(one.step, one.readers, one.layout.pointwise, one.layout.skew, one.in_dram) for one in found]
    assert kinds == [
        (0, (1,), True, False, True),  # the addition reads it from DRAM
        (1, (2,), False, True, False),
        (2, (3,), True, False, False),
        (3, (4,), True, False, False),
    ]
    row = TINY.pitch(8)
    assert [one.moved for one in found] == [2 * 8 * row, 2 * 4 * 8 * row, 2 * 4 * 8 * row, 2 * 2 * 8 * row]


def test_layouts_by_hand():
    """tiny has CP 3: 12 channels are four groups; 8 columns are three cells, ten with the skew are four."""
    deep = layout_for(conv("deep", INPUT, 12, 12, 8, 3, groups=12), TINY)
    assert (deep.row_step, deep.group_step, deep.words) == (4, 12, 48)
    project = layout_for(conv("project", INPUT, 6, 12, 8), TINY)
    assert (project.row_step, project.group_step, project.words) == (8, 64, 64)


def test_placement_by_hand():
    order = steps(block())
    placement = place(order, TINY, candidates(order, TINY))
    assert list(placement.outputs) == [TO_BOTH, TO_SB, TO_SB, TO_SB, TO_DRAM]
    assert list(placement.inputs) == [-1, 0, 1, 2, 3]
    (image,) = placement.loads.values()  # the image is loaded, beside the first layer's output
    assert image.after == (-1, -1) and image.room == min((2048 - 64) // 2, TINY.sb_half_words)


def test_a_tensor_without_room_goes_through_dram():
    small = TINY.replace(name="narrow", buffers={"sb_bytes": 2 * 9 * 3 * 40})
    order = steps(block())
    placement = place(order, small, candidates(order, small))
    assert placement.outputs[0] != TO_SB and 1 not in placement.regions  # 48 words beside 64 of 80
    least = [least_room(step, small) for step in order]
    assert all(loads.room >= least[step] for step, loads in placement.loads.items())


def test_a_view_and_another_layout_are_read_from_dram():
    layers = (
        conv("a", INPUT, 6, 3, 8, 3),
        conv("windows", "a", 6, 6, 8, 3),
        conv("also", "a", 6, 6, 8, 3),
        conv("points", "a", 6, 6, 8),
        Layer("both", Kind.CONCAT, 12, 12, H=8, W=8, inputs=("windows", "points")),
        conv("end", "both", 3, 12, 8),
    )
    found = {one.step: one for one in candidates(steps(layers), TINY, viewed(layers))}
    assert list(found) == [0] and found[0].readers == (1, 2) and found[0].in_dram


def random_placed(seed, mobile):
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    supernet, subnet = (random_mobile_network if mobile else random_network)(rng)
    order = steps(subnet.layers)
    kept = [one for one in candidates(order, a, viewed(subnet.layers)) if rng.random() < 0.7]
    return rng, a, supernet, subnet, order, place(order, a, kept)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.booleans())
def test_nobody_else_is_there_meanwhile(seed, mobile):
    try:
        _, a, _, _, order, placement = random_placed(seed, mobile)
    except MappingError:
        return
    reads = []
    for number in range(len(order)):
        there = [set(r.words) for r in placement.regions.values() if r.first <= number <= r.last]
        if loads := placement.loads.get(number):
            there += [set(range(base, base + loads.room)) for base in loads.bases]
            for base, after in zip(loads.bases, loads.after, strict=True):
                before = [i for i, old in enumerate(reads) if old & set(range(base, base + loads.room))]
                assert after == max(before, default=-1)
        assert (
            sum(map(len, there)) == len(set().union(*there)) and max(map(max, there), default=0) < 2 * a.sb_half_words
        )
        source = placement.region_read(number)
        own = [range(base, base + loads.room) for base in loads.bases] if loads else []
        reads.append(set(source.words) if source else set().union(*map(set, own)) if own else set())


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32), st.booleans())
def test_programs_are_checked_and_priced(seed, mobile):
    """Any tensors of random networks: no race and no deadlock, and the price is that of the commands."""
    try:
        rng, a, supernet, subnet, order, placement = random_placed(seed, mobile)
        quant, places = random_quant(subnet, rng), MemoryMap.build(supernet, [subnet], a)
        program = compile_subnet(subnet, supernet, a, quant, places, placement=placement)
    except MappingError:
        return
    check_program(program)
    costs = ProgramCosts(order, a)
    costs.place(placement)
    cost = costs.cost(costs.quick())
    timing = time_program(program.commands, a)
    assert (cost.cycles, cost.waits) == (timing.cycles, timing.waits)
    assert {port: cost.totals[f"{port}_bytes"] for port in program.dram_bytes} == dict(program.dram_bytes)
    stored = [c for c in program.commands if c.opcode is Opcode.STORE]
    assert all(c["to_sb"] or not c["sb_only"] for c in stored)


def test_a_tiling_is_checked_against_the_place_of_its_input():
    """The first layer's eight rows need nine words of each bank; beside its output there are two places of eight."""
    weighted = tuple(layer for layer in block() if layer.kind.has_weights)
    supernet, subnet = SuperNet("block", weighted, None, None, ("block",)), SubNet("block", "block", block())
    order, narrow = steps(block()), TINY.replace(name="narrow", buffers={"sb_bytes": 9 * 3 * 80})
    placement = place(order, narrow, candidates(order, narrow)[:1])
    places, quant = MemoryMap.build(supernet, [subnet], narrow), random_quant(subnet, np.random.default_rng(0))
    assert placement.loads[0].room == 8 and placement.regions[0].layout.words == 64
    with pytest.raises(MappingError, match="first: its 8 input rows need 243 bytes of a place in the SB"):
        compile_subnet(subnet, supernet, narrow, quant, places, tilings={"first": Tiling(8, 2)}, placement=placement)


def test_a_pool_loads_nothing():
    pool = Layer("pool", Kind.POOL, 6, 6, H=4, W=4, inputs=(INPUT,))
    assert least_room(Step(pool), TINY) == 0


def test_the_tensor_behind_the_last_group_is_another_one():
    """A depthwise K-tile reaches beyond nine channels of CP 3; its own result begins there, in rows that are new."""
    layers = (
        conv("first", INPUT, 9, 3, 6, 3),
        conv("deep", "first", 9, 9, 6, 3, groups=9),
        conv("deeper", "deep", 9, 9, 6, 3, groups=9),
    )
    weighted = tuple(replace(layer, inputs=()) for layer in layers)
    supernet, subnet = SuperNet("deep", weighted, None, None, ("deep",)), SubNet("deep", "deep", layers)
    order = steps(layers)
    placement = place(order, TINY, candidates(order, TINY))
    assert [placement.regions[step].base for step in (0, 1)] == [0, placement.regions[0].layout.words]
    places, quant = MemoryMap.build(supernet, [subnet], TINY), random_quant(subnet, np.random.default_rng(0))
    check_program(
        compile_subnet(subnet, supernet, TINY, quant, places, tilings={"deep": Tiling(3, 3)}, placement=placement)
    )
