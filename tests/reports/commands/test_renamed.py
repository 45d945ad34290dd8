"""A command line of version 0.1.0 is answered with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.commands.renamed import RENAMED, refuse_renamed
from tests.test_fastswitch import call


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("cosim --space fashion --subnet fashion-d111-w222 --out o", "--subnets NAME,..."),
        ("run --subnet=fashion-d111-w222", "--subnets NAME,..."),
        ("serve --trace recorded.csv", "--stream FILE.csv"),
        ("hybrid --report study --seed 1", "--out DIR"),
        ("hybrid --subnets 5 --out study", "--family N"),
        ("table --space fashion --subnets 2 --subgraphs 2 --out abs.parquet", "--out DIR, for DIR/sushiabs.parquet"),
        ("package --out=fashion.npz", "--out DIR, for DIR/package.npz"),
        ("partition --variation none --out split.json", "--out DIR, for DIR/partition.json"),
    ],
)
def test_an_old_spelling_says_the_new_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, instead: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = call(capsys, *line.split())
    (said,) = err.splitlines()
    assert (status, out) == (2, "") and said.endswith(f"write {instead}") and "since version 0.2.0" in said
    assert not list(tmp_path.iterdir())


def test_the_changelog_lists_every_one() -> None:
    text = (Path(__file__).parents[3] / "CHANGELOG.md").read_text(encoding="utf-8")
    for old in RENAMED:
        assert any(f"`{old.command} {old.option}" in line and old.instead in line for line in text.splitlines()), old


@pytest.mark.parametrize(
    "words", [["cosim", "--trace", "folder"], ["serve", "--", "--trace", "x"], ["hybrid", "--report", "--out", "o"]]
)
def test_todays_spellings_pass(words: list[str]) -> None:
    refuse_renamed(words[0], words[1:])
