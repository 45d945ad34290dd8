"""Monte Carlo over chips: the same accuracies from equal seeds, in one process or in many."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import version
from statistics import NormalDist
from typing import Any, Protocol

import numpy as np
import pandas as pd

from arch_model.analog import Conversion, Variation
from arch_model.errors import AnalogError
from sim.noise.engine.bit_serial import BitSerialEngine
from sim.noise.engine.calibration import calibrate_adcs
from sim.noise.engine.chip import Chip
from sim.noise.engine.digital import Digital
from sim.noise.engine.effective_weight import FastEngine
from sim.noise.engine.hybrid import Adcs, Hybrid, HybridEngine, require_fast
from sim.noise.engine.network import Network
from sim.noise.sensitivity.images import LabelledImages
from sim.workers import Workers


class EngineName(StrEnum):
    """Which engine runs a trial; ``auto`` is the fast one wherever it is exact."""

    AUTO = "auto"
    FAST = "fast"
    BIT_SERIAL = "bit-serial"


@dataclass(frozen=True)
class Trial:
    """One chip.

    Attributes
    ----------
    trial : its number.
    accuracy : fraction of the images whose class is right.
    seconds : of this process's CPU.
    """

    trial: int
    accuracy: float
    seconds: float


@dataclass(frozen=True, eq=False)
class NoiseResult:
    """What was asked, whole, and what came out.

    Attributes
    ----------
    hybrid, variation, engine, seed, images : what was asked.
    accuracy_clean : fraction right of the int8 network.
    accuracy_noiseless : of the chip as intended with its ADCs.
    clean_seconds : that the int8 network took.
    trials : the chips.
    """

    hybrid: Hybrid
    variation: Variation
    engine: EngineName
    seed: int
    images: LabelledImages = field(repr=False)
    accuracy_clean: float
    accuracy_noiseless: float
    clean_seconds: float
    trials: tuple[Trial, ...]

    @property
    def accuracies(self) -> list[float]:
        """Of the trials, in order."""
        return [t.accuracy for t in self.trials]

    @property
    def loss_points(self) -> float:
        """Percentage points between the int8 network and the mean of the trials."""
        return 100 * (self.accuracy_clean - float(np.mean(self.accuracies)))

    def specification(self) -> dict[str, Any]:
        """All that another needs to get the same accuracies."""
        network, analog = self.hybrid.network, self.hybrid.analog_weights
        weights = sum(layer.weight_bytes for layer in network.weight_layers)
        return {
            "subnet": network.name,
            "network_hash": network.hash,
            "variation": str(self.variation),
            "variation_fields": self.variation.to_dict(),
            "crossbar": self.hybrid.crossbar.to_dict(),
            "digital_fraction": 1 - analog / weights,
            "engine": str(self.engine),
            "seed": self.seed,
            "trials": len(self.trials),
            "images": len(self.images.images),
            "images_from": self.images.source,
            "version": version("fastswitch"),
        }

    def summary(self) -> dict[str, Any]:
        """The specification and the figures; ``accuracy_ci95`` is the interval of the mean (Student)."""
        n = len(self.images.images)
        return self.specification() | {
            "accuracy_clean": self.accuracy_clean,
            "accuracy_noiseless": self.accuracy_noiseless,
            "accuracy_mean": float(np.mean(self.accuracies)),
            "accuracy_ci95": list(mean_interval(self.accuracies)),
            "accuracy_p5": float(np.percentile(self.accuracies, 5)),
            "loss_points": self.loss_points,
            "seconds_per_1000_images": float(np.mean([t.seconds for t in self.trials])) * 1000 / n,
            "clean_seconds_per_1000_images": self.clean_seconds * 1000 / n,
        }

    def to_frame(self) -> pd.DataFrame:
        """A table with a row for each trial."""
        return pd.DataFrame([vars(t) for t in self.trials])


class Kept(Protocol):
    """Finished pieces of work by key, such as a :class:`~arch_model.files.journal.Journal`."""

    def get(self, key: str) -> Any:
        """The piece of that key, or None."""

    def add(self, key: str, value: Any) -> None:
        """Keep a piece of work.

        Parameters
        ----------
        key : of the piece.
        value : anything that JSON can hold.
        """


class Runner:
    """Runs trials in this process or in others, which keep the images. Close it, or use ``with``.

    Parameters
    ----------
    images : on which accuracy is measured.
    jobs : processes; 1: this one.

    Raises
    ------
    AnalogError
        ``jobs`` is below 1.
    """

    def __init__(self, images: LabelledImages, jobs: int = 1) -> None:
        if jobs < 1:
            raise AnalogError(f"jobs is {jobs}; give at least 1")
        self.images = images
        self._clean: dict[str, tuple[float, float]] = {}
        self._workers = Workers(jobs, _keep_images, images) if jobs > 1 else None

    def close(self, kill: bool = False) -> None:
        """End the other processes, after the chips that they are at or, with ``kill``, at once."""
        if self._workers:
            self._workers.close(kill)

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(kill=kind is not None)

    def run(
        self,
        hybrid: Hybrid,
        variation: Variation,
        *,
        trials: int,
        seed: int,
        engine: EngineName = EngineName.AUTO,
        on_trial: Callable[[Trial], None] = lambda trial: None,
        is_enough: Callable[[float, Sequence[float]], bool] = lambda clean, accuracies: False,
        kept: Kept | None = None,
        key: str = "",
    ) -> NoiseResult:
        """Evaluate chips.

        Parameters
        ----------
        hybrid : the network and its crossbars.
        variation : of the cells.
        trials : chips.
        seed : of all chips.
        engine : how sums are made.
        on_trial : called with each chip, in order.
        is_enough : whether no more are needed, by the clean accuracy and the accuracies so far.
        kept : where trials go as they finish; what is there is not computed anew.
        key : with which their keys begin.

        Raises
        ------
        AnalogError
            ``trials`` is below 1.
        """
        if trials < 1:
            raise AnalogError(f"trials is {trials}; give at least 1")
        if seed < 0:
            raise AnalogError(f"seed is {seed}; give at least 0")
        engine = choose_engine(hybrid, engine)
        if engine is EngineName.FAST:
            require_fast(hybrid.crossbar)
        adcs = calibrate_adcs(hybrid, variation, self.images.images)
        clean, clean_seconds = self._clean_accuracy(hybrid.network)
        intended = accuracy(hybrid.network, _CLASSES[engine](hybrid, variation, None, adcs), self.images)
        done = []
        known = {} if kept is None else _known(kept, key, trials)
        for trial in self._trials(hybrid, variation, engine, adcs, seed, trials, known):
            done.append(trial)
            if kept is not None and trial.trial not in known:
                kept.add(f"{key}{trial.trial}", {"accuracy": trial.accuracy, "seconds": trial.seconds})
            on_trial(trial)
            if is_enough(clean, [t.accuracy for t in done]):
                break
        return NoiseResult(hybrid, variation, engine, seed, self.images, clean, intended, clean_seconds, tuple(done))

    def _clean_accuracy(self, network: Network) -> tuple[float, float]:
        """Of the int8 network, with the CPU seconds that it took; kept, for a study asks again and again."""
        if network.hash not in self._clean:
            start = time.process_time()
            right = accuracy(network, Digital(network), self.images)
            self._clean[network.hash] = right, time.process_time() - start
        return self._clean[network.hash]

    def _trials(
        self,
        hybrid: Hybrid,
        variation: Variation,
        engine: EngineName,
        adcs: Adcs,
        seed: int,
        trials: int,
        known: Mapping[int, Trial],
    ) -> Iterator[Trial]:
        """All trials in order, those that are not known computed."""
        tasks = [(hybrid, variation, engine, adcs, Chip(seed, trial)) for trial in range(trials) if trial not in known]
        made: Generator[Trial, None, None]
        if self._workers is None:
            made = (run_trial(*task, self.images) for task in tasks)
        else:
            made = self._workers.map(_run_kept, tasks)
        with closing(made):
            for trial in range(trials):
                yield known[trial] if trial in known else next(made)


def _known(kept: Kept, key: str, trials: int) -> dict[int, Trial]:
    """The finished trials."""
    found = {trial: kept.get(f"{key}{trial}") for trial in range(trials)}
    return {trial: Trial(trial, piece["accuracy"], piece["seconds"]) for trial, piece in found.items() if piece}


def run_trial(
    hybrid: Hybrid, variation: Variation, engine: EngineName, adcs: Adcs, chip: Chip, images: LabelledImages
) -> Trial:
    """One chip, or, if variation is cycle to cycle, one chip programmed afresh for each image.

    Parameters
    ----------
    hybrid : the network and its crossbars.
    variation : of the cells.
    engine : how sums are made.
    adcs : by layer.
    chip : its seed and number.
    images : on which accuracy is measured.
    """
    start = time.process_time()
    make = _CLASSES[engine]
    if variation.is_static:
        right = accuracy(hybrid.network, make(hybrid, variation, chip, adcs), images)
    else:
        hits = 0
        for i, (image, label) in enumerate(zip(images.images, images.labels, strict=True)):
            afresh = make(hybrid, variation, Chip(chip.seed, chip.trial, i), adcs)
            hits += int(hybrid.network.forward(image[None], afresh).argmax()) == label
        right = hits / len(images.images)
    return Trial(chip.trial, right, time.process_time() - start)


def accuracy(network: Network, engine: Any, images: LabelledImages) -> float:
    """Fraction of images whose class is right.

    Parameters
    ----------
    network : with its integers.
    engine : makes the sums of products.
    images : with their labels.
    """
    return float(np.mean(network.predict(images.images, engine) == images.labels))


def choose_engine(hybrid: Hybrid, engine: EngineName) -> EngineName:
    """The engine that ``auto`` stands for.

    Parameters
    ----------
    hybrid : the network and its crossbars.
    engine : that was asked for.
    """
    if engine is not EngineName.AUTO:
        return engine
    crossbar = hybrid.crossbar
    sliced = crossbar.has_adc and crossbar.conversion is Conversion.SLICE
    return EngineName.BIT_SERIAL if sliced else EngineName.FAST


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The interval of the mean of normal values with Student's t; (nan, nan) for one value.

    Parameters
    ----------
    values : at least one.
    confidence : 0 to 1.

    Examples
    --------
    >>> low, high = mean_interval([1.0, 2.0, 3.0])             # 2 +- 4.3027 / sqrt(3)
    >>> round(low, 3), round(high, 3)
    (-0.484, 4.484)
    """
    n = len(values)
    if n < 2:
        return math.nan, math.nan
    half = _student(n - 1, confidence) * float(np.std(values, ddof=1)) / math.sqrt(n)
    mean = float(np.mean(values))
    return mean - half, mean + half


def _student(freedom: int, confidence: float) -> float:
    """Two-sided quantile of Student's t.

    Exact for 1 and 2 degrees of freedom, else its expansion about the normal's (Abramowitz and Stegun 26.7.5), which is
    within 0.5 % from 3 on.
    """
    p = 0.5 + confidence / 2
    if freedom == 1:
        return math.tan(math.pi * (p - 0.5))
    if freedom == 2:
        return (2 * p - 1) * math.sqrt(2 / (4 * p * (1 - p)))
    z, v = NormalDist().inv_cdf(p), freedom
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return math.fsum(term / v**i for i, term in enumerate(terms))


_CLASSES: dict[EngineName, type[HybridEngine]] = {
    EngineName.FAST: FastEngine,
    EngineName.BIT_SERIAL: BitSerialEngine,
}

_kept: list[LabelledImages] = []  # of a worker process


def _keep_images(images: LabelledImages) -> None:
    _kept[:] = [images]


def _run_kept(hybrid: Hybrid, variation: Variation, engine: EngineName, adcs: Adcs, chip: Chip) -> Trial:
    return run_trial(hybrid, variation, engine, adcs, chip, _kept[0])
