"""A file of results is checked before the work, goes on after an interruption, and is never half there."""

import os
import subprocess
import sys

import pytest

from arch_model.errors import FastSwitchError
from arch_model.files.question import asked
from arch_model.files.result_file import ResultFile
from arch_model.files.tables import write_table

ONE, TWO = asked("test", seed=1), asked("test", seed=2)


def make(path, question=ONE, stop=4, **options):
    """Four rows, of which those from ``stop`` on are not reached; which were made now."""
    made = []
    with ResultFile(path, question, **options) as out:
        for n in range(4):
            if n == stop:
                raise KeyboardInterrupt
            out.row(str(n), lambda n=n: made.append(n) or {"n": n, "x": n / 3, "text": f'#{n},"\n'})
        out.finish()
    return made


def test_the_same_bytes_whenever_it_was_interrupted(tmp_path):
    assert make(tmp_path / "whole.csv") == [0, 1, 2, 3]
    for stop in range(4):
        path = tmp_path / f"{stop}.csv"
        with pytest.raises(KeyboardInterrupt):
            make(path, stop=stop)
        assert not path.exists()
        assert make(path) == list(range(stop, 4))
        assert path.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["0.csv", "1.csv", "2.csv", "3.csv", "whole.csv"]


def test_another_question_replaces_nothing_unless_forced(tmp_path):
    path = tmp_path / "a.csv"
    make(path)
    before = path.read_bytes()
    with pytest.raises(FastSwitchError, match=r"a.csv holds results of another question: seed is 1 there and 2 here"):
        make(path, TWO)
    with pytest.raises(KeyboardInterrupt):
        make(path, TWO, stop=2, force=True)
    assert path.read_bytes() == before  # until the new one is whole
    assert make(path, TWO, force=True) == [2, 3]
    assert b"# seed: 2" in path.read_bytes()


def test_unfinished_work_of_another_question_is_not_lost(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "a.csv", stop=3)
    with pytest.raises(FastSwitchError, match="seed is 1 there and 2 here"):
        make(tmp_path / "a.csv", TWO)
    assert make(tmp_path / "a.csv") == [3]


def test_files_of_others_and_of_older_versions_stay(tmp_path):
    path = tmp_path / "a.csv"
    for content, says in [
        ("my,notes\n1,2\n", "does not say which question"),
        ("# version: 0.1.0\n# seed: 1\nn\n0\n", "written by fastswitch 0.1.0"),
    ]:
        path.write_text(content)
        with pytest.raises(FastSwitchError, match=says):
            make(path)
        assert path.read_text() == content
    make(path, force=True)
    path.write_text("")
    assert make(path) == [0, 1, 2, 3]  # an empty one has nothing to lose


def test_an_input_is_never_replaced(tmp_path):
    path = tmp_path / "a.csv"
    write_table(path, ONE, [{"n": 1}])
    before = path.read_bytes()
    with pytest.raises(FastSwitchError, match="is also the input"):
        make(path, inputs=[None, path], force=True)
    assert path.read_bytes() == before


def test_two_at_once(tmp_path):
    with ResultFile(tmp_path / "a.csv", ONE) as out:
        out.row("0", lambda: {"n": 0})
        with pytest.raises(FastSwitchError, match=r"a\.csv is in use by another process"):
            make(tmp_path / "a.csv", force=True)


def test_pieces_in_any_order_and_any_format(tmp_path):
    with ResultFile(tmp_path / "a.bin", ONE) as out:
        out.add("b", [2])
        out.add("a", [1])
        assert "b" in out and len(out) == 2
        out.finish_with(lambda file: file.write(bytes(out.get("a") + out.get("b"))))
    assert (tmp_path / "a.bin").read_bytes() == b"\1\2" and os.listdir(tmp_path) == ["a.bin"]


def test_no_file_wanted_and_streams(tmp_path, capfd):
    assert make(None) == [0, 1, 2, 3]
    assert make(type(tmp_path)("/dev/null")) == [0, 1, 2, 3]
    with pytest.raises(FastSwitchError, match=r"^cannot write /dev/full: No space left on device$"):
        make(type(tmp_path)("/dev/full"))
    script = (
        "from pathlib import Path; from arch_model.files.result_file import ResultFile\n"
        "with ResultFile(Path('/dev/stdout'), {'seed': 1}) as out:\n"
        "    out.row('0', lambda: {'n': 0}); print('said'); out.row('1', lambda: {'n': 1}); out.finish()"
    )
    run = subprocess.run([sys.executable, "-u", "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["#", "seed:", "1", "n", "0", "said", "1"]


def test_a_folder_that_cannot_be_written_is_named_before_the_work(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "a.csv", tmp_path):
        with pytest.raises(FastSwitchError, match="cannot write"):
            make(path)
