import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.cost.energy import energy_of
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.program.check import check_program
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_layer, compile_subnet
from mapper.lowering.tiling import INTERLEAVES, Order, Tiling, chunks_of, prologues_of
from mapper.search.optimise import Objective, optimise, optimise_subnet
from tests.mapper.cut_layers import plain_quant, random_layer
from tests.mapper.random_nets import random_accelerator, random_quant

TINY, ZCU104, FASHION = Accelerator.load("tiny"), Accelerator.load("zcu104"), get_space("fashion")


def brute_force(layer, accelerator):
    """By objective the least cost over Programs of all tilings that the compiler takes, and how many that are."""
    a, best, count = accelerator, dict.fromkeys(Objective, np.inf), 0
    rows, parts = range(1, layer.P + 1), (-1, 0, 1, 2, 4, 8, 16)
    cuts = product(rows, chunks_of(layer, a).tolist(), prologues_of(layer, a).tolist(), parts, Order, INTERLEAVES)
    for r, chunk, lead, part, order, weave in cuts:
        if (lead == 1 and (part or weave > 1)) or (weave > 1 and layer.R > 1):
            continue
        try:
            tiling = Tiling(r, chunk, 0, lead, order, part, weave)
            program, _ = compile_layer(layer, a, plain_quant(layer), tiling)
        except MappingError:
            continue
        cycles = time_program(program.commands, a).cycles
        joules = energy_of(program.commands, a, cycles).total_j
        costs = (cycles, joules, joules * cycles / a.clock_hz)
        best = {name: min(best[name], cost) for name, cost in zip(best, costs, strict=True)}
        count += 1
    return best, count


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_brute_force_over_programs_finds_nothing_better(seed):
    rng = np.random.default_rng(seed)
    a, layer = random_accelerator(rng), random_layer(rng, most=32, size=6)
    least, count = brute_force(layer, a)
    for objective in Objective:
        if not count:
            with pytest.raises(MappingError):
                optimise(layer, a, objective)
            continue
        found = optimise(layer, a, objective)
        c = found.certificate
        assert c.optimum == pytest.approx(least[objective], rel=1e-9)
        assert c.legal <= count  # the brute force counts the same Program more than once
        assert c.space == c.illegal + c.evaluated + sum(c.pruned.values()) and c.legal >= c.evaluated >= 1
        assert c.lower_bound <= c.optimum * (1 + 1e-9)
        program, _ = compile_layer(layer, a, plain_quant(layer), found.tiling)
        check_program(program)
        assert time_program(program.commands, a).cycles == found.cycles >= c.tile_bound
        assert sum(program.dram_bytes.values()) == found.dram_bytes
        assert energy_of(program.commands, a, found.cycles).total_j == pytest.approx(found.energy_j)


def test_objectives_differ_where_they_should():
    """1x1 on many channels at 14 x 14: fewer bytes cost cycles."""
    layer = Layer("a", Kind.CONV, K=512, C=1024, H=14, W=14)
    by = {objective: optimise(layer, ZCU104, objective) for objective in Objective}
    least = min(by.values(), key=lambda m: m.cycles)
    assert least.cycles == by[Objective.LATENCY].cycles
    assert by[Objective.ENERGY].energy_j <= by[Objective.LATENCY].energy_j
    products = {name: m.energy_j * m.cycles for name, m in by.items()}
    assert products[Objective.EDP] == pytest.approx(min(products.values()))


def test_tiles_in_the_pb_are_not_fetched():
    layer = Layer("a", Kind.CONV, K=64, C=64, R=3, S=3, H=7, W=7, padding=1)
    hits = np.arange(4 * 8).reshape(4, 8)
    cached, plain = optimise(layer, ZCU104, hits=hits), optimise(layer, ZCU104)
    assert cached.walk.activity["dram.wgt"] == 4 * 128 and cached.cycles < plain.cycles
    assert plain.walk.activity["dram.wgt"] == 4 * 128 + 32 * 1344


@pytest.mark.parametrize("name", ["fashion-d111-w222", "fashion-d222-w444"])
def test_the_best_mappings_of_a_subnet_make_a_program(name):
    subnet = FASHION.subnet(name)
    found = optimise_subnet(subnet, FASHION, TINY)
    assert list(found) and {m.layer.name for m in found.values()} == {layer.name for layer in subnet.weight_layers}
    quant, memory_map = random_quant(subnet, np.random.default_rng(0)), MemoryMap.build(FASHION, [subnet], TINY)
    tilings = {layer: m.tiling for layer, m in found.items()}
    best = compile_subnet(subnet, FASHION, TINY, quant, memory_map, tilings=tilings)
    check_program(best)
    plain = compile_subnet(subnet, FASHION, TINY, quant, memory_map)
    assert time_program(best.commands, TINY).cycles < time_program(plain.commands, TINY).cycles


def test_no_legal_mapping_names_operand_buffer_and_bytes():
    layer = Layer("a", Kind.CONV, K=4, C=9, R=3, S=3, H=28, W=28, padding=1)
    small = TINY.replace(buffers={"sb_bytes": 27 * 2 * 10})
    with pytest.raises(MappingError) as error:
        optimise(layer, small)
    assert str(error.value) == "layer a: its input rows need 810 bytes of a half of the SB; tiny has 270"
    with pytest.raises(MappingError, match="layer p: kind is pool; give a dense conv or linear, which have mappings"):
        optimise(Layer("p", Kind.POOL, K=4, C=4, H=4, W=4), TINY)


@pytest.mark.parametrize(
    ("tiling", "message"),
    [
        (Tiling(0, 3), "layer a: rows of its tiling is 0; give 1 to 14"),
        (Tiling(1, 4), "layer a: chunk of its tiling is 4; give one of 3, 6, 8"),
        (Tiling(1, 3, prologue_parts=0), "layer a: prologue_parts of its tiling is 0; give 1 or more"),
        (Tiling(1, 3, prefetch_rows=-2), "layer a: prefetch_rows of its tiling is -2; give -1 or more"),
        (
            Tiling(14, 3),
            "layer a: its 14 input rows need 45225 bytes of a half of the SB; tiny has 27648",
        ),
        (
            Tiling(7, 3, order=Order.FILTERS),
            "layer a: its weights of a chunk need 21708 bytes of a half of the DB; tiny has 6912",
        ),
    ],
)
def test_a_tiling_that_does_not_fit_is_named(tiling, message):
    layer = Layer("a", Kind.CONV, K=32, C=200, R=3, S=3, H=14, W=14, padding=1)
    machine = TINY if tiling.rows != 7 else TINY.replace(buffers={"sb_bytes": 200_000})
    with pytest.raises(MappingError) as error:
        compile_layer(layer, machine, plain_quant(layer), tiling)
    assert str(error.value) == message


def test_a_tiling_of_no_layer_is_named():
    subnet = FASHION.subnet("fashion-d111-w222")
    quant, memory_map = random_quant(subnet, np.random.default_rng(0)), MemoryMap.build(FASHION, [subnet], TINY)
    with pytest.raises(MappingError, match="SubNet fashion-d111-w222: no layer foo to tile; it has stem, "):
        compile_subnet(subnet, FASHION, TINY, quant, memory_map, tilings={"foo": Tiling(1, 1)})


def test_the_record_is_plain():
    best = optimise(Layer("a", Kind.CONV, K=16, C=9, H=4, W=4), TINY)
    record = json.loads(json.dumps(best.to_dict()))
    assert record["cycles"] == best.cycles and record["space_size"] == best.certificate.space
    assert record["optimum"] == best.cycles and record["loop_nest"].count("\n") == 4
    alike = replace(best.layer, name="b")
    assert optimise(alike, TINY).cycles == best.cycles
