"""Run Programs on the accelerator's RTL: a simulation that stays powered on from job to job.

>>> from sim.bench import Bench, Job, build                                         # doctest: +SKIP
>>> with Bench(build(Accelerator.load("tiny"), find_simulator())) as bench:         # doctest: +SKIP
...     result = bench.run(Job(program_address=0x1000, program_beats=96, segments=((0, image), (0x1000, program)),
...                            dump=(0x8000, 64)))
>>> result.cycles, result.memory[:10]                                               # doctest: +SKIP
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from arch_model.errors import SimulatorError
from sim.bench_build import ROOMS, TOP, Build, Memory, build, build_verilog, last_lines
from sim.striping import Striping

__all__ = ["Bench", "Build", "Job", "JobResult", "Memory", "build", "build_verilog"]

START_SECONDS = 120.0
"""A simulator that has not powered on by then never will."""

CLOSE_SECONDS = 10.0

VIOLATIONS = (
    "a burst across a 4 KiB boundary",
    "an address that is not a multiple of the beat",
    "an address beyond the DRAM",
    "wlast on the wrong beat",
    "a burst type, size or strobe that the DRAM does not take",
    "valid withdrawn or changed before ready",
    "a load or dump file that failed",
)
"""What the bits of ``violation`` in ``sim/verilog/dram.v`` mean."""


@dataclass(frozen=True, eq=False)
class Job:
    """One run of a Program.

    ``segments``: (byte address, bytes) pairs written to DRAM before the start; addresses and lengths are whole beats.
    What no segment covers is as the job before left it, in DRAM and on chip. ``dump``: (byte address, bytes) of DRAM
    to bring back, whole beats. These are the machine's addresses, whose beats lie over stripes: those of weights below
    ``weight_bytes``, those of tensors above (:mod:`sim.striping`); ``program``, written to ``program_address``, is in
    the first of these alone. ``watchdog_cycles``: the Program hangs if it takes more. ``error_range``: reads and writes
    of these byte addresses on the ports, first to last + 1, are answered SLVERR.
    """

    program_address: int
    program_beats: int
    segments: tuple[tuple[int, bytes | NDArray[np.uint8] | NDArray[np.int8]], ...] = ()
    dump: tuple[int, int] = (0, 0)
    watchdog_cycles: int = 20_000_000
    error_range: tuple[int, int] = (0, 0)
    program: bytes = b""
    weight_bytes: int = 0


@dataclass(frozen=True, eq=False)
class JobResult:
    """What a job came to.

    ``cycles``: the register CYCLES. ``status``: the register STATUS. ``counters``: every counter by its register's
    name. ``memory``: the bytes of ``Job.dump``. ``simulated_cycles``: from the host's write of CTRL to the interrupt.
    ``seconds``: what those took.
    """

    cycles: int
    status: int
    counters: Mapping[str, int]
    memory: NDArray[np.uint8]
    simulated_cycles: int
    seconds: float

    @property
    def error_code(self) -> int:
        """The error code of STATUS, 0 if there is none (table in docs/hardware.md)."""
        return (self.status >> 8) & 0xFF


class Bench:
    """A context manager around a running simulation; :meth:`run` does a job on it.

    ``registers``: name to address; the default is the register map of ``rtl.control``. ``stall``: 0 to 255, how many
    cycles in 256 each DRAM handshake pauses, drawn with ``seed``. ``trace``: a waveform file to write (VCD with
    Verilator, FST with Icarus); the build must have been made with ``trace=True``. ``folder``: where the simulator
    works and leaves its log, ``bench.log``; a temporary one, removed at the end, by default.

    Raises SimulatorError when the simulation dies, hangs, or breaks a rule of AXI; it is then over.
    """

    def __init__(
        self,
        build: Build,
        *,
        registers: Mapping[str, int] | None = None,
        stall: int = 0,
        seed: int = 0,
        trace: Path | None = None,
        folder: Path | None = None,
    ) -> None:
        if not 0 <= stall <= 255:
            raise ValueError(f"stall is {stall}; it is 0 to 255")
        if not 0 <= seed < 1 << 28:
            raise ValueError(f"seed is {seed}; it is 0 to {(1 << 28) - 1}")
        if trace is not None and not build.trace:
            raise ValueError("trace needs a build made with trace=True")
        self._build = build
        self._settings = {
            "registers": dict(_register_map() if registers is None else registers),
            "stall": stall,
            "seed": seed,
        }
        self._trace = trace
        self._given_folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Bench:
        if self._given_folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="fastswitch-"))
        else:
            self._folder = self._given_folder.absolute()
            self._folder.mkdir(parents=True, exist_ok=True)
        self._jobs = self._results = -1
        try:
            self._start()
        except BaseException:
            self._end(kill=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(kill=kind is not None)

    def run(self, job: Job) -> JobResult:
        """Do ``job`` and return its result; SimulatorError if it hangs, breaks a rule of AXI or ends the simulation."""
        process = self._process
        if process is None:
            raise SimulatorError("the simulation is not running; it ended, or the Bench was not entered")
        memory = self._build.memory
        striping = Striping(memory, job.weight_bytes)
        first, length = job.dump
        dumps = list(striping.places(first, length))
        self._write_load(job, striping)
        order = {
            "load": bool(job.segments) or bool(job.program),
            "bases": striping.bases(),
            "program_address": striping.program(job.program_address),
            "program_beats": job.program_beats,
            "dumps": [
                (stripe // memory.beat_bytes, place.length // len(place.stripes) // memory.beat_bytes)
                for place in dumps
                for stripe in place.stripes
            ],
            "watchdog_cycles": job.watchdog_cycles,
            "error_base": job.error_range[0],
            "error_limit": job.error_range[1],
        }
        try:
            self._send(order)
            answer = self._receive(process)
            self._judge(answer, job)
        except BaseException:
            self._end(kill=True)
            raise
        data = np.empty(length, np.uint8)
        number = 0
        for place in dumps:
            wide = data[place.start - first :][: place.length].reshape(-1, len(place.stripes), memory.beat_bytes)
            for i in range(len(place.stripes)):  # a beat is a part of every stripe
                part = np.fromfile(self._folder / f"dump{number}.bin", np.uint8)
                number += 1
                if part.size != wide[:, i].size:
                    self._end(kill=True)
                    raise SimulatorError(f"the simulation dumped {part.size} bytes of {wide[:, i].size}")
                wide[:, i] = part.reshape(-1, memory.beat_bytes)
        return JobResult(
            cycles=answer["counters"]["CYCLES"],
            status=answer["status"],
            counters=answer["counters"],
            memory=data,
            simulated_cycles=answer["simulated_cycles"],
            seconds=answer["seconds"],
        )

    def _start(self) -> None:
        """Start the simulator. The pipes are open at this end before there is another, so neither end waits."""
        folder = self._folder
        for name in ("jobs", "results"):
            (folder / name).unlink(missing_ok=True)
            os.mkfifo(folder / name)
        self._jobs = os.open(folder / "jobs", os.O_RDWR)
        self._results = os.open(folder / "results", os.O_RDONLY | os.O_NONBLOCK)
        self._unread = b""
        (folder / "bench.json").write_text(json.dumps(self._settings))
        kind = self._build.simulator.kind
        options: dict[str, object] = {
            "test_module": "sim.bench_test",
            "hdl_toplevel": TOP,
            "hdl_toplevel_lang": "verilog",
            "build_dir": str(self._build.folder),
            "test_dir": str(folder),
            "results_xml": str(folder / "results.xml"),
            "waves": self._trace is not None,
        }
        if self._trace is not None and kind == "verilator":
            options["test_args"] = ["--trace-file", str(self._trace.absolute())]
        elif self._trace is not None:
            options["plusargs"] = [f"+dumpfile_path={self._trace.absolute()}"]
        ours = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        env = {
            **ours,
            **self._build.simulator.env,
            "FASTSWITCH_BENCH": str(folder),
            "PYTHONPATH": os.pathsep.join([str(ROOMS), *filter(None, sys.path)]),
            "COCOTB_ANSI_OUTPUT": "0",
        }
        with (folder / "bench.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "sim.bench_process", json.dumps([os.getpid(), kind, options])],
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then ends all of theirs
            )
        self._process = process
        self._receive(process, START_SECONDS)

    def _write_load(self, job: Job, striping: Striping) -> None:
        """Write the segments as ``load.bin``: the records that ``sim/verilog/dram.v`` describes."""
        memory = self._build.memory
        parts: list[bytes] = []

        def write(address: int, beats: NDArray[np.uint8]) -> None:
            parts.append(np.array([address // memory.beat_bytes, len(beats)], ">u4").tobytes())
            parts.append(beats[:, ::-1].tobytes())

        for address, segment in job.segments:
            array = segment if isinstance(segment, np.ndarray) else np.frombuffer(segment, np.uint8)
            data = np.ascontiguousarray(array).view(np.uint8).ravel()
            for place in striping.places(address, data.size):
                part = data[place.start - address :][: place.length]
                wide = part.reshape(-1, len(place.stripes), memory.beat_bytes)
                for i, stripe in enumerate(place.stripes):
                    write(stripe, wide[:, i])
        if job.program:
            address = striping.program(job.program_address)
            write(address, np.frombuffer(job.program, np.uint8).reshape(-1, memory.beat_bytes))
        (self._folder / "load.bin").write_bytes(b"".join(parts))

    def _send(self, order: Mapping[str, object]) -> None:
        os.write(self._jobs, json.dumps(order).encode() + b"\n")

    def _receive(self, process: subprocess.Popen[bytes], seconds: float | None = None) -> dict:
        """Return the next answer; SimulatorError if the simulation ends without, or ``seconds`` go by."""
        until = None if seconds is None else monotonic() + seconds
        while b"\n" not in self._unread:
            select.select([self._results], [], [], 0.2)
            with suppress(BlockingIOError):
                self._unread += os.read(self._results, 1 << 16)
            if b"\n" in self._unread:
                break
            if process.poll() is not None:
                raise SimulatorError(f"the simulation ended with status {process.returncode}: {self._log()}")
            if until is not None and monotonic() > until:
                raise SimulatorError(f"the simulation has not answered for {seconds:.0f} s: {self._log()}")
        line, self._unread = self._unread.split(b"\n", 1)
        return json.loads(line)

    def _judge(self, answer: Mapping, job: Job) -> None:
        """Raise SimulatorError if the answer is that of a machine that has gone wrong."""
        if "deaf" in answer:
            raise SimulatorError(f"the accelerator hangs: {answer['deaf']}")
        broken = [text for bit, text in enumerate(VIOLATIONS) if answer["violation"] >> bit & 1]
        if broken:
            said = [line for line in self._log_lines() if line.startswith("dram:")]
            raise SimulatorError(f"the DRAM has seen {', '.join(broken)}: {' | '.join(said[:3])}")
        if answer["hang"]:
            counters = ", ".join(f"{name} {value}" for name, value in answer["counters"].items())
            raise SimulatorError(
                f"the Program at 0x{job.program_address:x} has not ended after {job.watchdog_cycles} cycles: "
                f"STATUS 0x{answer['status']:x}, {counters}"
            )
        if not answer["irq_cleared"]:
            raise SimulatorError("irq stays high after a write of 1 to IRQ_STATUS")

    def _log_lines(self) -> list[str]:
        return (self._folder / "bench.log").read_text(errors="replace").splitlines()

    def _log(self) -> str:
        return last_lines(self._folder / "bench.log")

    def _end(self, kill: bool) -> None:
        """End the simulation and everything it started, and remove what was made for it."""
        process, self._process = self._process, None
        for pipe in (self._jobs, self._results):
            if pipe >= 0:
                os.close(pipe)  # the end of the jobs is what makes the simulation end by itself
        self._jobs = self._results = -1
        if process is not None:
            try:
                if not kill:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(CLOSE_SECONDS)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # the simulator is a grandchild: all of its session
                process.wait()
        if self._given_folder is None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _register_map() -> Mapping[str, int]:
    """Return name to address of every register of the accelerator."""
    from rtl.control import ADDRESS

    return ADDRESS
