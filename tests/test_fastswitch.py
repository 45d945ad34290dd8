"""The command line: help, bad input in one line, and how rows reach the user."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import arch_model
import fastswitch
from sim.rtl_bench.simulators import Simulator

ROW: dict[str, Any] = {
    "query": 0,
    "min_accuracy": 0.88,
    "max_latency_s": None,
    "subnet": "d2-w1",
    "cached_subgraph": "sg3",
    "dram_bytes": np.int64(1234567),
    "pb_saved_bytes": 4096,
    "predicted_cycles": 20000,
    "simulated_cycles": 20100,
    "cycle_error": -0.004975,
    "predicted_class": 9,
    "label": 9,
    "bit_exact": True,
}
SUMMARY = {
    "queries": 1,
    "bit_exact": True,
    "max_cycle_error": 0.004975,
    "accuracy": 1.0,
    "bytes_saved_fraction": 0.1,
}


def call(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    """Return exit status, standard output and standard error."""
    with pytest.raises(SystemExit) as exit_:
        fastswitch.main([str(word) for word in words])
    out, err = capsys.readouterr()
    status = exit_.value.code
    assert isinstance(status, int)
    return status, out, err


@pytest.mark.parametrize("command", [[], ["run"], ["cosim"], ["subnets"]])
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    status, out, err = call(capsys, *command, "--help")
    assert (status, err) == (0, "")
    assert f"Example:  {' '.join(['fastswitch', *command])}" in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "--version") == (0, f"fastswitch {importlib.metadata.version('fastswitch')}\n", "")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "no command given"),
        (["bake"], "No such command 'bake'"),
        (["run", "--frob"], "No such option"),
        (["run", "--queries", "0"], "'--queries': 0 is out of range; give 1 to 100,000: each is simulated"),
        (["run", "--queries", "-3"], "'--queries': -3 is out of range"),
        (["run", "--queries", "many"], "'many' is not a valid integer"),
        (["run", "--seed", "-1"], "'--seed'"),
        (["run", "--policy", "best-effort"], "'strict-accuracy', 'strict-latency'"),
        (["run", "--simulator", "vcs"], "'verilator', 'icarus'"),
        (["run", "16"], "unexpected extra argument"),
        (["cosim", "--csv", "out.csv"], "Missing option '--layers'"),
        (["subnets"], "Missing option '--space'"),
        (["subnets", "--space", "ofa"], "SuperNet ofa does not exist; give one of fashion, cifar, ofa-resnet50, "),
        (["subnets", "--space", "fashion", "--sample", "0"], "'--sample': 0 is out of range; give 1 to 20,000"),
        (["subnets", "--space", "fashion", "--sample", "217"], "count is 217; give 1..216"),
        (["subnets", "--space", "compofa-elastic"], "no SubNet of compofa-elastic has a name of its own; give"),
        (["cosim", "--csv", "out.csv", "--layers", "no/such.csv"], "'no/such.csv' does not exist"),
    ],
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], words: list[str], text: str) -> None:
    status, out, err = call(capsys, *words)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("fastswitch: ")
    assert text in line


def accelerator_file(folder: Path, old: str, new: str) -> Path:
    """The preset ``tiny`` with one line changed."""
    text = (Path(arch_model.__file__).parent / "presets" / "tiny.yaml").read_text()
    assert old in text
    path = folder / "mine.yaml"
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name: tiny", "name: tiny\nclock_mhz: 100", ["clock_mhz", "clock_hz"]),
        ("pb_bytes: 49_152", "pb_bytes: -5", ["buffers.pb_bytes is -5", "0 or more"]),
        ("db_bytes: 13_824", "db_bytes: 100", ["buffers.db_bytes is 100"]),
        ("sb_bytes: 55_296", "sb_bytes: 20", ["buffers.sb_bytes is 20"]),
        ("kp: 4", "kp: four", ["array.kp is", "four"]),
        ("name: tiny", "name: [", ["mine.yaml", "line"]),
    ],
)
def test_a_bad_accelerator_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, old: str, new: str, words: list[str]
) -> None:
    path = accelerator_file(tmp_path, old, new)
    for command in (["run", "--out", tmp_path / "out"], ["cosim", "--layers", path, "--csv", tmp_path / "o.csv"]):
        status, _, err = call(capsys, *command, "--accelerator", path)
        assert status == 2
        (line,) = err.splitlines()
        assert all(word in line for word in words), line


def test_bad_weights_are_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cut, absent = tmp_path / "cut.npz", tmp_path / "absent.npz"
    cut.write_bytes((Path(arch_model.__file__).parent / "data" / "fashion.npz").read_bytes()[:100_000])
    for path, what in ((cut, "cut off"), (absent, "No such file")):
        status, _, err = call(capsys, "run", "--weights", path, "--out", tmp_path / "out")
        assert status == 2
        (line,) = err.splitlines()
        assert str(path) in line and what in line


@pytest.mark.parametrize(("name", "why"), [("fashion-d111-w229", "does not exist"), ("fashion-d222-w222", "is one of")])
def test_an_unknown_subnet_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, why: str) -> None:
    status, _, err = call(capsys, "run", "--subnets", name, "--out", tmp_path / "out")
    assert status == 2
    assert err.splitlines() == [line for line in err.splitlines() if name in line]
    assert why in err


def test_a_table_without_a_column_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    table = tmp_path / "layers.csv"
    table.write_text("network,name,K\n0,a,4\n")
    status, _, err = call(capsys, "cosim", "--layers", table, "--csv", tmp_path / "out.csv")
    assert status == 2
    (line,) = err.splitlines()
    assert "layers.csv" in line and "layer_index is missing" in line


def test_missing_simulator_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    status, out, err = call(capsys, "run", "--simulator", "icarus", "--out", tmp_path / "out")
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert "iverilog" in line
    assert not (tmp_path / "out").exists()


def test_starts_without_the_heavy_modules() -> None:
    code = (
        "import sys, fastswitch\n"
        "try: fastswitch.main(sys.argv[1:])\n"
        "finally: print({'amaranth', 'numpy', 'pandas', 'rich'} & set(sys.modules), file=sys.stderr)"
    )
    for words in ([], *([name] for name in fastswitch.COMMANDS)):
        ask = [sys.executable, "-c", code, *words, "--help"]
        done = subprocess.run(ask, capture_output=True, text=True, check=True)
        assert done.stderr == "set()\n", words


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Each name leads to a command of that name, and its line says what it is."""
    _, text, _ = call(capsys, "--help")
    listed = " ".join(text.partition("Commands:")[2].split())  # long lines are wrapped
    assert "----" not in text  # sections of docstrings are for readers of the code
    for name, (_, what) in fastswitch.COMMANDS.items():
        assert f"{name} {what}" in listed
        _, one, _ = call(capsys, name, "--help")
        assert one.startswith(f"Usage: fastswitch {name} [OPTIONS]") and "----" not in one


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The rooms below, replaced by ones that answer at once; holds what run_stream was given and is to do."""
    seen: dict[str, Any] = {"rows": [ROW], "summary": SUMMARY, "then": None}

    def run_stream(accelerator: Any, **options: Any) -> dict[str, Any]:
        seen.update(options, accelerator=accelerator)
        for row in seen["rows"]:
            options["on_row"](row)
        if seen["then"]:
            raise seen["then"]
        return dict(seen["summary"])

    def write_page(rows: list[Any], summary: dict[str, Any], out: Path) -> Path:
        seen["page_rows"] = rows
        return out / "stream.html"

    serve, stream = ModuleType("sim.serving.run_on_rtl"), ModuleType("reports.stream")
    serve.run_stream = run_stream  # type: ignore[attr-defined]
    serve.stream_question = lambda machine, **options: {"command": "run"}  # type: ignore[attr-defined]
    serve.ROWS, serve.TABLE = "queries.jsonl", "queries.csv"  # type: ignore[attr-defined]
    stream.write_page = write_page  # type: ignore[attr-defined]
    stream.write_picture = lambda rows, summary, path: path  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sim.serving.run_on_rtl", serve)
    monkeypatch.setitem(sys.modules, "reports.stream", stream)
    monkeypatch.setattr("sim.rtl_bench.simulators.find_simulator", lambda name: Simulator("icarus", "12.0", "PATH"))
    monkeypatch.setattr("arch_model.machine.accelerator.Accelerator.load", lambda name: f"machine {name}")
    seen["out_dir"] = tmp_path / "out"
    return seen


def test_run_passes_its_options(capsys: pytest.CaptureFixture[str], served: dict[str, Any]) -> None:
    out = served["out_dir"]
    words = ["--queries", "3", "--policy", "strict-latency", "--seed", "7", "--accelerator", "zcu104"]
    status, text, err = call(capsys, "run", *words, "--out", out)
    assert (status, err) == (0, "")
    got = {name: served[name] for name in ("accelerator", "queries", "policy", "seed")}
    assert got == {"accelerator": "machine zcu104", "queries": 3, "policy": "strict-latency", "seed": 7}
    assert served["results"].folder == out
    assert served["page_rows"] == [ROW]
    head, titles, row = text.splitlines()[:3]
    assert "seed 7" in head and "Icarus Verilog 12.0 (PATH)" in head
    assert titles.index("SubNet") == row.index("d2-w1")
    for part in ("88.00%", "1,234,567", "20,100", "-0.50%", "bit-exact"):
        assert part in row
    assert str(out / "stream.html") in text


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str], served: dict[str, Any]) -> None:
    served["rows"] = [ROW, {**ROW, "query": 1, "max_latency_s": float("nan")}]
    status, text, err = call(capsys, "run", "--json", "--out", served["out_dir"])
    assert (status, err) == (0, "")
    first, second, summary = map(json.loads, text.splitlines())
    assert first["dram_bytes"] == 1234567
    assert second["max_latency_s"] is None
    assert summary["max_cycle_error"] == SUMMARY["max_cycle_error"]


def test_a_wrong_result_is_not_success(capsys: pytest.CaptureFixture[str], served: dict[str, Any]) -> None:
    served["rows"] = [{**ROW, "bit_exact": False}]
    served["summary"] = {**SUMMARY, "bit_exact": False}
    status, text, _ = call(capsys, "run", "--out", served["out_dir"])
    assert status == 1
    assert "DIFFERENT" in text


def test_interrupt_says_where_the_rows_are(capsys: pytest.CaptureFixture[str], served: dict[str, Any]) -> None:
    served["then"] = KeyboardInterrupt()
    status, _, err = call(capsys, "run", "--out", served["out_dir"])
    assert status == 130
    assert err == (
        f"fastswitch: interrupted; 1 finished queries are in {served['out_dir']}, the same command goes on with them\n"
    )


def test_out_that_is_a_file(capsys: pytest.CaptureFixture[str], served: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, out, err = call(capsys, "run", "--out", tmp_path / "file" / "folder")
    assert (status, out) == (2, "")
    assert err.startswith("fastswitch: cannot write to ")


def test_subnets_lists_the_named_ones(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = call(capsys, "subnets", "--space", "ofa-resnet50")
    assert (status, err) == (0, "")
    head, *rows = out.splitlines()
    assert head.split() == ["SubNet", "image", "depth", "top-1", "%", "MACs", "params", "int8", "MiB"]
    assert len(rows) == 6
    assert rows[0].split() == ["resnet50D_MAC@0.6B", "160", "00010", "75.00", "599,924,800", "9,619,056", "9.15"]
    assert len(call(capsys, "subnets", "--space", "fashion")[1].splitlines()) == 1 + 216


def test_a_sample_of_subnets_is_a_file_of_subnets(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from arch_model import get_space, read_subnets

    words = ["subnets", "--space", "ofa-mobilenetv3-w1.2", "--sample", "3", "--seed", "7"]
    status, out, err = call(capsys, *words, "--json")
    assert (status, err) == (0, "")
    file = tmp_path / "three.json"
    file.write_text(out)
    nets = get_space("ofa-mobilenetv3-w1.2").sample(3, seed=7)
    assert read_subnets(file) == nets
    entry = json.loads(out)[0]
    assert (entry["macs"], entry["params"]) == (nets[0].macs, nets[0].parameters)
    assert entry["weight_mib"] == pytest.approx(nets[0].weight_bytes / 2**20, abs=1e-4)
    _, table, _ = call(capsys, *words)
    assert [line.split()[0] for line in table.splitlines()[1:]] == [net.name for net in nets]
    assert call(capsys, *words[:-1], "8", "--json")[1] != out
