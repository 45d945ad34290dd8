"""The options of a crossbar become the question that a study asks."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from reports.commands.analog import analog_options, question_of


def ask(*words: str) -> Any:
    """The question that an option line asks."""
    asked: list[Any] = []

    @click.command()
    @analog_options
    def command(**options: Any) -> None:
        asked.append(question_of(options))

    CliRunner().invoke(command, list(words), catch_exceptions=False, standalone_mode=False)
    (question,) = asked
    return question


def test_every_option_arrives() -> None:
    sizes = "--encoding offset --adc-bits 6 --weight-bits 4 --cell-bits 1 --dac-bits 2 --rows 64 --cols 32"
    question = ask("--variation", "lognormal:0.25", *sizes.split(), "--trials", "3", "--seed", "9", "--engine", "fast")
    bar = question.crossbar
    found = (bar.encoding, bar.adc_bits, bar.weight_bits, bar.cell_bits, bar.dac_bits, bar.rows, bar.cols)
    assert found == ("offset", 6, 4, 1, 2, 64, 32)
    assert (question.trials, question.seed, question.engine, question.subnet) == (3, 9, "fast", "largest")
    assert "lognormal" in str(question.variation) and "0.25" in str(question.variation)


def test_a_subnet_or_a_model_not_both() -> None:
    with pytest.raises(click.UsageError, match=r"--subnet and --onnx are both given; give one of them"):
        ask("--variation", "none", "--subnet", "smallest", "--onnx", "model.onnx")
