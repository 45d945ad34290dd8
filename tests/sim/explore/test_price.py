"""Points against the compiler's walk of every layer, the mapper's search, the area model, and each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from arch_model.cost.area import asic_area
from arch_model.cost.resources import fpga_resources
from arch_model.errors import AcceleratorError
from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from mapper.layout.tensors import tile_grid
from mapper.pinning.greedy import fit_subgraph
from mapper.search.optimise import optimise_subnet
from mapper.search.predict import predict_subnet
from sim.explore.knobs import Knob, parse_vary, set_knobs
from sim.explore.layers import layer_rows
from sim.explore.price import Pricer, area_mm2, price
from sim.explore.question import OBJECTIVES, Question
from sim.explore.samplers import random_cells

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


def test_points_cost_what_walks_of_their_layers_do(found: pd.DataFrame) -> None:
    legal = found[found["legal"]]
    assert len(legal) > 15
    for point in legal.index[:15]:
        machine = set_knobs(TINY, ASKED.values(CELLS[point]))
        rows = pd.DataFrame([row for net in NETS for row in layer_rows(net, FASHION, machine, "best")])
        assert found["latency"][point] * machine.clock_hz == pytest.approx(rows["cycles"].sum() / len(NETS), rel=1e-12)
        assert found["energy"][point] == pytest.approx(rows["energy_j"].sum() / len(NETS), rel=1e-12)
        assert found["area"][point] == pytest.approx(asic_area(machine).total_mm2, rel=1e-12)
        total = fpga_resources(machine).total
        assert found.loc[point, ["dsp", "bram", "lut"]].tolist() == [total.dsps, total.bram36, total.luts]


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


def test_the_searched_mapping_is_no_slower_and_the_compilers_not_much(found: pd.DataFrame) -> None:
    net, machine = NETS[0], TINY
    asked = Question("fashion", (net,), machine, (Knob("KP", (4,), ""),), ("latency",), "none")
    ours = price(asked, [0], [0])["latency"][0]
    best = sum(row["latency_s"] for row in predict_subnet(net, machine))
    assert best <= ours <= 1.15 * best


def test_points_are_the_searchs_where_it_takes_the_compilers_cut() -> None:
    """A layer whose best mapping is the compiler's own has the search's cycles exactly."""
    net = NETS[2]
    best = optimise_subnet(net, FASHION, TINY)
    own = {row["name"]: row["cycles"] for row in layer_rows(net, FASHION, TINY, "none")}
    plain = {name: mapping for name, mapping in best.items() if mapping.tiling.prologue_parts == 1}
    same = [name for name, mapping in plain.items() if mapping.cycles == own[name]]
    assert all(mapping.cycles <= own[name] for name, mapping in best.items())
    assert same


def test_the_pb_holds_what_fit_subgraph_puts_there() -> None:
    machine = TINY.replace(buffers={"pb_bytes": 30_000})
    asked = Question("fashion", NETS, machine, (Knob("PB", (30_000,), "B"),), ("latency",))
    pricer = Pricer(asked)
    from mapper.cost import kernel as loop
    from sim.explore.price import machine_row

    ms = machine_row(machine)[None]
    bad = loop.misfits(pricer.rows, ms, pricer.uses, pricer.starts)
    rows = loop.whole_rows(pricer.rows, ms)
    hits = loop.fit_hits(pricer.rows, ms, rows, pricer.uses, pricer.windows, pricer.starts, bad)[0]
    for net, low, high in zip(NETS, pricer.starts, pricer.starts[1:], strict=False):
        graph = fit_subgraph(net, FASHION, machine)
        for layer, hit in zip(pricer.layers[low:high], hits[low:high].tolist(), strict=True):
            k, c = graph.slices[FASHION.index(layer.name)]
            assert hit == -(-k // machine.kp) and c in (0, layer.C)
            assert hit <= tile_grid(layer, machine).kt


@pytest.mark.parametrize(
    "changes", [{}, {"PB": 0}, {"SB": 2_000_000, "DB": 100_000}, {"OB": 10_000}, {"KP": 8, "OUT": 300_000}]
)
def test_area_is_that_of_the_model(changes: dict[str, int]) -> None:
    machine = set_knobs(ZCU, changes)
    assert area_mm2(machine) == pytest.approx(asic_area(machine).total_mm2, rel=1e-12)


def test_resnet_point_on_zcu104_by_walks() -> None:
    space = get_space("ofa-resnet50")
    net = space.subnet(space.subnet_names()[0])
    asked = Question(space.name, (net,), ZCU, parse_vary("PB=1MB DRAM=4.8GB/s"), ("latency", "energy"))
    row = price(asked, [0], [0]).loc[0]
    machine = set_knobs(ZCU, asked.values(0))
    rows = pd.DataFrame(layer_rows(net, space, machine, "best"))
    assert row["latency"] == pytest.approx(rows["latency_s"].sum(), rel=1e-12)
    assert row["energy"] == pytest.approx(rows["energy_j"].sum(), rel=1e-12)
    assert len(rows) == len(net.layers) and (rows[rows.kind.isin(["maxpool", "avgpool"])].cycles > 0).sum() == 4


@pytest.mark.parametrize("name", ["ofa-mobilenetv3", "ofa-proxyless"])
def test_depthwise_layers_tables_and_scalings_cost_what_their_walks_do(name: str) -> None:
    """A point is of the whole network: every kind of layer that a space has, at several sizes of PB and buffers."""
    space = get_space(name)
    net = space.subnet(space.subnet_names()[0])
    asked = Question(space.name, (net,), ZCU, parse_vary("PB=0,300KB DRAM=4.8,9.6GB/s"), ("latency", "energy"))
    rows_of = price(asked, range(4), range(4))
    for point in (0, 3):
        machine = set_knobs(ZCU, asked.values(point))
        rows = pd.DataFrame(layer_rows(net, space, machine, "best"))
        assert len(rows) == len(net.layers) and rows["cycles"].notna().all()
        assert rows_of["latency"][point] == pytest.approx(rows["latency_s"].sum(), rel=1e-12)
        assert rows_of["energy"][point] == pytest.approx(rows["energy_j"].sum(), rel=1e-12)


def test_a_machine_too_small_for_a_depthwise_layer_is_not_legal() -> None:
    space = get_space("ofa-mobilenetv3")
    net = space.subnet(space.subnet_names()[0])
    asked = Question(space.name, (net,), ZCU, parse_vary("SB=20,500KB"), ("latency",))
    rows = price(asked, [0, 1], [0, 1])
    assert rows["legal"].tolist() == [False, True] and rows["why"][0].startswith("layer ")


def test_every_objective_has_a_value() -> None:
    asked = Question("fashion", NETS[:1], TINY, parse_vary("KP=4"), OBJECTIVES, "best", (91.0,))
    row = price(asked, [0], [0]).loc[0]
    assert row["legal"] and np.isfinite(row[list(OBJECTIVES)].to_numpy(float)).all() and row["accuracy"] == 91.0
