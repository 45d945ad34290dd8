"""The command writes what the driver reads, the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import pytest

import fastswitch
from rtl.driver import Package

SMALL, DEEPER = "fashion-d111-w222", "fashion-d211-w222"


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as stop:
        fastswitch.main(["package", *map(str, words)])
    return int(stop.value.code or 0)


def test_writes_what_the_driver_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "other"):
        assert run("--subnets", f"{SMALL},{DEEPER}", "--subgraphs", 2, "--out", tmp_path / name) == 0
    assert (tmp_path / "one" / "package.npz").read_bytes() == (tmp_path / "other" / "package.npz").read_bytes()
    package = Package.load(tmp_path / "one" / "package.npz")
    assert list(package.subnets) == [SMALL, DEEPER]
    assert package.subgraphs == ("empty", f"fit-{SMALL}", f"fit-{DEEPER}")
    said = capsys.readouterr().out
    assert f"fit-{DEEPER}" in said and str(tmp_path / "one" / "package.npz") in said
    assert f"{package.subnet(SMALL).programs['empty'].predicted['CYCLES']:,}" in said


def test_a_model_is_packed_with_what_the_host_computes(tmp_path: Path) -> None:
    """Its concatenation is fitted to the machine by the command."""
    pytest.importorskip("onnx")
    from tests.sim.api.test_beside_machine import with_host

    model, end = with_host(tmp_path / "net.onnx")
    assert run(model, "--accelerator", "tiny", "--subgraphs", 1, "--out", tmp_path / "packed") == 0
    host = Package.load(tmp_path / "packed" / "package.npz").subnet("net").host
    assert host is not None and host.dims == (8, 8, 3) and host.results == (end,)
    assert [step.op for step in (*host.prologue, *host.epilogue)] == ["Transpose", "Sub", "Div", "Softmax"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--out", "a.npz"), "write --out DIR, for DIR/package.npz"),
        (("--subnets", "fashion-d222-w222", "--out", "a"), "SubNet fashion-d222-w222: the weights have no such SubNet"),
        (("--accelerator", "huge", "--out", "a"), "accelerator huge"),
        (("--subgraphs", "-1", "--out", "a"), "-1 is out of range"),
    ],
)
def test_bad_input_is_one_line(
    words: tuple[str, ...],
    why: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*words) == 2
    said = capsys.readouterr().err
    assert why in said.splitlines()[-1] and "Traceback" not in said and not list(tmp_path.iterdir())
