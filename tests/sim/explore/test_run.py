"""Explorations that end before their time go on; folders of others are refused; nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from sim.explore import explore, load_study
from sim.explore.knobs import parse_vary
from sim.explore.price import warm
from sim.explore.question import Question
from sim.explore.study import exact_rows, read_points, screened_rows

VARY = "KP=2,3,4,8 CP=3,5 PB=0:96KB:48KB SB=1,4,54KB DRAM=400,600,1200MB/s LATENCY=10,24,50"
NETS = "fashion-d111-w222,fashion-d222-w444"


def run(folder: Path, sampler: str = "grid", points: int | None = None, **options: str) -> pd.DataFrame:
    asked = {"supernet": "fashion", "subnets": NETS, "vary": VARY, "accelerator": "tiny", "backend": "joblib:1"}
    return explore(out=folder, sampler=sampler, points=points, **{**asked, **options})  # type: ignore[arg-type]


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    fashion = get_space("fashion")
    nets = tuple(fashion.subnet(name) for name in NETS.split(","))
    warm(Question("fashion", nets, Accelerator.load("tiny"), parse_vary(VARY), ("latency",)))


@pytest.mark.parametrize("sampler,points,kills", [("grid", None, 10), ("random", 400, 3), ("nsga2", 70, 3)])
def test_killed_at_random_moments_it_ends_with_the_same_table(
    tmp_path: Path, sampler: str, points: int | None, kills: int
) -> None:
    begin = time.monotonic()
    whole = run(tmp_path / "whole", sampler, points)
    took, folder, rng = time.monotonic() - begin, tmp_path / "killed", random.Random(7)
    written: dict[int, tuple[object, ...]] = {}
    killed = 0
    for _ in range(kills):
        child = multiprocessing.get_context("fork").Process(target=run, args=(folder, sampler, points))
        child.start()
        child.join(timeout=rng.uniform(0, 1.5 * took / kills))
        killed += child.is_alive()
        child.kill()
        child.join()
        there = _parts(folder)
        rows = list(there.index) if len(there) else []
        assert len(rows) == len(set(rows))  # none is priced twice
        for name, row in written.items():  # none is lost
            assert tuple(there.loc[name]) == row
        written = {name: tuple(there.loc[name]) for name in rows}
    assert killed >= kills // 2
    found = run(folder, sampler, points)
    pd.testing.assert_frame_equal(found, whole, check_exact=True)
    pd.testing.assert_frame_equal(load_study(folder).points, whole, check_exact=True)


def _parts(folder: Path) -> pd.DataFrame:
    """Knobs and latency of all rows that are in finished files, as often as they are there; by point and price."""
    files = [file for file in folder.glob("points/*.parquet") if not file.name.startswith(".")]
    frames = [pd.read_parquet(file) for file in files]
    if (folder / "points.parquet").exists():
        whole = read_points(folder)
        frames = [rows(whole).reset_index() for rows in (exact_rows, lambda all: screened_rows(all, ("latency",)))]
    if not frames:
        return pd.DataFrame()
    found = pd.concat(frames)
    found = found.set_index([found["point"], found["price"] == "exact"])
    return found[["KP", "CP", "PB", "SB", "DRAM", "latency"]].fillna(-1)


def test_a_study_that_is_there_is_read_and_one_with_more_points_goes_on(tmp_path: Path) -> None:
    for sampler in ("random", "nsga2"):
        few = run(tmp_path / sampler, sampler, 20)
        more = run(tmp_path / sampler, sampler, 60)
        assert len(few) == 20 and len(more) == 60
        pd.testing.assert_frame_equal(more.iloc[:20], few, check_exact=True)
        pd.testing.assert_frame_equal(more, run(tmp_path / f"{sampler}-at-once", sampler, 60), check_exact=True)
    assert len(run(tmp_path / "random", "random", 20)) == 60


@pytest.mark.parametrize(
    "options,words",
    [
        ({"vary": "KP=2,4"}, "knobs.0.values is [2] there and [2, 4] here"),
        ({"vary": "CP=2"}, "knobs.0.name is KP there and CP here"),
        ({"subnets": "fashion-d111-w222"}, "subnets is"),
        ({"objectives": ("latency",)}, "objectives is"),
        ({"accelerator": Accelerator.load("tiny").replace(buffers={"sb_bytes": 60_000})}, "sb_bytes is 55296 there"),
        ({"cached": "none"}, "cached is fit there and none here"),
        ({"seed": 1}, "seed is 0 there and 1 here"),
    ],
)
def test_the_folder_of_another_study_is_refused(tmp_path: Path, options: dict[str, object], words: str) -> None:
    small = {"vary": "KP=2", "objectives": ("latency", "area")}
    first = run(tmp_path, **small)  # type: ignore[arg-type]
    with pytest.raises(FastSwitchError, match="holds results of another question") as error:
        run(tmp_path, **{**small, **options})  # type: ignore[arg-type]
    assert words in str(error.value) and "\n" not in str(error.value)
    pd.testing.assert_frame_equal(load_study(tmp_path).points, first)


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    import fcntl

    with (tmp_path / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(FastSwitchError, match="in use by another process"):
            run(tmp_path, vary="KP=2")


def test_points_without_their_study_are_refused(tmp_path: Path) -> None:
    run(tmp_path, vary="KP=2")
    (tmp_path / "question.json").unlink()
    with pytest.raises(FastSwitchError, match=r"holds points\.parquet but no question\.json: an older fastswitch"):
        run(tmp_path, vary="KP=2")


def test_force_replaces_another_study_and_nothing_else(tmp_path: Path) -> None:
    run(tmp_path, vary="KP=2")
    (tmp_path / "notes.txt").write_text("mine")
    found = run(tmp_path, vary="KP=4", force=True)  # type: ignore[arg-type]
    assert found["KP"].tolist() == load_study(tmp_path).points["KP"].tolist() == [4]
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "options,words",
    [
        ({"sampler": "annealing"}, "sampler is annealing; give one of grid, random, nsga2"),
        ({"sampler": "random"}, "points is not given; the sampler random needs to know how many"),
        ({"points": 5}, "a grid has all of them"),
        ({"objectives": ("speed",)}, "objective speed does not exist"),
        ({"objectives": ("area", "area")}, "objective area is given twice"),
        ({"objectives": ()}, "there are no objectives"),
        ({"cached": "best"}, "cached is best; give one of fit, none"),
        ({"seed": -1}, "seed is -1"),
        ({"vary": "KP=1:60:1 CP=1:60:1 PB=0:8MB:1KB"}, "the grid has 28,803,600 points"),
        (
            {"supernet": "ofa-resnet50", "subnets": 2, "objectives": ("accuracy",)},
            "is not known; give --subnets FILE.json",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, object], words: str
) -> None:
    with pytest.raises(FastSwitchError) as error:
        run(tmp_path / "out", **options)  # type: ignore[arg-type]
    assert words in str(error.value)
    assert not (tmp_path / "out").exists()


def test_accuracy_makes_each_subnet_a_point(tmp_path: Path) -> None:
    found = run(tmp_path, vary="KP=2,4", objectives=("latency", "accuracy"))  # type: ignore[arg-type]
    assert found["SUBNET"].tolist() == [0, 1, 0, 1]
    one = run(tmp_path / "one", vary="KP=2,4", objectives=("latency",), subnets=NETS.split(",")[1])  # type: ignore[arg-type]
    assert found["latency"].tolist()[1::2] == one["latency"].tolist()
    assert found["accuracy"].round(2).tolist() == [91.22, 92.31] * 2
    study = load_study(tmp_path)
    assert study.layers(3)["subnet"].unique().tolist() == ["fashion-d222-w444"]
    assert study.accelerator(3).kp == 4


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")
class TestDisks:
    @pytest.fixture
    def disk(self, tmp_path: Path) -> object:
        place = tmp_path / "disk"
        place.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(place)], capture_output=True)
        if mounted.returncode:
            pytest.skip(f"cannot mount a tmpfs: {mounted.stderr.decode().strip()}")
        yield place
        subprocess.run(["umount", "--lazy", str(place)], check=True)

    def test_a_full_disk_loses_nothing(self, disk: Path, tmp_path: Path) -> None:
        with pytest.raises(FastSwitchError, match="No space left on device") as error:
            run(disk / "out")
        assert "\n" not in str(error.value)
        there = read_points(disk / "out")
        assert 0 < len(there) < 648
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        found = run(disk / "out")
        screened = ["KP", "SB", "legal", "estimated_latency", "estimated_energy"]
        pd.testing.assert_frame_equal(found.loc[there.index, screened], there[screened], check_exact=True)
        pd.testing.assert_frame_equal(found, run(tmp_path / "whole"), check_exact=True)

    def test_a_read_only_disk_is_one_line(self, disk: Path) -> None:
        (disk / "out").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for folder in (disk / "out", disk / "new"):
            with pytest.raises(FastSwitchError, match=f"cannot write to {folder}: Read-only file system"):
                run(folder, vary="KP=2")
