"""The command that prices a point again does."""

import json
import shlex
from dataclasses import replace

import pytest
from click.testing import CliRunner

from fastswitch import cli
from reports.explore.payload import payload
from reports.explore.reproduce_command import BASE, SUBNETS, reproduce_command
from sim.explore import explore, load_study


def command(study, point):
    """What the page shows for a point: its parts put together as the script does."""
    data, n = payload(study), list(payload(study)["points"]["id"]).index(point)
    vary = " ".join(
        part for k, knob in enumerate(data["knobs"]) for part in knob["vary"][data["points"]["knobs"][k][n] :][:1]
    )
    made = data["command"]
    return shlex.split(f"{made['before']} {made['subnets'][0]} --vary '{vary}' {made['after']} --out again")


def test_it_gives_the_same_figures(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    point = int(study.points.index[study.points["legal"]][-1])
    name, *arguments = command(study, point)
    assert name == "fastswitch"
    assert reproduce_command(study).files == {}
    found = CliRunner().invoke(cli, [*arguments, "--backend", "joblib:1"])
    assert found.exit_code == 0, found.output
    row = load_study("again").points.iloc[0]
    assert row.to_dict() == study.points.loc[point].to_dict()
    assert (tmp_path / "again" / "report.html").stat().st_size > 4e6
    assert "again/report.html" in found.output


def test_a_base_and_subnets_without_names_of_their_own_are_files(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nets = tuple(replace(net, name=f"my $net {n}") for n, net in enumerate(study.nets))
    base = study.base.replace(name="mine", dram={"latency_cycles": 30})
    explore("fashion", nets, "KP=2,4", out="first", accelerator=base, backend="joblib:1", cached="none")
    own = load_study("first")
    made = reproduce_command(own)
    assert set(made.files) == {BASE, SUBNETS}
    assert [entry["name"] for entry in json.loads(made.files[SUBNETS])] == ["my $net 0", "my $net 1"]
    for name, text in made.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = CliRunner().invoke(cli, [*command(own, 1)[1:], "--backend", "joblib:1", "--no-report"])
    assert found.exit_code == 0, found.output
    assert not (tmp_path / "again" / "report.html").exists()
    assert load_study("again").points.iloc[0].to_dict() == own.points.loc[1].to_dict()


@pytest.mark.parametrize("names", ["fashion-d111-w222", "fashion-d111-w222,fashion-d222-w444"])
def test_with_accuracy_the_command_is_of_one_subnet(names, tmp_path):
    objectives = ("latency", "accuracy")
    explore("fashion", names, "KP=2,4", objectives, tmp_path, "tiny", backend="joblib:1")
    made = reproduce_command(load_study(tmp_path))
    assert made.subnets == tuple(f"--subnets {name}" for name in names.split(","))
    assert made.after == "--objectives latency,accuracy"
