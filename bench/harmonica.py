"""Collapse and recovery of the largest fashion SubNet under analog variation, and the engines' speed.

`python bench/harmonica.py [--trials 20] [--images 1000] [--out FOLDER] [PART ...]` prints one table a part and writes
it as CSV: `collapse` (accuracy against sigma by encoding), `recovery` (accuracy against digital fraction by ranking),
`smallest` (least fraction for at most 2 points by encoding and ADC bits), `speed`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: products are small, processes share the cores

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pandas as pd

from arch_model.analog import Crossbar, Encoding, Variation
from arch_model.weights import load_weights
from mapper.partition import Ranking, partition_bytes
from sim.noise.bit_serial import BitSerialEngine
from sim.noise.calibration import calibrate_adcs
from sim.noise.chip import Chip
from sim.noise.digital import Digital
from sim.noise.fast import FastEngine
from sim.noise.gradients import Sensitivity, sensitivity
from sim.noise.hybrid import Hybrid
from sim.noise.images import find_ranking_images, find_test_images
from sim.noise.monte_carlo import NoiseResult, Runner
from sim.noise.network import Network
from sim.noise.search import evaluate, needs_gradients, rank_network, smallest_fraction
from sim.noise.study import default_jobs

STRONGEST = "lognormal:0.5"
SEED = 1
Row = dict[str, Any]


class Study:
    """The network, its images and what ranks its channels."""

    def __init__(self, subnet: str, images: int, trials: int) -> None:
        weights = load_weights()
        self.network = Network.of_subnet(subnet, weights)
        self.images, self.trials = find_test_images(weights, images), trials
        self.rank_on = find_ranking_images(weights, 512)
        self.runner = Runner(self.images, default_jobs(trials))
        self.found: Sensitivity = sensitivity(self.network, self.rank_on)

    def units(self, ranking: Ranking, seed: int = SEED) -> Any:
        return rank_network(self.network, ranking, self.found if needs_gradients(ranking) else None, seed)


def figures(result: NoiseResult) -> Row:
    summary = result.summary()
    low, high = summary["accuracy_ci95"]
    return {
        "digital": summary["digital_fraction"],
        "mean": summary["accuracy_mean"],
        "low": low,
        "high": high,
        "p5": summary["accuracy_p5"],
        "loss": summary["loss_points"],
        "noiseless": summary["accuracy_noiseless"],
    }


def collapse(study: Study) -> Iterator[Row]:
    for encoding in Encoding:
        for mean in ("raw", "mean-preserving"):
            for per in ("per-weight", "per-cell"):
                for sigma in (0.1, 0.2, 0.3, 0.5):
                    variation = Variation.parse(f"lognormal:{sigma},{mean},{per}")
                    result = study.runner.run(
                        Hybrid(study.network, Crossbar(encoding=encoding)), variation, trials=study.trials, seed=SEED
                    )
                    yield {"encoding": encoding, "mean_of_factor": mean, "per": per, "sigma": sigma} | figures(result)


def recovery(study: Study) -> Iterator[Row]:
    for ranking in Ranking:
        for fraction in (0.05, 0.1, 0.2, 0.3, 0.4):
            units = study.units(ranking)
            partition = units.partition(units.count(fraction))
            result = evaluate(
                study.runner, study.network, partition, Crossbar(), Variation.parse(STRONGEST), trials=study.trials,
                seed=SEED,
            )  # fmt: skip
            yield {"ranking": ranking} | figures(result) | partition_bytes(partition, study.network.weight_layers)


def smallest(study: Study) -> Iterator[Row]:
    for encoding in Encoding:
        for bits in (None, 4, 5, 6):
            for ranking in (Ranking.FISHER_PER_BYTE, Ranking.FISHER):
                crossbar, variation = Crossbar(encoding=encoding, adc_bits=bits), Variation.parse(STRONGEST)
                units = study.units(ranking)
                best = smallest_fraction(
                    study.runner, study.network, units, crossbar, variation, max_loss=2.0, trials=study.trials,
                    seed=SEED,
                )  # fmt: skip
                moved = partition_bytes(best.partition, study.network.weight_layers)
                about = {"encoding": encoding, "adc_bits": bits, "ranking": ranking}
                yield about | figures(best.result) | moved
            at = units.count(best.partition.facts["digital_fraction"])
            random = study.units(Ranking.RANDOM)
            partition = random.partition(random.count(units.fraction(at)))
            result = evaluate(
                study.runner, study.network, partition, crossbar, variation, trials=study.trials, seed=SEED
            )
            moved = partition_bytes(partition, study.network.weight_layers)
            yield {"encoding": encoding, "adc_bits": bits, "ranking": Ranking.RANDOM} | figures(result) | moved


def speed(study: Study) -> Iterator[Row]:
    variation, images = Variation.parse(STRONGEST), study.images.images
    start = time.process_time()
    study.network.predict(images, Digital(study.network))
    forward = (time.process_time() - start) / len(images)
    yield {"engine": "noiseless forward", "ms_per_image": 1000 * forward, "times_forward": 1.0}
    for encoding in Encoding:
        for engine, crossbar, few in (
            (FastEngine, Crossbar(encoding=encoding), images),
            (FastEngine, Crossbar(encoding=encoding, adc_bits=6), images),
            (BitSerialEngine, Crossbar(encoding=encoding, adc_bits=8, conversion="slice"), images[:64]),
        ):
            hybrid = Hybrid(study.network, crossbar)
            adcs = calibrate_adcs(hybrid, variation, images)
            start = time.process_time()
            study.network.predict(few, engine(hybrid, variation, Chip(SEED, 0), adcs))
            each = (time.process_time() - start) / len(few)
            yield {
                "engine": engine.__name__, "encoding": encoding, "adc_bits": crossbar.adc_bits,
                "ms_per_image": 1000 * each, "times_forward": each / forward,
            }  # fmt: skip


PARTS = {"collapse": collapse, "recovery": recovery, "smallest": smallest, "speed": speed}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--subnet", default="largest", show_default=True)
@click.option("--trials", default=20, show_default=True)
@click.option("--images", default=1000, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("fastswitch-out"), show_default=True)
def main(parts: tuple[str, ...], subnet: str, trials: int, images: int, out: Path) -> None:
    """Run the parts (all of them, if none is named)."""
    out.mkdir(parents=True, exist_ok=True)
    study = Study(subnet, images, trials)
    for part in parts or PARTS:
        rows: list[Row] = []
        for row in PARTS[part](study):
            rows.append(row)
            print(" ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()), flush=True)
            pd.DataFrame(rows).to_csv(out / f"harmonica-{part}.csv", index=False)


if __name__ == "__main__":
    main()
