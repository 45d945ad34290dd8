"""Signals that ask for an end: one KeyboardInterrupt for each wish, the exit status, signals that are ignored."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from reports.commands.interrupt import stoppable

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    before = {signum: signal.getsignal(signum) for signum in STATUS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@pytest.mark.parametrize("signum", STATUS)
def test_a_signal_is_a_keyboard_interrupt_and_gives_the_status(signum: signal.Signals) -> None:
    before = signal.getsignal(signum)
    with stoppable() as stop, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signum)
    assert stop.status == STATUS[signum] and signal.getsignal(signum) == before


def test_signals_that_follow_at_once_do_not_disturb_the_end_and_later_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with stoppable() as stop:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        now[0] += 0.9
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert stop.status == 143
        now[0] += 0.2
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert stop.status == 130


def test_ignored_signals_stay_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stoppable():
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGINT)


EXITING = """
import atexit, sys, time
atexit.register(lambda: (print("exiting", flush=True), time.sleep(0.5)))
import fastswitch
fastswitch.main(["--version"])
"""


@pytest.mark.parametrize("signum", STATUS)
def test_a_signal_while_the_interpreter_exits_changes_nothing(signum: signal.Signals) -> None:
    command = [sys.executable, "-c", EXITING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        while process.stdout.readline().strip() != "exiting":
            assert process.poll() is None
        process.send_signal(signum)
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""


INTERRUPTED = """
import sys, warnings
import fastswitch
from reports.commands import command_line

class HalfMade:
    def __del__(self):
        warnings.warn("made and never used")

def main(**_):
    made = HalfMade()
    raise KeyboardInterrupt

command_line.cli.main = main
fastswitch.main([])
"""


def test_what_an_interrupt_leaves_half_made_is_nothing_to_warn_of() -> None:
    run = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "fastswitch: interrupted\n")
