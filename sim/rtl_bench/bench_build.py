"""Build the simulation of an accelerator, once: accelerator Verilog, DRAM and bench into one program.

A build is kept in a folder named by a hash of what the compiler is given: the text of every source, parameters and
options, and the versions of simulator and cocotb. So what is simulated is always what the sources say now, and the
same simulation is built once, whichever Python environment asks for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arch_model.child_processes import run_supervised
from arch_model.errors import SimulatorError
from arch_model.machine.accelerator import Accelerator
from rtl.time0_init import with_time0_init
from sim.rtl_bench.bench_ports import machine_verilog
from sim.rtl_bench.build_progress import told
from sim.rtl_bench.generated import ROOMS, generated_verilog
from sim.rtl_bench.kept_builds import DONE, forget_intermediate, note_use, prune
from sim.rtl_bench.power_up import with_random_memories
from sim.rtl_bench.simulators import TIMESCALE, Simulator, cache_folder

VERILOG = Path(__file__).parent / "verilog"
TOP = "bench"
PROCESS = "sim.rtl_bench.bench_process"
MOST_BYTES = 64 << 20
"""Of a larger DRAM only so much is simulated: it is memory of the simulator's process. Use beyond it is an error."""

OnStage = Callable[[str], None]

# cocotb's runner marks every signal public, which keeps Verilator from optimising; bench.v marks the few that
# Python touches. What there is to lint is tests/rtl/test_lint.py's.
_VERILATOR_ARGS = ("--no-public-flat-rw", "-Wno-fatal", "-Wno-lint", "-Wno-style")
# C++ in one file is compiled without precompiled headers, which take longer than they spare in a small machine. That of
# a large one is better compiled in parallel.
_SMALL_BYTES = 700_000
_SMALL_ARGS = ("--output-split", "0", "--output-split-cfuncs", "20000")
_TRACE_ARGS = ("--trace-fst",)
_COVERAGE_ARGS = ("--coverage-line",)  # statements and branches


@dataclass(frozen=True)
class Memory:
    """The DRAM behind the accelerator, as ``sim/rtl_bench/verilog/dram.v`` takes it.

    Attributes
    ----------
    beat_bytes : bytes of a beat of a port.
    beats : of the memory.
    latency_cycles : from an address to its first beat.
    cycles_per_beat : from one beat to the next.
    stripes : ports that activations and results have each.
    weight_stripes : ports that weights have.
    """

    beat_bytes: int
    beats: int
    latency_cycles: int = 20
    cycles_per_beat: int = 1
    stripes: int = 1
    weight_stripes: int = 1

    @classmethod
    def of(cls, accelerator: Accelerator, most_bytes: int = MOST_BYTES) -> Memory:
        """The DRAM that an Accelerator describes, or its first bytes.

        Parameters
        ----------
        accelerator : the machine.
        most_bytes : that are simulated.
        """
        dram = accelerator.dram
        beat_bytes = accelerator.port_bytes
        beats = min(dram.bytes, most_bytes) // beat_bytes
        timing = dram.latency_cycles, dram.cycles_per_beat
        return cls(beat_bytes, beats, *timing, accelerator.stripes, accelerator.weight_stripes)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.beats * self.beat_bytes

    def parameters(self) -> dict[str, object]:
        """Return the parameters of ``bench.v``.

        >>> Memory(beat_bytes=4, beats=1024).parameters()
        {'BEAT_BYTES': 4, 'STRIPES': 1, 'WEIGHT_STRIPES': 1, 'DEPTH': 1024, 'LATENCY': 20, 'CYCLES_PER_BEAT': 1}
        """
        return {
            "BEAT_BYTES": self.beat_bytes,
            "STRIPES": self.stripes,
            "WEIGHT_STRIPES": self.weight_stripes,
            "DEPTH": self.beats,
            "LATENCY": self.latency_cycles,
            "CYCLES_PER_BEAT": self.cycles_per_beat,
        }


@dataclass(frozen=True)
class Build:
    """A simulation program.

    Attributes
    ----------
    folder : where it is.
    simulator : that it is for.
    memory : its DRAM.
    trace : whether it can write a waveform.
    coverage : whether it counts statements and branches.
    """

    folder: Path
    simulator: Simulator
    memory: Memory
    trace: bool
    coverage: bool = False


def build(
    accelerator: Accelerator,
    simulator: Simulator,
    build_dir: Path | None = None,
    trace: bool = False,
    dram_bytes: int = MOST_BYTES,
    coverage: bool = False,
    on_stage: OnStage = lambda stage: None,
) -> Build:
    """The simulation of an accelerator, built unless it is there.

    Parameters
    ----------
    accelerator : the machine.
    simulator : that runs it.
    build_dir : where builds are kept. None: ``sim`` in :func:`~sim.rtl_bench.simulators.cache_folder`.
    trace : able to write a waveform file, which makes every run slower.
    dram_bytes : how much of the accelerator's DRAM is simulated at most.
    coverage : (Verilator) every Bench leaves ``coverage.dat`` in its folder, for :mod:`sim.rtl_bench.coverage`.
    on_stage : called with what the build is at, and with what was removed of builds not used for long
        (:mod:`sim.rtl_bench.kept_builds`).

    Raises
    ------
    SimulatorError
        The compiler fails; the line has the end of its log.
    """

    base = _base(build_dir)
    text = generated_verilog(accelerator, base, on_stage)
    if simulator.kind == "icarus":
        text = with_random_memories(with_time0_init(text))
    sources, memory = {"fastswitch.v": text}, Memory.of(accelerator, dram_bytes)
    return _built(sources, memory, simulator, base, trace, coverage, on_stage)


def build_verilog(
    sources: Sequence[Path],
    memory: Memory,
    simulator: Simulator,
    build_dir: Path | None = None,
    trace: bool = False,
) -> Build:
    """The simulation of a module ``fastswitch`` that Verilog files hold, like :func:`build`.

    Parameters
    ----------
    sources : the files.
    memory : its DRAM.
    simulator : that runs it.
    build_dir : where builds are kept.
    trace : able to write a waveform file.
    """
    return _built(_texts(sources), memory, simulator, _base(build_dir), trace)


def _base(build_dir: Path | None) -> Path:
    return (cache_folder() / "sim" if build_dir is None else build_dir).absolute()


def _texts(paths: Sequence[Path]) -> dict[str, str]:
    """Sources by the names that they have in the build's folder: their own, numbered where two are alike."""
    texts: dict[str, str] = {}
    for path in paths:
        name = path.name if path.name not in texts else f"{path.stem}_{len(texts)}{path.suffix}"
        texts[name] = path.read_text()
    return texts


def _built(
    sources: Mapping[str, str],
    memory: Memory,
    simulator: Simulator,
    base: Path,
    trace: bool,
    coverage: bool = False,
    on_stage: OnStage = lambda stage: None,
) -> Build:
    """The build of these sources, the bench's own besides, from ``base`` if it is there."""
    machine = machine_verilog(memory.stripes, memory.weight_stripes, memory.beat_bytes)
    texts = {**sources, "machine.v": machine, **_texts(sorted(VERILOG.glob("*.v")))}
    # A netlist may bring Verilator's control files: they come first, and other simulators do not know them.
    names = sorted(texts, key=lambda name: not name.endswith(".vlt"))
    files = {name: texts[name] for name in names if simulator.kind == "verilator" or not name.endswith(".vlt")}
    given = {
        "hdl_toplevel": TOP,
        "parameters": memory.parameters(),
        "build_args": [*simulator.build_args, *_build_args(simulator, trace, coverage, sum(map(len, files.values())))],
        "timescale": TIMESCALE,
        "waves": trace,
    }
    facts = {
        "sources": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()},
        "given": given,
        "versions": [simulator.kind, simulator.version, simulator.origin, importlib.metadata.version("cocotb")],
    }
    with _place(base, simulator, facts) as (folder, is_new):
        if is_new:
            for name, text in files.items():
                (folder / name).write_text(text)
            with told(folder, on_stage) if simulator.kind == "verilator" else nullcontext():
                _compile(simulator, folder, [folder / name for name in files], given)
            forget_intermediate(folder)
    if is_new and (removed := prune(base, folder)):
        on_stage(removed)
    note_use(folder)
    return Build(folder, simulator, memory, trace, coverage)


@contextmanager
def _place(base: Path, simulator: Simulator, facts: Mapping[str, object]) -> Iterator[tuple[Path, bool]]:
    """Yield the folder of what these facts make and whether it is still to be made, alone on this machine meanwhile."""
    text = json.dumps(facts, sort_keys=True)
    folder = base / f"{simulator.kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if " " in str(folder):
        raise SimulatorError(f"build folder is {str(folder)!r}; a path without a space is what make can build in")
    try:
        base.mkdir(parents=True, exist_ok=True)
        lock = open(f"{folder}.lock", "w")  # noqa: SIM115 (closed below, however this ends)
    except OSError as error:
        raise SimulatorError(f"build folder {base} cannot be written: {error.strerror}") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_new = not (folder / DONE).exists()
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)  # what an interrupted build has left
            folder.mkdir()
        yield folder, is_new
        if is_new:
            (folder / DONE).write_text(text + "\n")


def _compile(simulator: Simulator, folder: Path, sources: Sequence[Path], given: Mapping[str, Any]) -> None:
    """Run the compilers; SimulatorError with the end of their log if they fail."""
    log, said = folder / "build.log", folder / "runner.log"
    paths = {"sources": [str(path) for path in sources], "build_dir": str(folder), "log_file": str(log)}
    with said.open("wb") as output:
        status = run_supervised(
            [sys.executable, "-m", PROCESS, json.dumps([simulator.kind, "build", {**given, **paths}])],
            env={**os.environ, **simulator.env, "PYTHONPATH": python_path()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if status:
        raise SimulatorError(
            f"{simulator.describe()} cannot build the simulation in {folder}: {last_lines(log) or last_lines(said)}"
        )


def python_path() -> str:
    """PYTHONPATH of a process that imports this project and what this process can import."""
    return os.pathsep.join([str(ROOMS), *filter(None, sys.path)])


def _build_args(simulator: Simulator, trace: bool, coverage: bool, verilog_bytes: int) -> tuple[str, ...]:
    if simulator.kind != "verilator":
        return ()
    extra = (_TRACE_ARGS if trace else ()) + (_COVERAGE_ARGS if coverage else ())
    small = _SMALL_ARGS if verilog_bytes < _SMALL_BYTES else ()
    return (*_VERILATOR_ARGS, *small, *extra)


def last_lines(log: Path, count: int = 6) -> str:
    """The last lines of a log as one line; empty if there is none.

    Parameters
    ----------
    log : the file.
    count : of lines.
    """
    if not log.exists():
        return ""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-count:])
