"""Verilog is generated once for the same files, anew when any of them changes, and never kept under a wrong name."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

import rtl.generate
from sim.rtl_bench import generated
from sim.rtl_bench.generated import generated_verilog
from tests.machines import TINY, WIDE


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Machines that were generated; their Verilog is made up."""
    names: list[str] = []

    def verilog(accelerator):
        names.append(accelerator.name)
        return f"// {accelerator.name}, {len(names)}\n"

    monkeypatch.setattr(rtl.generate, "verilog", verilog)
    return names


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of three rooms with a file each."""
    root = tmp_path / "rooms"
    for room in generated.FROM:
        (root / room).mkdir(parents=True)
        (root / room / "file.py").write_text("text\n")
    monkeypatch.setattr(generated, "ROOMS", root)
    monkeypatch.setattr(generated, "_AT_IMPORT", generated.rooms_digest())
    return root


def test_once_for_each_machine(rooms: Path, tmp_path: Path, asked: list[str]) -> None:
    first = generated_verilog(TINY, tmp_path / "kept")
    assert generated_verilog(TINY, tmp_path / "kept") == first == "// tiny, 1\n"
    generated_verilog(WIDE, tmp_path / "kept")
    assert asked == ["tiny", "wide"]


@pytest.mark.parametrize("room", generated.FROM)
def test_anew_when_a_file_of_any_room_changes(
    room: str, rooms: Path, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    generated_verilog(TINY, tmp_path / "kept")
    before = generated.rooms_digest()
    (rooms / room / "data.yaml").write_text("width: 9\n")
    assert generated.rooms_digest() != before
    monkeypatch.setattr(generated, "_AT_IMPORT", generated.rooms_digest())  # a process that starts now
    assert generated_verilog(TINY, tmp_path / "kept") == "// tiny, 2\n"


def test_files_edited_while_the_process_runs_leave_nothing_behind(
    rooms: Path, tmp_path: Path, asked: list[str]
) -> None:
    (rooms / "rtl" / "file.py").write_text("half of an edit\n")
    assert generated_verilog(TINY, tmp_path / "kept") == "// tiny, 1\n"
    assert generated_verilog(TINY, tmp_path / "kept") == "// tiny, 2\n"
    assert not (tmp_path / "kept").exists()


CUT_SHORT = gzip.compress(b"a" * 99, mtime=0)[:-12] + bytes(12)  # with the time of day two workers name two tests


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b\x08\x00", b"no gzip at all", CUT_SHORT])
def test_a_damaged_or_unwritable_copy_only_costs_time(
    damage: bytes, rooms: Path, tmp_path: Path, asked: list[str]
) -> None:
    generated_verilog(TINY, tmp_path / "kept")
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(damage)
    assert generated_verilog(TINY, tmp_path / "kept") == "// tiny, 2\n"
    (tmp_path / "file").write_text("in the way")
    assert generated_verilog(TINY, tmp_path / "file" / "below") == "// tiny, 3\n"
