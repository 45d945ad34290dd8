"""``fastswitch.noise``: a SubNet whose weights are on noisy analog crossbars, part of them digital."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from arch_model.analog import Crossbar, Variation
from arch_model.errors import AnalogError
from arch_model.files.shown import shown
from arch_model.network.weights import SuperNetWeights
from arch_model.spaces.trained import weights_of
from mapper.hybrid.partition import Ranking
from mapper.importers import Network as Imported
from mapper.importers.spaces import Source, load_supernet, model_paths, read_model
from sim.noise.engine.network import Network
from sim.noise.sensitivity.gradients import sensitivity
from sim.noise.sensitivity.images import (
    LabelledImages,
    data_of,
    find_ranking_images,
    find_test_images,
    images_for,
    read_images,
)
from sim.noise.sensitivity.monte_carlo import NoiseResult, Runner
from sim.noise.sensitivity.search import evaluate, needs_gradients, rank_network


def noise(
    supernet: Source = "fashion",
    subnet: str = "largest",
    variation: Variation | str = "lognormal:0.5",
    digital: Sequence[float] = (0.0,),
    ranking: Ranking | str = Ranking.FISHER_PER_BYTE,
    adc_bits: int | None = None,
    crossbar: Crossbar | None = None,
    images: int = 500,
    ranking_images: int = 512,
    trials: int = 5,
    jobs: int = 1,
    weights: SuperNetWeights | None = None,
    seed: int = 0,
    data: str | Path | None = None,
) -> list[NoiseResult]:
    """The accuracy of a SubNet on analog crossbars whose cells vary, with part of its weights digital instead.

    Parameters
    ----------
    supernet : the SuperNet whose the weights are; or its name; or an imported network, quantised, or its ONNX model.
    subnet : the name of a SubNet that the weights have integers of, or ``"smallest"`` or ``"largest"``.
    variation : of a cell's conductance, such as ``"lognormal:0.5"``.
    digital : shares of the weights, 0 to 1, that stay digital, as whole input channels.
    ranking : which channels come first: ``"fisher-per-byte"``, ``"fisher"``, ``"gradient"``, ``"magnitude"``,
        ``"random"``, ``"first-last"``, or ``"weights"`` for single weights.
    adc_bits : of every converter. None: an ideal conversion, or that of ``crossbar``.
    crossbar : the arrays, cells and converters. None: differential pairs of 2-bit cells, 128 x 128.
    images, ranking_images : how many test images, and how many that gradients are taken on.
    trials : chips, drawn from ``seed``.
    jobs : processes.
    weights : a weights file as it was read. None: that which ships of the SuperNet; of ``cifar`` that has no images, so
        give ``dataclasses.replace(load_weights(...), images=..., labels=...)``.
    seed : of the chips and of a random ranking.
    data : an npz file with images (N, C, H, W) and labels (N,), of an imported network.

    Returns
    -------
    list of NoiseResult
        One for each share: ``accuracies`` of the chips, ``accuracy_clean`` of the int8 network.

    Raises
    ------
    AnalogError
        A value is none that a crossbar, a variation or a ranking has, or there are not so many images.

    Examples
    --------
    >>> some, all_digital = noise(subnet="smallest", digital=(0.2, 1.0), images=20, ranking_images=20, trials=1)
    >>> all_digital.accuracies == [all_digital.accuracy_clean]
    True
    """
    network, test, rank_on = _imported(supernet, images, ranking_images, data) or _trained(
        supernet, subnet, weights, images, ranking_images
    )
    drawn = Variation.parse(variation) if isinstance(variation, str) else variation
    if ranking not in tuple(Ranking):
        raise AnalogError(f"ranking is {shown(ranking)}; give one of {', '.join(Ranking)}")
    order, arrays = Ranking(ranking), crossbar or Crossbar()
    if adc_bits is not None:
        arrays = replace(arrays, adc_bits=adc_bits)
    found = sensitivity(network, rank_on()) if needs_gradients(order) else None
    units = rank_network(network, order, found, seed)
    with Runner(test, jobs) as runner:
        return [
            evaluate(runner, network, units.partition(units.count(share)), arrays, drawn, trials=trials, seed=seed)
            for share in digital
        ]


_Ready = tuple[Network, LabelledImages, Callable[[], LabelledImages]]
"""A network, its test images, and what gives images to rank on."""


def _imported(source: Source, images: int, ranking_images: int, data: str | Path | None) -> _Ready | None:
    """An ONNX model or an imported network with its images; None if the source is something else."""
    paths = model_paths(source) if isinstance(source, str | Path) else []
    if not paths and not isinstance(source, Imported):
        if data is not None:
            raise AnalogError(f"data is {data}; it goes with an imported network, SubNets have images of their own")
        return None
    if len(paths) > 1:
        raise AnalogError(f"{len(paths)} models are given; noise takes one network")
    imported = source if isinstance(source, Imported) else read_model(paths[0])
    network = Network.of_import(imported)
    if data is None:
        raise AnalogError(
            f"network {network.name}: its images are not known; give data, an npz file with images, labels"
        )
    real, labels = read_images(Path(data))
    whole = images_for(imported, real, labels, str(data))
    return network, whole.first(images), lambda: whole.first(min(ranking_images, len(whole.images)))


def _trained(source: Source, subnet: str, weights: SuperNetWeights | None, images: int, ranking_images: int) -> _Ready:
    """A SubNet that the weights have integers of."""
    space = load_supernet(source)
    held = weights_of(space) if weights is None else weights
    network, data = Network.of_subnet(subnet, held, space), data_of(space)
    return network, find_test_images(held, images, data), lambda: find_ranking_images(held, ranking_images, data)
