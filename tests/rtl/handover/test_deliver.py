"""What a delivery may write over, and what stands in its way."""

import hashlib
import os
import signal
import stat
from pathlib import Path

import pytest

from arch_model.errors import FastSwitchError
from rtl.handover.deliver import MANIFEST, deliver

FILES = {"README.md": b"one\n", "rtl/a.v": b"module a;\n", "old/b.txt": b"b"}


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_writes_everything_and_a_manifest(tmp_path):
    deliver(FILES, tmp_path / "a" / "b")
    found = contents(tmp_path / "a" / "b")
    manifest = found.pop(MANIFEST).decode().splitlines()
    assert found == FILES
    assert manifest == [f"{hashlib.sha256(FILES[name]).hexdigest()}  {name}" for name in sorted(FILES)]


def test_replaces_its_own_files_and_removes_those_that_are_no_more(tmp_path):
    deliver(FILES, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    deliver({"README.md": b"two\n"}, tmp_path)
    found = contents(tmp_path)
    del found[MANIFEST]
    assert found == {"README.md": b"two\n", "notes.txt": b"mine"}


def test_a_changed_file_that_is_no_more_stays(tmp_path):
    deliver(FILES, tmp_path)
    (tmp_path / "rtl" / "a.v").write_text("mine")
    deliver({"README.md": b"two\n"}, tmp_path)
    assert (tmp_path / "rtl" / "a.v").read_text() == "mine"


@pytest.mark.parametrize("delivered", [False, True])
def test_refuses_to_write_over_what_it_did_not_write(tmp_path, delivered):
    if delivered:
        deliver(FILES, tmp_path)
    (tmp_path / "rtl").mkdir(exist_ok=True)
    (tmp_path / "rtl" / "a.v").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(FastSwitchError, match=r"rtl/a\.v is in the way") as error:
        deliver(FILES | {"README.md": b"two\n"}, tmp_path)
    assert contents(tmp_path) == before and "\n" not in str(error.value)
    deliver(FILES | {"README.md": b"two\n"}, tmp_path, force=True)
    assert contents(tmp_path)["rtl/a.v"] == FILES["rtl/a.v"]


def test_goes_on_after_an_interruption(tmp_path):
    """Files that are already as they should be are no obstacle, though no manifest tells of them."""
    (tmp_path / "README.md").write_bytes(FILES["README.md"])
    deliver(FILES, tmp_path)
    assert contents(tmp_path).keys() == {*FILES, MANIFEST}


def test_a_link_is_in_the_way(tmp_path):
    (tmp_path / "elsewhere").write_text("one\n")
    (tmp_path / "README.md").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FastSwitchError, match=r"README\.md is in the way"):
        deliver(FILES, tmp_path)


@pytest.mark.parametrize("line", ["hello", f"{'0' * 64}  ../x", f"{'0' * 64}  /etc/x", f"{'0' * 63}  x"])
def test_another_file_of_the_manifests_name_is_in_the_way(tmp_path, line):
    (tmp_path / MANIFEST).write_text(line + "\n")
    with pytest.raises(FastSwitchError, match="no manifest"):
        deliver(FILES, tmp_path)
    assert contents(tmp_path).keys() == {MANIFEST}


def test_a_file_for_a_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FastSwitchError, match="cannot write"):
            deliver(FILES, folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(FastSwitchError, match=r"cannot write to .*: Permission denied"):
            deliver(FILES, tmp_path / "a")
    finally:
        tmp_path.chmod(stat.S_IRWXU)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc")
def test_a_folder_that_nobody_can_write_to():
    with pytest.raises(FastSwitchError, match="cannot write to"):
        deliver(FILES, Path("/proc/self/there"))


def test_no_half_of_a_file_is_left(tmp_path):
    """A write that breaks off, here at a limit of the process, as a full disk would."""
    resource = pytest.importorskip("resource", reason="this system has no such limits")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(FastSwitchError, match=r"cannot write .*/b: File too large"):
            deliver({"a": b"small", "b": bytes(100_000)}, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert contents(tmp_path) == {"a": b"small"}
    deliver({"a": b"small", "b": bytes(100_000)}, tmp_path)
    assert contents(tmp_path).keys() == {"a", "b", MANIFEST}
