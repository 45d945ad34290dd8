"""Every example runs, in its short form, and what it prints is right as far as it can be known otherwise."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fastswitch
from arch_model import get_space
from arch_model.network.weights import load_weights
from sim.integers.reference import run_layers

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def run(folder: Path, script: str, *words: str, status: int = 0) -> str:
    """What a script prints, run in ``folder`` as a user would; of one that fails its standard error."""
    env = os.environ | {"COLUMNS": "110"}
    command = [sys.executable, str(ROOT / "examples" / script), *words]
    done = subprocess.run(command, cwd=folder, env=env, text=True, capture_output=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stderr if status else done.stdout


def numbers(line: str) -> list[float]:
    """The numbers of a line, per cent as fractions."""
    found = re.findall(r"(-?[\d,]*\.?\d+)(%?)", line)
    return [float(digits.replace(",", "")) / (100 if unit else 1) for digits, unit in found]


@pytest.mark.parametrize("script", SCRIPTS)
def test_says_what_one_learns(script: str) -> None:
    text = (ROOT / "examples" / script).read_text()
    assert re.match(r'""".+?[.?]\n\n    python examples/', text), "a docstring with the command to type"


@pytest.mark.parametrize("script", [script for script in SCRIPTS if not script.startswith("train_")])
def test_imports_fastswitch_alone(script: str) -> None:
    """Of the project's packages; those that train make weights that ship, and so know their format or the data's."""
    tree = ast.parse((ROOT / "examples" / script).read_text())
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "fastswitch" in found
    assert not {name for name in found if name.partition(".")[0] in fastswitch.PACKAGES}
    names = {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "fs"
    }
    assert names <= set(fastswitch.__all__)


def test_explore_pb(tmp_path: Path) -> None:
    out = run(tmp_path, "explore_pb.py", "--short", "--plot", "pb.png")
    head, *rows = out.splitlines()[:3]
    assert re.findall(r"(\S+) GB/s", head) == ["2.4", "9.6"]
    pb0, area0, *slow0, fast0, _, _ = numbers(rows[0])
    pb2, area2, *slow2, fast2, saved2, _ = numbers(rows[1])
    assert (pb0, pb2, slow0[1]) == (0, 2, 0)
    for saved, with_pb, without in ((slow2[1], slow2[0], slow0[0]), (saved2, fast2, fast0)):
        digits = 0.0005 * 2 / without + 0.00005  # both times are printed to a microsecond, what is saved to 0.01 %
        assert saved == pytest.approx(1 - with_pb / without, abs=digits)
    assert slow0[0] > fast0 and slow2[1] > saved2 > 0, "slow DRAM makes the PB worth more"
    assert area2 - area0 == pytest.approx(8 * 2e6 * 0.569e-6, rel=0.02)  # the table's SRAM, mm2 a bit
    assert (tmp_path / "pb.png").stat().st_size > 10_000


def test_onnx_network(tmp_path: Path) -> None:
    """Its logits are onnxruntime's."""
    onnxruntime = pytest.importorskip("onnxruntime")
    out = run(tmp_path, "onnx_network.py")
    assert "equal to onnxruntime for every image: ORT_DISABLE_ALL, ORT_ENABLE_ALL" in out
    stem = next(line for line in out.splitlines() if line.startswith("stem "))
    assert f"{16 * 3 * 9 * 16 * 16:,}" in stem
    session = onnxruntime.InferenceSession(tmp_path / "made.onnx", providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(2).random((1, 3, 32, 32), np.float32)
    (logits,) = session.run(None, {"image": pixels})
    assert out.splitlines()[-1] == f"logits of a random image: {logits.ravel().tolist()}"
    assert run(tmp_path, "onnx_network.py", "made.onnx") == out


def test_serve_trace(tmp_path: Path) -> None:
    out = run(tmp_path, "serve_trace.py", "--short", "--plot", "timeline.png")
    assert len(pd.read_csv(tmp_path / "stream.csv", comment="#")) == 20
    rows = {tuple(line.split()[:2]): numbers(line) for line in out.splitlines() if line.startswith(("strict", "slack"))}
    in_time, mean, p99, met, saved, switches, _ = rows["strict-accuracy", "none"]
    assert (met, saved, switches) == (1, 0, 0) and mean <= p99 and in_time <= 1
    assert rows["strict-accuracy", "forecast"][4] > 0 and rows["strict-accuracy", "forecast"][3] == 1
    assert (tmp_path / "timeline.png").stat().st_size > 10_000
    again = run(tmp_path, "serve_trace.py", "--short", "--stream", "stream.csv")
    assert again.splitlines()[1:] == out.splitlines()[2:-1]  # the same stream, read back


def test_analog_digital(tmp_path: Path) -> None:
    out = run(tmp_path, "analog_digital.py", "--short", "--plot", "curves.png")
    rows = [numbers(line) for line in out.splitlines() if re.match(r" +\d+%", line)]
    assert [row[0] for row in rows] == [0, 0.2, 0.6]
    assert rows[0][1] == rows[0][2], "nothing digital is the same chip however it is chosen"
    assert rows[0][1] < rows[1][1] < rows[2][1]
    assert rows[2][2] < rows[2][1]
    shipped, subnet = load_weights(), get_space("fashion").subnet("fashion-d222-w444")
    images = (shipped.images[:60].astype(np.int16) - 128).astype(np.int8)[:, None]
    ops = shipped.subnets[subnet.name].ops
    right = [
        run_layers(subnet.layers, shipped.layers, ops, image)[subnet.layers[-1].name].argmax() == label
        for image, label in zip(images, shipped.labels, strict=False)
    ]
    assert f"all digital: {np.mean(right):.1%}" in out
    assert (tmp_path / "curves.png").stat().st_size > 10_000


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (Debian: iverilog) is not installed")
def test_generate_rtl(tmp_path: Path) -> None:
    out = run(tmp_path, "generate_rtl.py", "--short")
    predicted, simulated = (re.findall(rf"^{side} +(.*)$", out, re.MULTILINE) for side in ("predicted", "simulated"))
    assert len(predicted) == 1 and predicted == simulated
    assert "wrong integers: 0 of 128" in out
    assert "m_axi_wgt_*" in out and "aclk" in out
    assert "module fastswitch(" in (tmp_path / "generated" / "rtl" / "fastswitch.v").read_text()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["explore_pb.py", "--vary", "PX=1"], "PX"),
        (["onnx_network.py", "absent.onnx"], "absent.onnx"),
        (["serve_trace.py", "--accelerator", "absent.yaml"], "absent.yaml"),
        (["analog_digital.py", "--subnet", "absent"], "absent"),
        (["generate_rtl.py", "--kp", "0"], "array.kp is 0"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, words: list[str], text: str) -> None:
    (line,) = run(tmp_path, *words, status=2).splitlines()
    assert line.startswith(f"{words[0].removesuffix('.py')}: ") and text in line
