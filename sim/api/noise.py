"""``fastswitch.noise``: a SubNet whose weights are on noisy analog crossbars, part of them digital."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from arch_model.analog import Crossbar, Variation
from arch_model.errors import AnalogError
from arch_model.files.shown import shown
from arch_model.network.supernet import SuperNet
from arch_model.network.weights import SuperNetWeights
from arch_model.spaces import load_supernet
from arch_model.spaces.trained import weights_of
from mapper.hybrid.partition import Ranking
from sim.noise.engine.network import Network
from sim.noise.sensitivity.gradients import sensitivity
from sim.noise.sensitivity.images import data_of, find_ranking_images, find_test_images
from sim.noise.sensitivity.monte_carlo import NoiseResult, Runner
from sim.noise.sensitivity.search import evaluate, needs_gradients, rank_network


def noise(
    supernet: SuperNet | str | Path = "fashion",
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
) -> list[NoiseResult]:
    """The accuracy of a SubNet on analog crossbars whose cells vary, with part of its weights digital instead.

    Parameters
    ----------
    supernet : the SuperNet whose the weights are; or its name.
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
    space = load_supernet(supernet)
    held = weights_of(space) if weights is None else weights
    network, data = Network.of_subnet(subnet, held, space), data_of(space)
    drawn = Variation.parse(variation) if isinstance(variation, str) else variation
    if ranking not in tuple(Ranking):
        raise AnalogError(f"ranking is {shown(ranking)}; give one of {', '.join(Ranking)}")
    order, arrays = Ranking(ranking), crossbar or Crossbar()
    if adc_bits is not None:
        arrays = replace(arrays, adc_bits=adc_bits)
    found = sensitivity(network, find_ranking_images(held, ranking_images, data)) if needs_gradients(order) else None
    units = rank_network(network, order, found, seed)
    with Runner(find_test_images(held, images, data), jobs) as runner:
        return [
            evaluate(runner, network, units.partition(units.count(share)), arrays, drawn, trials=trials, seed=seed)
            for share in digital
        ]
