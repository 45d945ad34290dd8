"""Run Programs on the accelerator's RTL: a simulation that stays powered on from job to job.

>>> from sim.rtl_bench.bench import Bench, Job, build                                         # doctest: +SKIP
>>> with Bench(build(Accelerator.load("tiny"), find_simulator())) as bench:         # doctest: +SKIP
...     result = bench.run(Job(program_address=0x1000, program_beats=96, segments=((0, image), (0x1000, program)),
...                            dump=(0x8000, 64)))
>>> result.cycles, result.memory[:10]                                               # doctest: +SKIP
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from arch_model.child_processes import end_session, start_supervised
from arch_model.errors import SimulatorError
from arch_model.files.writing import writing
from arch_model.scratch import scratch_folder
from rtl.errors import ErrorCode
from rtl.registers import ADDRESS
from sim.rtl_bench.bench_build import PROCESS, TOP, Build, Memory, build, build_verilog, last_lines, python_path
from sim.rtl_bench.job import Job, JobResult
from sim.rtl_bench.striping import Striping

__all__ = ["Bench", "Build", "Job", "JobResult", "Memory", "build", "build_verilog"]

START_SECONDS = 120.0
"""A simulator that has not powered on by then never will."""

CLOSE_SECONDS = 10.0
WAVEFORM_SECONDS = 120.0
"""A simulator that ends by itself may take so long; one that writes a waveform has its last part to write."""

SIGN_SECONDS = 600.0
"""A simulator that gives no sign of life for so long (it gives one every 2,000 cycles) hangs itself."""

UNITS = ("LOAD_ACT", "LOAD_WGT", "FEED", "RUN", "STORE")
WAITS = {"WAIT_SB": "RUN for sb_full", "WAIT_WEIGHTS": "RUN for weights", "WAIT_OUT": "RUN for out_free"}
BEYOND = 2
"""The violation of an address beyond the DRAM, which a bench can be told to let pass."""

VIOLATIONS = (
    "a burst across a 4 KiB boundary",
    "an address that is not a multiple of the beat",
    "an address beyond the DRAM",
    "wlast on the wrong beat",
    "a burst type, size or strobe that the DRAM does not take",
    "valid withdrawn or changed before ready",
    "a load or dump file that failed",
)
"""What the bits of ``violation`` in ``sim/rtl_bench/verilog/dram.v`` mean."""


class Bench:
    """A context manager around a running simulation; :meth:`run` does a job on it.

    Parameters
    ----------
    build : the compiled simulation.
    registers : name to address; the default is that of ``rtl.registers``.
    stall : 0 to 255, how many cycles in 256 each DRAM handshake pauses, drawn with ``seed``.
    seed : 0 to 2**28 - 1.
    trace : a waveform file to write, FST; the build must have been made with ``trace=True``.
    folder : where the simulator works and leaves its log, ``bench.log``; by default a temporary one.
    beyond : addresses beyond the DRAM are wanted; they answer DECERR, and that is all.

    Raises
    ------
    ValueError
        ``stall`` or ``seed`` is outside its range, or the build writes no waveform.
    SimulatorError
        The simulation dies, hangs, or breaks a rule of AXI; it is then over. No wait is for ever: the simulation bounds
        its own in cycles, and this end the time without a sign of life from there.
    """

    SERVER = "sim.rtl_bench.server"
    """The module with the cocotb test at the other end."""

    def __init__(
        self,
        build: Build,
        *,
        registers: Mapping[str, int] | None = None,
        stall: int = 0,
        seed: int = 0,
        trace: Path | None = None,
        folder: Path | None = None,
        beyond: bool = False,
    ) -> None:
        if not 0 <= stall <= 255:
            raise ValueError(f"stall is {stall}; it is 0 to 255")
        if not 0 <= seed < 1 << 28:
            raise ValueError(f"seed is {seed}; it is 0 to {(1 << 28) - 1}")
        if trace is not None and not build.trace:
            raise ValueError("trace needs a build made with trace=True")
        self._build = build
        self._settings = {
            "registers": dict(ADDRESS if registers is None else registers),
            "stall": stall,
            "seed": seed,
        }
        self._trace = trace
        self._tolerated = 1 << BEYOND if beyond else 0
        self._given_folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch = ExitStack()

    def __enter__(self) -> Self:
        if self._given_folder is None:
            self._folder = self._scratch.enter_context(scratch_folder())
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
        """Do a job and return its result.

        Raises
        ------
        SimulatorError
            It hangs, breaks a rule of AXI or ends the simulation.
        """
        self._running()
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
            "silent_after": job.silent_after,
            "reset_after": job.reset_after,
            "patience_cycles": job.patience_cycles,
            "stall": job.stall,
            "fault": (job.fault.fault, job.fault.port, job.fault.burst) if job.fault else (0, 0, 0),
            "goes_on_after": [int(code) for code in ErrorCode if code.goes_on] if job.until_over else [],
        }
        answer = self._ask(order, lambda answer: self._judge(answer, job))
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
            error_command=answer["error_command"],
            bus=answer["bus"],
            later=answer["later"],
            bursts=answer["bursts"] & (1 << 31) - 1,
            struck=bool(answer["bursts"] >> 31),
        )

    def reset(self) -> int:
        """Reset the machine through CTRL; return the cycles until STATUS says so.

        Raises
        ------
        SimulatorError
            The reset gives up.
        """
        cycles, broken = self.drain()
        if broken:
            raise SimulatorError(f"CTRL's reset has given up after {cycles} cycles: a transfer never ends")
        return cycles

    def drain(self) -> tuple[int, bool]:
        """Reset the machine through CTRL as :meth:`reset` does, without an error if the reset gives up.

        Returns
        -------
        cycles, broken
            Cycles until STATUS says that the reset is over, and whether it has given up.
        """
        answer = self._ask({"reset": True}, self._heard)
        return int(answer["reset_cycles"]), bool(answer["broken"])

    def power(self) -> None:
        """Reset machine and DRAM through ``aresetn``; what is in the DRAM stays."""
        self._ask({"power": True}, self._heard)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise SimulatorError("the simulation is not running; it ended, or the Bench was not entered")
        return self._process

    def _ask(self, order: Mapping[str, object], judge: Callable[[dict], None]) -> dict:
        """Send an order and return the answer if ``judge`` raises nothing; else the simulation is over."""
        process = self._running()
        try:
            self._send(order)
            answer = self._receive(process)
            judge(answer)
        except BaseException:
            self._end(kill=True)
            raise
        return answer

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
            "test_module": self.SERVER,
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
            "LD_LIBRARY_PATH": os.pathsep.join(filter(None, [_cocotb_libraries(), ours.get("LD_LIBRARY_PATH")])),
            "FASTSWITCH_BENCH": str(folder),
            "PYTHONPATH": python_path(),
            "COCOTB_ANSI_OUTPUT": "0",
        }
        with (folder / "bench.log").open("wb") as log:
            process = start_supervised(
                [sys.executable, "-m", PROCESS, json.dumps([kind, "test", options])],
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._process = process
        self._receive(process, START_SECONDS)

    def _write_load(self, job: Job, striping: Striping) -> None:
        """Write the segments as ``load.bin``: the records that ``sim/rtl_bench/verilog/dram.v`` describes."""
        memory = self._build.memory
        parts: list[bytes] = []
        for address, segment in job.segments:
            array = segment if isinstance(segment, np.ndarray) else np.frombuffer(segment, np.uint8)
            data = np.ascontiguousarray(array).view(np.uint8).ravel()
            for place in striping.places(address, data.size):
                part = data[place.start - address :][: place.length]
                wide = part.reshape(-1, len(place.stripes), memory.beat_bytes)
                parts += [load_record(stripe, wide[:, i]) for i, stripe in enumerate(place.stripes)]
        if job.program:
            beats = np.frombuffer(job.program, np.uint8).reshape(-1, memory.beat_bytes)
            parts.append(load_record(striping.program(job.program_address), beats))
        path = self._folder / "load.bin"
        with writing(path):
            path.write_bytes(b"".join(parts))

    def _send(self, order: Mapping[str, object]) -> None:
        os.write(self._jobs, json.dumps(order).encode() + b"\n")

    def _receive(self, process: subprocess.Popen[bytes], seconds: float = SIGN_SECONDS) -> dict:
        """Return the next answer; SimulatorError if the simulation ends without, or is silent for ``seconds``."""
        while "alive" in (answer := self._receive_line(process, seconds)):
            pass
        return answer

    def _receive_line(self, process: subprocess.Popen[bytes], seconds: float) -> dict:
        until = monotonic() + seconds
        while b"\n" not in self._unread:
            select.select([self._results], [], [], 0.2)
            with suppress(BlockingIOError):
                self._unread += os.read(self._results, 1 << 16)
            if b"\n" in self._unread:
                break
            if process.poll() is not None:
                raise SimulatorError(f"the simulation ended with status {process.returncode}: {self._log()}")
            if monotonic() > until:
                raise SimulatorError(f"the simulation has not answered for {seconds:.0f} s: {self._log()}")
        line, self._unread = self._unread.split(b"\n", 1)
        return json.loads(line)

    def _judge(self, answer: Mapping, job: Job) -> None:
        """Raise SimulatorError if the answer is that of a machine that has gone wrong."""
        self._heard(answer)
        violation = answer["violation"] & ~self._tolerated
        broken = [text for bit, text in enumerate(VIOLATIONS) if violation >> bit & 1]
        if broken:
            said = [line for line in self._log_lines() if line.startswith("dram:")]
            raise SimulatorError(f"the DRAM has seen {', '.join(broken)}: {' | '.join(said[:3])}")
        if answer["hang"] and not job.may_hang:
            counters = ", ".join(f"{name} {value}" for name, value in answer["counters"].items())
            predicted = f" ({job.predicted_cycles} predicted)" if job.predicted_cycles else ""
            still = standstill(answer["counters"], answer["counters_later"])
            raise SimulatorError(
                f"the Program at 0x{job.program_address:x} has not ended after {job.watchdog_cycles} cycles"
                f"{predicted}: STATUS 0x{answer['status']:x}, {counters}; {still}"
            )
        if not answer["irq_cleared"] and job.fault is None:
            raise SimulatorError("irq stays high after a write of 1 to IRQ_STATUS")

    @staticmethod
    def _heard(answer: Mapping) -> None:
        if "deaf" in answer:
            raise SimulatorError(f"the accelerator hangs: {answer['deaf']}")

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
                        process.wait(CLOSE_SECONDS if self._trace is None else WAVEFORM_SECONDS)
            finally:
                end_session(process)
        self._scratch.close()


def load_record(address: int, beats: NDArray[np.uint8]) -> bytes:
    """A record of ``load.bin``.

    Parameters
    ----------
    address : of its first byte in DRAM.
    beats : uint8 (beats, bytes of a beat).
    """
    head = np.array([address // beats.shape[1], len(beats)], ">u4")
    return head.tobytes() + beats[:, ::-1].tobytes()


def standstill(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """What a machine that hangs waits for, from two looks at its counters a while apart.

    Parameters
    ----------
    before, after : the counters by name.

    Examples
    --------
    >>> before = {"BUSY_RUN": 7, "WAIT_WEIGHTS": 1, "BEATS_WGT": 5}
    >>> standstill(before, before | {"BUSY_RUN": 9, "WAIT_WEIGHTS": 3})
    'waits: RUN for weights; executing a command: RUN; ports that move: none'
    """

    def counting(names: Iterable[str]) -> list[str]:
        return [name for name in names if after.get(name, 0) != before.get(name, 0)]

    units = [name.removeprefix("BUSY_") for name in counting(f"BUSY_{unit}" for unit in UNITS)]
    ports = [name.removeprefix("BEATS_").lower() for name in counting(n for n in after if n.startswith("BEATS_"))]
    waits = [WAITS[name] for name in counting(WAITS)]
    return "; ".join(
        f"{what}: {', '.join(names) or 'none'}"
        for what, names in (("waits", waits), ("executing a command", units), ("ports that move", ports))
    )


def _cocotb_libraries() -> str:
    """Where this environment has them: the one that the simulation was built in may be gone."""
    from cocotb_tools.config import libs_dir

    return str(libs_dir)
