"""What the commands ``noise`` and ``partition`` do: from names and files to results."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from arch_model.analog import Crossbar, Variation
from arch_model.files.question import asked, digest
from arch_model.files.result_file import ResultFile
from arch_model.files.results_folder import ResultsFolder
from arch_model.network.supernet import SuperNet
from arch_model.spaces.fashion import NAME as FASHION
from arch_model.spaces.trained import weights_of
from mapper.hybrid.partition import PARTITION, Partition, Ranking, partition_bytes
from mapper.importers.spaces import read_model
from sim.noise.engine.hybrid import Hybrid
from sim.noise.engine.network import Network
from sim.noise.sensitivity.gradients import sensitivity
from sim.noise.sensitivity.images import (
    LabelledImages,
    data_of,
    find_ranking_images,
    find_test_images,
    images_for,
    read_images,
    with_images,
)
from sim.noise.sensitivity.monte_carlo import EngineName, Runner, Trial
from sim.noise.sensitivity.search import needs_gradients, rank_network, smallest_fraction

TRIALS = "trials.jsonl"
"""Finished trials, in the folder of ``fastswitch partition``."""

RANKING_IMAGES = 512
"""Images that gradients are taken on."""


@dataclass(frozen=True, eq=False)
class Question:
    """A network under noise, the crossbar, the variation, the effort.

    Attributes
    ----------
    subnet : a name, smallest or largest, of the SuperNet.
    crossbar : the arrays.
    variation : of the cells.
    trials : chips.
    seed : of all chips.
    images : on which accuracy is measured.
    engine : how sums are made.
    jobs : processes. None: one for each core.
    weights : a weights file. None: that of the SuperNet, which ships.
    onnx : a model to run instead of a SubNet.
    data : its images and labels, an npz file. None: Fashion-MNIST as pixels of 0..1. Of weights that come without test
        images it has those of the SubNet.
    space : the SuperNet whose the weights are.
    """

    subnet: str
    crossbar: Crossbar
    variation: Variation
    trials: int
    seed: int
    images: int = 1000
    engine: EngineName = EngineName.AUTO
    jobs: int | None = None
    weights: Path | None = None
    onnx: Path | None = None
    data: Path | None = None
    space: SuperNet | str = FASHION

    @property
    def inputs(self) -> list[Path | None]:
        """Files that are read, None where none is given."""
        return [self.weights, self.onnx, self.data]

    def facts(self, network: Network, images: LabelledImages) -> dict[str, Any]:
        """All that trials depend on: what :meth:`open` gave, and the rest.

        Parameters
        ----------
        network : with its integers.
        images : on which accuracy is measured.
        """
        return {
            "subnet": network.name,
            "network_hash": network.hash,
            "variation": str(self.variation),
            "crossbar": self.crossbar.to_dict(),
            "engine": str(self.engine),
            "trials": self.trials,
            "seed": self.seed,
            "images": self.images,
            "images_from": images.source,
            "images_hash": images.hash,
        }

    def open(self) -> tuple[Network, LabelledImages, LabelledImages, Callable[[LabelledImages], Runner]]:
        """The network, its test images, images to rank on, and what makes a runner.

        Raises
        ------
        AnalogError
            ``data`` was given for a SubNet that has images, or the network or the images cannot be used.
        """
        jobs = default_jobs(self.trials) if self.jobs is None else min(self.jobs, self.trials)
        weights = weights_of(self.space, self.weights)
        if self.onnx is None:
            network, data = Network.of_subnet(self.subnet, weights, self.space), data_of(self.space)
            if self.data is not None:
                weights = with_images(weights, network, self.data)
            test = find_test_images(weights, self.images, data)
            rank_on = find_ranking_images(weights, RANKING_IMAGES, data)
        else:
            imported = read_model(self.onnx)
            network = Network.of_import(imported)
            if self.data is not None:
                real, labels = read_images(self.data)
                test = images_for(imported, real, labels, str(self.data)).first(self.images)
                rank_on = test.first(min(RANKING_IMAGES, self.images))
            else:
                test, rank_on = (
                    images_for(imported, (found.images[:, None] / 255).astype(np.float32), found.labels, found.source)
                    for found in (find_test_images(weights, self.images), find_ranking_images(weights, RANKING_IMAGES))
                )
        return network, test, rank_on, lambda images: Runner(images, jobs)


def default_jobs(trials: int) -> int:
    """As many processes as cores and trials allow."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(trials, cores))


def run_noise(
    question: Question,
    *,
    partition: Path | None = None,
    csv: Path | None = None,
    force: bool = False,
    on_trial: Callable[[Trial], None] = lambda trial: None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> dict[str, Any]:
    """Monte Carlo of a network, all analog or with a partition's digital half.

    Parameters
    ----------
    question : what is asked.
    partition : what stays digital, a file or a folder of ``fastswitch partition``.
    csv : the file of trials, an :class:`~arch_model.files.result_file.ResultFile`: the same call goes on behind those
        that are finished. ``force``: as of that.
    force : as :class:`~arch_model.files.result_file.ResultFile` takes it.
    on_trial : called with each trial, also those of an earlier run.
    on_stage : called with what is begun.

    Returns
    -------
    dict
        The :meth:`~sim.noise.sensitivity.monte_carlo.NoiseResult.summary`.
    """
    split = None if partition is None else Partition.read(partition)
    network, images, _, open_runner = question.open()
    masks = {} if split is None else split.masks(network.weight_layers, network.hash)
    hybrid = Hybrid(network, question.crossbar, masks)
    digital = "none" if split is None else digest(split.to_json())
    facts = asked("noise", **question.facts(network, images), partition=digital)
    inputs = [*question.inputs, None if partition is None else Partition.place(partition)]
    with ResultFile(csv, facts, inputs, force) as trials:
        on_stage("ranges and noiseless accuracy")
        with open_runner(images) as runner:
            result = runner.run(
                hybrid,
                question.variation,
                trials=question.trials,
                seed=question.seed,
                engine=question.engine,
                on_trial=on_trial,
                kept=trials,
            )
        trials.finish({"trial": trial.trial, "accuracy": trial.accuracy} for trial in result.trials)
    return result.summary()


def run_partition(
    question: Question,
    *,
    ranking: Ranking,
    max_loss: float,
    out: Path,
    force: bool = False,
    on_try: Callable[[float, float], None] = lambda fraction, loss: None,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> dict[str, Any]:
    """The smallest digital half for a loss that is small enough, written to ``out``/partition.json.

    Trials are kept in the folder as they finish, and the same call goes on behind them.

    Parameters
    ----------
    question : what is asked.
    ranking : which channels become digital first.
    max_loss : percentage points below the int8 network.
    out, force : a :class:`~arch_model.files.results_folder.ResultsFolder`.
    on_try : called with the digital fraction and the loss of each try.
    on_stage : called with what is begun.
    """
    network, images, rank_on, open_runner = question.open()
    ranked_on = {}
    if needs_gradients(ranking):
        ranked_on = {"ranked_on": rank_on.source, "ranked_on_images": len(rank_on.images)}
    asks = {"ranking": str(ranking), "max_loss_points": max_loss, **ranked_on}
    facts = asked("partition", **question.facts(network, images), **asks)
    with ResultsFolder(out, facts, [PARTITION, TRIALS], question.inputs, force) as results:
        found = None
        if needs_gradients(ranking):
            on_stage(f"gradients of {len(rank_on.images)} images of {rank_on.source}")
            found = sensitivity(network, rank_on)
        units = rank_network(network, ranking, found, question.seed)
        on_stage("smallest fraction")
        with results.journal(TRIALS) as trials, open_runner(images) as runner:
            best = smallest_fraction(
                runner,
                network,
                units,
                question.crossbar,
                question.variation,
                max_loss=max_loss,
                trials=question.trials,
                seed=question.seed,
                engine=question.engine,
                on_try=on_try,
                kept=trials,
            )
        more = {**best.partition.facts, **ranked_on, "loss_points": best.result.loss_points}
        partition = replace(best.partition, facts=more)
        results.write(PARTITION, partition.to_json() + "\n")
    moved = {f"{key}_bytes": n for key, n in partition_bytes(partition, network.weight_layers).items()}
    written = {"out": out / PARTITION}
    return best.result.summary() | {"ranking": str(ranking), "max_loss_points": max_loss} | moved | written
