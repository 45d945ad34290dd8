"""The reproduction's page: numbers go where they belong, and gains are what a table says by hand."""

import numpy as np
import pandas as pd
import pytest

from reports.sushi import BANDWIDTHS, PB_MB, draw, gains, grid, machine, met, mobilenetv3, page, resnet50
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
    for gb_s in BANDWIDTHS:
        made = machine(2.0, gb_s)
        assert 6 * made.beat_bytes * made.clock_hz / made.dram.cycles_per_beat == pytest.approx(gb_s * 1e9)
        assert made.buffers.pb_bytes == 2_000_000


@pytest.mark.parametrize("family", [resnet50, mobilenetv3])
def test_a_family_is_six_published_subnets(family):
    space, nets, accuracy = family()
    assert len(nets) == 6 and set(nets) == set(accuracy)
    assert all(net.supernet == space for net in nets.values()) and all(0.7 < a < 0.8 for a in accuracy.values())


def test_where_a_figure_is_reached():
    frame = pd.DataFrame({"gb_s": [2.4, 2.4, 9.6, 9.6], "pb_mb": [1.0, 2.0, 1.0, 2.0], "sushi": [0.2, 0.3, 0.1, 0.2]})
    assert met(frame, "sushi", 0.2) == "from 1 MB on at 2.4 GB/s; from 2 MB on at 9.6 GB/s"
    assert met(frame, "sushi", 0.4) == "not in this sweep; nearest with a PB of 2 MB at 2.4 GB/s"


def test_the_page(tmp_path):
    keys = ("alone", "sushi", "forecast", "accuracy", "energy", "energy_alone", "gap")
    rows = [
        {"gb_s": g, "pb_mb": pb, **{key: 0.01 * i + 0.001 * j for key in keys}}
        for i, g in enumerate(BANDWIDTHS)
        for j, pb in enumerate(PB_MB)
    ]
    frame = pd.DataFrame(rows)
    assert grid(frame, "sushi").splitlines()[2] == "| 0.5 | 0.0 | 1.0 | 2.0 | 3.0 |"
    q = pd.DataFrame([{"q": 4, "sushi": 0.1, "forecast": 0.2}])
    many = pd.DataFrame([{"drawn": 10, "different": 9, "sushi": 0.1, "forecast": 0.2, "gap": 0.003}])
    text = page({"net": frame}, q, many, {"net": "nothing"})
    assert "| 4 | 10.00 | 20.00 |" in text and "| 10 | 9 | 10.00 | 20.00 | 0.30 |" in text
    assert "| mean latency at equal accuracy, SUSHI's rule | up to 25 % / 32 % | 2.20 % | 3.50 % |" in text
    draw({"net": frame}, tmp_path / "sushi.png")
    assert (tmp_path / "sushi.png").stat().st_size > 10_000
    assert (
        "- net, 25 % less mean latency with SUSHI's rule: not in this sweep; nearest with a PB of 8 MB at 19.2 GB/s."
        in text
    )
    assert np.isfinite(frame.to_numpy()).all()
