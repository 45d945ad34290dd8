"""Verilator's -Wall has nothing to say of the generated Verilog but what rtl/fastswitch.vlt waives with a reason."""

from __future__ import annotations

import os
import re
import subprocess
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path

import pytest

from arch_model.errors import SimulatorError
from rtl.generate import write_verilog
from sim.rtl_bench.simulators import find_simulator
from tests.machines import TINY, WIDE

WAIVERS = Path(__file__).parents[2] / "rtl" / "fastswitch.vlt"
WAIVER = re.compile(r'lint_off -rule (\w+) -file "\*\.v" -match "(.*)"')
WARNING = re.compile(r"^%(\w+)-?(\w*): \S+: (.*)$", re.MULTILINE)


Said = list[tuple[str, str]]


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict[str, tuple[Said, Said]]:
    """How machines' Verilog lints: the (rule, message) pairs without and with the waivers."""
    try:
        simulator = find_simulator("verilator")
    except SimulatorError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("lint")

    def lint(*files: str) -> Said:
        command = ["verilator", "--lint-only", "-Wall", "-Wno-fatal", "--top-module", "fastswitch", *files]
        run = subprocess.run(
            command, cwd=folder, env={**os.environ, **simulator.env}, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        return [(rule or kind, message) for kind, rule, message in WARNING.findall(run.stderr)]

    both = {}
    for accelerator in (TINY, WIDE):
        write_verilog(accelerator, folder / "fastswitch.v")
        both[accelerator.name] = lint("fastswitch.v"), lint(str(WAIVERS), "fastswitch.v")
    return both


def waivers() -> list[tuple[str, str]]:
    return WAIVER.findall(WAIVERS.read_text())


@pytest.mark.parametrize("machine", ["tiny", "wide"])
def test_nothing_is_left(machine, said):
    raw, left = said[machine]
    assert len(raw) > 100, "the lint has looked"
    assert left == []


def test_every_waiver_is_needed(said):
    seen = [warning for raw, _ in said.values() for warning in raw]
    for rule, pattern in waivers():
        assert any(rule == kind and fnmatchcase(message, pattern) for kind, message in seen), (rule, pattern)


def test_every_waiver_has_a_reason_above_it():
    lines = WAIVERS.read_text().splitlines()
    assert len(waivers()) == sum(line.startswith("lint_off") for line in lines)
    for before, line in pairwise(lines):
        if line.startswith("lint_off"):
            assert before.startswith(("// ", "lint_off")) and not before.startswith("// --"), line
