"""The pictures show the numbers of the study."""

import itertools

import matplotlib.image
import numpy as np
import pytest

from reports.canvas import drawing, new_figure
from reports.explore.payload import payload
from reports.explore.pictures import DPI, draw_front, draw_knobs, write_pictures
from sim.explore import explore, load_study


@pytest.fixture(scope="module")
def data(study):
    return payload(study)


def draw(draw_one, data, size):
    with drawing("test"):
        figure = new_figure(*size)
        draw_one(figure, data)
    return figure


def test_points_lie_where_their_objectives_are_and_the_front_is_apart(data):
    axes, bar = draw(draw_front, data, (1520, 1040)).axes
    behind, ahead = axes.collections
    front = np.array(data["points"]["front"], dtype=bool)
    latency, energy, area = (np.array(column) for column in data["points"]["objectives"])
    assert np.allclose(ahead.get_offsets(), np.column_stack([latency, energy])[front])
    assert np.allclose(behind.get_offsets(), np.column_stack([latency, energy])[~front])
    assert np.allclose(ahead.get_array(), area[front])
    assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == ("latency, ms", "energy, µJ", "area, mm²")


def test_a_panel_for_each_knob_and_objective_with_its_medians(data):
    axes = draw(draw_knobs, data, (1360, 1040)).axes
    assert len(axes) == len(data["effects"]) * len(data["objectives"])
    first = data["effects"][0]
    for row, panel in enumerate(axes[: len(data["objectives"])]):
        assert np.allclose(panel.lines[0].get_ydata(), first["objectives"][row]["spread"][2])
        assert panel.get_title(loc="right") == f"{100 * first['objectives'][row]['explained']:.0f} %"


def test_labels_of_many_values_stand_apart(tmp_path):
    vary = "KP=2,4,8 CP=2:12:1"
    explore("fashion", "fashion-d111-w222", vary, ("area",), tmp_path, "tiny", backend="joblib:1")
    with drawing("test"):
        figure = new_figure(2 * (110 + 2 * 190), 2 * (70 + 150), dpi=DPI)
        draw_knobs(figure, payload(load_study(tmp_path)))
        figure.canvas.draw()
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        assert len(boxes) > 2
        assert all(one.x1 + 8 < other.x0 for one, other in itertools.pairwise(boxes))


def test_one_objective_has_no_front_to_draw(tmp_path):
    explore("fashion", "fashion-d111-w222", "KP=2,4", ("latency",), tmp_path, "tiny", backend="joblib:1")
    write_pictures(payload(load_study(tmp_path)), tmp_path)
    assert {path.name for path in tmp_path.glob("*.png")} == {"knobs.png"}


def test_of_two_objectives_the_front_is_a_line_of_steps_and_nothing_is_drawn_twice(tmp_path):
    vary = "KP=2,4 PB=0:96KB:48KB"
    explore("fashion", "fashion-d111-w222", vary, ("latency", "area"), tmp_path, "tiny", backend="joblib:1")
    shown = payload(load_study(tmp_path))
    (axes,) = draw(draw_front, shown, (1520, 1040)).axes  # no bar of colours
    latency, area = (np.array(column) for column in shown["points"]["objectives"])
    front = np.array(shown["points"]["front"], dtype=bool)
    (line,) = axes.lines
    order = np.argsort(latency[front])
    assert np.allclose(line.get_xdata(), latency[front][order]) and np.allclose(line.get_ydata(), area[front][order])
    assert line.get_drawstyle() == "steps-post"  # as good as a point is all that is right of it and above
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("latency, µs", "area, mm²")


def test_files_are_large_enough_for_paper(data, tmp_path):
    write_pictures(data, tmp_path)
    assert matplotlib.image.imread(tmp_path / "pareto.png").shape[:2] == (1040, 1520)
    assert matplotlib.image.imread(tmp_path / "knobs.png").shape[:2] == (2 * (70 + 450), 2 * (110 + 3 * 190))
