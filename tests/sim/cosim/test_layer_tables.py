"""Layer tables on the RTL: rows repeated, predictions confirmed, impossible rows refused before anything runs."""

from pathlib import Path

import pandas as pd
import pytest

from arch_model.errors import FastSwitchError, LayerError
from arch_model.files.question import read_question
from arch_model.files.tables import write_table
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import COLUMNS
from arch_model.spaces import get_space
from mapper.search.predict import predict_subnet
from sim.cosim.layer_tables import run_layers
from sim.rtl_bench.simulators import find_simulator

TINY = Accelerator.load("tiny")
HEADER = ",".join(COLUMNS)
ROWS = (
    "7,3,4,one,1,10,12,9,9,1,1,1,0,9,9,9720,120",
    "7,4,5,two,1,8,10,9,9,3,3,2,1,5,5,18000,720",
)


def cosim(tmp_path: Path, rows, **options):
    table = tmp_path / "layers.csv"
    table.write_text("\n".join([HEADER, *rows]) + "\n")
    seen = []
    options = {"seed": 1, "on_row": seen.append, **options}
    run_layers(TINY, table, tmp_path / "out.csv", simulator=find_simulator(), **options)
    return seen


def test_rows_come_back_with_what_was_predicted_and_simulated(tmp_path):
    seen = cosim(tmp_path, ROWS)
    out = pd.read_csv(tmp_path / "out.csv", comment="#")
    assert list(out.columns[: len(COLUMNS)]) == HEADER.split(",")
    assert out["name"].tolist() == ["one", "two"] == [row["name"] for row in seen]
    assert (out.mismatches == 0).all()
    assert (out.predicted_dram_bytes == out.simulated_dram_bytes).all()
    assert out.predicted_cycles.tolist() == out.simulated_cycles.tolist()
    assert (out.utilisation - out.macs / (108 * out.simulated_cycles)).abs().max() < 1e-9
    question = read_question(tmp_path / "out.csv")
    assert question["accelerator"] == "tiny" and question["accelerator_hash"] == TINY.hash()
    assert question["command"] == "cosim" and question["seed"] == "1" and question["best"] == "false"


def test_the_best_mappings_run_too_and_are_no_slower(tmp_path):
    quick = cosim(tmp_path, ROWS)
    with pytest.raises(FastSwitchError, match="best is false there and true here"):
        cosim(tmp_path, ROWS, best=True)
    best = cosim(tmp_path, ROWS, best=True, force=True)
    for one, other in zip(quick, best, strict=True):
        assert other["mismatches"] == 0
        assert other["predicted_cycles"] == other["simulated_cycles"] < one["simulated_cycles"]


def test_an_interrupted_table_goes_on_where_it_was(tmp_path):
    rows = [*ROWS, ROWS[0].replace("one", '"#1, ""one"""')]
    whole = cosim(tmp_path, rows)
    done = (tmp_path / "out.csv").read_bytes()
    (tmp_path / "out.csv").unlink()
    seen = []

    def stop(row):
        seen.append(row)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cosim(tmp_path, rows, on_row=stop)
    assert not (tmp_path / "out.csv").exists() and len((tmp_path / "out.csv.part").read_text().splitlines()) == 3
    with pytest.raises(FastSwitchError, match="seed is 1 there and 2 here"):
        cosim(tmp_path, rows, seed=2)
    assert cosim(tmp_path, rows) == whole
    assert (tmp_path / "out.csv").read_bytes() == done and not (tmp_path / "out.csv.part").exists()


def test_the_table_itself_is_no_place_for_the_rows(tmp_path):
    table = tmp_path / "layers.csv"
    table.write_text("\n".join([HEADER, *ROWS]) + "\n")
    (tmp_path / "out.csv").symlink_to("layers.csv")
    with pytest.raises(FastSwitchError, match=r"out.csv is also the input .*layers.csv"):
        cosim(tmp_path, ROWS, force=True)
    assert table.read_text() == "\n".join([HEADER, *ROWS]) + "\n"


def test_passes_shorter_than_their_commands_take_to_read_are_predicted_too(tmp_path):
    """FETCH is the bottleneck: a slot takes 16 cycles, a pass 6 and more, and queues that were full drain first."""
    rows = [
        "0,0,0,linear,1,42,33,1,1,1,1,1,0,1,1,1386,1386,linear,1",
        "0,0,0,point,1,88,40,3,1,1,1,2,0,2,1,7040,3520,conv,1",
        "0,0,0,filters,1,61,61,2,4,3,3,1,1,2,4,4392,549,conv,61",
        "0,0,0,five,1,5,4,3,2,5,5,1,2,3,2,3000,500,conv,1",
        "0,0,0,scale,1,33,33,4,1,1,1,1,0,4,1,0,0,scale,1",
        "0,0,0,average,1,62,62,2,2,2,2,2,0,1,1,0,0,avgpool,1",
    ]
    table = tmp_path / "layers.csv"
    table.write_text("\n".join([f"{HEADER},kind,groups", *rows]) + "\n")
    seen = []
    run_layers(TINY, table, tmp_path / "out.csv", simulator=find_simulator(), on_row=seen.append, seed=2)
    assert [row["mismatches"] for row in seen] == [0] * len(rows)
    assert [row["predicted_cycles"] for row in seen] == [row["simulated_cycles"] for row in seen]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("0,0,0,wide,1,300,12,9,9,1,1,1,0,9,9,291600,3600", r"line 3: layer wide: .*ZSB"),
        ("0,0,0,deep,1,8,7000,9,9,3,3,1,1,9,9,40824000,504000", r"line 3: layer deep: .*SB"),
    ],
)
def test_a_row_that_does_not_fit_is_named_before_anything_runs(tmp_path, row, why):
    with pytest.raises(LayerError, match=why):
        cosim(tmp_path, [ROWS[0], row])
    assert not (tmp_path / "out.csv").exists()


def test_the_table_of_predict_is_a_layer_table(tmp_path):
    """A block's convolutions take predict's cycles, where those are of them alone, and its addition is named."""
    subnet = get_space("fashion").subnet("fashion-d111-w222")
    rows = [row for row in predict_subnet(subnet, TINY) if row["layer_index"] < 5 or row["kind"] in ("pool", "linear")]
    table = tmp_path / "layers.csv"
    write_table(table, {"accelerator": "tiny"}, rows)
    seen, left_out = [], []
    run_layers(
        TINY, table, tmp_path / "out.csv", seed=1, simulator=find_simulator(), best=True,
        on_row=seen.append, on_left_out=left_out.extend,
    )  # fmt: skip
    assert [layer.name for layer in left_out] == ["s1b1_add"]
    assert [row["name"] for row in seen] == ["stem", "s1b1_conv1", "s1b1_down", "s1b1_conv2", "pool", "linear"]
    assert all(row["mismatches"] == 0 and row["predicted_cycles"] == row["simulated_cycles"] for row in seen)
    fused = "s1b1_conv2"  # predict has the addition in it
    assert [row["name"] for row in seen if int(row["cycles"]) != row["simulated_cycles"]] == [fused]


def test_additions_alone_are_refused(tmp_path):
    table = tmp_path / "layers.csv"
    table.write_text(f"{HEADER},kind\n0,0,0,sum,1,8,8,9,9,1,1,1,0,9,9,0,0,add\n")
    with pytest.raises(LayerError, match=r"has additions only; give at least one layer"):
        run_layers(TINY, table, tmp_path / "out.csv", seed=1, simulator=find_simulator(), on_row=print)
