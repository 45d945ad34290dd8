"""What the study's parts take for granted."""

import numpy as np
import pytest

from arch_model.analog import Crossbar, Encoding, Variation
from arch_model.errors import FastSwitchError
from arch_model.network.weights import load_weights
from sim.noise.engine.chip import Chip
from sim.noise.engine.digital import Digital
from sim.noise.engine.effective_weight import FastEngine
from sim.noise.engine.hybrid import Hybrid
from sim.noise.study.context import Effort, StudyContext
from sim.noise.study.parts import MONTE_CARLO
from sim.noise.study.whole_study import NAMES
from tests.sim.noise.small_nets import residual


def test_with_ideal_adcs_a_pair_s_columns_may_be_converted_together_or_apart():
    """The study computes such rows once; with ADCs they differ."""
    network = residual(4)
    images = np.random.default_rng(1).integers(0, 256, (4, 2, 9, 9)).astype(np.uint8)
    noise, sums = Variation.parse("lognormal:0.5"), {}
    layer, u = network.weight_layers[0], np.ascontiguousarray(images.transpose(1, 0, 2, 3))
    for encoding in (Encoding.DIFFERENTIAL, Encoding.SIGN_MAGNITUDE):
        engine = FastEngine(Hybrid(network, Crossbar(encoding=encoding)), noise, Chip(1, 0))
        sums[encoding] = engine.accumulate(layer, u, 0)
    assert (sums[Encoding.DIFFERENTIAL] == sums[Encoding.SIGN_MAGNITUDE]).all()
    assert np.abs(sums[Encoding.DIFFERENTIAL] - Digital(network).accumulate(layer, u, 0)).max() > 100


def test_every_part_has_a_place_and_points_that_differ(tmp_path):
    with StudyContext("smallest", load_weights(), tmp_path, effort=Effort(images=8, trials=1)) as context:
        for part in MONTE_CARLO:
            assert part.name in NAMES
            points = part.points(context)
            assert len({tuple(point.values()) for point in points}) == len(points) > 0
            assert len({tuple(point) for point in points}) == 1


def test_a_split_that_is_not_there_yet_is_named(tmp_path):
    with (
        StudyContext("smallest", load_weights(), tmp_path, effort=Effort(images=8, trials=1)) as context,
        pytest.raises(FastSwitchError, match=r"partition .*split-offset-6\.json does not exist"),
    ):
        context.split("offset", 6)
