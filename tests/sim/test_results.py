"""Rows are on disk as they come, under a header that says what made them."""

import pandas as pd
import pytest

from arch_model.errors import FastSwitchError
from sim.results import RowWriter


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
