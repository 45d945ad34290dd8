"""Rows are on disk as they come, under a header that says what made them."""

import pandas as pd
import pytest

from arch_model.errors import FastSwitchError
from sim.results import RowWriter, make_folder, write_rows


def test_a_row_survives_what_follows_it(tmp_path):
    path = tmp_path / "rows.csv"
    with pytest.raises(KeyboardInterrupt), RowWriter(path, {"seed": 7, "version": "1"}) as writer:
        writer.write({"query": 0, "subnet": "a"})
        assert pd.read_csv(path, comment="#").to_dict("records") == [{"query": 0, "subnet": "a"}]
        raise KeyboardInterrupt
    assert path.read_text().splitlines() == ["# seed: 7", "# version: 1", "query,subnet", "0,a"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FastSwitchError, match=r"missing.rows\.csv: No such file"), RowWriter(
        tmp_path / "missing" / "rows.csv", {}
    ):
        pass


def test_a_folder_is_made_with_those_above_it(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path):
    (tmp_path / "a").write_text("")
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(FastSwitchError, match=f"cannot write to {folder}: (File exists|Not a directory)"):
            make_folder(folder)


def test_rows_that_are_known_are_written_alike(tmp_path):
    rows = [{"cache": "none", "gap": 0.5}, {"cache": "sushi", "gap": None}]
    write_rows(tmp_path / "rows.csv", {"seed": 1}, rows)
    assert (tmp_path / "rows.csv").read_text().splitlines() == ["# seed: 1", "cache,gap", "none,0.5", "sushi,"]
