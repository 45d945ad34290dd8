"""The judge of bench/hostile.py: it sees each kind of fault, and nothing where there is none."""

import faulthandler
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import hostile_runner
from hostile_runner import Case, run_cases, table

import fastswitch

MISDEEDS = {
    "ok": lambda: None,
    "refused": lambda: (print("fastswitch: no such thing; give another", file=sys.stderr), sys.exit(2)),
    "traceback": lambda: [][0],
    "two lines": lambda: (print("fastswitch: a\nfastswitch: b", file=sys.stderr), sys.exit(2)),
    "silent": lambda: sys.exit(2),
    "odd status": lambda: sys.exit(7),
    "loop": lambda: [None for _ in iter(int, 1)],
    "lost": lambda: Path("a.csv").unlink(),
    "crash": lambda: (faulthandler.disable(), os.abort()),  # pytest's handler would print where, to its own stream
}


def test_each_fault_is_seen(monkeypatch):
    monkeypatch.setattr(hostile_runner, "IMPORTS", ())
    monkeypatch.setattr(hostile_runner, "PROCESSOR_S", 1)
    monkeypatch.setattr(hostile_runner, "CLOCK_S", 3)
    monkeypatch.setattr(fastswitch, "main", lambda argv: MISDEEDS[argv[0]]())
    verdicts = run_cases([Case("deeds", (name,), {"a.csv": b"x"}) for name in MISDEEDS], jobs=2)
    found = {verdict.case.argv[0]: verdict.fault for verdict in verdicts}
    assert found == {
        "ok": "",
        "refused": "",
        "traceback": "traceback",
        "two lines": "message",
        "silent": "message",
        "odd status": "status",
        "loop": "hang",
        "lost": "lost",
        "crash": "crash",
    }
    assert "| **all** | 9 | 1 | 1 | 1 | 1 | 1 | 0 | 1 | 2 | 1 |" in table(verdicts)


@pytest.mark.parametrize("text", ["fastswitch: a\n", "\rworking\rfastswitch: a\n"])
def test_what_is_one_line(text):
    assert hostile_runner._is_message(text)
    assert not hostile_runner._is_message(text + "more\n")
    assert not hostile_runner._is_message("fastswitch: " + "x" * 1000)
