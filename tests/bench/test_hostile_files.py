"""A few of the hostile files of bench/hostile_files.py, of every kind, in this process."""

import os
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import hostile_files

import fastswitch

KINDS = {kind[0]: kind for kind in hostile_files.kinds()}
# The others are read with much work around them.
QUICK = [name for name in KINDS if name not in ("weights", "partition", "images")]


@pytest.mark.parametrize("name", QUICK)
def test_hostile_files_are_done_or_refused_in_one_line(name, tmp_path, monkeypatch, capsys):
    kind, file, good, mutate, argv, beside = KINDS[name]
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        files = {**beside, file: mutate(good, random.Random(f"test {kind} {number}"))}
        for other, data in files.items():
            (tmp_path / other).write_bytes(data)
        with pytest.raises(SystemExit) as stop:
            fastswitch.main(list(argv))
        said = capsys.readouterr().err.split("\r")[-1].strip("\n")
        assert stop.value.code in (0, 1, 2), said
        if stop.value.code == 2:
            assert "fastswitch: " in said and len(said.splitlines()[-1]) < 1000
        assert all((tmp_path / other).is_file() for other in files)
        for made in set(os.listdir()) - set(files):
            if (tmp_path / made).is_file():
                (tmp_path / made).unlink()
