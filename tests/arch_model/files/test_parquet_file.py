import contextlib
import io
import random
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arch_model.errors import FastSwitchError
from arch_model.files import parquet_file
from arch_model.files.parquet_file import parquet_record, read_parquet, to_frame
from arch_model.files.wanted import Wanted

WANTED = Wanted("x.parquet", "a good one")


def written(path, columns, **options):
    pq.write_table(pa.table(columns), path, **options)
    return path


def refused(path):
    with pytest.raises(FastSwitchError) as error:
        read_parquet(path, WANTED)
    assert len(str(error.value)) < 400 and str(error.value).isprintable()
    return str(error.value)


def test_a_table_is_read(tmp_path):
    columns = {"name": ["a", "b#", "a"], "n": [1, 2, 3], "x": [0.5, None, 2.0]}
    assert read_parquet(written(tmp_path / "a", columns), WANTED).to_pydict() == columns


class Watched(io.FileIO):
    """A file that knows who read it."""

    def __init__(self, path):
        super().__init__(path)
        self.readers = set()

    def read(self, size=-1):
        self.readers.add(threading.get_ident())
        return super().read(size)


def test_no_thread_of_arrow_reads_the_file(tmp_path, monkeypatch):
    """One that still held it when the interpreter ended would abort the process."""
    path = written(tmp_path / "a", {"name": ["a", "b"] * 500, **{f"n{i}": range(1000) for i in range(20)}})
    with Watched(path) as file:
        monkeypatch.setattr(parquet_file, "opened", lambda *_: contextlib.nullcontext(file))
        assert read_parquet(path, WANTED).num_rows == 1000
        assert file.readers == {threading.get_ident()}


def test_a_frame_has_the_numbers_and_texts_of_the_table(tmp_path):
    columns = {"name": ["a", "b#", "a"], "n": [1, 2, 3], "x": [0.5, 1.0, 2.0]}
    assert to_frame(read_parquet(written(tmp_path / "a", columns), WANTED)).to_dict("list") == columns


def test_what_is_too_much_is_refused(tmp_path, monkeypatch):
    path = written(tmp_path / "a", {"n": list(range(100)), "m": [0] * 100})
    monkeypatch.setattr(parquet_file, "CELLS", 200)
    assert read_parquet(path, WANTED).num_rows == 100
    monkeypatch.setattr(parquet_file, "CELLS", 199)
    assert "has 100 rows of 2 columns, more than 199 cells" in refused(path)
    monkeypatch.undo()
    long = written(tmp_path / "b", {"name": pa.DictionaryArray.from_arrays([0] * 10_000, ["x" * 100_000])})
    assert long.stat().st_size < 200_000 and "has texts of 1000000000 bytes" in refused(long)
    assert "lists or records" in refused(written(tmp_path / "c", {"n": [[1], [2]]}))


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"PAR1")
    (tmp_path / "b").write_bytes(b"PAR1" + b"\xff" * 100 + b"PAR1")
    for name in ("a", "b", "none"):
        refused(tmp_path / name)
    whole = written(tmp_path / "c", {"n": [1, 2]}).read_bytes()
    (tmp_path / "c").write_bytes(whole[:-20])
    refused(tmp_path / "c")
    with pytest.raises(FastSwitchError, match="does not say what made it"):
        parquet_record(pa.table({"n": [1]}), b"fastswitch", WANTED)


def test_damage_gives_a_table_or_one_line(tmp_path):
    rng = random.Random(4)
    path = written(tmp_path / "a", {"name": ["a", "b"] * 20, "n": list(range(40)), "x": [0.5] * 40})
    whole = path.read_bytes()
    for _ in range(150):
        raw = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        path.write_bytes(raw)
        try:
            read_parquet(path, WANTED)
        except FastSwitchError as error:
            assert str(error).isprintable()
