"""A stream on the RTL: every query exact, predicted, and on disk when it is done."""

import json
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from arch_model.files.results_folder import ResultsFolder
from arch_model.machine.accelerator import Accelerator
from sim.rtl_bench.simulators import find_simulator
from sim.serving.run_on_rtl import ROWS, TABLE, run_stream, stream_question

TINY = Accelerator.load("tiny")
FEW = ("fashion-d111-w222", "fashion-d121-w422", "fashion-d221-w332", "fashion-d212-w334", "fashion-d222-w444")


def stream_to(folder, on_row, **options):
    with ResultsFolder(folder, stream_question(TINY, **options), [ROWS, TABLE]) as results:
        return run_stream(TINY, results=results, simulator=find_simulator(), on_row=on_row, **options)


@pytest.mark.parametrize(("policy", "subnets"), [("strict-accuracy", None), ("strict-latency", ",".join(FEW))])
def test_a_stream(tmp_path, policy, subnets):
    rows = []
    options = {"queries": 6, "policy": policy, "subnets": subnets, "seed": 5}
    summary = stream_to(tmp_path, rows.append, **options)
    assert [row["query"] for row in rows] == list(range(6))
    assert all(row["bit_exact"] for row in rows) and summary["bit_exact"]
    assert all(row["dram_bytes"] == row["predicted_dram_bytes"] for row in rows)
    assert summary["max_cycle_error"] <= 0.03
    # The fourth query after the empty start is the last that runs without a SubGraph in the PB.
    assert [row["cached_subgraph"] == "none" for row in rows] == [True] * 4 + [False] * 2
    assert rows[4]["switched"] and not rows[5]["switched"]
    assert rows[5]["pb_saved_bytes"] > 0 and rows[0]["pb_saved_bytes"] == 0
    saved = sum(row["pb_saved_bytes"] for row in rows)
    moved = sum(row["dram_bytes"] for row in rows)
    assert np.isclose(summary["bytes_saved_fraction"], saved / (saved + moved))
    for row in rows:
        assert not subnets or row["subnet"] in subnets
        if policy == "strict-accuracy":
            assert row["subnet_accuracy"] >= row["min_accuracy"]
        else:
            assert row["latency_s"] <= 1.03 * row["max_latency_s"]
    table = pd.read_csv(tmp_path / "queries.csv", comment="#")
    assert table["simulated_cycles"].tolist() == [row["simulated_cycles"] for row in rows]

    # Interrupted before, at and after the switch of the PB, then gone on with: the same rows, and none of them twice.
    for stop in (1, 4, 5):
        folder, again = tmp_path / str(stop), []
        with pytest.raises(KeyboardInterrupt):
            stream_to(folder, interrupting(stop), **options)
        assert not (folder / TABLE).exists()
        before = (folder / ROWS).read_bytes()
        assert stream_to(folder, again.append, **options) == summary
        assert (folder / ROWS).read_bytes().startswith(before)
        for name in (ROWS, TABLE, "question.json"):
            assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
        assert all(np.array_equal(one.pop("image"), other["image"]) for one, other in zip(again, rows, strict=True))
        assert again == [{key: row[key] for key in row if key != "image"} for row in rows]


def interrupting(stop):
    rows = []

    def on_row(row):
        rows.append(row)
        if len(rows) == stop:
            raise KeyboardInterrupt

    return on_row


def test_an_interrupted_stream_keeps_what_is_finished(tmp_path):
    options = ["--queries", "400", "--subnets", f"{FEW[0]},{FEW[1]}", "--json", "--out", str(tmp_path)]
    command = [sys.executable, "-m", "fastswitch", "run", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        seen = [json.loads(run.stdout.readline()) for _ in range(3)]
        run.send_signal(signal.SIGINT)
        rest, error = run.communicate(timeout=60)
        assert run.returncode == 130
    shown = len(seen) + len(rest.splitlines())
    end = f" finished queries are in {tmp_path}, the same command goes on with them"
    said = error.splitlines()[-1]
    finished = int(said.removeprefix("fastswitch: interrupted; ").removesuffix(end))
    kept = [json.loads(line)["value"] for line in (tmp_path / "queries.jsonl").read_text().splitlines()[1:]]
    # The signal may come when a query is in the folder and not yet counted, or counted and not yet shown.
    assert shown <= finished <= len(kept) <= shown + 1
    assert [row["subnet"] for row in kept[:3]] == [row["subnet"] for row in seen]
