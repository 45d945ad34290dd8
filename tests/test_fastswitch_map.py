"""The commands `map` and `predict`."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from arch_model.spaces import get_space, subnet_entry
from mapper.workload.fusion import is_runnable
from tests.test_fastswitch import call

LAYER = "K=32 C=24 R=3 S=3 H=14 W=14"


def test_map_prints_loops_and_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = call(capsys, "map", "--layer", LAYER, "--accelerator", "tiny")
    assert (status, err) == (0, "")
    assert out.startswith("for tile in 0..") and "for pixel in 0.." in out
    for word in ("cycles", "lower bound", "space size", "evaluated", "pruned", "tile bound"):
        assert f"\n{word} " in out


@pytest.mark.parametrize("objective", ["latency", "energy", "edp"])
def test_map_json_adds_up(capsys: pytest.CaptureFixture[str], objective: str) -> None:
    words = ("map", "--layer", LAYER, "--accelerator", "tiny", "--objective", objective, "--json")
    status, out, err = call(capsys, *words)
    assert (status, err) == (0, "")
    record = json.loads(out)
    assert record["objective"] == objective and record["seconds"] > 0
    assert record["evaluated"] + sum(record["pruned"].values()) == record["space_size"]
    assert record["tile_bound"] == 8 * 8 * 196 <= record["cycles"]
    assert record["lower_bound"] <= record["optimum"] * (1 + 1e-9)


@pytest.mark.parametrize("kind", ["groups=24", "R=3 S=3 kind=maxpool", "kind=mul", "kind=pool"])
def test_map_takes_layers_of_every_kind(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    status, out, err = call(capsys, "map", "--layer", f"K=24 C=24 H=14 W=14 {kind}", "--accelerator", "tiny")
    assert (status, err) == (0, "") and "one STORE" in out and "for pixel in 0.." in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("map", "--layer", "K=3"), "fastswitch: layer 'K=3': C is missing; give C=..\n"),
        (
            ("map", "--layer", "K=3 C=3 kind=add"),
            "fastswitch: layer layer: kind is add; give the layer in whose STORE it runs\n",
        ),
        (
            ("map", "--layer", "K=4 C=4000 R=3 S=3 H=28 W=28"),
            "fastswitch: layer layer: its input rows need 360180 bytes of a half of the SB; tiny has 27648\n",
        ),
        (("map", "--layer", "K=3 C=3", "--accelerator", "sushi-zcu104"), "is a measured machine"),
        (("predict", "--subnets", "no.json", "--csv", "x.csv"), "SubNets no.json does not exist"),
    ],
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str) -> None:
    status, out, err = call(capsys, *words)
    assert (status, out) == (2, "") and message in err and err.count("\n") == 1


@pytest.mark.parametrize("cached", ["none", "best", "file"])
def test_predict_writes_a_row_a_layer(capsys: pytest.CaptureFixture[str], tmp_path: Path, cached: str) -> None:
    fashion = get_space("fashion")
    nets = [fashion.subnet(name) for name in ("fashion-d111-w222", "fashion-d222-w444")]
    file, table, pinned = (tmp_path / name for name in ("nets.json", "out.csv", "pinned.json"))
    file.write_text(json.dumps([subnet_entry(net) for net in nets]))
    pinned.write_text(json.dumps([[4, 1], *([0, 0] for _ in fashion.layers[1:])]))
    words = ("--cached", str(pinned) if cached == "file" else cached, "--csv", str(table))
    status, out, _ = call(capsys, "predict", "--subnets", str(file), "--accelerator", "tiny", *words)
    assert status == 0 and "fashion-d222-w444" in out
    rows = pd.read_csv(table, comment="#")
    assert len(rows) == sum(len(net.layers) for net in nets)
    assert list(rows.subnet.unique()) == [net.name for net in nets]
    assert (rows.pb_hit_bytes.sum() > 0) == (cached != "none")
    if cached == "file":
        assert rows[rows.pb_hit_bytes > 0].name.tolist() == ["stem", "stem"]
    assert "# accelerator_hash: " in table.read_text()


def test_a_network_that_cannot_run_whole_has_no_total(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The measured machine knows 3x3 layers alone: a sum over them is not what the SubNet takes."""
    name = "resnet50D_MAC@0.6B"
    words = ("--subnets", name, "--accelerator", "sushi-zcu104", "--csv", str(tmp_path / "out.csv"))
    status, out, err = call(capsys, "predict", *words)
    (row,) = [line.split() for line in out.splitlines() if line.startswith(name)]
    assert status == 0 and row[3] == "599,924,800" and row[4:] == ["-"] * 6
    assert f"note: {name} has no total, for not every layer can run: layer " in err and " more\n" in err
    rows = pd.read_csv(tmp_path / "out.csv", comment="#")
    assert 0 < rows.cycles.notna().sum() < len(rows)


@pytest.mark.parametrize("command", ["table", "explore", "serve"])
def test_a_subnet_that_cannot_run_whole_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine whose windows had one tap, which could not pool."""
    monkeypatch.setattr("mapper.workload.depthwise.WINDOW", 1)
    net = get_space("ofa-resnet50").sample(1, seed=0)[0]
    assert not is_runnable(net)
    (tmp_path / "one.json").write_text(json.dumps([subnet_entry(net) | {"top1": 75}]))
    more = {
        "table": ("--subgraphs", "1", "--out", str(tmp_path / "made")),
        "explore": ("--space", "ofa-resnet50", "--vary", "PB=0", "--no-report", "--out", str(tmp_path / "made")),
        "serve": (),
    }[command]
    words = ("--subnets", str(tmp_path / "one.json"), "--accelerator", "zcu104", *more)
    status, out, err = call(capsys, command, *words)
    assert status == 2 and not out and f"SubNet {net.name}: layer " in err.splitlines()[-1]
