"""Every command that takes a network takes ONNX models, by one mechanism: a word, --space or --subnets."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arch_model.spaces import space_names
from arch_model.spaces.registry import forget_supernet, own_weights
from reports.commands.command_line import COMMANDS, cli
from reports.commands.networks import NetworkOption
from tests.mapper.importers.onnx.nets import Graph
from tests.test_fastswitch import call

SCALE, ZERO = np.float32(2.0**-6), np.int8(0)
RNG = np.random.default_rng(3)
STEM = RNG.integers(-60, 61, (8, 3, 3, 3), dtype=np.int8)
CLASSES = RNG.integers(-60, 61, (5, 8), dtype=np.int8)


@pytest.fixture(autouse=True)
def registered_no_longer() -> Iterator[None]:
    before = set(space_names())
    yield
    for name in set(space_names()) - before:
        forget_supernet(name)


def quantised(path: Path, k: int, classes: Any = CLASSES) -> Path:
    """Convolution, global pool, matrix product: ``k`` channels of the common weights."""
    graph = Graph((1, 3, 8, 8))
    small = np.float32(2.0**-8)
    x = graph.node("QuantizeLinear", "x", SCALE, ZERO)
    bias = np.arange(k, dtype=np.int32)
    operands = [SCALE, ZERO, STEM[:k], small, ZERO, SCALE, ZERO, bias]
    x = graph.node("QLinearConv", x, *operands, name="stem", pads=[1] * 4, strides=[2, 2])
    x = graph.node("QLinearGlobalAveragePool", x, SCALE, ZERO, SCALE, ZERO, name="pool", domain="com.microsoft")
    x = graph.node("Flatten", x, name="flat")
    operands = [SCALE, ZERO, classes[:, :k], small, ZERO, np.zeros(5, np.int32), SCALE, ZERO]
    y = graph.node("QGemm", x, *operands, name="classes", domain="com.microsoft", transB=1)
    return graph.save(path, y, dtype=np.int8)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in with models a and b, which share weights, f, of real numbers, and what is none."""
    monkeypatch.chdir(tmp_path)
    quantised(tmp_path / "a.onnx", 8)
    quantised(tmp_path / "b.onnx", 5)
    quantised(tmp_path / "c.onnx", 5, CLASSES + 1)
    graph = Graph((1, 3, 8, 8))
    graph.save(tmp_path / "f.onnx", graph.node("Relu", graph.conv("x", STEM, name="stem", pads=1)))
    graph = Graph((1, 3, 8, 8))
    graph.save(tmp_path / "refused.onnx", graph.node("NonZero", graph.conv("x", STEM, name="stem", pads=1)))
    (tmp_path / "broken.onnx").write_bytes(b"none at all")
    (tmp_path / "folder.onnx").mkdir()
    return tmp_path


def test_every_command_with_a_network_takes_models() -> None:
    takes, names_one = set(), set()
    for name in COMMANDS:
        command = cli.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        params = {param.name for param in command.params}
        networks = {param.name for param in command.params if isinstance(param, NetworkOption)}
        assert bool(networks) == ("models" in params), name
        takes |= {name} if networks else set()
        names_one |= {name} if "space" in params else set()
    wanted = {"predict", "map", "cosim", "explore", "noise", "partition", "package", "run", "table", "serve", "subnets"}
    assert takes == wanted == names_one - {"quantise"}  # what quantise takes is a PyTorch model


def test_three_ways_and_one_answer(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = []
    for words in (["a.onnx", "b.onnx"], ["--space", "a.onnx,b.onnx"], ["--subnets", "a.onnx, b.onnx"]):
        status, out, err = call(capsys, "predict", *words, "--json")
        assert status == 0 and "note: a, b share stem, classes, " in err
        answers.append(json.loads(out))
    assert answers[0] == answers[1] == answers[2]
    assert [net["subnet"] for net in answers[0]["subnets"]] == ["a", "b"]
    (alone,) = json.loads(call(capsys, "predict", "b.onnx", "--json")[1])["subnets"]
    assert alone["cycles"] == answers[0]["subnets"][1]["cycles"]  # a SubNet costs what it costs as a network of its own


def test_what_is_not_shared_is_named(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    err = call(capsys, "subnets", "a.onnx", "c.onnx")[2]
    assert f"note: a, c share stem, {5 * 27} bytes of weights; separate: classes, c.classes\n" in err
    assert "note: a, f share no weights\n" in call(capsys, "subnets", "a.onnx", "f.onnx")[2]


def test_map_has_a_row_for_each_layer(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "map", "a.onnx", "--json")
    rows = json.loads(out)["layers"]
    assert status == 0 and [(row["subnet"], row["layer"]) for row in rows] == [
        ("a", "stem"), ("a", "pool"), ("a", "classes"),
    ]  # fmt: skip
    predicted = json.loads(call(capsys, "predict", "a.onnx", "--json")[1])["subnets"][0]["rows"]
    assert [row["cycles"] for row in rows] == [row["cycles"] for row in predicted]


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (Debian: iverilog) is not installed")
def test_the_rtl_runs_the_models_own_integers(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("a.onnx", "--out", "whole", "--simulator", "icarus")
    status, out, _ = call(capsys, "cosim", *words)
    assert status == 0 and "parts that mismatch  0" in out
    question = json.loads((models / "whole" / "question.json").read_text())["question"]
    quantised(models / "a.onnx", 8, CLASSES + 2)  # other numbers are another question
    status, _, err = call(capsys, "cosim", *words)
    assert status == 2 and "integers_digest is" in err and len(question["integers_digest"]) == 12


def test_package_and_table(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "package", "a.onnx", "b.onnx", "--out", "packed")
    assert status == 0 and re.search(r"^SubNets +2$", out, re.MULTILINE)
    status, out, _ = call(capsys, "table", "a.onnx", "b.onnx", "--subgraphs", "1", "--out", "table")
    assert status == 0 and re.search(r"^SubNets +2$", out, re.MULTILINE) and "mapping policy  quick" in out


def test_integers_are_drawn_where_there_are_none(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = call(capsys, "package", "f.onnx", "--out", "packed")
    assert (status, err.count("note: f: no int8 integers of every layer; all are drawn, with seed 0\n")) == (0, 1)
    assert "are drawn" not in call(capsys, "predict", "f.onnx")[2]  # a price needs none
    status, _, err = call(capsys, "noise", "f.onnx", "--variation", "none")
    assert status == 2 and "noise needs the int8 integers of every layer" in err and err.count("\n") == 1


def test_accuracies_come_from_a_file(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = call(capsys, "run", "a.onnx", "b.onnx", "--no-report")
    assert status == 2 and "the accuracy of SubNet a is not known, by which queries choose; give --subnets" in err
    entries = json.loads(call(capsys, "subnets", "a.onnx", "b.onnx", "--json")[1])
    Path("nets.json").write_text(json.dumps([{**entry, "top1": 70 + i} for i, entry in enumerate(entries)]))
    words = ("--subnets", "nets.json", "--queries", "20", "--json", "--on-infeasible", "drop")
    status, out, _ = call(capsys, "serve", "a.onnx", "b.onnx", *words)
    assert status == 0 and 0.70 <= round(json.loads(out)["accuracy"], 9) <= 0.71


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("predict", "none.onnx"), "none.onnx does not exist; give an ONNX model (a .onnx file)"),
        (("predict", "folder.onnx"), "folder.onnx cannot be read (Is a directory); give an ONNX model"),
        (("predict", "broken.onnx"), "broken.onnx: not ONNX, or cut off"),
        (("map", "refused.onnx"), "refused.onnx: "),
        (("predict", "a.onnx", "a.onnx"), "a.onnx is given twice; give each model once"),
        (("predict", "a.onnx", "--space", "fashion"), "MODEL.onnx and --space are both given"),
        (("predict", "a.onnx", "--subnets", "b.onnx"), "MODEL.onnx and --subnets name models; give them in one place"),
        (("predict", "a.onnx", "--subnets", "b"), "SubNet 'b' is not one of the 1 that are listed of SuperNet a"),
        (("predict", "fashion"), "Got unexpected extra argument (fashion); a network's file is a MODEL.onnx"),
        (("predict",), "Missing option '--subnets', or MODEL.onnx."),
        (("explore", "--vary", "KP=2", "--out", "x"), "Missing option '--space', or MODEL.onnx."),
        (
            ("map", "a.onnx", "--layer", "K=3 C=3"),
            "--layer and MODEL.onnx are both given, but a layer",
        ),
        (("map",), "Missing option '--layer', '--subnets' or MODEL.onnx."),
        (("package", "a.onnx", "--out", "x", "--weights", "w.npz"), "MODEL.onnx and --weights are both given"),
        (("noise", "a.onnx", "b.onnx", "--variation", "none"), "2 models are given; this command takes one network"),
        (("noise", "a.onnx", "--onnx", "b.onnx", "--variation", "none"), "MODEL.onnx and --onnx are both given"),
        (("noise", "a.onnx", "--variation", "none"), "give others with --data FILE.npz"),
    ],
)
def test_a_mistake_is_one_line(
    models: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    status, out, err = call(capsys, *words)
    assert (status, out) == (2, "") and message in err and err.count("\n") == 1
    assert "skip-unsupported" not in err  # there is no such option here


def test_names_that_look_like_something_else(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model may be called as a number, a SuperNet that ships, or with a comma; a file may be called as the model."""
    for name in ("7", "fashion", "x,y"):
        shutil.copy("a.onnx", f"{name}.onnx")
        Path(name).write_text("no list of SubNets")
        status, out, _ = call(capsys, "predict", f"{name}.onnx", "--json")
        assert status == 0 and json.loads(out)["subnets"][0]["subnet"] == name.replace(",", "_")
        brought = own_weights("fashion.onnx" if name == "fashion" else name.replace(",", "_"))
        assert brought is not None and brought().layers["stem"].shape == STEM.shape
