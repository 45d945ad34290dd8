"""``fastswitch serve``: its keys, its files, its one line for bad input."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import fastswitch
from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import choose_subnets, get_space, subnet_entry
from mapper.serving.table_file import TABLE, load_table
from mapper.workload.fusion import is_runnable
from sim.serving.streams import read_trace

ROOT = Path(__file__).parents[1]
KEYS = {
    *("queries", "mean_latency_s", "p50_latency_s", "p99_latency_s", "accuracy", "slo_attainment", "dram_bytes"),
    *("energy_j", "pb_hit_fraction", "switches"),
}


@pytest.fixture
def subnets(tmp_path):
    """Three small SubNets of OFA-ResNet50 in a file: a table in seconds."""
    nets = choose_subnets("3", "ofa-resnet50", 1, accept=is_runnable).subnets
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
    args = [*subnets, "--stream", str(trace), "--json"]
    code, _, err = run(capsys, *args)
    assert code == 2 and "query 1: asks for accuracy 0.99" in err.splitlines()[-1]
    code, out, _ = run(capsys, *args, "--on-infeasible", "drop")
    assert code == 0 and json.loads(out)["queries"] == 1 and json.loads(out)["infeasible"] == 1
    code, out, _ = run(capsys, *args, "--on-infeasible", "best-effort")
    assert code == 0 and json.loads(out)["queries"] == 2 and json.loads(out)["accuracy_attainment"] == 0.5


@pytest.fixture
def saved(capsys, tmp_path, subnets):
    """A table of the three SubNets and four SubGraphs."""
    path = tmp_path / "saved"
    argv = ["table", "--space", "ofa-resnet50", *subnets[:4], "--subgraphs", "4", "--out", str(path)]
    with pytest.raises(SystemExit) as stop:
        fastswitch.main(argv)
    assert not stop.value.code
    capsys.readouterr()
    return path


def test_a_saved_table(capsys, tmp_path, subnets, saved):
    args = ["--queries", "40", "--policy", "static", "--cache", "none", "--json"]
    code, out, _ = run(capsys, *subnets[:4], "--table", str(saved), *args)
    found = json.loads(out)
    assert code == 0 and found["queries"] == 40
    supernet, zcu104 = get_space("ofa-resnet50"), Accelerator.load("zcu104")
    seconds = load_table(saved, zcu104, supernet).latency_s[:, 0]
    assert any(found["mean_service_s"] == pytest.approx(one) for one in seconds)
    code, out, err = run(capsys, *subnets[:4], "--table", str(saved), *args[:-1])
    assert code == 0 and str(saved) in out and "building the latency table ..." in err
    # The table has the accuracies that its SubNets came with, and its folder is as good as the file.
    alone = ["--space", "ofa-resnet50", *subnets[2:4], "--table", str(saved / TABLE), *args]
    assert json.loads(run(capsys, *alone)[1]) == found | {"table": str(saved / TABLE)}
    without = tmp_path / "without"
    words = ["table", "--space", "ofa-resnet50", "--subnets", "1", *subnets[2:4], "--subgraphs", "1"]
    with pytest.raises(SystemExit):
        fastswitch.main([*words, "--out", str(without)])
    code, _, err = run(capsys, "--space", "ofa-resnet50", *subnets[2:4], "--table", str(without))
    assert code == 2 and "give --subnets FILE.json with top1 of each" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--accelerator", "tiny"], "is of accelerator zcu104"),
        (["--space", "fashion"], "is of space ofa-resnet50; this is fashion"),
    ],
)
def test_a_saved_table_of_something_else(capsys, subnets, saved, argv, said):
    machine = [] if "--accelerator" in argv else subnets[2:4]
    given = subnets[:2] if "--accelerator" in argv else []
    code, out, err = run(capsys, "--table", str(saved), *machine, *given, *argv)
    assert code == 2 and not out and said in err.splitlines()[-1]


def test_what_subnets_writes_can_be_served(capsys, tmp_path):
    fastswitch.cli.main(["subnets", "--space", "ofa-resnet50", "--json"], standalone_mode=False)
    path = tmp_path / "six.json"
    path.write_text(capsys.readouterr().out)
    code, out, _ = run(capsys, "--subnets", str(path), "--accelerator", "zcu104", "--queries", "40", "--json")
    assert code == 0 and 0.75 <= json.loads(out)["accuracy"] <= 0.798


def test_an_interrupted_stream_leaves_its_rows(tmp_path, subnets):
    path = tmp_path / "served.csv"
    argv = ["serve", *subnets, "--queries", "3000000", "--csv", str(path)]
    code = "import signal, sys, fastswitch; signal.signal(signal.SIGINT, signal.default_int_handler); "
    job = subprocess.Popen(
        [sys.executable, "-c", f"{code}fastswitch.main({argv})"], stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert job.stderr is not None
    assert any(line.startswith("serving ...") for line in iter(job.stderr.readline, ""))
    job.send_signal(signal.SIGINT)
    err = job.communicate()[1]
    left = path.with_name("served.csv.part")
    rows = pd.read_csv(left, comment="#")
    assert job.returncode == 130 and f"interrupted; {len(rows)} finished queries are in {left}" in err
    assert 0 < len(rows) < 3_000_000 and f"# interrupted_after: {len(rows)}" in left.read_text()[:3000]
    assert not path.exists()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--policy", "fastest"], "policy fastest does not exist"),
        (["--cache", "all"], "cache all does not exist"),
        (["--stream", "nowhere.csv"], "nowhere.csv does not exist"),
        (["--stream", "a.csv", "--arrivals", "poisson:1"], "give one of them"),
        (["--stream", "a.csv", "--arrivals", "poisson:0"], "give one of them"),
        (["--arrivals", "poisson:0"], "RATE is 0"),
        (["--plot", "a.png", "--compare"], "--compare and --plot are both given"),
        (["--table", "nowhere.parquet"], "nowhere.parquet does not exist"),
        (["--table", "nowhere.parquet", "--exact"], "leave out --exact"),
        (["--space", "compofa"], "comes without accuracies"),
        (["--accelerator", "moon"], "moon"),
    ],
)
def test_bad_input_is_one_line_before_long_work(capsys, argv, said):
    code, out, err = run(capsys, *argv)
    lines = [line for line in err.splitlines() if not line.endswith("...")]
    assert code == 2 and not out and len(lines) == 1 and said in lines[0]


def test_machines_behind_one_queue(capsys, tmp_path, subnets):
    stream = ["--arrivals", "gamma:60,4", "--slo", "0.2", "--queries", "300", "--machines", "2"]
    code, out, _ = run(capsys, *subnets, *stream, "--csv", str(tmp_path / "queue.csv"), "--json")
    found = json.loads(out)
    assert code == 0 and found["policy"] == "backlog" and found["machines"] == 2
    rows = pd.read_csv(tmp_path / "queue.csv", comment="#")
    assert (rows["outcome"] == "in time").mean() == found["slo_attainment"]
    assert rows["machine"].dropna().isin([0, 1]).all()
    code, out, _ = run(capsys, *subnets, *stream, "--compare", "--plot", str(tmp_path / "curves.png"), "--json")
    rows = json.loads(out)
    assert code == 0 and {row["policy"] for row in rows} >= {"backlog", "slackfit", "cheapest"}
    assert all(row["slo_attainment"] <= row["attainment_bound"] + 1e-9 for row in rows if row["accuracy"])
    assert (tmp_path / "curves.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--late", "serve"], "--late is of a queue; give --machines N, too"),
        (["--machines", "2", "--policy", "random"], "policy random does not exist for a queue"),
        (["--machines", "2", "--batch-sizes", "2,4"], "2,4 is no list of batch sizes; give 1 and larger ones"),
        (["--machines", "2", "--plot", "a.png"], "--plot of a queue draws the curves of all policies; give --compare"),
    ],
)
def test_options_of_a_queue(capsys, argv, said):
    code, out, err = run(capsys, *argv)
    assert code == 2 and not out and said in err.splitlines()[-1]
