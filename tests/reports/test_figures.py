"""Lengths in the plots are those of the rows: read back from the paths of the SVG."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from reports.figures import prediction_svg, timeline_svg, traffic_svg
from reports.queries import Query
from tests.reports.stream_rows import CONTENTS, stream


def queries(count: int) -> list[Query]:
    return [Query.of(row, 100e6) for row in stream(count)[0]]


def boxes(svg: str, letter: str) -> dict[str, tuple[float, float, float, float]]:
    """Left, top, right and bottom of every bar whose gid begins with ``letter``."""
    found = {}
    for group in ElementTree.fromstring(svg).iter("g"):
        gid = group.get("id", "").partition("-")[2]
        if re.fullmatch(letter + r"[\d-]+", gid):
            path = group.find("path")
            assert path is not None
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.get("d", ""))]
            found[gid] = (min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2]))
    return found


@pytest.mark.parametrize("count", [1, 9, 64])
def test_bars_of_the_timeline_are_as_long_as_the_queries_and_back_to_back(count: int) -> None:
    served = queries(count)
    bars = boxes(timeline_svg(served, 49_152), "q")
    assert list(bars) == [f"q{n}" for n in range(count)]
    total = sum(query.simulated_cycles for query in served)
    width = bars[f"q{count - 1}"][2] - bars["q0"][0]
    end = bars["q0"][0]
    for query, (left, _, right, _) in zip(served, bars.values(), strict=True):
        assert left == pytest.approx(end, abs=1e-3)
        assert right - left == pytest.approx(width * query.simulated_cycles / total, abs=1e-3)
        end = right
    lanes: dict[str, set[float]] = {}
    for n, query in enumerate(served):
        lanes.setdefault(query.subnet, set()).add(bars[f"q{n}"][1])
    assert all(len(tops) == 1 for tops in lanes.values())
    accuracy = {query.subnet: query.subnet_accuracy for query in served}
    assert sorted(lanes, key=lambda name: min(lanes[name])) == sorted(lanes, key=lambda name: -accuracy[name])


def test_bands_of_the_pb_are_as_high_as_the_bytes_and_stacked_in_layer_order() -> None:
    served = queries(9)
    svg = timeline_svg(served, 49_152)
    bars, bands = boxes(svg, "q"), boxes(svg, "b")
    # layers of both SubGraphs in one order: stem, s1b1_conv1, s1b2_conv1, s2b1_conv2; span 0 is empty
    assert set(bands) == {"b1-0", "b1-1", "b1-3", "b2-0", "b2-1", "b2-2", "b2-3"}
    scale = (bands["b1-3"][3] - bands["b1-3"][1]) / 20736
    for span, (_, layers) in enumerate(CONTENTS):
        floor = bands["b1-0"][3]
        for rank, name in enumerate(("stem", "s1b1_conv1", "s1b2_conv1", "s2b1_conv2")):
            if name in layers:
                left, top, right, bottom = bands[f"b{span}-{rank}"]
                assert bottom == pytest.approx(floor, abs=1e-3)
                assert bottom - top == pytest.approx(layers[name] * scale, abs=1e-3)
                assert (left, right) == pytest.approx((bars[f"q{3 * span}"][0], bars[f"q{3 * span + 2}"][2]), abs=1e-3)
                floor = top
    assert "<title>s2b1_conv2: 20,736 bytes, ∩ of fashion-d121-w344</title>" in svg


def test_pairs_of_the_traffic_are_as_high_as_the_bytes() -> None:
    served = queries(16)
    svg = traffic_svg(served)
    without, with_ = boxes(svg, "o"), boxes(svg, "w")
    highest = max(query.bytes_without_pb for query in served)
    scale = max(bottom - top for _, top, _, bottom in without.values()) / highest
    for n, query in enumerate(served):
        for bars, size in ((without, query.dram_bytes + query.pb_saved_bytes), (with_, query.dram_bytes)):
            _, top, _, bottom = bars[f"{'o' if bars is without else 'w'}{n}"]
            assert bottom - top == pytest.approx(size * scale, abs=1e-3)
        assert without[f"o{n}"][2] <= with_[f"w{n}"][0]
    texts = [element.text for element in ElementTree.fromstring(svg).iter("text")]
    for query in served:
        assert f"{100 * query.saved_fraction:.0f}" in texts


def test_labels_over_the_pairs_give_way_where_there_is_no_room() -> None:
    assert traffic_svg(queries(200)).count("<text") < 120


def test_points_lie_on_the_diagonal_where_prediction_is_exact() -> None:
    rows = [row | {"predicted_cycles": int(row["simulated_cycles"]), "cycle_error": 0.0} for row in stream(8)[0]]
    tree = ElementTree.fromstring(prediction_svg([Query.of(row, 100e6) for row in rows]))
    axes = next(group for group in tree.iter("g") if group.get("id") == "prediction-axes_1")
    line = next(path.get("d", "") for path in axes.iter("path") if _slanted(path.get("d", "")))
    x0, y0, x1, y1 = (float(number) for number in re.findall(r"[\d.]+", line))
    marks = [use for group in axes.iter("g") if group.get("clip-path") for use in group.iter("use")]
    assert len(marks) == 8
    for use in marks:
        x, y = float(use.get("x", "")), float(use.get("y", ""))
        assert (y - y0) * (x1 - x0) == pytest.approx((y1 - y0) * (x - x0), abs=0.5)


def _slanted(path: str) -> bool:
    numbers = re.findall(r"[\d.]+", path)
    return len(numbers) == 4 and numbers[0] != numbers[2] and numbers[1] != numbers[3]
