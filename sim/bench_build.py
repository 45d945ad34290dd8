"""Build the simulation of an accelerator, once: accelerator Verilog, DRAM and bench into one program.

A build is kept in a folder named by a hash of everything that goes into it, so the same build is never made twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import logging
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from arch_model.accelerator import Accelerator
from arch_model.errors import SimulatorError
from sim import bench_ports, power_up
from sim.bench_ports import machine_verilog
from sim.power_up import with_random_memories
from sim.simulators import TIMESCALE, Simulator, cache_folder

VERILOG = Path(__file__).parent / "verilog"
ROOMS = Path(__file__).parent.parent
TOP = "bench"
MOST_BYTES = 64 << 20
"""Of a larger DRAM only so much is simulated: it is memory of the simulator's process. Use beyond it is an error."""

PROGRAM = (Path(__file__), Path(bench_ports.__file__), Path(power_up.__file__))

_DONE = "built.json"

# cocotb's runner marks every signal public, which keeps Verilator from optimising; bench.v marks the few that
# Python touches.
_VERILATOR_ARGS = ("--no-public-flat-rw", "-Wno-fatal")
# C++ in one file is compiled without precompiled headers, which take longer than they spare in a small machine. That of
# a large one is better compiled in parallel.
_SMALL_BYTES = 1_200_000
_SMALL_ARGS = ("--output-split", "0", "--output-split-cfuncs", "20000")
_TRACE_ARGS = ("--trace-fst",)
_COVERAGE_ARGS = ("--coverage-line",)  # statements and branches


@dataclass(frozen=True)
class Memory:
    """The DRAM behind the accelerator, as ``sim/verilog/dram.v`` takes it: ``beats`` of ``beat_bytes``, a port's.

    Activations and results come through ``stripes`` ports each, weights through ``weight_stripes``, all of them on this
    one memory.
    """

    beat_bytes: int
    beats: int
    latency_cycles: int = 20
    cycles_per_beat: int = 1
    stripes: int = 1
    weight_stripes: int = 1

    @classmethod
    def of(cls, accelerator: Accelerator, most_bytes: int = MOST_BYTES) -> Memory:
        """Return the DRAM that an Accelerator describes, of its bytes the first ``most_bytes``."""
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
    """A simulation program: its folder, the simulator it is for, its DRAM, and whether it can write a trace."""

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
) -> Build:
    """Return the simulation of ``accelerator``, from ``build_dir`` if it is there.

    ``build_dir``: default ``sim`` in :func:`~sim.simulators.cache_folder`. ``trace``: able to write a waveform file,
    which makes every run slower. ``dram_bytes``: how much of the accelerator's DRAM is simulated at most. ``coverage``
    (Verilator's): every Bench leaves ``coverage.dat`` in its folder, for :mod:`sim.coverage`. Raises SimulatorError if
    the compiler fails, with the end of its log.
    """

    def write_verilog(folder: Path) -> Sequence[Path]:
        from rtl.generate import write_verilog  # Amaranth and the whole design: only if there is something to build
        from rtl.wakened import wakened

        path = folder / "fastswitch.v"
        write_verilog(accelerator, path)
        if simulator.kind == "icarus":
            path.write_text(with_random_memories(wakened(path.read_text())))
        return [path, *sorted(rtl.glob("*.vlt"))]

    rtl = ROOMS / "rtl"
    mapper = ROOMS / "mapper"
    sources = [*sorted(rtl.glob("*.py")), *sorted(rtl.glob("*.vlt")), mapper / "isa.py", mapper / "limits.py"]
    key = {"accelerator": accelerator.hash(), "amaranth": importlib.metadata.version("amaranth")}
    memory = Memory.of(accelerator, dram_bytes)
    with _place(build_dir, key, sources, memory, simulator, trace, coverage) as (made, is_new):
        if is_new:
            _compile(made, write_verilog(made.folder))
    return made


def build_verilog(
    sources: Sequence[Path],
    memory: Memory,
    simulator: Simulator,
    build_dir: Path | None = None,
    trace: bool = False,
) -> Build:
    """Return the simulation of a module ``fastswitch`` that Verilog files hold, like :func:`build`."""
    with _place(build_dir, {}, sources, memory, simulator, trace) as (made, is_new):
        if is_new:
            _compile(made, sources)
    return made


@contextmanager
def _place(
    build_dir: Path | None,
    key: Mapping[str, str],
    sources: Iterable[Path],
    memory: Memory,
    simulator: Simulator,
    trace: bool,
    coverage: bool = False,
) -> Iterator[tuple[Build, bool]]:
    """Yield the build that all this makes and whether it has still to be made, alone on this machine meanwhile."""
    facts = {
        **key,
        "sources": [[path.name, _digest(path)] for path in [*sources, *sorted(VERILOG.glob("*.v"))]],
        "memory": asdict(memory),
        "simulator": [simulator.kind, simulator.version, simulator.origin, *simulator.build_args],
        "program": [*map(_digest, PROGRAM), sys.executable, importlib.metadata.version("cocotb")],
        "trace": trace,
        **({"coverage": True} if coverage else {}),
    }
    text = json.dumps(facts, sort_keys=True)
    base = cache_folder() / "sim" if build_dir is None else build_dir
    folder = base.absolute() / f"{simulator.kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if " " in str(folder):
        raise SimulatorError(f"build folder is {str(folder)!r}; a path without a space is what make can build in")
    try:
        base.mkdir(parents=True, exist_ok=True)
        lock = open(f"{folder}.lock", "w")  # noqa: SIM115 (closed below, however this ends)
    except OSError as error:
        raise SimulatorError(f"build folder {base} cannot be written: {error.strerror}") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_new = not (folder / _DONE).exists()
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)  # what an interrupted build has left
            folder.mkdir()
        yield Build(folder, simulator, memory, trace, coverage), is_new
        if is_new:
            (folder / _DONE).write_text(text + "\n")


def _compile(made: Build, sources: Sequence[Path]) -> None:
    """Run the compilers; SimulatorError with the end of their log if they fail."""
    from cocotb_tools.runner import get_runner

    is_verilator = made.simulator.kind == "verilator"
    hdl = [path for path in sources if is_verilator or path.suffix != ".vlt"]
    log = made.folder / "build.log"
    machine = made.folder / "machine.v"
    machine.write_text(machine_verilog(made.memory.stripes, made.memory.weight_stripes, made.memory.beat_bytes))
    hdl.append(machine)
    logging.getLogger("Verilator" if is_verilator else "Icarus").setLevel(logging.WARNING)
    with made.simulator.active():
        runner = get_runner(made.simulator.kind)
        runner.log.setLevel(logging.WARNING)
        try:
            runner.build(
                sources=[*sorted(hdl, key=lambda path: path.suffix != ".vlt"), *sorted(VERILOG.glob("*.v"))],
                hdl_toplevel=TOP,
                parameters=made.memory.parameters(),
                build_args=[*made.simulator.build_args, *_build_args(made, sum(path.stat().st_size for path in hdl))],
                build_dir=made.folder,
                timescale=TIMESCALE,
                waves=made.trace,
                always=True,
                log_file=log,
            )
        except (RuntimeError, SystemExit) as error:
            raise SimulatorError(
                f"{made.simulator.describe()} cannot build the simulation in {made.folder}: {last_lines(log) or error}"
            ) from None


def _build_args(made: Build, verilog_bytes: int) -> tuple[str, ...]:
    if made.simulator.kind != "verilator":
        return ()
    trace, coverage = (_TRACE_ARGS if made.trace else ()), (_COVERAGE_ARGS if made.coverage else ())
    small = _SMALL_ARGS if verilog_bytes < _SMALL_BYTES else ()
    return (*_VERILATOR_ARGS, *small, *trace, *coverage)


def last_lines(log: Path, count: int = 6) -> str:
    """Return the last lines of a log as one line; empty if there is none."""
    if not log.exists():
        return ""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-count:])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
