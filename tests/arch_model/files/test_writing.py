"""A file is there whole or not at all, and no input is written over."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from arch_model.errors import FastSwitchError
from arch_model.files.writing import (
    beside_name,
    check_output,
    is_stream,
    make_folder,
    whole_file,
    write_new,
    write_whole,
)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path, error):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(error), whole_file(path) as file:
        file.write(b"half")
        raise error
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.csv"]
    with whole_file(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["a.csv"]


FULL = """
import resource, sys
from pathlib import Path
from arch_model.errors import FastSwitchError
from arch_model.files.writing import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_whole(Path(sys.argv[1]), b"x" * 1_000_000)
except FastSwitchError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    run = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True)
    assert run.stdout == f"cannot write {path}: File too large\n" and run.stderr == ""
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.csv"]


def test_what_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "folder").mkdir()
    for path, why in [
        (tmp_path / "missing" / "a", "No such file or directory"),
        (tmp_path / "folder", "Is a directory"),
        ("/dev/full", "No space left on device"),
        (tmp_path / ("n" * 300), "File name too long"),
    ]:
        with pytest.raises(FastSwitchError, match=f"^cannot write .*: {why}$"):
            write_whole(type(tmp_path)(path), "text")


def test_a_link_stays_a_link_and_rights_stay(tmp_path):
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to("real.csv")
    write_whole(link, "new")
    assert link.is_symlink() and real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    link.unlink()
    link.symlink_to("not-yet.csv")
    write_whole(link, "new")
    assert (tmp_path / "not-yet.csv").read_text() == "new"


def test_a_new_file_has_the_rights_that_the_user_gives_new_files(tmp_path):
    old = os.umask(0o027)
    try:
        write_whole(tmp_path / "a", "")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_two_writers_at_once(tmp_path):
    path = tmp_path / "a"
    with whole_file(path) as file:
        file.write(b"first")
        with pytest.raises(FastSwitchError, match="being written by another process"):
            write_whole(path, "second")
    assert path.read_text() == "first"


def test_pipes_and_devices_are_written_as_they_are(tmp_path):
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    assert is_stream(fifo) and not is_stream(tmp_path) and not is_stream(tmp_path / "none")
    got = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()))
    reader.start()
    write_whole(fifo, "rows")
    reader.join()
    assert got == [b"rows"] and stat.S_ISFIFO(fifo.stat().st_mode)
    write_whole(type(tmp_path)("/dev/null"), "rows")


def test_standard_output_goes_on_where_it_was(tmp_path):
    script = (
        "from pathlib import Path; from arch_model.files.writing import write_whole; print('before')\n"
        "for name in ('/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'): write_whole(Path(name), 'rows\\n')\n"
        "print('after')"
    )
    with (tmp_path / "out").open("w") as out:
        subprocess.run([sys.executable, "-c", script], stdout=out, check=True)
    run = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    assert run.stdout == (tmp_path / "out").read_text() == "before\nrows\nrows\nrows\nafter\n"


def test_an_input_under_any_name_is_no_output(tmp_path):
    layers = tmp_path / "layers.csv"
    layers.write_text("name")
    (tmp_path / "soft.csv").symlink_to("layers.csv")
    os.link(layers, tmp_path / "hard.csv")
    for name in ("layers.csv", "soft.csv", "hard.csv", "../" + tmp_path.name + "/layers.csv"):
        with pytest.raises(FastSwitchError, match=r"is also the input .*layers.csv"):
            check_output(tmp_path / name, [None, "none.npz", layers])
        with pytest.raises(FastSwitchError, match="is also the input"):
            write_new(tmp_path / name, "rows", [layers], force=True)
    for beside in ("other.csv.part", ".other.csv.new"):
        (tmp_path / beside).write_text("")
        with pytest.raises(FastSwitchError, match="is also the input"):
            check_output(tmp_path / "other.csv", [tmp_path / beside])
    check_output(tmp_path / "other.csv", [layers])
    assert layers.read_text() == "name"


def test_something_else_is_not_replaced_unless_asked(tmp_path):
    path = tmp_path / "deep" / "a.png"
    write_new(path, b"one")
    write_new(path, b"one")
    with pytest.raises(FastSwitchError, match="holds something else; give another file, or --force"):
        write_new(path, b"two")
    assert path.read_bytes() == b"one"
    write_new(path, b"two", force=True)
    assert path.read_bytes() == b"two"
    path.write_bytes(b"")
    write_new(path, b"three")
    assert path.read_bytes() == b"three"


def test_names_beside_fit_where_the_name_fits(tmp_path):
    path = tmp_path / ("n" * 255)
    write_whole(path, "text")
    assert path.read_text() == "text"
    assert beside_name(path, "part") != beside_name(tmp_path / ("n" * 254 + "m"), "part")


def test_a_folder_is_made_with_those_above_it_or_named(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "b"):
        with pytest.raises(FastSwitchError, match=f"cannot write to {folder}: (File exists|Not a directory)"):
            make_folder(folder)
