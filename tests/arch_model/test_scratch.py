"""Temporary folders: gone at the end, after an exception, and after a kill at the next start; another's stay."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from arch_model.errors import FastSwitchError
from arch_model.scratch import PREFIX, remove_abandoned, scratch_folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def owner() -> tuple[int, Path]:
    """Another process that has such a folder, and the folder."""
    reads, writes = os.pipe()
    child = os.fork()
    if child:
        os.close(writes)
        with os.fdopen(reads) as told:
            return child, Path(told.readline())
    with scratch_folder() as folder:
        (folder / "full").mkdir()
        (folder / "full" / "file").write_text("x")
        os.write(writes, os.fsencode(folder))
        os.close(writes)
        time.sleep(600)
    os._exit(0)


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def test_a_folder_goes_with_its_block_whatever_ends_it(place: Path) -> None:
    with scratch_folder() as folder:
        assert folder.parent == place and folder.name.startswith(PREFIX)
    with pytest.raises(KeyboardInterrupt), scratch_folder() as other:
        (other / "file").write_text("x")
        raise KeyboardInterrupt
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_goes_at_the_next_start_and_what_is_in_use_stays(place: Path) -> None:
    (first, one), (second, other) = owner(), owner()
    (place / "fastswitch-of-someone-else").mkdir()
    assert remove_abandoned() == []
    kill(first)
    with scratch_folder():
        assert not one.exists() and (other / "full" / "file").exists()
    kill(second)
    assert remove_abandoned() == [other]
    assert [path.name for path in place.iterdir()] == ["fastswitch-of-someone-else"]


def test_a_link_with_the_name_is_not_followed(place: Path) -> None:
    (place / "precious").mkdir()
    (place / f"{PREFIX}link").symlink_to(place / "precious")
    assert remove_abandoned() == [] and (place / "precious").exists()


def test_no_place_is_one_line(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(place / "absent"))
    with pytest.raises(FastSwitchError, match=r"cannot make a temporary folder in .*absent: No such file .*TMPDIR"):
        scratch_folder().__enter__()
