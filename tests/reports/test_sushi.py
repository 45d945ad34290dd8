"""The reproduction's page: numbers go where they belong."""

import pandas as pd

from reports.sushi import by_number, draw, grid, met, page
from reports.sushi_sweep import BANDWIDTHS, pb_sizes, shipped_mb


def test_where_a_figure_is_reached():
    frame = pd.DataFrame({"gb_s": [2.4, 2.4, 9.6, 9.6], "pb_mb": [1.0, 2.0, 1.0, 2.0], "sushi": [0.2, 0.3, 0.1, 0.2]})
    assert met(frame, "sushi", 0.2) == "from 1 MB on at 2.4 GB/s; from 2 MB on at 9.6 GB/s"
    assert met(frame, "sushi", 0.4) == "not in this sweep; nearest with a PB of 2 MB at 2.4 GB/s"


def test_a_line_holds_every_family():
    frame = pd.DataFrame({"number": [1, 2, 1, 2], "family": ["a", "a", "b", "b"], "sushi": [0.1, 0.2, 0.3, 0.4]})
    assert by_number(frame, ("sushi",)) == [("1", "10.00", "30.00"), ("2", "20.00", "40.00")]


def test_the_page(tmp_path):
    keys = ("alone", "sushi", "forecast", "accuracy", "energy", "energy_alone", "weights_alone", "gap")
    rows = [
        {"gb_s": g, "pb_mb": pb, **{key: 0.01 * i + 0.001 * j for key in keys}}
        for i, g in enumerate(BANDWIDTHS)
        for j, pb in enumerate(pb_sizes())
    ]
    frame = pd.DataFrame(rows)
    assert grid(frame, "sushi").splitlines()[2] == "| 0.5 | 0.0 | 1.0 | 2.0 | 3.0 |"
    q = pd.DataFrame([{"number": 4, "family": "net", "sushi": 0.1, "forecast": 0.2}])
    many = pd.DataFrame([{"number": 10, "family": "net", "sushi": 0.1, "forecast": 0.2, "gap": 0.003}])
    half = frame.assign(**{key: frame[key] / 2 for key in keys})
    preset = pd.DataFrame([{"family": "net", "forecast": 0.0123}, {"family": "other", "forecast": 0.04}])
    others = {"q": q, "candidates": many, "preset": preset}
    text = page({"net": frame, "half": half}, others)
    assert "(our scheduler): 1.23 % (net), 4.00 % (other)." in text
    assert "| 4 | 10.00 | 20.00 |" in text and "| 10 | 10.00 | 20.00 | 0.30 |" in text
    here = 2 + 0.1 * pb_sizes().index(shipped_mb())
    cells = " | ".join(f"{value:.2f} %" for value in (here, here / 2, 3.5, 1.75))
    assert f"| mean latency at equal accuracy, SUSHI's rule | up to 25 % / 32 % | {cells} |" in text
    claim = "25 % less mean latency with SUSHI's rule: not in this sweep; nearest with a PB of 8 MB at 19.2 GB/s."
    assert f"- net, {claim}" in text and f"- half, {claim}" in text
    assert "\n## net\n" in text and "\n## half\n" in text
    draw({"net": frame}, tmp_path / "sushi.png")
    assert (tmp_path / "sushi.png").stat().st_size > 10_000
