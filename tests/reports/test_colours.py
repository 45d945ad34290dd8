"""Text can be read and series told apart, on light and dark, with and without colour blindness."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from reports.colours import ALL, BAD, BAD_PANEL, GOOD, INK, MUTED, PAPER, SUBNETS, ramp, subnet_colour, subnet_marker

# Machado, Oliveira, Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009:
# severity 1, on linear RGB
VISION = {
    "full": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # sRGB, D65


def linear(colour: str) -> npt.NDArray[np.float64]:
    value = np.array([int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)])
    return np.asarray(np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4))


def contrast(one: str, other: str) -> float:
    """WCAG 2.1's contrast ratio."""
    low, high = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    x, y, z = np.cbrt(np.clip(TO_XYZ @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089], 1e-9, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_contrast_by_hand() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # WCAG's well-known near miss


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_contrast_on_its_ground(theme: str) -> None:
    for text, ground in ((INK, PAPER), (MUTED, PAPER), (GOOD, PAPER), (BAD, PAPER), (INK, BAD_PANEL), (BAD, BAD_PANEL)):
        assert contrast(getattr(text, theme), getattr(ground, theme)) >= 4.5, (text.name, ground.name)


@pytest.mark.parametrize("count", [1, 2, 17, 54])
def test_text_on_the_bands_has_contrast(count: int) -> None:
    for n in range(count):
        assert contrast(*ramp(n, count)) >= 3.5


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_subnets_differ_to_every_eye(theme: str, vision: str) -> None:
    seen = {colour.name: lab(VISION[vision] @ linear(getattr(colour, theme))) for colour in SUBNETS}
    for one, other in combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 10, (one, other)


def test_colour_and_shape_together_differ_for_56_subnets() -> None:
    assert len({(subnet_colour(n), subnet_marker(n)) for n in range(56)}) == 56


def test_a_light_value_names_one_variable() -> None:
    assert len({colour.light for colour in ALL}) == len({colour.name for colour in ALL}) == len(ALL)
    assert not {colour.light for colour in ALL} & {value for n in range(54) for value in ramp(n, 54)}
