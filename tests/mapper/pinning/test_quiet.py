"""What C prints while standard output is kept clean is gone, and nothing else is."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from mapper.pinning.quiet import without_c_output

C = ctypes.CDLL(None)


def test_lines_of_c_are_dropped_only_within(capfd: pytest.CaptureFixture[str]) -> None:
    C.puts(b"before")  # still in C's buffer when the descriptor changes
    with without_c_output():
        C.puts(b"within")
    C.puts(b"after")
    C.fflush(None)
    assert capfd.readouterr().out.split() == ["before", "after"]


def test_it_is_restored_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="inside"), without_c_output():
        raise ValueError("inside")
    os.write(1, b"there")
    assert capfd.readouterr().out == "there"


def test_without_standard_output_nothing_happens() -> None:
    lines = "import os; os.close(1)\nfrom mapper.pinning.quiet import without_c_output\nwith without_c_output(): pass"
    assert subprocess.run([sys.executable, "-c", lines], check=False).returncode == 0
