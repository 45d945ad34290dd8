"""The command ``hybrid``: a short form of the study, interrupted and resumed."""

import pytest

import fastswitch
from arch_model.errors import FastSwitchError
from arch_model.files.results_folder import ResultsFolder
from arch_model.machine.accelerator import Accelerator
from sim.noise.study import machine_parts
from sim.noise.study.tables import read_rows
from sim.noise.study.whole_study import NAMES, open_study, run_study, study_files, study_parts

SHORT = dict(
    subnet="smallest", accelerator=Accelerator.load("tiny"), sigma=0.5, max_loss=10.0, seed=1, jobs=1, weights=None,
    images=8, trials=1, full_images=8, full_trials=1, rank_images=8, subnets=1,
)  # fmt: skip


def study(folder, names, on_row=lambda part, row: None, force=False, **other):
    with (
        open_study(folder, **{**SHORT, **other}) as context,
        ResultsFolder(folder, context.facts(), study_files(), force=force) as results,
    ):
        run_study(context, results, names, on_row)


def test_an_interrupted_study_goes_on_and_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    names, folder, whole = ("sensitivity",), tmp_path / "stopped", tmp_path / "whole"
    seen = []

    def stop(part, row):
        seen.append(row)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(folder, names, stop)
    assert not (folder / "sensitivity.csv").exists()
    assert len((folder / "rows.jsonl").read_text().splitlines()) == 1 + 4

    computed, shown = [], []
    measure = machine_parts._sensitivity
    monkeypatch.setattr(machine_parts, "_sensitivity", lambda *given: computed.append(1) or measure(*given))
    study(folder, names, lambda part, row: shown.append(row))
    assert shown[:4] == seen and len(computed) == len(shown) - 4
    study(whole, names)
    again = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert again == {path.name: path.read_bytes() for path in whole.iterdir()}

    for other, says in ({"seed": 2}, "seed is 1 there and 2 here"), ({"sigma": 0.3}, "sigma is 0.5 there and 0.3 here"):
        with pytest.raises(FastSwitchError, match=f"holds results of another question: {says}; .* --force"):
            study(folder, names, **other)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == again
    study(folder, names, force=True, seed=2)
    assert "# seed: 2" in (folder / "sensitivity.csv").read_text()


def test_parts_may_be_run_one_after_the_other(tmp_path):
    study(tmp_path, ("sensitivity",))
    study(tmp_path, ("histogram",))
    assert {"sensitivity.csv", "histogram.csv"} <= {path.name for path in tmp_path.iterdir()}


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
    with open_study(tmp_path, **SHORT) as context:
        assert [part.name for part in study_parts(context)] == list(NAMES)
    with pytest.raises(SystemExit) as stop:
        fastswitch.main(["hybrid", "--out", str(tmp_path), "--part", "everything"])
    assert stop.value.code == 2
    assert "part everything is unknown; give smallest," in capsys.readouterr().err
    with pytest.raises(FastSwitchError, match="trials is 0; give at least 1"):
        open_study(tmp_path, **{**SHORT, "trials": 0})
