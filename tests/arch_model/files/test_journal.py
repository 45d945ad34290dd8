"""Finished pieces survive whatever ends the process, and only a torn last line is lost."""

import errno
import math
import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.errors import FastSwitchError
from arch_model.files.journal import Journal

QUESTION = {"command": "test", "seed": 1}


def fill(path, keys, question=QUESTION):
    with Journal(path, question) as journal:
        for key in keys:
            journal.keep(key, lambda key=key: {"n": key, "x": 1 / 3})
    return path.read_bytes()


def ends(data):
    return [at for at in range(1, len(data)) if data[at - 1 : at] == b"\n"]


def test_cut_anywhere_and_filled_again_it_has_the_same_bytes(tmp_path):
    whole = fill(tmp_path / "whole", "abc")
    for size in sorted({*range(0, len(whole), 13), *(at + d for at in ends(whole) for d in (-1, 0, 1))}):
        path = tmp_path / "cut"
        path.write_bytes(whole[:size])
        with Journal(path, QUESTION) as journal:
            assert len(journal) == max(0, whole[:size].count(b"\n") - 1)
        path.unlink(missing_ok=True)
        path.write_bytes(whole[:size])
        assert fill(path, "abc") == whole


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=9))
def test_values_are_the_same_when_they_come_back(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("journal") / "j"
    with Journal(path, QUESTION) as journal:
        first = journal.keep("key", lambda: value)
    with Journal(path, QUESTION) as journal:
        again = journal.keep("key", lambda: pytest.fail("it was kept"))
    assert repr(first) == repr(again) == repr(value)  # repr: not a number is not equal to itself


def test_names_with_line_ends_commas_and_hashes(tmp_path):
    key = '# a,"b"\r\nc\u2028d\x85'
    fill(tmp_path / "j", [key])
    with Journal(tmp_path / "j", QUESTION) as journal:
        assert journal.get(key)["n"] == key


def test_another_question_is_refused_and_forced(tmp_path):
    path = tmp_path / "j"
    before = fill(path, "ab")
    other = {"command": "test", "seed": 2}
    with pytest.raises(FastSwitchError, match="another question: seed is 1 there and 2 here"), Journal(path, other):
        pass
    assert path.read_bytes() == before
    with Journal(path, QUESTION, force=True) as journal:
        assert len(journal) == 2  # of the same question nothing is thrown away
    with Journal(path, other, force=True) as journal:
        assert len(journal) == 0


def test_a_file_that_is_no_journal_is_refused(tmp_path):
    path = tmp_path / "notes.part"
    for content in (b"my notes\n", b"my notes", b"[]\n", b"{}\n", b"\xff\x00", b"{" * 10_000):
        path.write_bytes(content)
        with pytest.raises(FastSwitchError, match="does not say which question"), Journal(path, QUESTION):
            pass
        assert path.read_bytes() == content
    path.write_text('{"fastswitch": "unfinished results", "format": 99, "question": {}}\n')
    with pytest.raises(FastSwitchError, match=r"of format 99 .* reads format 1"), Journal(path, QUESTION):
        pass


def test_a_second_process_is_kept_out(tmp_path):
    with Journal(tmp_path / "j", QUESTION), pytest.raises(FastSwitchError, match="in use by another process"):
        Journal(tmp_path / "j", QUESTION).__enter__()


def test_a_file_without_a_piece_goes(tmp_path):
    with Journal(tmp_path / "j", QUESTION):
        pass
    assert os.listdir(tmp_path) == []


def test_a_disk_that_is_full_at_any_write_keeps_what_was_finished(tmp_path, monkeypatch):
    whole, real = fill(tmp_path / "whole", "abcd"), os.write
    for fails in range(5):
        path, calls = tmp_path / f"full{fails}", 0

        def write(descriptor, data, fails=fails):
            nonlocal calls
            calls += 1
            if calls == fails + 1:
                real(descriptor, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(descriptor, data)

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", write)
            with pytest.raises(FastSwitchError, match=f"^cannot write {path}: No space left on device$"):
                fill(path, "abcd")
        if path.exists():
            assert whole.startswith(path.read_bytes()) and path.read_bytes().count(b"\n") == fails
        assert fill(path, "abcd") == whole


COUNT = """
import sys
from pathlib import Path
from arch_model.files.journal import Journal
with Journal(Path(sys.argv[1]), {"command": "test", "seed": 1}) as journal:
    for n in range(100_000):
        journal.keep(str(n), lambda: n)
        print(n, flush=True)
"""


def test_what_was_said_to_be_finished_is_there_after_a_kill(tmp_path):
    path = tmp_path / "j"
    for stop in (3, 200):
        with subprocess.Popen([sys.executable, "-c", COUNT, str(path)], stdout=subprocess.PIPE, text=True) as run:
            for line in run.stdout:
                if int(line) >= stop:
                    break
            run.send_signal(signal.SIGKILL)
        with Journal(path, QUESTION) as journal:
            assert len(journal) > stop
            assert all(journal.get(str(n)) == n for n in range(len(journal)))


def test_infinities_come_back(tmp_path):
    with Journal(tmp_path / "j", QUESTION) as journal:
        journal.add("a", [math.inf, -math.inf])
    with Journal(tmp_path / "j", QUESTION) as journal:
        assert journal.get("a") == [math.inf, -math.inf]
