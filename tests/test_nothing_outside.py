"""The project is whole: no test, bench, example or page names a place outside the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arch_model.errors import FastSwitchError
from arch_model.files.published import PUBLISHED, VARIABLE, published

ROOT = Path(__file__).parents[1]
FOLDERS = ("tests", "bench", "examples", "docs")
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
FILES = [
    *PAGES,
    *(path for folder in FOLDERS for kind in ("py", "md") for path in sorted((ROOT / folder).rglob(f"*.{kind}"))),
]

OUTSIDE = (
    r"\bROOT\.parent\b",  # beside the project
    r"\.\./shared\b",
    r"Path\(\"\.\./",
    r"[\s\"'(](?:/home|/Users|/root|/work)/",  # somebody's own folder
    r"(?:python|fastswitch|pytest) [^\n`]*\s\.\./",  # a command
)


def places_above(path: Path, text: str) -> list[str]:
    """``parents[N]`` of a file's own path that leads out of the project."""
    depth = len(path.relative_to(ROOT).parts)
    found = re.findall(r"__file__\)(?:\.\w+\(\))?\.parents\[(\d+)\](\.parent\b)?", text)
    return [f"parents[{n}]{more}" for n, more in found if int(n) + bool(more) >= depth]


def test_no_file_names_a_place_outside() -> None:
    found = []
    for path in (path for path in FILES if path != Path(__file__)):
        text = path.read_text(encoding="utf-8")
        found += [f"{path.relative_to(ROOT)}: {place}" for place in places_above(path, text)]
        found += [f"{path.relative_to(ROOT)}: {hit[0]}" for rule in OUTSIDE for hit in re.finditer(rule, text)]
    assert not found, "\n".join(found)


def test_places_above_are_seen() -> None:
    here = ROOT / "tests" / "arch_model" / "test_x.py"
    assert places_above(here, "Path(__file__).parents[2]") == []
    assert places_above(here, "Path(__file__).resolve().parents[3] / 'x'") == ["parents[3]"]
    assert places_above(here, "Path(__file__).parents[2].parent") == ["parents[2].parent"]


def test_published_tables_have_one_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    name = "supernet_search_spaces.json"
    with pytest.raises(FastSwitchError, match=f"published table {name} is not here; set {VARIABLE} to the folder that"):
        published(name)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / name).write_text("{}")
    monkeypatch.setenv(VARIABLE, f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert published(name) == tmp_path / "b" / name
    with pytest.raises(KeyError, match=r"mine\.csv is none of "):
        published("mine.csv")


def test_the_page_has_each_table() -> None:
    page = (ROOT / "docs" / "reference" / "published-tables.md").read_text(encoding="utf-8")
    assert VARIABLE in page
    assert set(re.findall(r"^\| `([^`]+?)/?` \|", page, re.MULTILINE)) == set(PUBLISHED)
