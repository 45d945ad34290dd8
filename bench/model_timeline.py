"""The picture of docs/concepts/time.md: who works when in the one-layer Program that the page counts by hand.

python bench/model_timeline.py docs/concepts/model-timeline.png
"""

from __future__ import annotations

from pathlib import Path

import click
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from arch_model import Accelerator, Kind, Layer
from arch_model.network.weights import ConvQuant
from arch_model.timing.reference_timing import UNITS, time_program
from mapper.lowering.compile import compile_layer

LAYER = Layer("example", Kind.CONV, K=3, C=3, R=3, S=3, H=4, W=4, padding=1)
TITLES = ("input, 12 beats", "ZSB", "weight tile, 27 beats", "pass", "16 pixels", "outputs, 12 beats")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
def main(path: Path) -> None:
    """Draw the Program's timeline."""
    quant = ConvQuant(*np.zeros((3, LAYER.K), np.int32), z_in=0, z_out=0, lo=-128, hi=127)
    program, _ = compile_layer(LAYER, Accelerator.load("tiny"), quant)
    timing = time_program(program.commands, program.accelerator)
    figure, axes = plt.subplots(figsize=(8, 2.4), layout="constrained")
    titles = dict(zip(("LOAD_ACT", "ZSB", "LOAD_WGT", "FEED", "RUN", "STORE"), TITLES, strict=True))
    for interval in timing.timeline:
        row, end = UNITS.index(interval.unit), interval.end - 0.6  # a gap between commands that follow at once
        zsb = interval.unit == "LOAD_WGT" and program.commands[interval.command]["memory"] == 2
        last = timing.waits["sb"] + timing.waits["weights"] if interval.unit == "RUN" else 0
        if last:  # accepted, but standing still
            axes.barh(row, last, left=interval.start - timing.waits["sb"], color="#dddddd", height=0.7)
            axes.text(interval.start + last / 2, row, "waits for weights", ha="center", va="center", fontsize=7)
        begin = interval.end - 15 if interval.unit == "RUN" else interval.start
        axes.barh(row, end - begin + 1, left=begin, color="#4c78a8", height=0.7)
        text = titles["ZSB" if zsb else interval.unit]
        inside = end - begin > 2.1 * len(text)
        x = (begin + end) / 2 if inside else end + 4
        axes.text(x, row, text, ha="center" if inside else "left", va="center", fontsize=7,
                  color="white" if inside else "black")  # fmt: skip
    axes.set_yticks(range(len(UNITS)), UNITS, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, timing.cycles + 2)
    axes.set_xlabel(f"cycles from start to done ({timing.cycles})", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
