"""The picture of the SB has a box for each tensor, as wide as its life and as high as its words."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from click.testing import CliRunner

from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from mapper.search.policy import map_network
from mapper.workload.fusion import steps
from reports.commands.predict import command
from reports.sb_picture import sb_picture

pytest.importorskip("matplotlib")
TINY, NET = Accelerator.load("tiny"), get_space("fashion").subnet("fashion-d111-w222")
ASKED = ("--space", "fashion", "--subnets", NET.name, "--accelerator", "tiny", "--policy", "quick")


def boxes(svg: bytes) -> list[tuple[float, float]]:
    """Width and height of every rectangle in the axes, in points."""
    found = []
    for group in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"):
        path = group.find("{http://www.w3.org/2000/svg}path")
        if group.get("id", "").startswith("patch_") and path is not None and path.get("clip-path"):
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.get("d", ""))]
            x, y = numbers[::2], numbers[1::2]
            found.append((max(x) - min(x), max(y) - min(y)))
    return found


def test_a_box_for_each_tensor_and_each_place() -> None:
    placement = map_network(NET, TINY, policy="quick", tensors="chip").placement
    assert placement is not None
    drawn = boxes(sb_picture(steps(NET.layers), placement, TINY, "a title", Path("picture.svg")))
    expected = [(r.last - r.first + 1, r.layout.words) for r in placement.regions.values()]
    expected += [(1, loads.room) for loads in placement.loads.values() for _ in loads.bases]
    assert len(drawn) == len(expected) > 3
    wide, high = drawn[0][0] / expected[0][0], drawn[0][1] / expected[0][1]
    for (width, height), (layers, words) in zip(drawn, expected, strict=True):
        assert width == pytest.approx(layers * wide, abs=0.01) and height == pytest.approx(words * high, abs=0.01)


def test_the_command_draws_one_subnet(tmp_path: Path) -> None:
    path = tmp_path / "sb.png"
    result = CliRunner().invoke(command, [*ASKED, "--tensors", "chip", "--memory", str(path)])
    assert result.exit_code == 0 and path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [((), "--memory shows tensors in the SB; give --tensors chip, too"), (("--tensors", "chip"), "shows one SubNet")],
)
def test_what_cannot_be_drawn_is_refused(words: tuple[str, ...], message: str) -> None:
    more = ("--subnets", "fashion-d111-w222,fashion-d122-w234") if words else ()
    result = CliRunner().invoke(command, [*ASKED, *words, *more, "--memory", "sb.png"])
    assert result.exit_code == 2 and message in result.output
