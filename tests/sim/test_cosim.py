"""Layer tables on the RTL: rows repeated, predictions confirmed, impossible rows refused before anything runs."""

from pathlib import Path

import pandas as pd
import pytest

from arch_model.accelerator import Accelerator
from arch_model.errors import LayerError
from arch_model.layer import COLUMNS
from sim.cosim import run_layers
from sim.simulators import find_simulator

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
    run_layers(
        TINY, table, tmp_path / "out.csv", simulator=find_simulator(), on_row=seen.append, **{"seed": 1, **options}
    )
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
    header = (tmp_path / "out.csv").read_text().splitlines()[:3]
    assert header[1:] == [f"# accelerator: {TINY.hash()}", "# seed: 1"]


def test_the_best_mappings_run_too_and_are_no_slower(tmp_path):
    quick, best = cosim(tmp_path, ROWS), cosim(tmp_path, ROWS, best=True)
    for one, other in zip(quick, best, strict=True):
        assert other["mismatches"] == 0
        assert other["predicted_cycles"] == other["simulated_cycles"] < one["simulated_cycles"]


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
        ("0,0,0,deep,1,8,9000,9,9,3,3,1,1,9,9,52488000,648000", r"line 3: layer deep: .*SB"),
    ],
)
def test_a_row_that_does_not_fit_is_named_before_anything_runs(tmp_path, row, why):
    with pytest.raises(LayerError, match=why):
        cosim(tmp_path, [ROWS[0], row])
    assert not (tmp_path / "out.csv").exists()
