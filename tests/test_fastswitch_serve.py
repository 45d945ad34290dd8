"""``fastswitch serve``: its keys, its files, its one line for bad input."""

import json

import pandas as pd
import pytest

import fastswitch
from arch_model.spaces import get_space, subnet_entry
from sim.streams import read_trace

KEYS = {
    *("queries", "mean_latency_s", "p50_latency_s", "p99_latency_s", "accuracy", "slo_attainment", "dram_bytes"),
    *("energy_j", "pb_hit_fraction", "switches"),
}


@pytest.fixture
def subnets(tmp_path):
    """Three small SubNets of OFA-ResNet50 in a file: a table in seconds."""
    nets = get_space("ofa-resnet50").sample(3, seed=1)
    path = tmp_path / "subnets.json"
    path.write_text(json.dumps([{**subnet_entry(net), "top1": 75 + i} for i, net in enumerate(nets)]))
    return ["--subnets", str(path), "--accelerator", "zcu104", "--candidates", "3"]


def run(capsys, *argv):
    with pytest.raises(SystemExit) as stop:
        fastswitch.main(["serve", *argv])
    out, err = capsys.readouterr()
    return stop.value.code, out, err


def test_a_stream_as_json_csv_and_picture(capsys, tmp_path, subnets):
    files = ["--csv", str(tmp_path / "new" / "served.csv"), "--plot", str(tmp_path / "served.png")]
    code, out, _ = run(capsys, *subnets, "--arrivals", "gamma:20,4", "--queries", "50", "--seed", "3", *files, "--json")
    summary = json.loads(out)
    assert code == 0 and summary.keys() >= KEYS and summary["queries"] == 50 and summary["infeasible"] == 0
    rows = pd.read_csv(tmp_path / "new" / "served.csv", comment="#")
    assert rows["latency_s"].mean() == pytest.approx(summary["mean_latency_s"])
    assert rows["dram_bytes"].sum() == summary["dram_bytes"] and rows["switched"].sum() == summary["switches"]
    assert (rows["accuracy"] >= rows["min_accuracy"]).all()
    assert (tmp_path / "served.png").stat().st_size > 10_000
    again = json.loads(run(capsys, *subnets, "--arrivals", "gamma:20,4", "--queries", "50", "--seed", "3", "--json")[1])
    assert again == summary


def test_all_policies(capsys, tmp_path, subnets):
    args = [*subnets, "--queries", "60", "--compare"]
    code, out, _ = run(capsys, *args, "--csv", str(tmp_path / "all.csv"), "--json")
    rows = json.loads(out)
    assert code == 0 and len(rows) > 10
    assert all(row.keys() >= KEYS | {"policy", "cache", "gap_to_offline"} for row in rows)
    gaps = {(row["policy"], row["cache"]): row["gap_to_offline"] for row in rows}
    assert gaps["strict-accuracy", "offline"] == 0 <= gaps["strict-accuracy", "forecast"] + 1e-9
    assert len(pd.read_csv(tmp_path / "all.csv", comment="#")) == len(rows)
    code, out, _ = run(capsys, *args)
    assert code == 0 and len(out.splitlines()) == len(rows) + 1 and out.startswith("policy ")


def test_infeasible_queries(capsys, tmp_path, subnets):
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,accuracy,latency_s\n0,0.7,1\n1,0.99,1\n")
    assert len(read_trace(trace)) == 2
    args = [*subnets, "--trace", str(trace), "--json"]
    code, _, err = run(capsys, *args)
    assert code == 2 and "query 1: asks for accuracy 0.99" in err.splitlines()[-1]
    code, out, _ = run(capsys, *args, "--on-infeasible", "drop")
    assert code == 0 and json.loads(out)["queries"] == 1 and json.loads(out)["infeasible"] == 1
    code, out, _ = run(capsys, *args, "--on-infeasible", "best-effort")
    assert code == 0 and json.loads(out)["queries"] == 2 and json.loads(out)["accuracy_attainment"] == 0.5


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--policy", "fastest"], "policy fastest does not exist"),
        (["--cache", "all"], "cache all does not exist"),
        (["--trace", "nowhere.csv"], "nowhere.csv does not exist"),
        (["--trace", "a.csv", "--arrivals", "poisson:1"], "give one of them"),
        (["--space", "ofa-resnet50"], "comes without accuracies"),
        (["--accelerator", "moon"], "moon"),
    ],
)
def test_bad_input_is_one_line_before_long_work(capsys, argv, said):
    code, out, err = run(capsys, *argv)
    lines = [line for line in err.splitlines() if not line.endswith("...")]
    assert code == 2 and not out and len(lines) == 1 and said in lines[0]
