"""``cosim --trace``: what it leaves, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from arch_model.errors import FastSwitchError
from arch_model.network.layer import COLUMNS
from reports.commands.cosim import command
from sim.rtl_bench.simulators import find_simulator

ROW = "0,0,0,small,1,4,3,5,5,1,1,1,0,5,5,300,12"


def cosim(folder: Path, trace: Path) -> Result:
    table = folder / "layers.csv"
    table.write_text(f"{','.join(COLUMNS)}\n{ROW}\n")
    words = ["--layers", str(table), "--csv", str(folder / "out.csv"), "--trace", str(trace), "--simulator", "icarus"]
    return CliRunner().invoke(command, words, standalone_mode=False)


def test_a_layer_leaves_a_waveform_a_picture_and_a_table(tmp_path: Path) -> None:
    try:
        find_simulator("icarus")
    except FastSwitchError as error:
        pytest.skip(str(error))
    result = cosim(tmp_path, tmp_path / "traces")
    assert result.exception is None and str(tmp_path / "traces") in result.output
    left = sorted(path.name for path in (tmp_path / "traces").iterdir() if not path.name.startswith("."))
    assert left == ["1-small.csv", "1-small.fst", "1-small.png", "question.json"]
    table = pd.read_csv(tmp_path / "traces" / "1-small.csv", comment="#")
    assert set(table.unit) == {"LOAD_ACT", "LOAD_WGT", "FEED", "RUN", "STORE"}
    assert (table.start == table.model_start).all() and (table.end == table.model_end).all()
    picture = matplotlib.image.imread(tmp_path / "traces" / "1-small.png")
    assert picture.shape[1] == 1800 and picture.std() > 0.05


def test_a_folder_that_cannot_be_is_named_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = cosim(tmp_path, tmp_path / "file" / "traces")
    assert isinstance(result.exception, FastSwitchError) and "file/traces" in str(result.exception)
    assert not (tmp_path / "out.csv").exists()
