"""Rows of the reproduction: gains are what a table says by hand, machines are what they are called, runs go on."""

import json

import pytest

from reports.sushi_sweep import (
    BANDWIDTHS,
    CANDIDATES,
    WINDOWS,
    Family,
    Point,
    families,
    gains,
    machine,
    mobilenetv3,
    pb_sizes,
    points,
    resnet50,
    rows,
    shipped_mb,
    weights_saved,
)
from tests.mapper.serving_tables import table


def test_gains_by_hand():
    # One SubNet, one SubGraph: 100 becomes 75 from the second query on, the switch costs 10 once.
    made = table(
        cycles=[[100, 75]], accuracy=[0.8], cached=[[0], [4]], vectors=[[4]], extra=[[[0, 10], [0, 0]]], clock_hz=1000.0
    )
    found = gains(made, window=4)
    assert found["alone"] == found["energy_alone"] == 0.25
    assert found["forecast"] == pytest.approx(1 - (110 + 999 * 75) / 1e5) and found["gap"] == pytest.approx(0)
    assert found["sushi"] == pytest.approx(1 - (4 * 100 + 110 + 995 * 75) / 1e5)
    assert found["energy"] == pytest.approx(found["forecast"]) and found["accuracy"] == 0


def test_machines_have_the_bandwidth_that_they_are_called():
    seconds = {}
    for gb_s in BANDWIDTHS:
        made = machine(2.0, gb_s)
        seconds[gb_s] = made.dram.cycles_per_beat / made.beat_bytes / made.clock_hz
        assert made.buffers.pb_bytes == 2_000_000
    assert {gb_s: seconds[9.6] / value for gb_s, value in seconds.items()} == {gb_s: gb_s / 9.6 for gb_s in seconds}
    assert shipped_mb() in pb_sizes() and max(pb_sizes()) == 8 and list(pb_sizes()) == sorted(pb_sizes())


@pytest.mark.parametrize("family", families().values(), ids=list(families()))
def test_a_family_is_six_published_subnets(family: Family):
    assert len(family.subnets) == 6 and set(family.subnets) == set(family.accuracy)
    assert all(net.supernet == family.supernet.name for net in family.subnets.values())
    assert all(0.7 < a < 0.8 for a in family.accuracy.values())


def test_a_pb_that_holds_every_weight_saves_nearly_all_of_their_traffic():
    family = mobilenetv3()
    for pb_mb, low, high in ((0.5, 0.02, 0.4), (8.0, 0.9, 1.0)):
        a = machine(pb_mb, 9.6)
        assert low < weights_saved(family, family.table(a), a) < high


def test_candidates_are_as_many_as_asked_for():
    assert resnet50().table(machine(2.0, 9.6), 10).shape == (6, 11)


def test_every_point_is_there_once():
    titles = list(families())
    every = list(points(titles))
    assert len(set(every)) == len(every)
    assert sum(p.what == "pb" for p in every) == len(titles) * len(BANDWIDTHS) * len(pb_sizes())
    assert [p.number for p in every if p.what == "q"] == list(WINDOWS) * len(titles)
    assert [p.number for p in every if p.what == "candidates"] == list(CANDIDATES) * len(titles)


def test_a_run_goes_on_where_it_was(tmp_path):
    kept, told = tmp_path / "new" / "rows", []
    title = next(iter(families()))
    some = [Point("pb", title, 9.6, pb) for pb in (0.5, 1.0)]
    first = rows(kept, only=some[:1])
    kept.write_text(kept.read_text() + '{"made_by": {"vers')  # killed while it wrote
    lines = kept.read_text().splitlines()
    entry = json.loads(lines[0])
    entry["gains"]["alone"] = 0.125  # known rows are taken as they are
    kept.write_text(json.dumps(entry) + "\n")
    both = rows(kept, lambda done, total: told.append((done, total)), only=some)
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert both["alone"].iloc[0] == 0.125 and both["sushi"].iloc[0] == first["sushi"].iloc[0]
    assert both["pb_mb"].tolist() == [0.5, 1.0] and len(kept.read_text().splitlines()) == 2
    entry["made_by"]["preset"] = "another"
    kept.write_text(json.dumps(entry) + "\n")
    assert rows(kept, only=some[:1])["alone"].iloc[0] == first["alone"].iloc[0] != 0.125
