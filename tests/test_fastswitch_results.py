"""What a command writes: the same bytes for the same question, nothing of another question's, no input destroyed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_fastswitch import call

Capture = pytest.CaptureFixture[str]
NET = "fashion-d111-w222"
TOPOLOGY = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
PREDICT = ("predict", "--subnets", NET, "--accelerator", "tiny")
PACKAGE = ("package", "--subnets", NET, "--accelerator", "tiny")
TABLE = ("table", "--subnets", NET, "--subgraphs", "1", "--accelerator", "tiny")
SERVE = ("serve", "--subnets", NET, "--candidates", "1", "--queries", "20", "--accelerator", "tiny")
RTL = ("rtl", "--accelerator", "tiny")


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("words", "option", "other", "says"),
    [
        (PREDICT, "--csv", ("--accelerator", "zcu104"), "accelerator is tiny there and zcu104 here"),
        (PREDICT, "--csv", ("--cached", "best"), "cached is none there and best here"),
        (PREDICT, "--csv", ("--subnets", "fashion-d222-w444"), f"subnets is {NET} there and fashion-d222-w444 here"),
        (SERVE, "--csv", ("--seed", "5"), "seed is 0 there and 5 here"),
        (SERVE, "--csv", ("--compare",), "command is serve there and serve --compare here"),
        (PACKAGE, "--out", ("--seed", "3"), "seed is 0 there and 3 here"),
        (PACKAGE, "--out", ("--subnets", "fashion-d222-w444"), "subnets.0 is"),
        (TABLE, "--out", ("--seed", "4"), "seed is 0 there and 4 here"),
        (TABLE, "--out", ("--accelerator", "zcu104"), "accelerator is tiny there and zcu104 here"),
    ],
)
def test_again_it_is_the_same_and_another_question_is_refused(
    capsys: Capture, tmp_path: Path, words: tuple[str, ...], option: str, other: tuple[str, ...], says: str
) -> None:
    out = (*words, option, str(tmp_path / "out"))
    assert call(capsys, *out)[0] == 0
    before = content(tmp_path)
    assert call(capsys, *out)[0] == 0
    assert content(tmp_path) == before
    status, text, err = call(capsys, *out, *other)
    (line,) = [line for line in err.splitlines() if not line.endswith(" ...")]
    assert (status, text) == (2, "") and says in line and "--force" in line
    assert content(tmp_path) == before
    assert call(capsys, *out, *other, "--force")[0] == 0
    assert content(tmp_path) != before


@pytest.mark.parametrize("words", [PREDICT, SERVE])
def test_a_file_of_others_is_refused_before_the_work(capsys: Capture, tmp_path: Path, words: tuple[str, ...]) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("my,own\n1,2\n")
    status, _, err = call(capsys, *words, "--csv", mine)
    assert status == 2 and f"{mine} is there and does not say which question it answers" in err
    assert mine.read_text() == "my,own\n1,2\n"


def test_no_input_is_written_over(capsys: Capture, tmp_path: Path) -> None:
    topology, nets, stream = tmp_path / "net.csv", tmp_path / "nets.json", tmp_path / "stream.csv"
    topology.write_text(TOPOLOGY + "conv, 8, 8, 3, 3, 4, 4, 1,\n")
    nets.write_text(call(capsys, "subnets", "--space", "fashion", "--sample", "2", "--json")[1])
    stream.write_text("arrival_s,accuracy,latency_s\n0,0.5,1\n")
    (tmp_path / "stream.png").write_bytes(stream.read_bytes())
    os.link(nets, tmp_path / "hard.csv")
    (tmp_path / "soft.csv").symlink_to("stream.csv")
    before = content(tmp_path)
    for words in (
        ("import", topology, "--csv", topology),
        ("import", topology, "--scalesim", tmp_path / "." / "net.csv"),
        ("predict", "--subnets", nets, "--csv", tmp_path / "hard.csv"),
        ("predict", "--subnets", nets, "--csv", nets),
        ("serve", "--stream", stream, "--csv", tmp_path / "soft.csv"),
        ("serve", "--stream", tmp_path / "stream.png", "--plot", tmp_path / "stream.png"),
    ):
        status, _, err = call(capsys, *words, "--force")
        assert status == 2 and "is also the input" in err and len(err.splitlines()) == 1
        assert content(tmp_path) == before
    status, _, err = call(capsys, "import", topology, "--csv", tmp_path / "a", "--scalesim", tmp_path / "a")
    assert status == 2 and "are the same file; give two" in err and content(tmp_path) == before


def test_a_conversion_replaces_nothing_else_and_then_writes_nothing(capsys: Capture, tmp_path: Path) -> None:
    topology, problems = tmp_path / "net.csv", tmp_path / "problems"
    topology.write_text(TOPOLOGY + "conv, 8, 8, 3, 3, 4, 4, 1,\n")
    words = ("import", topology, "--csv", tmp_path / "layers.csv", "--timeloop", problems)
    assert call(capsys, *words)[0] == 0 and call(capsys, *words)[0] == 0
    (tmp_path / "layers.csv").unlink()
    (problems / "000_conv.yaml").write_text("mine")
    status, _, err = call(capsys, *words)
    assert status == 2 and "000_conv.yaml is there and holds something else" in err
    assert not (tmp_path / "layers.csv").exists() and (problems / "000_conv.yaml").read_text() == "mine"
    assert call(capsys, *words, "--force")[0] == 0 and (tmp_path / "layers.csv").exists()


def test_a_package_goes_on_where_it_was(capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rtl import driver_package

    nets = ("--subnets", f"{NET},fashion-d222-w444,fashion-d121-w422", "--accelerator", "tiny", "--out")
    assert call(capsys, "package", *nets, tmp_path / "whole")[0] == 0
    real, compiled = driver_package._compiled, []

    def stop_at_the_last(subnet, *rest):  # type: ignore[no-untyped-def]
        compiled.append(subnet.name)
        if len(compiled) == 3:
            raise KeyboardInterrupt
        return real(subnet, *rest)

    monkeypatch.setattr(driver_package, "_compiled", stop_at_the_last)
    status, _, err = call(capsys, "package", *nets, tmp_path / "again")
    assert status == 130 and f"2 finished SubNets are in {tmp_path / 'again'}" in err
    assert call(capsys, "package", *nets, tmp_path / "again")[0] == 0
    assert len(compiled) == 4  # the last one twice
    assert content(tmp_path / "again") == content(tmp_path / "whole")


def test_a_full_disk_is_one_line_and_keeps_what_was_there(capsys: Capture, tmp_path: Path) -> None:
    out, limit = tmp_path / "out.csv", tmp_path / "limit.csv"
    assert call(capsys, *PREDICT, "--csv", out)[0] == 0
    code = (
        "import resource, sys, fastswitch; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096));"
        "fastswitch.main(sys.argv[1:])"
    )
    run = subprocess.run([sys.executable, "-c", code, *PREDICT, "--csv", str(limit)], capture_output=True, text=True)
    (line,) = [line for line in run.stderr.splitlines() if not line.endswith("...")]
    assert run.returncode == 2 and line.startswith(f"fastswitch: cannot write {limit}") and "File too large" in line
    assert not limit.exists()
    assert call(capsys, *PREDICT, "--csv", limit)[0] == 0 and limit.read_bytes() == out.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["limit.csv", "out.csv"]


def test_a_delivery_of_another_machine_is_refused(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "MANIFEST.sha256").write_text("")
    status, _, err = call(capsys, *RTL, "--out", tmp_path)
    assert status == 2 and "holds MANIFEST.sha256 but no question.json: an older fastswitch wrote it" in err
    (tmp_path / "MANIFEST.sha256").unlink()
    (tmp_path / "question.json").write_text(
        '{"fastswitch": "results", "format": 1, "files": [], '
        '"question": {"command": "rtl", "schema": 2, "accelerator": "zcu104"}}'
    )
    status, _, err = call(capsys, *RTL, "--out", tmp_path)
    assert status == 2 and "holds results of another question: " in err
    assert os.listdir(tmp_path) == ["question.json"] or sorted(os.listdir(tmp_path)) == [".lock", "question.json"]
