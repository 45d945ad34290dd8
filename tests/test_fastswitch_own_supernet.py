"""A SuperNet of a user's own goes through everything as a value: nothing looks it up by its name."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fastswitch as fs
from arch_model.network.weights import SuperNetWeights, save_weights
from arch_model.spaces import get_space, space_names
from arch_model.spaces.registry import forget_supernet
from mapper.pinning.search import pin_best
from mapper.search.predict import predict_subnet
from mapper.serving.serving_table import ServingTable
from reports.explore.reproduce_command import reproduce_command
from rtl.driver.package import Package
from sim.explore import load_study
from sim.explore.price import price
from sim.explore.run import _asked
from sim.integers.random_weights import random_weights
from tests.own_supernet import own_supernet, vgg

TOY = own_supernet()
SMALL, LARGE = TOY.subnet("toy-44"), TOY.subnet("toy-88")
TINY = fs.load_accelerator("tiny")
ACCURACY = {"toy-44": 0.5, "toy-88": 0.75}


@pytest.fixture(autouse=True)
def not_known_by_name():
    assert "toy" not in space_names()
    yield
    forget_supernet("toy")


def test_map_compile_price() -> None:
    layer = LARGE.layer("conv")
    best = fs.map(layer, TINY)
    assert layer.macs / TINY.multipliers <= best.certificate.tile_bound <= best.cycles
    assert fs.map(LARGE, TINY)["conv"].cycles > best.cycles  # the addition comes with it
    compiled = fs.compile(TOY, LARGE, TINY)
    assert compiled.program.name == "toy-88" and compiled.supernet is TOY
    assert [span.name for span in compiled.program.layers] == ["stem", "side", "conv", "pool", "linear"]
    price, cheap = fs.price(TOY, LARGE, TINY), fs.price(TOY, SMALL, TINY)
    assert price.cycles > cheap.cycles > 0 and price.energy_j > cheap.energy_j
    assert price.latency_s == price.cycles / TINY.clock_hz
    held = fs.price(TOY, LARGE, TINY, cached=fs.SubGraph.of(SMALL, TOY))
    best_held = fs.price(TOY, LARGE, TINY, cached="best")
    assert best_held.cycles <= held.cycles and best_held.dram_bytes < price.dram_bytes
    assert fs.price(TOY, "toy-88", "tiny") == price


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (Debian: iverilog) is not installed")
def test_simulate() -> None:
    run = fs.simulate(TOY, SMALL, TINY, cached="best", simulator="icarus")
    price = fs.price(TOY, SMALL, TINY, cached="best")
    assert run.exact and (run.simulated_cycles, run.simulated_dram_bytes) == (price.cycles, price.dram_bytes)
    assert run.output.shape == (5,) and run.output.dtype == np.int8


@pytest.mark.parametrize("backend", ["joblib:1", "joblib:2"])
def test_explore(tmp_path: Path, backend: str) -> None:
    """Its functions are closures, and the SubNet is not one that they make: workers get data."""
    mine = replace(LARGE, name="mine")
    asked = [SMALL, mine], "PB=0,4KB", ("latency", "accuracy"), tmp_path, TINY
    accuracy = {"toy-44": 0.5, "mine": 0.75}
    table = fs.explore(TOY, *asked, backend=backend, accuracy=accuracy)
    assert table["legal"].all() and table["accuracy"].tolist() == [50, 75, 50, 75]
    without, pinned = table["latency"].to_numpy().reshape(2, 2)
    assert (pinned <= without).all() and (pinned < without).any() and (table["price"] == "exact").all()
    study = load_study(tmp_path)  # with nothing but what is on disk
    assert study.nets == (SMALL, mine) and study.supernet.layers == TOY.layers
    assert study.layers(1)["latency_s"].sum() > table["latency"][1]  # layers of a Program overlap
    again = fs.explore(own_supernet(), *asked, backend="joblib:1", accuracy=accuracy)
    assert again.equals(table)
    other = replace(TOY, layers=tuple(replace(layer, K=layer.K + 1) for layer in TOY.layers))
    with pytest.raises(fs.FastSwitchError, match="another question"):
        fs.explore(other, *asked, backend="joblib:1", accuracy=accuracy)


@pytest.mark.parametrize("pool", ["maxpool", "avgpool", ""])
def test_pools_between_stages(tmp_path: Path, pool: str) -> None:
    """Two stages of one or two convolutions each, with a pool or a stride between them."""
    space = vgg(pool)
    assert get_space(space) is space and space.sample(2, seed=1)
    nets = [space.subnet(name) for name in space.subnet_names()]
    prices = [fs.price(space, net, TINY).cycles for net in nets]
    assert prices[0] == min(prices) and prices[-1] == max(prices)
    assert all(row["cycles"] is not None for net in nets for row in predict_subnet(net, TINY))
    pinned = pin_best(space, nets, TINY)
    assert 0 < pinned.subgraph.bytes(space) <= TINY.buffers.pb_bytes
    table = fs.explore(space, nets[:2], "PB=0,4KB", ("latency",), tmp_path / "study", TINY, backend="joblib:1")
    assert table["legal"].all()
    accuracy = {net.name: 0.5 + n / 10 for n, net in enumerate(nets)}
    assert len(fs.serve(space, nets, TINY, accuracy, queries=10, candidates=1).to_frame()) == 10
    weights = random_weights(space, accuracy, 1)  # no SubNet has all operators of the others
    save_weights(tmp_path / "w.npz", weights)
    back = fs.load_weights(tmp_path / "w.npz")
    assert {name: set(net.ops) for name, net in back.subnets.items()} == {
        name: set(net.ops) for name, net in weights.subnets.items()
    }
    assert load_text(tmp_path, back.only([nets[0].name])).layers.keys() == weights.layers.keys()


def load_text(folder: Path, weights: SuperNetWeights) -> SuperNetWeights:
    save_weights(folder / "some.npz", weights)
    return fs.load_weights(folder / "some.npz")


def test_serve() -> None:
    served = fs.serve(TOY, [SMALL, LARGE], TINY, ACCURACY, queries=30, candidates=1, cache="sushi")
    assert served.summary()["accuracy_attainment"] == 1 and len(served.to_frame()) == 30
    weights = random_weights(TOY, ACCURACY, 1)
    exact = fs.serve(TOY, None, TINY, weights=weights, queries=30, candidates=1, cache="none")
    prices = {name: fs.price(TOY, name, TINY, policy="quick").cycles for name in ACCURACY}
    rows = exact.to_frame()
    assert set(rows["subnet"]) <= {"toy-44", "toy-88"}
    cycles = np.rint(rows["service_s"] * TINY.clock_hz)
    assert cycles.tolist() == [prices[name] for name in rows["subnet"]]

    class Largest:
        """A scheduler of one's own: the last row, nothing in the PB."""

        def __init__(self, table: ServingTable) -> None:
            self.row = table.shape[0] - 1

        def decide(self, accuracy: float, slack_s: float) -> tuple[int, int]:
            return self.row, 0

    mine = fs.serve(TOY, stream=exact.stream, table=exact.table, policy=Largest)
    assert set(mine.to_frame()["subnet"]) == {"toy-88"} and mine.summary()["switches"] == 0
    with pytest.raises(fs.FastSwitchError, match=r"table is of toy on tiny; this is fashion on tiny, give a table of"):
        fs.serve("fashion", table=exact.table)
    with pytest.raises(fs.FastSwitchError, match="SubNet toy-48 comes without an accuracy"):
        fs.serve(TOY, ["toy-48"], TINY)


def test_generate_rtl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a machine that runs it: the hardware is the same for all SuperNets."""
    monkeypatch.setattr("reports.handover.LAYERS", ("K=8 C=8 H=4 W=4",))
    files = fs.generate_rtl(TINY.replace(name="own", array={"kp": 2}), tmp_path / "rtl")
    assert "module fastswitch(" in files["rtl/fastswitch.v"].read_text()
    assert all(path.is_file() for path in files.values())


def test_a_subnet_alone_needs_its_supernet(tmp_path: Path) -> None:
    from arch_model.spaces import choose_subnets

    with pytest.raises(fs.FastSwitchError, match="of SuperNet toy, which is not known by name; give the SuperNet"):
        _ = choose_subnets([SMALL]).supernet
    assert choose_subnets([SMALL], TOY).supernet is TOY
    fs.register_supernet(TOY)
    assert choose_subnets([SMALL]).supernet is TOY
    file = tmp_path / "mine.json"
    file.write_text(json.dumps([{"name": "mine", "space": "toy", "width": [4, 6], "top1": 61}]))
    (mine,) = choose_subnets(file).subnets
    assert mine.config == (("width", (4, 6)),) and choose_subnets(file).accuracy == {"mine": 0.61}


def test_what_goes_to_workers_is_data(tmp_path: Path) -> None:
    """Plain pickle takes a task, though not the SuperNet: Ray and Dask need no more."""
    _, question = _asked(TOY, [SMALL], "PB=0,4KB", ("latency",), tmp_path, TINY, "grid", None, 0, "fit", {})
    there = pickle.loads(pickle.dumps(question))
    assert there == question and price(there, [0], [1]).equals(price(question, [0], [1]))
    with pytest.raises(fs.FastSwitchError, match="SubNet 'toy-88' is not one of the 1 that are listed of SuperNet toy"):
        there.space.subnet("toy-88")
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(TOY)


FILE = """
from tests.own_supernet import own_supernet

SPACE = own_supernet()
"""


def command(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        fs.main([str(word) for word in words])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def test_the_command_line_takes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.py"
    file.write_text(FILE)
    status, out, _ = command(capsys, "subnets", "--space", file, "--sample", "2", "--seed", "1", "--json")
    entries = json.loads(out)
    assert status == 0 and [set(entry) >= {"name", "space", "width", "macs"} for entry in entries] == [True, True]
    nets = tmp_path / "nets.json"
    nets.write_text(json.dumps([{**entry, "top1": 60} for entry in entries]))
    tiny = ("--accelerator", "tiny")
    status, _, err = command(
        capsys, "explore", "--space", file, "--subnets", nets, *tiny, "--vary", "PB=0,4KB", "--objectives",
        "latency,accuracy", "--out", tmp_path / "study", "--backend", "joblib:1", "--no-report",
    )  # fmt: skip
    assert status == 0, err
    assert reproduce_command(load_study(tmp_path / "study")).before.startswith(f"fastswitch explore --space {file} ")
    csv = tmp_path / "layers.csv"
    assert (
        command(capsys, "predict", "--space", file, "--subnets", nets, *tiny, "--cached", "best", "--csv", csv)[0] == 0
    )
    assert "stem" in csv.read_text()
    status, out, err = command(capsys, "serve", "--space", file, "--subnets", nets, *tiny, "--queries", "5", "--json")
    assert status == 0 and json.loads(out)["queries"] == 5, err
    trained = tmp_path / "trained.npz"
    save_weights(trained, random_weights(TOY, ACCURACY, 1))
    words = ("--space", file, "--weights", trained, *tiny, "--out")
    status, out, err = command(capsys, "package", *words, tmp_path / "packed", "--subgraphs", "1")
    assert status == 0 and "2" in out, err
    assert Package.load(tmp_path / "packed" / "package.npz").supernet == "toy"
    status, _, err = command(capsys, "run", "--space", file, *tiny, "--out", tmp_path / "no")
    assert status == 2 and err.endswith("SuperNet toy comes without weights; give --weights FILE.npz\n")
    assert not (tmp_path / "no").exists()
    if shutil.which("iverilog"):
        simulated = ("--simulator", "icarus", "--queries", "2", "--no-report", "--json")
        status, out, err = command(capsys, "run", *words, tmp_path / "ran", *simulated)
        assert status == 0 and json.loads(out.splitlines()[-1])["bit_exact"], err
    module = ("--space", "tests.own_supernet:own_supernet")
    noise = ("--weights", trained, "--variation", "lognormal:0.3", "--images", "4", "--trials", "1", "--jobs", "1")
    status, out, err = command(capsys, "noise", *module, *noise, "--subnet", "smallest", "--json")
    assert status == 0 and json.loads(out)["subnet"] == "toy-44", err
    status, _, err = command(capsys, "noise", *module, *noise[2:])
    assert status == 2 and err.endswith("SuperNet toy comes without weights; give --weights FILE.npz\n")
    status, out, err = command(capsys, "subnets", *module, "--sample", "1", "--json")
    assert status == 0 and json.loads(out)[0]["space"] == "toy", err
    file.write_text("SPACE = 1")
    status, out, err = command(capsys, "subnets", "--space", file)
    assert (status, out, len(err.splitlines())) == (2, "", 1) and "makes no SuperNet" in err


def test_the_command_line_takes_a_space_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "format: 1\nname: toy\nimage: {size: 8}\nstages: [{block: vgg, channels: 8, depth: [1, 2]}]\n"
        "head: [{pool: average}, {linear: linear, channels: 5}]\n"
        "subnets: {small: {choices: d1, top1: 50}, large: {choices: d2, top1: 75}}\n"
    )
    words = ("--space", file, "--subnets", "small,large", "--accelerator", "tiny")
    status, _, err = command(capsys, "predict", *words, "--csv", tmp_path / "layers.csv")
    assert status == 0 and "s1_pool" in (tmp_path / "layers.csv").read_text(), err
    status, out, err = command(capsys, "serve", *words, "--queries", "5", "--json")
    assert status == 0 and json.loads(out)["queries"] == 5, err  # with the accuracies of the file
    explored = ("--vary", "PB=0,4KB", "--objectives", "latency,accuracy", "--backend", "joblib:2", "--no-report")
    status, _, err = command(capsys, "explore", *words, *explored, "--out", tmp_path / "study")
    assert status == 0, err
    assert reproduce_command(load_study(tmp_path / "study")).before.startswith(f"fastswitch explore --space {file} ")
    file.write_text("format: 1\nname: toy\n")
    status, out, err = command(capsys, "subnets", "--space", file)
    assert (status, out) == (2, "") and err.startswith(f"fastswitch: space file {file}: image is None; give a mapping")
