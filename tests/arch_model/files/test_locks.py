"""One holder at a time, gone with its process."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from arch_model.errors import FastSwitchError
from arch_model.files.locks import Lock

HOLD = """
import sys, time
from pathlib import Path
from arch_model.files.locks import Lock
with Lock(Path(sys.argv[1]), "busy"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_holder_leaves_nothing_that_keeps_others_out(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(FastSwitchError, match=r"^busy$"), Lock(path, "busy"):
            pass
        holder.send_signal(signal.SIGKILL)
    with Lock(path, "busy"):
        pass


def test_a_child_that_outlives_the_block_does_not_hold_it(tmp_path):
    path, context = tmp_path / "lock", multiprocessing.get_context("fork")
    there, wake = context.Event(), context.Event()
    with Lock(path, "busy"):
        child = context.Process(target=lambda: (there.set(), wake.wait(60)))
        child.start()
        there.wait(60)
    with Lock(path, "busy"):  # although the child was forked while it was held
        pass
    wake.set()
    child.join()


def test_a_file_that_its_holder_renamed_is_not_taken_for_the_name(tmp_path):
    with Lock(tmp_path / "a", "busy"):
        os.rename(tmp_path / "a", tmp_path / "b")
        with Lock(tmp_path / "a", "busy") as other:
            assert os.path.samestat(os.fstat(other.descriptor), os.stat(tmp_path / "a"))


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError), Lock(tmp_path / "lock", "busy"):
        pass
    assert not (tmp_path / "elsewhere").exists()
