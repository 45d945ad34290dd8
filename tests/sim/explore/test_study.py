"""A study on disk: read while it grows, its machines, its layer tables, its files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from arch_model.errors import AcceleratorError, FastSwitchError
from arch_model.machine.accelerator import Accelerator
from sim.explore import ExploreError, Study, explore, load_study
from sim.explore.study import exact_rows, read_points, screened_rows, write_csv, write_parquet

VARY = "KP=2,3,4 PB=0,48KB SB=1,54KB"
NETS = ("fashion-d111-w222", "fashion-d222-w444")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("study")
    explore("fashion", NETS, VARY, ("latency", "energy"), folder, "tiny", backend="joblib:1")
    return load_study(folder)


def test_a_study_is_read_as_it_was_asked_for(study: Study) -> None:
    assert (study.space, study.subnets, study.base) == ("fashion", NETS, Accelerator.load("tiny"))
    assert [(knob.name, knob.values, knob.unit) for knob in study.knobs] == [
        ("KP", (2, 3, 4), ""), ("PB", (0, 48_000), "B"), ("SB", (1000, 54_000), "B"),
    ]  # fmt: skip
    assert (study.objectives, study.sampler, study.seed, study.cached) == (("latency", "energy"), "grid", 0, "fit")
    points = study.points
    assert list(points) == [
        "KP", "PB", "SB", "legal", "why", "latency", "energy", "price", "estimated_latency", "estimated_energy",
    ]  # fmt: skip
    assert points.index.tolist() == list(range(12)) and points["KP"].tolist() == [2] * 4 + [3] * 4 + [4] * 4
    assert points["legal"].tolist() == [False, True] * 6
    assert points.loc[points["legal"], "why"].eq("").all() and points["latency"].isna().eq(~points["legal"]).all()
    assert points["price"].tolist() == ["", "exact"] * 6  # few points are all priced exactly
    assert set(study.errors) == {"latency", "energy"} and study.errors["latency"].points == 6


def test_a_points_machine_and_layers(study: Study) -> None:
    machine = study.accelerator(11)
    assert (machine.name, machine.kp, machine.buffers.pb_bytes) == ("tiny-11", 4, 48_000)
    layers = study.layers(11)
    sums = layers.groupby("subnet")["latency_s"].sum()
    assert study.points["latency"][11] < sums.mean() < 1.3 * study.points["latency"][11]  # layers overlap
    energy = layers.groupby("subnet")["energy_j"].sum().mean()
    assert study.points["energy"][11] < energy < 1.1 * study.points["energy"][11]  # of the same work, in less time
    one = study.layers(11, NETS[1])
    pd.testing.assert_frame_equal(one, layers[layers["subnet"] == NETS[1]].reset_index(drop=True), check_dtype=False)


def test_what_is_not_there_is_named(study: Study, tmp_path: Path) -> None:
    with pytest.raises(ExploreError, match="has no point 12; give one of 0 to 11"):
        study.accelerator(12)
    with pytest.raises(ExploreError, match="runs no SubNet nobody"):
        study.layers(11, "nobody")
    with pytest.raises(ExploreError, match=r"does not exist; give a folder that .*fastswitch explore wrote"):
        load_study(tmp_path)
    (tmp_path / "study.sqlite").write_bytes(b"")
    with pytest.raises(
        ExploreError, match=r"is of schema 1, which fastswitch 0\.1\.0 wrote, .*give a folder that this version"
    ):
        load_study(tmp_path)
    (tmp_path / "question.json").write_text('{"question": {"command": "run"}}')
    with pytest.raises(ExploreError, match="holds something else"):
        load_study(tmp_path)
    illegal = explore("fashion", NETS[:1], "DRAM=7MB/s", ("area",), tmp_path / "x", "tiny", backend="joblib:1")
    assert not illegal["legal"][0]
    with pytest.raises(AcceleratorError, match="DRAM is 7e"):
        load_study(tmp_path / "x").accelerator(0)


def test_tables_say_what_made_them(study: Study) -> None:
    assert sorted(file.name for file in study.folder.iterdir()) == [
        ".lock", "points.csv", "points.parquet", "question.json",
    ]  # fmt: skip
    facts = json.loads(pq.read_schema(study.folder / "points.parquet").metadata[b"fastswitch"])
    assert facts["accelerator_hash"] == study.base.hash() and facts["seed"] == 0 and facts["version"]
    text = (study.folder / "points.csv").read_text()
    assert text.startswith("# command: explore\n") and "# sampler: grid\n" in text
    csv = pd.read_csv(study.folder / "points.csv", comment="#", index_col="point", keep_default_na=False)
    assert csv["KP"].tolist() == study.points["KP"].tolist()


def test_points_of_parts_and_of_the_whole_are_read_once(tmp_path: Path) -> None:
    def rows(*points: int) -> pd.DataFrame:
        return pd.DataFrame({"KP": points, "price": "estimate"}, index=pd.Index(points, name="point"))

    assert read_points(tmp_path).empty
    write_parquet(rows(5, 4), tmp_path / "points" / "b.parquet")
    write_parquet(rows(0), tmp_path / "points" / "a.parquet")
    (tmp_path / "points" / ".c.parquet.new").write_bytes(b"half of a file")
    assert read_points(tmp_path).index.tolist() == [0, 4, 5]
    write_parquet(rows(0, 1), tmp_path / "points.parquet")
    assert read_points(tmp_path)["KP"].tolist() == [0, 1, 4, 5]
    write_parquet(rows(4).assign(price="exact"), tmp_path / "points" / "exact-d.parquet")
    assert read_points(tmp_path)["price"].tolist() == ["estimate", "estimate", "exact", "estimate"]


def test_a_search_is_answered_with_what_was_estimated(study: Study) -> None:
    screened = screened_rows(study.points, study.objectives)
    assert screened["latency"].equals(study.points["estimated_latency"])
    assert screened["price"].tolist() == ["", "estimate"] * 6
    turned_out = study.points.assign(legal=False, why="layer a: ...")
    assert len(screened_rows(turned_out, study.objectives)) == 6  # those that no estimate refused are estimated anew
    assert exact_rows(study.points).index.tolist() == [1, 3, 5, 7, 9, 11]


def test_a_damaged_part_is_named_and_its_points_are_priced_anew(tmp_path: Path) -> None:
    def asked() -> pd.DataFrame:
        return explore("fashion", NETS[0], "KP=2,3", ("latency",), tmp_path, "tiny", backend="joblib:1")

    found = asked()
    good = tmp_path / "points.parquet"
    whole = good.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for damaged in (
        b"no table",
        whole[: footer + 20],  # cut off
        whole[:footer] + b"\xff" * 16 + whole[footer + 16 :],
        whole[:4] + bytes(len(whole) - 12) + whole[-8:],
    ):
        good.write_bytes(damaged)
        with pytest.raises(ExploreError, match=rf"points in {good} cannot be read .* remove it to") as error:
            asked()
        assert "\n" not in str(error.value)
    good.unlink()
    pd.testing.assert_frame_equal(asked(), found, check_exact=True)


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    frame = pd.DataFrame({"KP": [1]}, index=pd.Index([0], name="point"))
    (tmp_path / "file").write_text("in the way")
    for write in (lambda path: write_parquet(frame, path), lambda path: write_csv(frame, path, {})):
        with pytest.raises(FastSwitchError, match="cannot write to"):
            write(tmp_path / "file" / "points.parquet")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
