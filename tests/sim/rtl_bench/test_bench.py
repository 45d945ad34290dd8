"""The bench on both simulators, with a copier (copier.v: a test design with the accelerator's ports) in its place."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from arch_model.errors import SimulatorError
from sim.rtl_bench import bench as bench_module
from sim.rtl_bench.bench import Bench, Build, Job, Memory, build_verilog
from sim.rtl_bench.simulators import find_simulator

HERE = Path(__file__).parent
COPIER = HERE / "copier.v"
DISTANCE = 0x8000  # the copier writes that much further on, every byte inverted
LATENCY, GAP = 20, 2
MEMORY = Memory(beat_bytes=4, beats=1 << 15, latency_cycles=LATENCY, cycles_per_beat=GAP)

# The copier has these registers at the accelerator's addresses.
REGISTERS = {
    "ID": 0x00,
    "CTRL": 0x08,
    "STATUS": 0x0C,
    "IRQ_ENABLE": 0x10,
    "IRQ_STATUS": 0x14,
    "PROG_ADDR": 0x18,
    "PROG_BEATS": 0x1C,
    "CYCLES": 0x40,
    "BEATS_PROG": 0x5C,
    "BEATS_OUT": 0x6C,
    "PASSES": 0x70,
}


def built(kind: str, folder: Path) -> Build:
    try:
        simulator = find_simulator(kind)
    except SimulatorError as error:
        if kind == "verilator":
            raise
        pytest.skip(str(error))
    return build_verilog([COPIER], MEMORY, simulator, folder)


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Build]:
    folder = tmp_path_factory.mktemp("builds")
    return lambda kind: built(kind, folder)


@pytest.fixture(params=["icarus", "verilator"])
def build(request: pytest.FixtureRequest, builds: Callable[[str], Build]) -> Build:
    return builds(request.param)


def content(seed: int, count: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, count, np.uint8)


def copy_cycles(beats: int) -> int:
    """CYCLES of the copier, by hand, bursts of 8 beats: it has one write burst open at a time.

    Busy is seen at edge 1 after CTRL's; AR and AW are valid after it and accepted at edge 2 (the DRAM is ready), so the
    first beat is read and written at edge 2 + LATENCY. Within a burst a beat follows every GAP edges. After
    a last beat at edge t, AW becomes valid at t + 1, is accepted at t + 2, and wready is up for t + 3 at the earliest
    (data is waiting: reads were queued ahead). The last response comes LATENCY after the last beat and ends the count.
    """
    edge, left = 2 + LATENCY, beats
    while True:
        burst = min(8, left)
        edge += (burst - 1) * GAP
        left -= burst
        if not left:
            return edge + LATENCY
        edge += max(GAP, 3)


def test_jobs_copy_memory_count_and_share_one_power_on(build: Build) -> None:
    first, second = content(1, 4 * 20), content(2, 4 * 100)
    with Bench(build, registers=REGISTERS) as bench:
        one = bench.run(Job(0x100, 20, ((0x100, first),), (0x100 + DISTANCE, 80)))
        assert (one.memory == first ^ 0xFF).all()
        assert one.counters == {
            "CYCLES": copy_cycles(20),
            "BEATS_PROG": 20,
            "BEATS_OUT": 20,
            "PASSES": 1,
        }
        assert one.cycles == one.counters["CYCLES"]
        assert one.status == 0b010 and one.error_code == 0
        assert 0 < one.simulated_cycles - one.cycles < 20

        two = bench.run(Job(0x2000, 100, ((0x2000, second[:40].tobytes()), (0x2028, second[40:])), (0, 0)))
        assert two.memory.size == 0
        assert two.cycles == copy_cycles(100)
        assert two.counters["PASSES"] == 2, "the machine stayed on"

        three = bench.run(Job(0x100, 1, (), (0x2000 + DISTANCE - 4, 408)))
        assert three.counters["PASSES"] == 3
        assert (three.memory[4:-4] == second ^ 0xFF).all(), "DRAM stayed as it was"
        assert not three.memory[:4].any() and not three.memory[-4:].any()


def test_segments_of_int8_arrays_load_as_their_bytes(build: Build) -> None:
    values = np.arange(-128, 128, dtype=np.int8).reshape(16, 16)
    with Bench(build, registers=REGISTERS) as bench:
        result = bench.run(Job(0, 1, ((0x400, values.T),), (0x400, 256)))
    assert (result.memory.view(np.int8) == values.T.ravel()).all()


def test_stalls_slow_but_change_nothing_and_seeds_repeat_them(build: Build) -> None:
    data = content(3, 4 * 256)

    def cycles(stall: int, seed: int) -> int:
        print(f"stall {stall} seed {seed}")
        with Bench(build, registers=REGISTERS, stall=stall, seed=seed) as bench:
            result = bench.run(Job(0x200, 256, ((0x200, data),), (0x200 + DISTANCE, data.size)))
        assert (result.memory == data ^ 0xFF).all()
        assert result.counters["BEATS_OUT"] == 256
        return result.cycles

    some = cycles(60, 9)
    assert copy_cycles(256) == cycles(0, 9) < some < cycles(200, 9)
    assert cycles(60, 9) == some != cycles(60, 10)


def test_both_simulators_agree_to_the_cycle(builds: Callable[[str], Build]) -> None:
    def results(kind: str) -> list[tuple[int, bytes]]:
        with Bench(builds(kind), registers=REGISTERS, stall=100, seed=77) as bench:
            jobs = [Job(0x40 * i, 30 + i, ((0, content(i, 512)),), (DISTANCE, 512)) for i in range(4)]
            done = [bench.run(job) for job in jobs]
        return [(result.cycles, result.memory.tobytes()) for result in done]

    assert results("icarus") == results("verilator")


def test_an_error_response_shows_in_the_status(build: Build) -> None:
    with Bench(build, registers=REGISTERS) as bench:
        assert bench.run(Job(0, 16, error_range=(8, 12))).error_code == 3
        assert bench.run(Job(0, 16)).error_code == 0
        assert bench.run(Job(0, 16, error_range=(DISTANCE, DISTANCE + 4))).error_code == 3


def test_a_hang_names_program_and_counters_and_ends_the_bench(build: Build) -> None:
    with Bench(build, registers=REGISTERS) as bench:
        bench.run(Job(0, 4))
        hang = r"0x40 has not ended after 2000 cycles: STATUS 0x1, CYCLES 20\d\d"
        with pytest.raises(SimulatorError, match=hang) as seen:
            bench.run(Job(0x40, 0, watchdog_cycles=2000))
        assert "PASSES 2" in str(seen.value) and "\n" not in str(seen.value)
        with pytest.raises(SimulatorError, match="not running"):
            bench.run(Job(0, 4))


def test_a_broken_rule_of_axi_is_named(build: Build) -> None:
    crossing = r"4 KiB boundary: dram: read port 0.*0x00000ffc, len 7"
    with Bench(build, registers=REGISTERS) as bench, pytest.raises(SimulatorError, match=crossing):
        bench.run(Job(1 << 31, 8))
    with Bench(build, registers=REGISTERS) as bench, pytest.raises(SimulatorError, match="beyond the DRAM"):
        bench.run(Job(MEMORY.beats * 4, 8))


@pytest.mark.parametrize(
    "job",
    [
        Job(0, 1, ((2, b"1234"),)),
        Job(0, 1, ((0, b"12345"),)),
        Job(0, 1, ((4 * (1 << 15), b"1234"),)),
        Job(0, 1, dump=(4 * (1 << 15) - 4, 8)),
    ],
)
def test_segments_and_dumps_are_whole_beats_in_the_dram(job: Job, builds: Callable[[str], Build]) -> None:
    with Bench(builds("verilator"), registers=REGISTERS) as bench:
        with pytest.raises(ValueError, match="at 0x"):
            bench.run(job)
        bench.run(Job(0, 1))  # nothing was spoilt


def test_options_are_checked(builds: Callable[[str], Build], tmp_path: Path) -> None:
    made = builds("verilator")
    with pytest.raises(ValueError, match="stall is 256"):
        Bench(made, registers=REGISTERS, stall=256)
    with pytest.raises(ValueError, match="seed is -1"):
        Bench(made, registers=REGISTERS, seed=-1)
    with pytest.raises(ValueError, match="trace=True"):
        Bench(made, registers=REGISTERS, trace=tmp_path / "x.vcd")


def test_a_simulator_that_dies_is_an_error_with_its_last_words(build: Build, tmp_path: Path) -> None:
    with Bench(build, registers=REGISTERS, folder=tmp_path / "here") as bench:
        bench.run(Job(0, 4))
        group = bench._process.pid
        os.killpg(group, signal.SIGKILL)
        with pytest.raises(SimulatorError, match=r"the simulation ended with status -9: .*serve"):
            bench.run(Job(0, 4))
    assert (tmp_path / "here" / "bench.log").exists()
    assert goes_away(group)


def test_an_exception_ends_the_simulator_and_its_folder(build: Build) -> None:
    with pytest.raises(KeyError), Bench(build, registers=REGISTERS) as bench:
        group, folder = bench._process.pid, bench._folder
        assert folder.exists() and not is_gone(group)
        raise KeyError
    assert goes_away(group) and not folder.exists()


PARENT = """
import sys
from pathlib import Path
from sim.rtl_bench.bench import Bench, Job
from tests_sim_test_bench import REGISTERS, built
with Bench(built(sys.argv[1], Path(sys.argv[2])), registers=REGISTERS) as bench:
    print(bench._process.pid, flush=True)
    bench.run(Job(0, 0, watchdog_cycles=10**9))
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_when_the_parent_goes_away(how: signal.Signals, build: Build, tmp_path: Path) -> None:
    (tmp_path / "tests_sim_test_bench.py").symlink_to(HERE / "test_bench.py")
    (tmp_path / "copier.v").symlink_to(COPIER)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, build.simulator.kind, str(build.folder.parent)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parents[2]), str(tmp_path)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert parent.stdout is not None
    group = int(parent.stdout.readline())
    time.sleep(0.5)
    assert not is_gone(group)
    parent.send_signal(how)
    parent.communicate(timeout=20)
    assert goes_away(group), "the simulator lives on"


def test_a_build_is_made_once_and_again_when_a_source_changes(tmp_path: Path) -> None:
    source = tmp_path / "copier.v"
    source.write_text(COPIER.read_text())
    try:
        simulator = find_simulator("icarus")
    except SimulatorError as error:
        pytest.skip(str(error))
    first = build_verilog([source], MEMORY, simulator, tmp_path / "builds")
    program = first.folder / "sim.vvp"
    made = program.stat().st_mtime_ns
    assert build_verilog([source], MEMORY, simulator, tmp_path / "builds") == first
    assert program.stat().st_mtime_ns == made

    (first.folder / "built.json").unlink()  # as if it had been interrupted
    assert build_verilog([source], MEMORY, simulator, tmp_path / "builds") == first
    assert program.stat().st_mtime_ns > made

    source.write_text(COPIER.read_text() + "\n")
    second = build_verilog([source], MEMORY, simulator, tmp_path / "builds")
    slower = Memory(4, 1 << 15, 21, GAP)
    third = build_verilog([source], slower, simulator, tmp_path / "builds")
    assert len({first.folder, second.folder, third.folder}) == 3


def test_another_python_environment_runs_the_same_build(
    builds: Callable[[str], Build], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulation finds cocotb's libraries where this environment has them, not where they were linked."""
    made = builds("verilator")
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin" / "python"))
    assert builds("verilator").folder == made.folder
    monkeypatch.undo()
    moved = tmp_path / "libs"
    shutil.copytree(bench_module._cocotb_libraries(), moved)
    monkeypatch.setattr(bench_module, "_cocotb_libraries", lambda: str(moved))
    with Bench(made, registers=REGISTERS) as bench:
        bench.run(Job(0, 4))
        maps = [
            (folder / "maps").read_text()
            for folder in Path("/proc").glob("[0-9]*")
            if _group(folder) == bench._process.pid
        ]
    assert any(f"{moved}/libcocotbvpi_verilator" in text for text in maps)


@pytest.mark.parametrize("kind", ["icarus", "verilator"])
def test_verilog_that_does_not_compile_is_named(kind: str, tmp_path: Path) -> None:
    source = tmp_path / "broken.v"
    source.write_text("module fastswitch (input wire aclk;\nendmodule\n")
    try:
        simulator = find_simulator(kind)
    except SimulatorError as error:
        if kind == "verilator":
            raise
        pytest.skip(str(error))
    with pytest.raises(SimulatorError, match=r"cannot build the simulation in .*broken\.v") as seen:
        build_verilog([source], MEMORY, simulator, tmp_path / "builds")
    assert "\n" not in str(seen.value)


def test_a_trace_is_written(tmp_path: Path) -> None:
    try:
        simulator = find_simulator("icarus")
    except SimulatorError as error:
        pytest.skip(str(error))
    made = build_verilog([COPIER], MEMORY, simulator, tmp_path / "builds", trace=True)
    trace = tmp_path / "wave.fst"
    with Bench(made, registers=REGISTERS, trace=trace) as bench:
        bench.run(Job(0, 16))
    assert trace.stat().st_size > 1000


def is_gone(group: int) -> bool:
    """Return whether no process of the group lives (the dead that nobody has asked after do not count)."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, its_group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state != "Z":
            return False
    return True


def _group(folder: Path) -> int:
    """The process group of a process, by its folder in /proc; 0 if it has gone."""
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[2])
    except OSError:
        return 0


def goes_away(group: int) -> bool:
    """Return whether the group is gone within half a minute."""
    until = time.monotonic() + 30
    while not is_gone(group):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
