"""Whose fault an exception is, in one line."""

from __future__ import annotations

import errno
from pathlib import Path

import click
import pytest

import fastswitch
from arch_model.errors import SpaceError
from reports.commands.failures import VARIABLE, explained
from tests.test_fastswitch import call


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SpaceError("SuperNet x does not exist"), "SuperNet x does not exist"),
        (click.UsageError("no command given"), "no command given"),
        (PermissionError(errno.EACCES, "Permission denied", "a.csv"), "cannot use a.csv: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x" * 5000), "No such file"),
        (MemoryError(), "there is not enough memory"),
    ],
)
def test_what_the_user_can_do_something_about(error: Exception, text: str) -> None:
    said, status = explained(error)
    assert status == 2 and text in said and len(said) < 400


@pytest.mark.parametrize(
    "error",
    [ValueError("bad"), OverflowError("x" * 5000), RecursionError(), KeyError("k"), OSError("no number"), TypeError()],
)
def test_any_other_is_ours(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    said, status = explained(error)
    assert status == 70 and said.startswith(f"internal error, {type(error).__name__}") and len(said) < 500
    assert VARIABLE in said and capsys.readouterr().err == ""


def test_where_it_was_is_shown_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object) -> None:
        raise ValueError("a mistake of ours\nin two lines")

    monkeypatch.setattr("reports.commands.words.check_words", fail)
    monkeypatch.delenv(VARIABLE, raising=False)
    status, out, err = call(capsys, "subnets", "--space", "fashion")
    (line,) = err.splitlines()
    assert (status, out) == (70, "") and "internal error, ValueError: a mistake of ours in two lines; please" in line
    monkeypatch.setenv(VARIABLE, "1")
    status, _, err = call(capsys, "subnets", "--space", "fashion")
    assert status == 70 and "Traceback" in err and "in fail" in err and err.splitlines()[-1] == line


def test_a_message_is_one_line_of_bounded_length(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    long = "x" * 3000
    for words in (["subnets", "--space", long], ["map", "--layer", f"K={long}"], [long], ["run", f"--{long}"]):
        with pytest.raises(SystemExit) as stop:
            fastswitch.main(words)
        (line,) = capsys.readouterr().err.splitlines()
        assert stop.value.code == 2 and line.startswith("fastswitch: ") and len(line) <= 1000
    status, _, err = call(capsys, "subnets", "--space", "\x1b[31mred")
    assert status == 2 and "\x1b" not in err
