"""Put part of a network on noisy analog crossbars: which channels must stay digital, and how many?

    python examples/analog_digital.py --plot analog_digital.png

One learns how a chip's variation collapses the accuracy of a `fashion` SubNet, and how little of it has to stay digital
to bring the accuracy back, if it is the right part: channels ranked by Fisher information per byte, beside as many
drawn at random. Every point is the same few chips, drawn from the seed. `fastswitch partition` searches for
the smallest part; `fastswitch hybrid` makes a whole study of it (docs/studies/harmonica.md).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: products here are small

import numpy as np

import fastswitch as fs

FRACTIONS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6)


@click.command()
@click.option("--subnet", default="largest", show_default=True, help="Its name, smallest or largest.")
@click.option("--sigma", default=0.5, show_default=True, help="Lognormal variation of a weight.")
@click.option("--adc-bits", default=6, show_default=True, help="Bits of the ADCs.")
@click.option("--images", default=300, show_default=True, help="Test images a chip.")
@click.option("--trials", default=4, show_default=True, help="Chips.")
@click.option("--seed", default=1, show_default=True, help="Seed of all that is random.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the two curves: PNG, SVG or PDF.")
@click.option("--short", is_flag=True, help="Two chips, 60 images, three fractions: seconds.")
def main(
    subnet: str, sigma: float, adc_bits: int, images: int, trials: int, seed: int, plot: Path | None, short: bool
) -> None:
    """Print accuracy against the digital share of the weights, and draw it."""
    fractions = FRACTIONS[::3] if short else FRACTIONS
    images, trials = (60, 2) if short else (images, trials)
    asked = {"subnet": subnet, "variation": f"lognormal:{sigma}", "adc_bits": adc_bits, "digital": fractions}
    asked |= {"images": images, "ranking_images": 60 if short else 512, "trials": trials, "seed": seed}
    curves = {ranking: fs.noise("fashion", ranking=ranking, **asked) for ranking in ("fisher-per-byte", "random")}
    first, *_ = curves["random"]
    name = first.hybrid.network.name
    print(f"{name}, lognormal {sigma}, {adc_bits}-bit ADCs, {trials} chips, {images} images, seed {seed}")
    print("digital  ranked by Fisher  drawn at random")
    for i, fraction in enumerate(fractions):
        ranked, random = (f"{np.mean(points[i].accuracies):.1%}" for points in curves.values())
        print(f"{fraction:7.0%}  {ranked:>16}  {random:>15}")
    print(f"all digital: {first.accuracy_clean:.1%}")
    if plot:
        chips = {ranking: [point.accuracies for point in points] for ranking, points in curves.items()}
        draw(fractions, chips, first.accuracy_clean, plot)
        print(f"picture: {plot}")


def draw(fractions: Sequence[float], curves: Mapping[str, Sequence[Sequence[float]]], clean: float, path: Path) -> None:
    """Both curves: every chip a dot, the mean a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 4), layout="constrained")
    axes = figure.add_subplot()
    names = {"fisher-per-byte": "ranked by Fisher per byte", "random": "drawn at random"}
    for (ranking, points), colour in zip(curves.items(), ("#0b6cab", "#e69f00"), strict=True):
        axes.plot([100 * x for x in fractions], 100 * np.mean(points, axis=1), color=colour, label=names[ranking])
        for x, chips in zip(fractions, points, strict=True):
            axes.plot([100 * x] * len(chips), [100 * a for a in chips], "o", markersize=3, color=colour, alpha=0.6)
    axes.axhline(100 * clean, color="#5d6875", linewidth=0.8, linestyle="--", label="all digital, int8")
    axes.set_xlabel("weights that stay digital, %")
    axes.set_ylabel("accuracy, %")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    try:
        main()
    except fs.FastSwitchError as error:
        print(f"analog_digital: {error}", file=sys.stderr)
        sys.exit(2)
