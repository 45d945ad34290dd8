"""The command ``hybrid``: a short form of the study, interrupted and resumed."""

import pytest

import fastswitch
from arch_model.accelerator import Accelerator
from arch_model.errors import FastSwitchError
from sim.noise.sheet import read_rows
from sim.noise.whole_study import NAMES, open_lab, run_study, study_parts

SHORT = dict(
    subnet="smallest", accelerator=Accelerator.load("tiny"), sigma=0.5, max_loss=10.0, seed=1, jobs=1, weights=None,
    images=8, trials=1, full_images=8, full_trials=1, rank_images=8, subnets=1,
)  # fmt: skip


def test_an_interrupted_study_goes_on_and_ends_as_if_it_had_not_been(tmp_path):
    names = ("sensitivity",)
    seen = []

    def stop(part, row):
        seen.append(part)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with open_lab(tmp_path, **SHORT) as lab, pytest.raises(KeyboardInterrupt):
        run_study(lab, names, stop)
    assert len(read_rows(tmp_path / "sensitivity.csv")) == 4
    again, whole = [], tmp_path / "whole"
    with open_lab(tmp_path, **SHORT) as lab:
        run_study(lab, names, lambda part, row: again.append(part))
    assert again.count("sensitivity") == len(lab.network.weight_layers) - 4
    whole.mkdir()
    with open_lab(whole, **SHORT) as lab:
        run_study(lab, names)
    for name in names:
        assert (tmp_path / f"{name}.csv").read_text() == (whole / f"{name}.csv").read_text()
    with (
        open_lab(tmp_path, **{**SHORT, "seed": 2}) as lab,
        pytest.raises(FastSwitchError, match="made with seed 1, not 2"),
    ):
        run_study(lab, names)


def test_the_command_writes_tables_pictures_and_a_page(tmp_path, capsys):
    parts = ("shared", "subnets", "cost")
    arguments = ["--out", str(tmp_path), "--seed", "1", "--subnet", "smallest", "--jobs", "1", "--max-loss", "30"]
    for name in ("images", "trials", "full-images", "full-trials", "rank-images", "family"):
        arguments += [f"--{name}", "1" if name in ("trials", "full-trials", "family") else "12"]
    with pytest.raises(SystemExit) as stop:
        fastswitch.main(["hybrid", *arguments, *(word for part in parts for word in ("--part", part))])
    assert stop.value.code == 0
    assert f"page {tmp_path / 'index.html'}" in capsys.readouterr().out
    assert {f"{part}.csv" for part in parts} <= {path.name for path in tmp_path.iterdir()}
    assert {path.name for path in tmp_path.glob("*.png")} == {"subgraph.png", "pareto.png"}
    (shared,) = read_rows(tmp_path / "shared.csv")
    assert shared["common_bytes"] <= shared["needed_bytes"] <= shared["supernet_bytes"]
    assert shared["pinned_bytes"] <= shared["pb_bytes"]
    for row in read_rows(tmp_path / "subnets.csv"):
        assert row["pinned_cycles"] <= row["streamed_cycles"]
    costs = read_rows(tmp_path / "cost.csv")
    assert costs[0]["energy_change"] == 0


def test_parts_are_named(tmp_path, capsys):
    with open_lab(tmp_path, **SHORT) as lab:
        assert [part.name for part in study_parts(lab)] == list(NAMES)
    with pytest.raises(SystemExit) as stop:
        fastswitch.main(["hybrid", "--out", str(tmp_path), "--part", "everything"])
    assert stop.value.code == 2
    assert "part everything is unknown; give smallest," in capsys.readouterr().err
    with pytest.raises(FastSwitchError, match="trials is 0; give at least 1"):
        open_lab(tmp_path, **{**SHORT, "trials": 0})
