"""``fastswitch import``: tables on the terminal, JSON, the files that it writes, and bad input in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastswitch
from arch_model.network.layer import read_layer_table
from mapper.importers import read_problem, read_topology
from tests.mapper.importers.onnx.nets import Graph, residual_graph


def call(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exit_:
        fastswitch.main(["import", *map(str, words)])
    out, err = capsys.readouterr()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code, out, err


@pytest.fixture
def model(tmp_path: Path) -> Path:
    graph, end = residual_graph(np.random.default_rng(0))
    return graph.save(tmp_path / "net.onnx", end)


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "--help")
    assert status == 0 and "Example:  fastswitch import" in out


def test_table(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    status, out, err = call(capsys, model)
    lines = out.splitlines()
    assert (status, err) == (0, "")
    assert lines[0].split()[:4] == ["layer", "kind", "K", "C"]
    assert " ".join(lines[1].split()) == "stem conv 8 3 3 3 16 16 1 1 1 16 16 55,296 216 relu input"
    assert " ".join(lines[5].split()) == "add_a add 12 12 1 1 8 8 1 0 1 8 8 0 0 relu down, a2"
    assert any(line.split() == ["MACs", "513,144"] for line in lines)


def test_json(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    status, out, err = call(capsys, model, "--json")
    record = json.loads(out)
    assert (status, err, record["network"], record["runnable"], record["skipped"]) == (0, "", "net", False, [])
    assert [row["name"] for row in record["layers"]][-2:] == ["pool", "fc"]
    assert sum(row["macs"] for row in record["layers"]) == 513_144


def test_files(capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path) -> None:
    outputs = {name: tmp_path / "new" / name for name in ("layers.csv", "topology.csv", "problems")}
    status, _, err = call(
        *(capsys, model, "--csv", outputs["layers.csv"]),
        *("--scalesim", outputs["topology.csv"], "--timeloop", outputs["problems"]),
    )
    assert status == 0
    alone = {"layers.csv": "add_a, add_b"}  # a pool runs by itself, and has no weights
    left_out = [f"not in {path}: {alone.get(name, 'add_a, add_b, pool')}" for name, path in outputs.items()]
    assert err.splitlines() == left_out
    rows = [row for row in read_layer_table(outputs["layers.csv"]) if row.layer.kind.has_weights]
    problems = [read_problem(path).subnet.layers[0] for path in sorted(outputs["problems"].iterdir())]
    macs = [row.layer.macs for row in rows]
    assert macs == [layer.macs for layer in problems]
    assert macs == [layer.macs for layer in read_topology(outputs["topology.csv"]).subnet.layers]
    for file in (outputs["topology.csv"], outputs["problems"] / "000_stem.yaml"):
        assert call(capsys, file)[0] == 0


def test_an_operator_without_a_layer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    graph = Graph()
    y = graph.node("Hardmax", graph.conv("x", np.ones((2, 3, 1, 1)), name="c"), name="probabilities")
    path = graph.save(tmp_path / "net.onnx", y)
    status, out, err = call(capsys, path)
    (line,) = err.splitlines()
    assert (status, out) == (2, "")
    assert line.startswith(f'fastswitch: {path}: node "probabilities" (Hardmax): ')
    assert line.endswith("--skip-unsupported goes on without it")
    status, out, err = call(capsys, path, "--skip-unsupported")
    assert status == 0 and out.splitlines()[1].startswith("c")
    assert err == 'left out: node "probabilities" (Hardmax): there is no layer for this operator\n'


@pytest.mark.parametrize("name", ["no.onnx", "no.csv", "no.yaml", "no.txt", "folder.onnx"])
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.onnx").mkdir()
    status, out, err = call(capsys, tmp_path / name)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith(f"fastswitch: {tmp_path / name}")


def test_without_the_package_onnx(tmp_path: Path, model: Path) -> None:
    code = f"import sys; sys.modules['onnx'] = None; import fastswitch; fastswitch.main(['import', {str(model)!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f'fastswitch: {model}: reading ONNX needs the package onnx; pip install "fastswitch[onnx]"\n'
