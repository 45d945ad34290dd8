"""Points against compiled Programs, the quick choice, the area model, and each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from arch_model.cost.area import asic_area
from arch_model.cost.energy import energy_of
from arch_model.cost.resources import fpga_resources
from arch_model.errors import AcceleratorError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubNet
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.cost.network_costs import NetworkCosts
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.layout.tensors import tile_grid
from mapper.lowering.compile import compile_subnet
from mapper.lowering.quick_choice import quick_tiling
from mapper.pinning.greedy import fit_subgraph
from mapper.workload.depthwise import has_tiles
from mapper.workload.fusion import steps
from sim.explore.knobs import parse_vary, set_knobs
from sim.explore.layers import layer_rows
from sim.explore.price import area_mm2, price
from sim.explore.question import OBJECTIVES, Question
from sim.explore.samplers import random_cells
from tests.mapper.random_nets import random_quant

TINY, ZCU, FASHION = Accelerator.load("tiny"), Accelerator.load("zcu104"), get_space("fashion")
NETS = tuple(FASHION.subnet(name) for name in ("fashion-d111-w222", "fashion-d122-w234", "fashion-d222-w444"))
VARY = (
    "KP=2,4,8 CP=3,4,9 PB=0:200KB:40KB DB=10,14KB SB=2,20,54KB OB=3,6.4KB OUT=10,24KB CLOCK=100,150MHz "
    "DRAM=300,600,1200MB/s LATENCY=4,40 PIXELS=1,2"
)
ASKED = Question("fashion", NETS, TINY, parse_vary(VARY), ("latency", "energy", "area", "dsp", "bram", "lut"))
CELLS = random_cells(ASKED.size, 60, seed=5).tolist()


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return price(ASKED, range(len(CELLS)), CELLS)


def pinned(net: SubNet, machine: Accelerator) -> PersistentBuffer:
    return PersistentBuffer.of(fit_subgraph(net, FASHION, machine), FASHION, machine)


def test_an_exact_price_is_that_of_the_compiled_programs(found: pd.DataFrame) -> None:
    points = found[found["legal"]].index[:6].tolist()
    exact = price(ASKED, points, [CELLS[point] for point in points], exact=True)
    assert set(exact["price"]) == {"exact"}
    for point in points:
        machine, cycles, joules = set_knobs(TINY, ASKED.values(CELLS[point])), 0, 0.0
        for net in NETS:
            quant, places = random_quant(net, np.random.default_rng(1)), MemoryMap.build(FASHION, [net], machine)
            program = compile_subnet(net, FASHION, machine, quant, places, resident=pinned(net, machine))
            own = time_program(program.commands, machine).cycles
            cycles, joules = cycles + own, joules + energy_of(program.commands, machine, own).total_j
        assert exact["latency"][point] * machine.clock_hz == pytest.approx(cycles / len(NETS), rel=1e-12)
        assert exact["energy"][point] == pytest.approx(joules / len(NETS), rel=1e-12)
        assert exact["area"][point] == found["area"][point] == pytest.approx(asic_area(machine).total_mm2, rel=1e-12)
        total = fpga_resources(machine).total
        assert found.loc[point, ["dsp", "bram", "lut"]].tolist() == [total.dsps, total.bram36, total.luts]
    columns = ["estimated_latency", "estimated_energy"]
    pd.testing.assert_frame_equal(exact[columns], found.loc[points, columns], check_exact=True)


def test_an_estimate_is_that_of_the_quick_choice_with_what_is_cached(found: pd.DataFrame) -> None:
    legal = found[found["legal"]]
    assert len(legal) > 15 and set(legal["price"]) == {"estimate"}
    for point in legal.index[:10]:
        machine, cycles = set_knobs(TINY, ASKED.values(CELLS[point])), 0
        for net in NETS:
            resident = pinned(net, machine)
            for step in steps(net.layers):
                dense = has_tiles(step.layer)
                slots = resident.layer_slots(step.layer.name, tile_grid(step.layer, machine)) if dense else None
                cycles += quick_tiling(step, machine, slots).cycles
        assert found["latency"][point] * machine.clock_hz == pytest.approx(cycles / len(NETS), rel=1e-12)
        assert found["estimated_latency"][point] == found["latency"][point]
        assert found["estimated_energy"][point] == found["energy"][point]


def test_estimates_are_near_the_exact_prices() -> None:
    """Within a quarter on the smallest of networks and machines, whose layers hardly overlap; bench/explore.md has
    what was measured on large ones."""
    asked = Question("fashion", NETS, TINY, ASKED.knobs, ("latency", "energy"))
    exact = price(asked, range(len(CELLS)), CELLS, exact=True)
    exact = exact[exact["legal"]]
    for name in ("latency", "energy"):
        assert (exact[f"estimated_{name}"] / exact[name]).between(0.75, 1.25).all()


def test_illegal_points_say_why(found: pd.DataFrame) -> None:
    illegal = found[~found["legal"]]
    assert len(illegal) and illegal[list(ASKED.objectives)].isna().all(axis=None)
    for point, why in illegal["why"].items():
        try:
            machine = set_knobs(TINY, ASKED.values(CELLS[int(str(point))]))
        except AcceleratorError as error:
            assert why == str(error)
        else:
            rows = [row for net in NETS for row in layer_rows(net, FASHION, machine, "none")]
            bounds = [str(row["bound"]) for row in rows if str(row["bound"]).startswith("unsupported: ")]
            assert why.partition(": ")[2] == bounds[0].partition(": ")[2]
    assert (found["legal"] == (found["why"] == "")).all()


def test_a_row_does_not_depend_on_the_task_that_it_is_in(found: pd.DataFrame) -> None:
    for points in ([7], [30, 3, 29], list(range(59, 40, -1))):
        rows = price(ASKED, points, [CELLS[point] for point in points])
        pd.testing.assert_frame_equal(rows, found.loc[points], check_exact=True)


def test_an_exact_row_does_not_depend_on_the_task_that_it_is_in(found: pd.DataFrame) -> None:
    points = found.index[:8].tolist()
    whole = price(ASKED, points, [CELLS[point] for point in points], exact=True)
    for point in points:
        pd.testing.assert_frame_equal(price(ASKED, [point], [CELLS[point]], True), whole.loc[[point]], check_exact=True)


@pytest.mark.parametrize(
    "changes", [{}, {"PB": 0}, {"SB": 2_000_000, "DB": 100_000}, {"OB": 10_000}, {"KP": 8, "OUT": 300_000}]
)
def test_area_is_that_of_the_model(changes: dict[str, int]) -> None:
    machine = set_knobs(ZCU, changes)
    assert area_mm2(machine) == pytest.approx(asic_area(machine).total_mm2, rel=1e-12)


@pytest.mark.parametrize("name", ["ofa-resnet50", "ofa-mobilenetv3", "ofa-proxyless"])
def test_points_are_of_the_whole_network_with_every_kind_of_layer(name: str) -> None:
    space = get_space(name)
    net = space.subnet(space.subnet_names()[0])
    asked = Question(space.name, (net,), ZCU, parse_vary("PB=0,300KB DRAM=4.8,9.6GB/s"), ("latency", "energy"))
    rows = price(asked, range(4), range(4), exact=True)
    for point in (0, 3):
        machine = set_knobs(ZCU, asked.values(point))
        graph = fit_subgraph(net, space, machine)
        costs = NetworkCosts(space, machine).of_subgraphs([net], [graph])
        assert rows["latency"][point] * machine.clock_hz == pytest.approx(costs.cycles[0, 0], rel=1e-12)
        assert rows["energy"][point] == pytest.approx(costs.energy_j[0, 0], rel=1e-12)
        assert 0.85 < rows["estimated_latency"][point] / rows["latency"][point] < 1.15
        assert 0.9 < rows["estimated_energy"][point] / rows["energy"][point] < 1.1


def test_a_machine_too_small_for_a_depthwise_layer_is_not_legal() -> None:
    space = get_space("ofa-mobilenetv3")
    net = space.subnet(space.subnet_names()[0])
    asked = Question(space.name, (net,), ZCU, parse_vary("SB=20,500KB"), ("latency",))
    rows = price(asked, [0, 1], [0, 1])
    assert rows["legal"].tolist() == [False, True] and rows["why"][0].startswith("layer ")


def test_every_objective_has_a_value() -> None:
    asked = Question("fashion", NETS[:1], TINY, parse_vary("KP=4"), OBJECTIVES, "fit", (91.0,))
    row = price(asked, [0], [0]).loc[0]
    assert row["legal"] and np.isfinite(row[list(OBJECTIVES)].to_numpy(float)).all() and row["accuracy"] == 91.0
