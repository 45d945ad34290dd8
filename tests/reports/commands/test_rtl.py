"""The delivered folder, in the hands of those who receive it: lint, simulators, FuseSoC, make, without our Python."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from arch_model.errors import SimulatorError
from arch_model.machine.accelerator import Accelerator
from rtl.handover.alveo import kernel_wrapper
from rtl.handover.ports import read_ports
from sim.rtl_bench.simulators import find_simulator

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent

pytest.importorskip("systemrdl", reason="the extra 'rtl' is not installed")
needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")


def fastswitch(*words: str | Path, cwd: Path, hash_seed: str = "random", status: int = 0) -> str:
    """What the command prints on standard error."""
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "fastswitch", "rtl", *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("here")
    fastswitch("--accelerator", "tiny", "--out", folder / "tiny", cwd=folder, hash_seed="1")
    return folder / "tiny"


@pytest.fixture
def copy(delivered: Path, tmp_path: Path) -> Path:
    """A copy to work in: tools leave files."""
    return Path(shutil.copytree(delivered, tmp_path / "copy"))


@pytest.fixture(scope="module")
def tools() -> Mapping[str, str]:
    """The environment of a user who has simulators on PATH, and of Python only what the machine has."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "MAKE"))}
    try:
        env |= find_simulator("verilator").env
    except SimulatorError as error:
        pytest.skip(str(error))
    return env


def ran(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None, status: int = 0) -> str:
    """What a command prints, to one who has not called it from a ``make`` of his own as ``make test`` does."""
    words, both = list(map(str, command)), {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    outside = {name: value for name, value in (env or os.environ).items() if not name.startswith("MAKE")}
    if env and "MAKEFLAGS" in env:  # of the simulator, not of a make above
        outside["MAKEFLAGS"] = env["MAKEFLAGS"]
    done = subprocess.run(words, cwd=cwd, env=outside, text=True, check=False, **both)
    assert done.returncode == status, done.stdout[-3000:]
    return done.stdout


def test_the_same_bytes_elsewhere_and_again(delivered: Path, tmp_path: Path) -> None:
    """Another folder, process and order of hashes; then over itself, with a stranger's file left alone."""
    fastswitch("--out", tmp_path / "a" / "b", cwd=tmp_path, hash_seed="2")
    first, second = contents(delivered), contents(tmp_path / "a" / "b")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    ran("sha256sum", "--check", "--quiet", "MANIFEST.sha256", cwd=delivered)
    listed = {line.split(maxsplit=1)[1].decode() for line in second["MANIFEST.sha256"].splitlines()}
    assert second.keys() - listed == {"MANIFEST.sha256", "question.json", ".lock"} and listed <= second.keys()


def test_nothing_tells_when_or_where_it_was_made(delivered: Path) -> None:
    day = datetime.date.today()
    secrets = [str(ROOT), str(Path.home()), str(delivered.parent), os.uname().nodename, day.isoformat()]
    for name, data in contents(delivered).items():
        if not name.endswith((".woff2", ".png")):
            text = data.decode()
            assert not [secret for secret in secrets if len(secret) > 4 and secret in text], name


def test_lint_has_nothing_to_say(copy: Path, tools: Mapping[str, str]) -> None:
    """Verilator with -Wall, and Icarus where there is one, both as Verilog-2001."""
    printed = ran("make", "lint", cwd=copy, env=tools)
    assert "--language 1364-2001" in printed and "%Warning" not in printed
    assert shutil.which("iverilog") is None or "iverilog -g2001" in printed


def test_lint_waivers_hide_no_fault(copy: Path, tools: Mapping[str, str]) -> None:
    """A signal that two things drive, a latch and a port too many are found."""
    path = copy / "rtl" / "fastswitch.v"
    text = path.read_text()
    at = text.index("endmodule")
    fault = "  wire twice = aresetn;\n  assign twice = aclk;\n  reg latch;\n  always @* if (aresetn) latch = aclk;\n"
    path.write_text(text[:at] + fault + text[at:])
    printed = ran("make", "lint", cwd=copy, env=tools, status=2)
    assert "LATCH" in printed


@needs_icarus
def test_the_bench_passes_in_icarus(copy: Path) -> None:
    copy = copy.rename(copy.with_name("a folder with blanks"))
    printed = ran("make", "sim", cwd=copy)
    cycles = re.findall(r"cycles (\d+), predicted (\d+)", printed)
    assert len(cycles) == 2 and all(simulated == predicted for simulated, predicted in cycles)
    assert printed.splitlines()[-1] == "PASS"
    table = re.findall(r"^\| [a-zA-Z ]+ \| ([\d,]+) \| [\d,]+ \|$", (copy / "README.md").read_text(), re.MULTILINE)
    assert [simulated for simulated, _ in cycles] == [cycles.replace(",", "") for cycles in table]
    said = ran("vvp", "-n", copy / "build" / "smoke.vvp", "+stall=256", cwd=copy / "sim", status=1)
    assert "FAIL: +stall is 256; give 0 to 255" in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["SIM=vcs"], "SIM is vcs; give icarus or verilator"),
        (["SIM=icarus", "IVERILOG=nowhere"], "needs Icarus Verilog or SIM=verilator, and nowhere is not there"),
        (["IVERILOG=nowhere", "VERILATOR=neither"], "make sim needs Icarus Verilog"),
        (["IVERILOG=nowhere", "VERILATOR=false"], "false --binary"),
    ],
)
def test_make_says_which_simulator_it_lacks(copy: Path, words: list[str], expected: str) -> None:
    assert expected in ran("make", "sim", *words, cwd=copy, status=2)


def test_the_description_comes_along_and_makes_the_same(delivered: Path) -> None:
    machine = Accelerator.load(delivered / "accelerator.yaml")
    assert machine == Accelerator.load("tiny") and f"`{machine.hash()}`" in (delivered / "README.md").read_text()


@needs_icarus
def test_the_bench_fails_where_a_byte_is_another(copy: Path) -> None:
    """A single bit of what is expected, and a prediction that is two per cent off."""
    after = copy / "sim" / "after.hex"
    lines = after.read_text().splitlines()
    last = max(i for i, line in enumerate(lines) if not line.startswith("@"))
    lines[last] = f"{int(lines[last], 16) ^ 1:0{len(lines[last])}x}"
    after.write_text("\n".join(lines) + "\n")
    bench = copy / "sim" / "smoke.v"
    calls = re.findall(r"        run\(.*\n", bench.read_text())
    beats, cycles = re.search(r", (\d+), (\d+),", calls[0]).groups()  # type: ignore[union-attr]
    more = int(cycles) * 102 // 100
    wrong = calls[0].replace(f", {beats}, {cycles},", f", {beats}, {more},")
    bench.write_text(bench.read_text().replace("".join(calls), wrong))  # one run is enough
    printed = ran("make", "sim", cwd=copy, status=2)
    assert f"is {cycles}, should be {more}" in printed and "wrong: memory at" in printed
    assert "FAIL: 2 things are wrong" in printed and "PASS" not in printed


def test_verilator_takes_the_bench_as_it_is(copy: Path, tools: Mapping[str, str]) -> None:
    """No warning; among them would be that of assignments that Verilator executes in another order than others do."""
    options = ["--timing", "--timescale", "1ns/1ps", "--top-module", "smoke"]
    ran("verilator", "--lint-only", *options, "lint/fastswitch.vlt", "-f", "sim/smoke.f", cwd=copy, env=tools)


@needs_icarus
def test_fusesoc_lints_and_simulates(copy: Path, tools: Mapping[str, str]) -> None:
    fusesoc = BIN / "fusesoc"
    if not fusesoc.exists():
        pytest.skip("FuseSoC is not installed")
    env = {**tools, "HOME": str(copy)}  # no settings of this user's
    ran(fusesoc, "run", "--target=lint", "fastswitch", cwd=copy, env=env)
    printed = ran(fusesoc, "run", "--target=sim", "fastswitch", "--stall=80", "--seed=9", cwd=copy, env=env)
    assert "stall 80, seed 9" in printed and "\nPASS\n" in printed
    for target in ("sim_verilator", "synth"):
        ran(fusesoc, "run", "--setup", f"--target={target}", "fastswitch", cwd=copy, env=env)


def test_the_instance_in_the_readme_compiles(copy: Path, tools: Mapping[str, str]) -> None:
    (snippet,) = re.findall(r"```verilog\n(.*?)```", (copy / "README.md").read_text(), re.DOTALL)
    (copy / "top.v").write_text(snippet)
    rules = ["-Wall", "-Wno-DECLFILENAME", "--language", "1364-2001", "--top-module", "top"]
    ran("verilator", "--lint-only", *rules, "lint/fastswitch.vlt", "top.v", "-f", "fastswitch.f", cwd=copy, env=tools)
    if shutil.which("iverilog"):
        assert ran("iverilog", "-g2001", "-Wall", "-t", "null", "top.v", "rtl/fastswitch.v", cwd=copy) == ""


def test_the_wrappers_compile(copy: Path, tools: Mapping[str, str]) -> None:
    """The one with IDs, and that for Vitis, which a machine on an Alveo card has."""
    text = (copy / "rtl" / "fastswitch.v").read_text()
    (copy / "fastswitch_kernel.v").write_text(
        kernel_wrapper(Accelerator.load("tiny").replace(device="u250"), read_ports(text))
    )
    for top, path in (("fastswitch_ids", "rtl/fastswitch_ids.v"), ("fastswitch_kernel", "fastswitch_kernel.v")):
        rules = ["-Wall", "--language", "1364-2001", "--top-module", top]
        ran("verilator", "--lint-only", *rules, "lint/fastswitch.vlt", path, "-f", "fastswitch.f", cwd=copy, env=tools)
        if shutil.which("iverilog"):
            command = ["iverilog", "-g2001", "-Wall", "-t", "null", "-s", top, path, "rtl/fastswitch.v"]
            assert ran(*command, cwd=copy) == ""


def test_the_readme_lists_every_port(delivered: Path) -> None:
    text = (delivered / "rtl" / "fastswitch.v").read_text()
    top = text[text.index("module fastswitch(") : text.index("endmodule")]
    ports = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", top, re.MULTILINE)
    page = (delivered / "README.md").read_text()
    assert len(ports) == 90
    for direction, high, name in ports:
        assert f"| `{name}` | {direction} | {int(high or 0) + 1} | " in page


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--accelerator", "huge", "--out", "x"], "huge"),
        (["--out", "file"], "'file' is a file"),
        (["--accelerator", "tiny"], "--out"),
        (["--out", "x", "--place"], "--place goes with --synth ecp5"),
        (["--out", "x", "--device", "zcu105"], "device zcu105 is neither a file nor a device that is known"),
        (
            ["--out", "x", "--accelerator", "u50", "--device", "zcu104"],
            "u50 does not fit xczu7ev-ffvc1156-2-e: an estimated",
        ),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, words: list[str], expected: str) -> None:
    (tmp_path / "file").write_text("")
    said = fastswitch(*words, cwd=tmp_path, status=2)
    assert len(said.splitlines()) == 1 and expected in said and not (tmp_path / "x").exists()
