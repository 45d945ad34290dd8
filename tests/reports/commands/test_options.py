"""What the shared options hand to a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from reports.commands.options import accelerator_option, file_option, seed_option, simulator_option


@click.command()
@accelerator_option
@seed_option
@simulator_option
@file_option("--csv", "OUT.csv", "A table.")
@file_option("--table", "FILE", "Another.", name="saved")
def echo(**options: Any) -> None:
    """Print what came."""
    click.echo(repr(sorted(options.items())))


def test_what_is_not_given() -> None:
    done = CliRunner().invoke(echo, [])
    want = {"accelerator": "tiny", "seed": 0, "simulator": None, "csv_out": None, "saved": None}
    assert done.output == f"{sorted(want.items())!r}\n"


def test_what_is_given() -> None:
    done = CliRunner().invoke(echo, "--accelerator a.yaml --seed 7 --simulator icarus --csv c --table t")
    want = {"accelerator": "a.yaml", "seed": 7, "simulator": "icarus", "csv_out": Path("c"), "saved": Path("t")}
    assert done.output == f"{sorted(want.items())!r}\n"


@pytest.mark.parametrize("words", [["--seed", "-1"], ["--simulator", "vcs"], ["--csv", "."]])
def test_what_is_wrong(words: list[str]) -> None:
    done = CliRunner().invoke(echo, words)
    assert done.exit_code == 2 and words[0] in done.output
