"""The files of a report."""

import re

import pandas as pd
import pytest

from arch_model.errors import FastSwitchError
from reports.explore import write_report
from reports.explore.report import knob_range
from sim.explore import Knob, explore, load_study, pareto_front


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    made = tmp_path_factory.mktemp("report") / "deep" / "er"
    assert write_report(study, made) == made / "report.html"
    return made


def test_tables_are_the_study_s_with_a_header_of_what_made_them(study, folder):
    points = pd.read_csv(folder / "points.csv", comment="#", index_col="point", keep_default_na=False, na_values="")
    assert points["legal"].tolist() == study.points["legal"].tolist()
    front = pd.read_csv(folder / "pareto.csv", comment="#", index_col="point", float_precision="round_trip")
    expected = study.points[pareto_front(study.points, study.objectives)]
    assert front.index.tolist() == expected.index.tolist()
    for name in study.objectives:
        assert front[name].tolist() == expected[name].tolist()
    lines = (folder / "pareto.csv").read_text().splitlines()
    said = dict(line[2:].split(": ", 1) for line in lines if line[0] == "#")
    assert said["accelerator_hash"] == study.base.hash()
    assert (said["seed"], said["sampler"], said["space"]) == ("0", "grid", "fashion")
    assert {"version", "knobs", "subnets"} <= set(said)


def test_pictures_are_there_and_the_page_is_one_file(study, folder):
    assert {path.name for path in folder.iterdir()} == {
        "report.html", "pareto.csv", "points.csv", "pareto.png", "knobs.png"
    }  # fmt: skip
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"'](?!data:,)", text)
    assert 4e6 < len(text.encode()) < 6e6
    head = text[: text.index("<script")]
    for word in ("16 points explored for fashion", "tiny", study.base.hash(), "KP 2, 4", "PB 0, 48 KiB", "seed 0"):
        assert word in head


def test_it_is_the_same_again(study, folder, tmp_path):
    write_report(study, tmp_path)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_a_study_without_a_machine_says_why(tmp_path):
    explore("fashion", "fashion-d111-w222", "SB=5MB,6MB", out=tmp_path, accelerator="tiny", backend="joblib:1")
    text = write_report(load_study(tmp_path), tmp_path).read_text(encoding="utf-8")
    assert "No point is legal" in text
    assert "buffers.sb_bytes is 5000000" in text
    assert not (tmp_path / "pareto.png").exists()


def test_a_folder_that_cannot_be_written_is_named(study, tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(FastSwitchError, match=r"cannot write .*report\.html"):
        write_report(study, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(FastSwitchError, match="cannot write to"):
        write_report(study, tmp_path / "file" / "folder")


def test_a_study_without_points_is_refused(study, tmp_path):
    from dataclasses import replace

    with pytest.raises(FastSwitchError, match="no finished point"):
        write_report(replace(study, points=study.points.iloc[:0]), tmp_path)


def test_long_ranges_are_written_by_their_ends():
    assert knob_range(Knob("DRAM", tuple(2.4e9 * n for n in range(1, 9)), "B/s")) == (
        "DRAM 2.4 GB/s … 19.2 GB/s, 8 values"
    )
