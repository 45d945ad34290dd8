"""Tables behind the lines that say what made them."""

import os

import pandas as pd
import pytest

from arch_model.files.tables import whole_table, write_table


def test_a_table_is_there_when_it_is_whole(tmp_path):
    path = tmp_path / "rows.csv"
    with pytest.raises(KeyboardInterrupt), whole_table(path, {"seed": 7, "version": "1"}) as table:
        table.write({"query": 0, "subnet": "a"})
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []
    write_table(path, {"seed": 7, "version": "1"}, [{"query": 0, "subnet": "a"}, {"query": 1, "subnet": None}])
    assert path.read_text().splitlines() == ["# seed: 7", "# version: 1", "query,subnet", "0,a", "1,"]
    assert pd.read_csv(path, comment="#")["query"].tolist() == [0, 1]


def test_a_row_with_other_columns_is_no_row_of_it(tmp_path):
    with pytest.raises(ValueError, match="fields"), whole_table(tmp_path / "a.csv", {}) as table:
        table.write({"a": 1})
        table.write({"b": 1})
    assert os.listdir(tmp_path) == []
