"""What all parts of the whole study share: the network, its images, its sensitivity, the processes, the folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from arch_model.analog import Crossbar, Variation
from arch_model.errors import AnalogError
from arch_model.files.question import asked, digest, machine_facts
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SuperNet
from arch_model.network.weights import SuperNetWeights
from arch_model.spaces import get_space
from mapper.hybrid.partition import Partition, RankedUnits, Ranking
from sim.noise.engine.hybrid import Hybrid
from sim.noise.engine.network import Network
from sim.noise.sensitivity.gradients import Sensitivity, sensitivity
from sim.noise.sensitivity.images import LabelledImages, find_ranking_images, find_test_images
from sim.noise.sensitivity.monte_carlo import NoiseResult, Runner
from sim.noise.sensitivity.search import needs_gradients, rank_network
from sim.noise.study.tables import Row


@dataclass(frozen=True)
class Effort:
    """How much is computed.

    Attributes
    ----------
    images, trials : of most points.
    full_images, full_trials : of the headline.
    rank_images : that gradients are taken on.
    subnets : that are compared.
    resolution : of fractions.
    """

    images: int = 500
    trials: int = 20
    full_images: int = 10_000
    full_trials: int = 5
    rank_images: int = 512
    subnets: int = 19
    resolution: float = 1 / 64

    def __post_init__(self) -> None:
        for name in ("images", "trials", "full_images", "full_trials", "rank_images", "subnets"):
            if getattr(self, name) < 1:
                raise AnalogError(f"{name} is {getattr(self, name)}; give at least 1")


class StudyContext:
    """A network and everything that is measured on it; close it, or use ``with``.

    Parameters
    ----------
    subnet : its name.
    weights : a weights file as it was read, of ``supernet``.
    folder : for results.
    sigma : of the cells' variation.
    max_loss : percentage points that a partition may lose.
    seed : of all chips.
    effort : how much is computed.
    accelerator : of the digital half.
    jobs : processes.
    supernet : whose the weights are; or its name.
    """

    def __init__(
        self,
        subnet: str,
        weights: SuperNetWeights,
        folder: Path,
        *,
        sigma: float = 0.5,
        max_loss: float = 2.0,
        seed: int = 1,
        effort: Effort | None = None,
        accelerator: Accelerator | None = None,
        jobs: int = 1,
        supernet: SuperNet | str = "fashion",
    ) -> None:
        self.supernet = get_space(supernet)
        self.weights, self.folder, self.sigma, self.max_loss, self.seed = weights, folder, sigma, max_loss, seed
        self.effort, self.jobs = effort or Effort(), jobs
        self.accelerator = accelerator or Accelerator.load("tiny")
        self.network = Network.of_subnet(subnet, weights, self.supernet)
        self.strongest = Variation.parse(f"lognormal:{sigma:g}")
        self.images = find_test_images(weights, self.effort.images)
        self.rows: dict[str, list[Row]] = {}
        """Of each part, those that are there by now."""
        self._runners: dict[int, Runner] = {}

    def close(self, kill: bool = False) -> None:
        """End the other processes, after the chips that they are at or, with ``kill``, at once."""
        for runner in self._runners.values():
            runner.close(kill)
        self._runners.clear()

    def __enter__(self) -> StudyContext:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(kill=kind is not None)

    def facts(self) -> dict[str, Any]:
        """All that the study's tables depend on; which of its parts are run is not among it."""
        return asked(
            "hybrid",
            subnet=self.network.name,
            network_hash=self.network.hash,
            family_hash=digest(
                [Network.of_subnet(name, self.weights, self.supernet).hash for name in self.weights.subnets]
            ),
            sigma=self.sigma,
            max_loss_points=self.max_loss,
            seed=self.seed,
            **asdict(self.effort),
            images_from=self.images.source,
            images_hash=self.full_images.hash,
            ranked_on=self.rank_on.source,
            **machine_facts(self.accelerator),
        )

    @property
    def runner(self) -> Runner:
        """Of the images of most points."""
        return self._runner(self.images)

    @cached_property
    def full_images(self) -> LabelledImages:
        """The images of the headline: as many as are wanted, or all that there are."""
        wanted = self.effort.full_images
        if wanted <= len(self.weights.images):
            return find_test_images(self.weights, wanted)
        try:
            return find_test_images(self.weights, wanted)
        except AnalogError:  # the data set is not installed
            return find_test_images(self.weights, len(self.weights.images))

    @property
    def full_runner(self) -> Runner:
        """Of the headline's images; the other runner's processes end."""
        return self._runner(self.full_images)

    def _runner(self, images: LabelledImages) -> Runner:
        count = len(images.images)
        if count not in self._runners:
            self.close()
            self._runners[count] = Runner(images, self.jobs)
        return self._runners[count]

    @cached_property
    def rank_on(self) -> LabelledImages:
        """Images that gradients are taken on."""
        return find_ranking_images(self.weights, self.effort.rank_images)

    @cached_property
    def sensitivity(self) -> Sensitivity:
        """Of the network's weights."""
        return sensitivity(self.network, self.rank_on)

    def units(self, ranking: Ranking) -> RankedUnits:
        """What can become digital, in order."""
        found = self.sensitivity if needs_gradients(ranking) else None
        return rank_network(self.network, ranking, found, self.seed)

    def run(
        self,
        crossbar: Crossbar,
        variation: Variation,
        partition: Partition | None = None,
        *,
        trials: int | None = None,
        runner: Runner | None = None,
    ) -> NoiseResult:
        """Monte Carlo with the study's seed.

        Parameters
        ----------
        crossbar : the arrays.
        variation : of the cells.
        partition : what is digital. None: nothing.
        trials : chips. None: those of the effort.
        runner : runs them. None: the study's.
        """
        masks = {} if partition is None else partition.masks(self.network.weight_layers, self.network.hash)
        hybrid = Hybrid(self.network, crossbar, masks)
        count = self.effort.trials if trials is None else trials
        return (runner or self.runner).run(hybrid, variation, trials=count, seed=self.seed)

    def split_path(self, encoding: str, adc_bits: int | None) -> Path:
        """Where the smallest partition for an encoding and its ADCs is kept.

        Parameters
        ----------
        encoding : of the weights.
        adc_bits : of the ADCs. None: ideal ones.
        """
        return self.folder / split_name(encoding, adc_bits)

    def split(self, encoding: str, adc_bits: int | None) -> Partition:
        """The smallest partition that the study has found.

        Parameters
        ----------
        encoding : of the weights.
        adc_bits : of the ADCs. None: ideal ones.

        Raises
        ------
        AnalogError
            That part of the study has not run.
        """
        return Partition.read(self.split_path(encoding, adc_bits))


def split_name(encoding: str, adc_bits: int | None) -> str:
    """The name of a partition's file.

    Parameters
    ----------
    encoding : of the weights.
    adc_bits : of the ADCs. None: ideal ones.

    Examples
    --------
    >>> split_name("offset", None)
    'split-offset-ideal.json'
    """
    return f"split-{encoding}-{'ideal' if adc_bits is None else adc_bits}.json"


def figures(result: NoiseResult, prefix: str = "") -> Mapping[str, Any]:
    """The columns of a result: fraction digital, trials, images, mean, its 95 % interval, 5th percentile, loss.

    Parameters
    ----------
    result : of Monte Carlo.
    prefix : of the columns' names.
    """
    summary = result.summary()
    low, high = summary["accuracy_ci95"]
    return {
        f"{prefix}{key}": value
        for key, value in {
            "digital_fraction": summary["digital_fraction"],
            "trials": summary["trials"],
            "images": summary["images"],
            "accuracy_clean": summary["accuracy_clean"],
            "accuracy_noiseless": summary["accuracy_noiseless"],
            "accuracy_mean": summary["accuracy_mean"],
            "accuracy_low": low,
            "accuracy_high": high,
            "accuracy_p5": summary["accuracy_p5"],
            "loss_points": summary["loss_points"],
        }.items()
    }
