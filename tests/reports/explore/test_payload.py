"""The page's data are the study's."""

import json

import numpy as np
import pytest

from reports.explore.payload import payload, shown_rows
from sim.explore import pareto_front


@pytest.fixture(scope="module")
def data(study):
    return json.loads(json.dumps(payload(study), allow_nan=False))


def test_points_are_the_legal_ones_in_their_units(study, data):
    legal = study.points[study.points["legal"]]
    assert data["legal"] == len(legal) == 8
    assert data["points"]["id"] == legal.index.tolist()
    assert data["points"]["front"] == pareto_front(legal, study.objectives).astype(int).tolist()
    for one, values in zip(data["objectives"], data["points"]["objectives"], strict=True):
        assert np.allclose(np.array(values) * one["factor"], legal[one["name"]], rtol=1e-6)


def test_places_name_each_knob_s_value(study, data):
    legal = study.points[study.points["legal"]]
    for knob, places, column in zip(data["knobs"], data["points"]["knobs"], study.knobs, strict=True):
        assert [knob["vary"][place] for place in places] == [
            f"{knob['name']}={value}{column.unit}" for value in legal[knob["name"]]
        ]
    assert [knob["labels"] for knob in data["knobs"]] == [["2", "4"], ["2", "3"], ["0", "48 KiB"], ["54 KiB", "5 MB"]]


def test_knobs_that_do_not_vary_among_legal_points_have_no_effect(data):
    names = [data["knobs"][effect["knob"]]["name"] for effect in data["effects"]]
    assert sorted(names) == ["CP", "KP", "PB"]
    for effect in data["effects"]:
        assert sum(effect["count"]) == data["legal"]
        assert sum(effect["front"]) == data["front"]
        for one in effect["objectives"]:
            assert np.shape(one["spread"]) == (5, 2)


def test_medians_are_those_of_the_points(study, data):
    legal = study.points[study.points["legal"]]
    effect = next(effect for effect in data["effects"] if data["knobs"][effect["knob"]]["name"] == "PB")
    factor = data["objectives"][0]["factor"]
    expected = legal.groupby("PB")["latency"].median().to_numpy()
    assert np.allclose(np.array(effect["objectives"][0]["spread"][2]) * factor, expected, rtol=1e-5)


def test_every_point_of_a_small_front_has_its_layers(study, data):
    front = [str(n) for n, flag in zip(data["points"]["id"], data["points"]["front"], strict=True) if flag]
    assert list(data["layers"]["costs"]) == list(data["layers"]["machines"]) == front
    for point in front:
        latency = [
            sum(cost["cycles"]) / data["layers"]["machines"][point]["clock_hz"]
            for cost in data["layers"]["costs"][point].values()
        ]
        # Each layer is a Program of its own there; in the point's Programs they overlap.
        assert 1 < np.mean(latency) / study.points.loc[int(point), "latency"] < 1.25


def test_many_points_are_drawn_in_part_and_the_front_first():
    front = np.zeros(1000, bool)
    front[[5, 500, 999]] = True
    shown = shown_rows(front, 100)
    assert len(shown) == 100
    assert {5, 500, 999} <= set(shown.tolist())
    assert np.diff(shown).max() < 25
    assert shown_rows(front, 2).tolist() == [5, 500]
    assert len(shown_rows(np.zeros(0, bool), 10)) == 0


def test_a_limit_holds_for_what_is_drawn_and_not_for_what_is_counted(study):
    data = payload(study, most=5)
    assert len(data["points"]["id"]) == len(data["yaml"]["lines"]) == 5
    assert data["legal"] == 8
    assert sum(data["effects"][0]["count"]) == 8
