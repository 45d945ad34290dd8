"""A sample of the hostile command lines, in this process: each ends with a status that is known and in one line."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import pytest

import fastswitch

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """The module of the bench."""
    monkeypatch.setattr(sys, "path", [str(BENCH), *sys.path])
    return pytest.importorskip("hostile_commands")


def test_the_same_seed_gives_the_same_cases_of_every_kind(hostile) -> None:  # type: ignore[no-untyped-def]
    one, again = list(hostile.cases(3)), list(hostile.cases(3))
    assert one == again and len(one) >= 1000
    assert len({case.kind for case in one}) == 9
    assert {case.argv[0] for case in one if case.argv} >= set(fastswitch.COMMANDS)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_sample_ends_in_one_line(  # type: ignore[no-untyped-def]
    hostile, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")  # no simulator
    monkeypatch.chdir(tmp_path)
    quick = (case for case in hostile.cases(seed) if case.kind.endswith(("numbers", "texts", "spelling", "no command")))
    for case in islice(quick, 60):
        for name, data in case.files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(data)
        with pytest.raises(SystemExit) as stop:
            fastswitch.main(list(case.argv))
        err = capsys.readouterr().err
        assert stop.value.code in (0, 1, 2), (case.argv, err)
        said = [line for line in err.splitlines() if not line.endswith("...")]
        if stop.value.code == 2:
            assert len(said) == 1 and said[0].startswith("fastswitch: ") and len(said[0]) <= 1000, (case.argv, err)
        assert all((tmp_path / name).read_bytes() == data for name, data in case.files.items()), case.argv
