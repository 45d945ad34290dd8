"""``fastswitch explore``: what it prints and writes, bad input in one line, Ctrl-C and SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from sim.explore import load_study
from tests.sim.explore.session import alive
from tests.test_fastswitch import call

NET = ("--space", "fashion", "--subnets", "fashion-d111-w222", "--accelerator", "tiny", "--no-report")
SMALL = (*NET, "--vary", "KP=2,3,4 PB=0:96KB:48KB")


def test_a_grid_is_priced_and_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = (*SMALL, "--objectives", "latency,dsp", "--out", str(tmp_path / "study"), "--backend", "joblib:1")
    status, text, err = call(capsys, "explore", *words)
    assert status == 0
    lines = dict(line.split("  ", 1) for line in text.splitlines() if "  " in line)
    assert lines["points"].strip() == lines["legal"].strip() == "9"
    assert lines["table"] == str(tmp_path / "study" / "points.parquet")
    assert err.splitlines()[0] == "screening points ..."
    found = load_study(tmp_path / "study").points
    assert len(found) == 9 and list(found)[-4:] == ["latency", "dsp", "price", "estimated_latency"]
    assert set(found["price"]) == {"exact"} and lines["priced exactly"].strip() == "9"
    assert lines["latency's estimate"].strip().startswith("median ")
    microseconds = 1e6 * found["latency"]
    assert lines["latency"].strip() == f"{microseconds.min():.4g} to {microseconds.max():.4g} µs"
    assert lines["dsp"].strip() == f"{found['dsp'].min():.0f} to {found['dsp'].max():.0f}"
    assert call(capsys, "explore", *words)[:2] == (0, text)  # again: nothing to do


def test_a_page_comes_with_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = [word for word in SMALL if word != "--no-report"]
    status, text, _ = call(capsys, "explore", *words, "--backend", "joblib:1", "--out", str(tmp_path))
    assert status == 0 and text.splitlines()[-1] == f"page   {tmp_path / 'report.html'}"
    assert (tmp_path / "report.html").exists()


def test_every_layer_is_counted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("--space", "ofa-resnet50", "--subnets", "1", "--vary", "PB=0,1MB", "--backend", "joblib:1", "--no-report")
    status, _, err = call(capsys, "explore", *words, "--out", str(tmp_path))
    assert status == 0 and "not counted" not in err


def test_when_nothing_is_legal_it_says_why(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = (*NET, "--vary", "SB=10B", "--backend", "joblib:1", "--out", str(tmp_path))
    status, text, err = call(capsys, "explore", *words)
    assert status == 1 and "legal" in text
    assert "note: no point is legal; the first: accelerator tiny: buffers.sb_bytes is 10; give " in err


@pytest.mark.parametrize(
    "words,message",
    [
        ((*NET, "--vary", "PB=8MB:0:1MB"), "knob PB: range 8MB:0:1MB is empty"),
        ((*NET, "--vary", "WIDTH=3"), "knob WIDTH does not exist; give some of KP, CP"),
        ((*NET, "--vary", "PB=8"), "knob PB: '8' has no unit"),
        ((*SMALL, "--objectives", "speed"), "objective speed does not exist; give some of latency"),
        ((*SMALL, "--sampler", "random"), "points is not given; the sampler random needs to know how many"),
        ((*SMALL, "--backend", "spark"), "backend is spark; give one of joblib[:N]"),
        ((*SMALL, "--accelerator", "nope"), "accelerator nope is neither a file nor a preset"),
        ((*SMALL, "--space", "nope"), "SuperNet nope does not exist"),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    status, text, err = call(capsys, "explore", *words, "--out", str(tmp_path / "out"))
    assert (status, text) == (2, "") and err.count("\n") == 1 and message in err


def test_another_study_is_refused_and_kept(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("--out", str(tmp_path), "--backend", "joblib:1")
    assert call(capsys, "explore", *SMALL, *words)[0] == 0
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    status, text, err = call(capsys, "explore", *SMALL, "--seed", "3", *words)
    assert (status, text) == (2, "") and err.count("\n") == 1
    said = "holds results of another question: seed is 0 there and 3 here; give another --out, or --force"
    assert f"folder {tmp_path} {said}" in err
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_ctrl_c_and_a_kill_leave_what_is_there_and_no_process(tmp_path: Path) -> None:
    vary = "KP=2,4,8 CP=3,5,9 PB=0:96KB:24KB SB=10:54KB:11KB DB=10,14KB DRAM=400,600,1200MB/s LATENCY=10,40"
    asked = ["explore", "--space", "fashion", "--subnets", "9", "--accelerator", "tiny", "--no-report", "--vary", vary]
    command = [sys.executable, "-m", "fastswitch", *asked, "--backend", "joblib:2", "--out"]
    folder, written = tmp_path / "killed", 0
    for number, signum in enumerate((signal.SIGINT, signal.SIGKILL), 1):
        child = subprocess.Popen([*command, str(folder)], stderr=subprocess.PIPE, text=True, start_new_session=True)
        while len(list(folder.glob("points/[!.]*.parquet"))) < 2 * number:
            assert child.poll() is None, child.communicate()[1]
            time.sleep(0.02)
        os.kill(child.pid, signum)  # not its workers
        _, err = child.communicate(timeout=60)
        points = load_study(folder).points
        assert len(points) > written
        written = len(points)
        if signum == signal.SIGINT:
            last = err.splitlines()[-1]
            assert child.returncode == 130 and last.startswith("fastswitch: interrupted; ")
            assert f"of 2,700 points are in {folder}, the same command goes on with them" in last
            assert "Traceback" not in err
        deadline = time.monotonic() + 60
        while alive(child.pid):
            assert time.monotonic() < deadline, f"workers live on: {alive(child.pid)}"
            time.sleep(0.1)
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = load_study(folder).points
    assert len(found) == 2700
    screened = ["KP", "SB", "legal", "estimated_latency", "estimated_energy"]
    pd.testing.assert_frame_equal(found.loc[points.index, screened], points[screened], check_exact=True)
