"""Nothing analog is the int8 network; a share is refused where it is none."""

from __future__ import annotations

import pytest

from arch_model.errors import AnalogError
from sim.api.noise import noise

FEW = {"subnet": "smallest", "images": 20, "ranking_images": 20, "trials": 2, "seed": 3}


def test_all_digital_is_the_integer_network() -> None:
    none, every = noise("fashion", digital=(0.0, 1.0), ranking="magnitude", variation="lognormal:2", **FEW)
    assert every.accuracies == [every.accuracy_clean] * 2
    assert max(none.accuracies) < none.accuracy_clean
    again, _ = noise("fashion", digital=(0.0, 1.0), ranking="random", variation="lognormal:2", **FEW)
    assert again.accuracies == none.accuracies  # the same chips, whatever comes first where nothing is digital


def test_refusals() -> None:
    with pytest.raises(AnalogError, match="ranking is 'best'; give one of random, magnitude"):
        noise(ranking="best", **FEW)
    with pytest.raises(AnalogError, match=r"fraction is 2; give 0\.\.1"):
        noise(digital=(2,), ranking="magnitude", **FEW)
    with pytest.raises(AnalogError, match="adc_bits is 0"):
        noise(adc_bits=0, **FEW)
