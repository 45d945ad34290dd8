"""The colours of pages and plots: each has a name, a value on white and one on a dark page.

Series differ in lightness and in shape or place too, never in hue alone: most hues are those of Okabe and Ito
("Color Universal Design", 2008), and a test holds all of them against the common kinds of colour blindness.
"""

from __future__ import annotations

from typing import NamedTuple


class Colour(NamedTuple):
    """A colour of pages and plots.

    Attributes
    ----------
    name : in CSS.
    light, dark : its value on a light and on a dark page.
    """

    name: str
    light: str
    dark: str


INK = Colour("ink", "#1c2127", "#e7e9ec")
MUTED = Colour("muted", "#5d6875", "#9ba6b3")
GRID = Colour("grid", "#e4e8ec", "#2b3138")
PAPER = Colour("paper", "#fdfdfc", "#14171a")
PANEL = Colour("panel", "#f4f6f7", "#1c2024")
GOOD = Colour("good", "#1d7f57", "#55c394")
BAD = Colour("bad", "#c2182b", "#ff7a7a")
BAD_PANEL = Colour("bad-panel", "#fde8e8", "#431a1e")
WITHOUT = Colour("without", "#c3ccd5", "#4a535d")
WITH = Colour("with", "#0b6cab", "#4ba6dd")

SUBNETS = (
    Colour("net-0", "#0072b2", "#3d9fdc"),  # blue
    Colour("net-1", "#e69f00", "#f5c04a"),  # orange
    Colour("net-2", "#009e73", "#1fae86"),  # green
    Colour("net-3", "#cc79a7", "#e39ac4"),  # pink
    Colour("net-4", "#56b4e9", "#9fdcf7"),  # sky
    Colour("net-5", "#7a4419", "#b5713a"),  # brown
    Colour("net-6", "#4f2f9c", "#8a74e8"),  # violet
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
"""Shapes; as many as make every pair of colour and shape differ for 56 SubNets."""

ALL = (INK, MUTED, GRID, PAPER, PANEL, GOOD, BAD, BAD_PANEL, WITHOUT, WITH, *SUBNETS)

_RAMP = ((0xF0, 0xD9, 0xA0), (0x8F, 0xC1, 0xA3), (0x3C, 0x8D, 0x93), (0x2E, 0x5A, 0x86))


def subnet_colour(place: int) -> Colour:
    """The colour of the SubNet at ``place``, counted from the most accurate."""
    return SUBNETS[place % len(SUBNETS)]


def subnet_marker(place: int) -> str:
    """The shape of the SubNet at ``place``."""
    return MARKERS[place % len(MARKERS)]


def ramp(place: int, count: int) -> tuple[str, str]:
    """A colour for one of several ordered things, and the text colour to write on it.

    Runs from light sand to dark blue; equal on light and dark pages.

    Parameters
    ----------
    place : of the thing, from 0.
    count : of things.

    Examples
    --------
    >>> ramp(0, 3), ramp(2, 3)
    (('#f0d9a0', '#101418'), ('#2e5a86', '#fefefe'))
    """
    at = place / max(count - 1, 1) * (len(_RAMP) - 1)
    low = min(int(at), len(_RAMP) - 2)
    mixed = [round(a + (b - a) * (at - low)) for a, b in zip(_RAMP[low], _RAMP[low + 1], strict=True)]
    luminance = 0.2126 * mixed[0] + 0.7152 * mixed[1] + 0.0722 * mixed[2]
    return "#" + "".join(f"{value:02x}" for value in mixed), "#101418" if luminance > 125 else "#fefefe"
