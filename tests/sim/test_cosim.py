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
    assert ((out.predicted_cycles - out.simulated_cycles).abs() <= 0.01 * out.simulated_cycles).all()
    assert (out.utilisation - out.macs / (108 * out.simulated_cycles)).abs().max() < 1e-9
    header = (tmp_path / "out.csv").read_text().splitlines()[:3]
    assert header[1:] == [f"# accelerator: {TINY.hash()}", "# seed: 1"]


def test_the_best_mappings_run_too_and_are_no_slower(tmp_path):
    quick, best = cosim(tmp_path, ROWS), cosim(tmp_path, ROWS, best=True)
    for one, other in zip(quick, best, strict=True):
        assert other["mismatches"] == 0
        assert other["predicted_cycles"] == other["simulated_cycles"] < one["simulated_cycles"]


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
