"""A folder belongs to one question and one writer; what is not the command's stays."""

import json
import os

import pytest

from arch_model.errors import FastSwitchError
from arch_model.files.question import asked
from arch_model.files.results_folder import ResultsFolder

ONE, TWO = asked("test", seed=1), asked("test", seed=2)
FILES = ["rows.jsonl", "rows.csv", "parts/"]


def make(folder, question=ONE, stop=4, files=FILES, **options):
    made = []
    with ResultsFolder(folder, question, files, **options) as results:
        rows = []
        with results.journal("rows.jsonl") as finished:
            for n in range(4):
                if n == stop:
                    raise KeyboardInterrupt
                rows.append(finished.keep(str(n), lambda n=n: made.append(n) or {"n": n}))
                results.write(f"parts/{n}", "x")
        results.write_table("rows.csv", rows)
    return made


def content(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_bytes_whenever_it_was_interrupted(tmp_path):
    make(tmp_path / "whole")
    for stop in range(4):
        folder = tmp_path / str(stop)
        with pytest.raises(KeyboardInterrupt):
            make(folder, stop=stop)
        assert make(folder) == list(range(stop, 4))
        assert make(folder) == []  # nothing is left to do
        assert content(folder) == content(tmp_path / "whole")


def test_another_question_is_refused_and_force_removes_only_its_files(tmp_path):
    make(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "parts" / "old").write_text("")
    before = content(tmp_path)
    with pytest.raises(FastSwitchError, match=r"holds results of another question: seed is 1 there and 2 here; give"):
        make(tmp_path, TWO)
    assert content(tmp_path) == before
    assert make(tmp_path, ONE, force=True) == []  # the same question: nothing is thrown away
    assert make(tmp_path, TWO, force=True) == [0, 1, 2, 3]
    assert (tmp_path / "notes.txt").read_text() == "mine" and not (tmp_path / "parts" / "old").exists()


def test_files_in_the_way_are_refused_before_the_work(tmp_path):
    (tmp_path / "rows.csv").write_text("# version: 0.1.0\nn\n1\n")
    with pytest.raises(FastSwitchError, match=r"holds rows.csv but no question.json: an older fastswitch wrote it"):
        make(tmp_path)
    assert (tmp_path / "rows.csv").read_text().startswith("# version: 0.1.0")
    assert make(tmp_path, force=True) == [0, 1, 2, 3]
    (tmp_path / "new.txt").write_text("mine")
    with pytest.raises(FastSwitchError, match=r"new.txt is in the way"):
        make(tmp_path, files=[*FILES, "new.txt"])
    assert (tmp_path / "new.txt").read_text() == "mine"


def test_an_older_folder_is_named(tmp_path):
    (tmp_path / "whole.json").write_text("{}")
    with pytest.raises(FastSwitchError, match=r"holds whole.json but no question.json"):
        make(tmp_path, older=["whole.json"])
    make(tmp_path, older=["whole.json"], force=True)
    assert not (tmp_path / "whole.json").exists()


@pytest.mark.parametrize(
    "text, says",
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 7}', "is of format 7, this fastswitch reads format 1"),
        ("{" * 100_000, "cannot be read"),
    ],
)
def test_a_record_that_cannot_be_read_is_named(tmp_path, text, says):
    make(tmp_path)
    (tmp_path / "question.json").write_text(text)
    with pytest.raises(FastSwitchError, match=f"question.json {says}.*--force"):
        make(tmp_path)
    assert make(tmp_path, force=True) == [0, 1, 2, 3]


def test_a_record_that_points_elsewhere_removes_nothing(tmp_path):
    folder, mine = tmp_path / "results", tmp_path / "mine.txt"
    mine.write_text("mine")
    make(folder)
    record = json.loads((folder / "question.json").read_text())
    (folder / "question.json").write_text(json.dumps({**record, "files": ["../mine.txt", str(mine), "../"]}))
    make(folder, TWO, force=True)
    assert mine.read_text() == "mine" and folder.exists()


def test_an_input_in_the_folder_is_never_replaced(tmp_path):
    make(tmp_path)
    os.link(tmp_path / "rows.csv", tmp_path / "input.csv")
    for question in (ONE, TWO):
        with pytest.raises(FastSwitchError, match=r"rows.csv is also the input .*input.csv"):
            make(tmp_path, question, inputs=[tmp_path / "input.csv"], force=True)
    assert (tmp_path / "rows.csv").exists()


def test_two_at_once(tmp_path):
    with ResultsFolder(tmp_path, ONE, FILES), pytest.raises(FastSwitchError, match="in use by another process"):
        make(tmp_path)


def test_undeclared_names_are_a_mistake_of_the_command(tmp_path):
    with ResultsFolder(tmp_path, ONE, FILES) as results, pytest.raises(ValueError, match="none of the files"):
        results.write("other.txt", "")
