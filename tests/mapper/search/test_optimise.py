import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from arch_model.cost.energy import energy_of
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.program.check import check_program
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.cost.layer_cost import LayerCosts, layer_cost
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_layer, compile_subnet, single_layer
from mapper.lowering.tiling import Order, Tiling
from mapper.search.optimise import Objective, optimise, optimise_subnet, ranked
from mapper.workload.fusion import Step
from mapper.workload.layer_text import parse_layer
from tests.mapper.cut_layers import plain_quant, random_layer, random_windows
from tests.mapper.random_nets import random_accelerator, random_quant
from tests.mapper.search.test_space import every_tiling

TINY, ZCU104, FASHION = Accelerator.load("tiny"), Accelerator.load("zcu104"), get_space("fashion")


def brute_force(layer, accelerator, rng):
    """By objective the least cost over Programs of some tilings that the compiler takes, and how many Programs."""
    a, best, known = accelerator, dict.fromkeys(Objective, np.inf), set()
    supernet, subnet = single_layer(layer)
    quant, memory_map = random_quant(subnet, rng), MemoryMap.build(supernet, [subnet], a)
    tilings = every_tiling(layer, a)
    for number in rng.permutation(len(tilings))[:200]:
        try:
            chosen = {layer.name: tilings[number]}
            program = compile_subnet(subnet, supernet, a, quant, memory_map, tilings=chosen)
        except MappingError:
            continue
        if (made := program.encode()) in known:
            continue
        known.add(made)
        cycles = time_program(program.commands, a).cycles
        joules = energy_of(program.commands, a, cycles).total_j
        costs = (cycles, joules, joules * cycles / a.clock_hz)
        best = {name: min(best[name], cost) for name, cost in zip(best, costs, strict=True)}
    return best, len(known)


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_brute_force_over_programs_finds_nothing_better(seed):
    """``python bench/brute_force.py`` does the same for hundreds of layers, with all tilings, and with hits."""
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    layer = random_layer(rng, most=16, size=4) if rng.integers(3) else random_windows(rng, 16, 7)
    assume(layer.kind is not Kind.SCALE)  # reads the factors that another layer of its Program makes
    least, count = brute_force(layer, a, rng)
    assume(count)
    for objective in Objective:
        found = optimise(layer, a, objective)
        c = found.certificate
        assert c.optimum <= least[objective] * (1 + 1e-9)
        assert c.space >= count and c.space == c.evaluated + sum(c.pruned.values())
        assert c.lower_bound <= c.optimum * (1 + 1e-9)
        supernet, subnet = single_layer(layer)
        quant, memory_map = random_quant(subnet, rng), MemoryMap.build(supernet, [subnet], a)
        program = compile_subnet(subnet, supernet, a, quant, memory_map, tilings={layer.name: found.tiling})
        check_program(program)
        assert time_program(program.commands, a).cycles == found.cycles >= c.tile_bound
        assert sum(program.dram_bytes.values()) == found.dram_bytes
        assert energy_of(program.commands, a, found.cycles).total_j == pytest.approx(found.energy_j)


@pytest.mark.parametrize(
    ("machine", "text", "tiling"),
    [
        ("zcu104", "K=496 C=248 H=4 W=4", Tiling(4, 9, 0, 2, Order.ROWS, 5, 4)),
        ("u50", "K=128 C=128 R=3 S=3 H=10 W=10", Tiling(6, 1, 0, 3, Order.FILTERS, 4, 1)),
        ("small", "K=64 C=96 R=3 S=3 H=5 W=5", Tiling(5, 7, 0, 14, Order.FILTERS, -1, 4)),
    ],
)
def test_tilings_that_an_earlier_space_did_not_have_are_no_better(machine, text, tiling):
    """Prefetches of 5 rows, 3 parts and 14 parts: an earlier search knew powers of two alone."""
    a, layer = Accelerator.load(machine), parse_layer(text)
    program, _ = compile_layer(layer, a, plain_quant(layer), tiling)
    assert optimise(layer, a).cycles <= time_program(program.commands, a).cycles


def test_the_best_different_mappings_in_order():
    step = Step(Layer("a", Kind.CONV, K=64, C=64, R=3, S=3, H=14, W=14, padding=1))
    found = ranked(step, ZCU104, count=20)
    cycles = [tiling.cycles for tiling in found]
    assert len(set(found)) == 20 and cycles == sorted(cycles)
    assert cycles[0] == optimise(step.layer, ZCU104).cycles == ranked(step, ZCU104, count=1)[0].cycles
    assert cycles == [LayerCosts(step, ZCU104).cycles(tiling) for tiling in found]
    assert ranked(step, ZCU104, count=40)[:20] == found


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
    assert list(found) == [layer.name for layer in subnet.layers if layer.kind is not Kind.ADD]
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
    add = Layer("p", Kind.ADD, K=4, C=4, H=4, W=4, inputs=("a", "b"))
    with pytest.raises(MappingError, match="layer p: kind is add; give the layer in whose STORE it runs"):
        optimise(add, TINY)


@pytest.mark.parametrize(
    "layer",
    [
        Layer("d", Kind.CONV, K=144, C=144, R=5, S=5, H=28, W=28, padding=2, groups=144),
        Layer("m", Kind.MAXPOOL, K=64, C=64, R=3, S=3, H=28, W=28, stride=2, padding=1),
        Layer("v", Kind.AVGPOOL, K=64, C=64, R=2, S=2, H=14, W=14, stride=2),
        Layer("s", Kind.SCALE, K=96, C=96, H=14, W=14, inputs=("a", "b")),
        Layer("x", Kind.MUL, K=96, C=96, H=14, W=14, inputs=("a", "b")),
        Layer("p", Kind.POOL, K=64, C=64, H=7, W=7),
    ],
    ids=lambda layer: str(layer.kind),
)
def test_layers_without_dense_weights_have_mappings(layer):
    for objective in Objective:
        best = optimise(layer, ZCU104, objective)
        c = best.certificate
        assert c.tile_bound <= best.cycles and c.space == c.evaluated + sum(c.pruned.values())
        assert best.to_dict()["loop_nest"].startswith("for ")
    assert optimise(layer, ZCU104).cycles <= layer_cost(Step(layer), ZCU104).cycles


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
