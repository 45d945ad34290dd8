"""The options of a machine whose weights are on crossbars, and the question that they ask."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reports.commands.numbers import Count, Number
from reports.commands.options import file_option, seed_option, space_option

if TYPE_CHECKING:
    from sim.noise.study.commands import Question

IMAGES = Count(1, 1_000_000, "each is computed in every trial")
TRIALS = Count(1, 100_000, "each is a chip to draw and to run")
JOBS = Count(1, 256, "each is a process")

_ANALOG_OPTIONS = (
    click.option(
        "--subnet", metavar="NAME|smallest|largest", help="A SubNet that has weights; the largest if nothing is named."
    ),
    space_option(text="The SuperNet whose the weights are, or what makes it; without it fashion."),
    file_option("--onnx", "FILE.onnx", "A quantised ONNX model instead."),
    file_option(
        "--data", "FILE.npz", "Images (N, C, H, W) and labels (N,) of the model, or for cifar; else Fashion-MNIST."
    ),
    click.option(
        "--variation",
        required=True,
        metavar="LAW:SIGMA[,OPTION...]",
        help="lognormal:0.5, gaussian:0.1 or none, then options such as per-cell, conductance, read=0.02.",
    ),
    click.option(
        "--encoding",
        type=click.Choice(["offset", "differential", "sign-magnitude"]),
        default="differential",
        show_default=True,
        help="How signed weights become conductances.",
    ),
    click.option(
        "--adc-bits", type=Count(1, 32), metavar="N", help="Bits of the ADCs; without it conversion is ideal."
    ),
    click.option(
        "--percentile", type=Number(50, 100), default=99.9, show_default=True, help="Per cent within an ADC's range."
    ),
    click.option(
        "--conversion",
        type=click.Choice(["word", "slice"]),
        default="word",
        show_default=True,
        help="Convert sums of all slices, or slice by slice as ISAAC.",
    ),
    click.option("--weight-bits", type=Count(2, 8), default=8, show_default=True, help="Bits of analog weights."),
    click.option("--cell-bits", type=Count(1, 8), default=2, show_default=True, help="Bits of a cell."),
    click.option("--dac-bits", type=Count(1, 8), default=1, show_default=True, help="Bits driven at a time."),
    click.option("--rows", type=Count(1, 1 << 16), default=128, show_default=True, help="Rows of an array."),
    click.option("--cols", type=Count(1, 1 << 16), default=128, show_default=True, help="Columns of an array."),
    click.option(
        "--engine",
        type=click.Choice(["auto", "fast", "bit-serial"]),
        default="auto",
        show_default=True,
        help="auto: the fast one wherever it is exact.",
    ),
    click.option("--images", type=IMAGES, default=1000, show_default=True, help="Test images a trial."),
    click.option("--trials", type=TRIALS, default=20, show_default=True, help="Chips to draw."),
    seed_option,
    click.option("--jobs", type=JOBS, metavar="N", help="Processes, no matter for the results; without it one a core."),
    click.option(
        "--weights",
        type=click.Path(path_type=Path),
        metavar="FILE.npz",
        help="The weights; without it those that ship.",
    ),
)


def analog_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that :func:`question_of` takes."""
    for option in reversed(_ANALOG_OPTIONS):
        command = option(command)
    return command


def question_of(options: dict[str, Any]) -> Question:
    """The question that the options ask.

    Raises
    ------
    UsageError
        Two options do not go together.
    FastSwitchError
        There can be no such crossbar.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: processes share the cores, not threads
    from arch_model.analog import Crossbar, Variation
    from sim.noise.sensitivity.monte_carlo import EngineName
    from sim.noise.study.commands import Question

    if options["subnet"] and options["onnx"]:
        raise click.UsageError("--subnet and --onnx are both given; give one of them")
    if options["space"] and options["onnx"]:
        raise click.UsageError("--space and --onnx are both given; give one of them")
    options["subnet"] = options["subnet"] or "largest"
    options["space"] = options["space"] or "fashion"
    names = ("encoding", "adc_bits", "percentile", "conversion", "weight_bits", "cell_bits", "dac_bits", "rows", "cols")
    crossbar = Crossbar(**{name: options.pop(name) for name in names})
    variation, engine = Variation.parse(options.pop("variation")), EngineName(options.pop("engine"))
    return Question(crossbar=crossbar, variation=variation, engine=engine, **options)
