"""Give the command line hostile input, many times, and say what hurt.

A :class:`Case` is a command line and the files that it finds in its folder. :func:`run_cases` executes cases one after
the other (or ``jobs`` side by side), each in a process of its own that is forked from one which has imported
everything, so that a case takes milliseconds. What hurts, and is a fault:

=========== ===========================================================================================================
traceback   a traceback on standard error
crash       the process ends by a signal that is not ours
hang        more than 10 s of processor time, or 30 s by the clock (others work on this machine)
memory      more than 1 GiB beyond what the process had when it began; 3 GiB more than that are not to be had
status      an exit status other than 0 (done), 1 (done, and a result is wrong), 2 (refused) and 130 (interrupted)
message     status 2 and not one line of at most 1,000 characters, "fastswitch: ...", on standard error
lost        a file that was there before is gone or has other bytes, unless the case says that it may (``outputs``)
=========== ===========================================================================================================

How a script gives its cases::

    from hostile_runner import Case, main

    def cases(seed):
        yield Case("layer table", ("cosim", "--layers", "a.csv", "--csv", "out.csv"), {"a.csv": b"..."})

    main(cases)    # --seed, --kind, --count, --jobs, --keep FOLDER; ends with status 1 if there is a fault

``bench/hostile.py`` runs those of ``hostile_files.py`` and ``hostile_commands.py`` together.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from itertools import islice
from pathlib import Path

for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "ARROW_DEFAULT_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

PROCESSOR_S, CLOCK_S = 10, 30
MEMORY_BYTES = 2**30
CEILING_BYTES = 4 * 2**30
LONGEST_MESSAGE = 1000
STATUSES = (0, 1, 2, 130)
IMPORTS = (
    *(f"reports.commands.{name}" for name in ("cosim", "explore", "hybrid", "import_", "map", "noise", "package")),
    *(f"reports.commands.{name}" for name in ("partition", "predict", "rtl", "run", "serve", "subnets", "table")),
    *(
        "arch_model.network.weights",
        "arch_model.machine.measured",
        "mapper.importers",
        "mapper.search.predict",
        "mapper.serving.table_file",
    ),
    *(
        "sim.noise.study.commands",
        "sim.serving.tables",
        "sim.serving.simulator",
        "sim.serving.streams",
        "sim.cosim.layer_tables",
        "sim.explore.run",
    ),
    *("reports.prediction", "pyarrow.parquet", "onnx", "onnx.reference", "pandas"),
)


@dataclass(frozen=True)
class Case:
    """One command line and what it finds.

    kind : the row of the table that counts it, such as "layer table" or "counts".
    argv : the arguments behind ``fastswitch``; files are named relative to the folder of the case.
    files : what is in that folder, by name; a name may have folders; those in ``bin/`` are programs.
    outputs : names among ``files`` that the command may replace (it was told to, by ``--force``).
    stdin : what standard input holds.
    environment : variables that are set, or taken away (None).
    """

    kind: str
    argv: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    stdin: bytes = b""
    environment: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What became of a case; ``fault`` is one of those above, or "" for none."""

    case: Case
    fault: str
    status: int
    seconds: float
    memory_bytes: int
    stderr: str

    def __str__(self) -> str:
        line = " ".join(self.stderr.split())
        said = line if len(line) <= 300 else f"{line[:100]} ... {line[-190:]}"
        return f"{self.fault:9} {self.case.kind}: {' '.join(self.case.argv)[:200]!r} -> {self.status}: {said}"


def run_cases(
    cases: Iterable[Case],
    jobs: int = 1,
    on_verdict: Callable[[Verdict], None] = lambda verdict: None,
    keep: Path | None = None,
) -> list[Verdict]:
    """Execute cases and judge them; the files of those with a fault are left in the folder ``keep``."""
    for name in IMPORTS:
        try:
            import_module(name)
        except ImportError:
            continue
    import fastswitch  # noqa: F401

    gc.collect()
    gc.freeze()  # what is there stays in the pages that all processes share
    verdicts: list[Verdict] = []
    running: dict[int, _Run] = {}
    waiting = iter(cases)
    with tempfile.TemporaryDirectory(prefix="hostile-") as scratch:
        for number in range(sys.maxsize):
            case = next(waiting, None)
            if case is None and not running:
                break
            if case is not None:
                run = _Run(case, Path(scratch) / str(number))
                running[run.pid] = run
            while running and (case is None or len(running) >= jobs):
                done = _wait(running)
                if done is None:
                    continue
                verdict = done.verdict()
                verdicts.append(verdict)
                on_verdict(verdict)
                if keep and verdict.fault:
                    shutil.copytree(done.folder, keep / f"{len(verdicts):05}-{verdict.fault}", dirs_exist_ok=True)
                shutil.rmtree(done.folder, ignore_errors=True)
                if case is not None:
                    break
    return verdicts


def _wait(running: dict[int, _Run]) -> _Run | None:
    """One that has ended, with its status and usage; those over time are killed on the way."""
    for pid, run in running.items():
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            run.status, run.usage = status, usage
            del running[pid]
            return run
        if time.monotonic() - run.began > CLOCK_S and not run.killed:
            run.killed = True
            os.killpg(pid, signal.SIGKILL)
    select.select([], [], [], 0.002)
    return None


class _Run:
    """A case under way."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.folder, self.killed = case, folder, False
        self.work = folder / "work"
        for name, data in case.files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            if name.startswith("bin/"):
                path.chmod(0o755)
        self.work.mkdir(parents=True, exist_ok=True)
        (folder / "stdin").write_bytes(case.stdin)
        (folder / "argv").write_text("\0".join(case.argv), errors="surrogateescape")
        self.began = time.monotonic()
        self.resident = _resident_bytes()
        self.status = 0
        self.usage: resource.struct_rusage | None = None
        self.pid = os.fork()
        if not self.pid:
            try:
                _child(case, folder, self.work)
            finally:
                os._exit(99)  # nothing of the parent's goes on here

    def verdict(self) -> Verdict:
        """What there is to say, now that it has ended."""
        assert self.usage is not None
        for _ in range(3):  # whatever it left behind
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                break
        errors = (self.folder / "stderr").read_text(errors="replace")
        processor = self.usage.ru_utime + self.usage.ru_stime
        memory = max(0, 1024 * self.usage.ru_maxrss - self.resident)
        status = os.waitstatus_to_exitcode(self.status)
        fault = ""
        if self.killed or processor > PROCESSOR_S or status == -signal.SIGXCPU:
            fault = "hang"
        elif "Traceback (most recent call last)" in errors:
            fault = "memory" if "MemoryError" in errors else "traceback"
        elif memory > MEMORY_BYTES or status == -signal.SIGKILL:
            fault = "memory"
        elif status < 0:
            fault = "crash"
        elif status not in STATUSES:
            fault = "status"
        elif status == 2 and not _is_message(errors):
            fault = "message"
        elif self._lost():
            fault = "lost"
        return Verdict(self.case, fault, status, processor, memory, errors[-5000:])

    def _lost(self) -> bool:
        for name, data in self.case.files.items():
            path = self.work / name
            if name not in self.case.outputs and (not path.is_file() or path.read_bytes() != data):
                return True
        return False


def _is_message(errors: str) -> bool:
    """Progress may stand before the message: lines that end with "...", or one that is rewritten."""
    errors = "".join(line for line in errors.splitlines(keepends=True) if not line.endswith(" ...\n"))
    last = errors.rstrip("\n").rsplit("\n", 1)[-1].rsplit("\r", 1)[-1]
    return (
        last.startswith("fastswitch: ")
        and len(last) <= LONGEST_MESSAGE
        and errors.count("\n") <= 1 + errors.count("\r")
        and "\x1b" not in last
    )


def _resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _child(case: Case, folder: Path, work: Path) -> None:
    """Become the command: its own session, folder, streams and limits; never returns to the caller's work."""
    os.setsid()
    os.chdir(work)
    for number, (name, flags) in enumerate(
        (("stdin", os.O_RDONLY), *[(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in ("stdout", "stderr")])
    ):
        handle = os.open(folder / name, flags, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin = open(0, closefd=False, errors="surrogateescape")  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115
    home = folder / "home"
    home.mkdir()
    os.environ.update({"HOME": str(home), "XDG_CACHE_HOME": str(home), "TMPDIR": str(home), "COLUMNS": "120"})
    for name, value in case.environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    tempfile.tempdir = None
    with open("/proc/self/statm") as file:
        virtual = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (virtual + CEILING_BYTES, virtual + CEILING_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_S + 1, PROCESSOR_S + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**31, 2**31))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import fastswitch

    status = 0
    try:
        fastswitch.main(list(case.argv))
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            status = status or 1
    os._exit(status)


def table(verdicts: Iterable[Verdict]) -> str:
    """Markdown: a row a kind, its cases, how they ended, its faults by name, the worst time and memory."""
    rows: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        rows[verdict.case.kind].append(verdict)
    faults = ("traceback", "crash", "hang", "memory", "status", "message", "lost")
    lines = [
        f"| input | cases | done | refused | {' | '.join(faults)} | slowest (s) | most memory (MiB) |",
        f"|---|{'---:|' * (5 + len(faults))}",
    ]
    every = [verdict for kind in rows.values() for verdict in kind]
    for kind, those in [*sorted(rows.items()), ("**all**", every)]:
        counts = Counter(verdict.fault for verdict in those)
        done = sum(verdict.status in (0, 1) and not verdict.fault for verdict in those)
        refused = sum(verdict.status == 2 and not verdict.fault for verdict in those)
        slowest = max((verdict.seconds for verdict in those), default=0.0)
        memory = max((verdict.memory_bytes for verdict in those), default=0) / 2**20
        cells = [kind, len(those), done, refused, *(counts[fault] for fault in faults)]
        lines.append("| " + " | ".join(map(str, [*cells, f"{slowest:.1f}", f"{memory:.0f}"])) + " |")
    return "\n".join(lines)


def main(cases: Callable[[int], Iterable[Case]], description: str = "Hostile input for the command line.") -> None:
    """The command line of a script that has cases: run them, print the faults and the table."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", help="only the kinds whose name holds this")
    parser.add_argument("--count", type=int, help="only so many cases")
    parser.add_argument("--jobs", type=int, default=1, help="cases side by side")
    parser.add_argument("--keep", type=Path, help="a folder for the files of cases with a fault")
    asked = parser.parse_args()
    began = time.monotonic()
    chosen: Iterator[Case] = (case for case in cases(asked.seed) if not asked.kind or asked.kind in case.kind)

    def say(verdict: Verdict) -> None:
        if verdict.fault:
            print(verdict, flush=True)

    words = "explore --space fashion --subnets fashion-d111-w222 --vary KP=2 --accelerator tiny --no-report --out made"
    with tempfile.TemporaryDirectory() as folder:  # compiles the pricing of points, which no case is to pay for
        warm = [sys.executable, str(ROOT / "fastswitch.py"), *words.split()]
        subprocess.run(warm, cwd=folder, capture_output=True, check=False)
    verdicts = run_cases(islice(chosen, asked.count), asked.jobs, say, asked.keep)
    print(table(verdicts))
    print(f"\nseed {asked.seed}, {len(verdicts)} cases, {time.monotonic() - began:.0f} s")
    sys.exit(any(verdict.fault for verdict in verdicts))
