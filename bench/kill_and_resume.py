"""Kill every long command at random moments, give it again, and compare: the same bytes, and nothing left behind.

    python bench/kill_and_resume.py [--only run noise ...] [--moments 3] [--kills 2] [--seed 1] [--markdown FILE]

For each command: one run that nothing disturbs; then, for each signal (SIGKILL, SIGTERM, SIGINT) and each of so many
moments, a run in a new folder that gets the signal after a random time, the same command again that gets it, too (so
many times), and once more to its end. After each signal

- no process lives on that the command started, wherever it hangs: all have a variable of the environment;
- exit status and last line are those of docs/reference/commands.md, without a traceback;
- the temporary folder is empty again (after SIGKILL: at the end of the next run);
- no finished piece of work that was on disk is gone.

At the end all result files have the bytes of the undisturbed run. Left out of this are locks, what is not finished, the
unordered journal of finished pieces, and Optuna's database, which has times in it.

Then, for root only, the results lie on a disk (tmpfs) with room for half of them, and for none: one line and exit
status 2; and with more room the same command ends with the same bytes. The table goes to `bench/kill_and_resume.md`.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
STATUS = {"SIGKILL": -9, "SIGTERM": 143, "SIGINT": 130}
GONE_S = 10.0
"""So long after a signal a process may still be ending, on a machine that is busy."""

NOISY = "--subnet smallest --variation lognormal:0.5 --seed 1 --jobs 2"
COMMANDS = {
    "run": "run --queries 6 --seed 1 --out OUT",
    "cosim": "cosim --layers layers.csv --csv OUT/cosim.csv",
    "cosim whole": "cosim --space fashion --subnets fashion-d111-w222 --parts 4 --out OUT",
    "table": "table --space ofa-resnet50 --subnets 40 --subgraphs 40 --accelerator zcu104 --out OUT",
    "serve": "serve --queries 400 --csv OUT/served.csv",
    "serve compare": "serve --queries 200 --compare --csv OUT/served.csv",
    "noise": f"noise {NOISY} --images 300 --trials 12 --csv OUT/noise.csv",
    "partition": f"partition {NOISY} --images 100 --trials 4 --max-loss 10 --ranking magnitude --out OUT",
    "hybrid": "hybrid --subnet smallest --images 20 --trials 2 --full-images 20 --full-trials 1 --rank-images 20 "
    "--family 2 --max-loss 20 --jobs 2 --part sensitivity --part collapse --part histogram --out OUT",
    "package": "package --subnets 4 --subgraphs 1 --out OUT",
    "explore": "explore --space fashion --subnets 4 --accelerator tiny --backend joblib:2 --out OUT --vary "
    "'KP=2,4,8 CP=3,5,9 PB=0:96KB:24KB SB=10:54KB:11KB DRAM=400,600,1200MB/s'",
    "explore nsga2": "explore --space fashion --subnets 4 --accelerator tiny --backend joblib:2 --out OUT --no-report "
    "--sampler nsga2 --points 300 --vary 'KP=2,4,8 CP=3,5,9 PB=0:96KB:12KB DRAM=400,600,1200MB/s LATENCY=10,40'",
    "explore ray": "explore --space fashion --subnets 4 --accelerator tiny --backend ray:2 --out OUT --no-report "
    "--vary 'KP=2,4,8 CP=3,5,9 PB=0:96KB:24KB SB=10:54KB:11KB'",
    "explore dask": "explore --space fashion --subnets 4 --accelerator tiny --backend dask:2 --out OUT --no-report "
    "--vary 'KP=2,4,8 CP=3,5,9 PB=0:96KB:24KB SB=10:54KB:11KB'",
    "rtl": "rtl --accelerator tiny --out OUT",
}
LAYERS = "predict --space fashion --subnets fashion-d111-w222 --csv layers.csv"
UNCOMPARED = re.compile(r"(^|/)(\.lock|\..*\.new|.*\.part|.*\.jsonl|study\.sqlite)$")


@dataclass
class Found:
    """What one command's trials came to; ``wrong``: in words, each a fault of the command."""

    seconds: float = 0.0
    signals: int = 0
    ended_before: int = 0
    resumed_with_pieces: int = 0
    slowest_end_s: float = 0.0
    full_disks: int = 0
    wrong: list[str] = field(default_factory=list)


class Place:
    """Where one command runs again and again: its results, its temporary files and the mark of its processes."""

    def __init__(self, base: Path, words: str) -> None:
        base.mkdir()
        self.base, self.out = base, base / "out"
        self.temporary = Path(tempfile.mkdtemp(prefix="k"))  # short: sockets of Ray's are below it
        if "layers.csv" in words:
            run = [sys.executable, "-m", "fastswitch", *LAYERS.split()]
            env = {**os.environ, "PYTHONPATH": str(ROOT)}
            subprocess.run(run, cwd=base, env=env, check=True, capture_output=True)
        self.mark = f"KILL_AND_RESUME={os.getpid()}-{base.name}-{time.monotonic_ns()}"
        self.command = [sys.executable, "-m", "fastswitch", *shlex.split(words.replace("OUT", "out"))]

    def start(self) -> subprocess.Popen[str]:
        name, value = self.mark.split("=")
        env = {**os.environ, name: value, "TMPDIR": str(self.temporary), "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            self.command, cwd=self.base, env=env, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def finish(self) -> tuple[int, str]:
        process = self.start()
        said = process.communicate()[1]
        return process.returncode, said

    def processes(self) -> list[str]:
        """Those that have the mark and are not dead."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = self.mark.encode() in (folder / "environ").read_bytes()
                if is_ours and (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:80])
            except OSError:
                continue
        return found

    def results(self) -> dict[str, bytes]:
        """Bytes of the result files by name."""
        return {name: path.read_bytes() for name, path in self._files() if not UNCOMPARED.search(name)}

    def pieces(self) -> set[bytes]:
        """What is finished: whole lines of journals, and the names of finished parts."""
        found: set[bytes] = set()
        for name, path in self._files():
            if name.endswith((".jsonl", ".part")):
                found |= {line for line in path.read_bytes().splitlines(True)[1:] if line.endswith(b"\n")}
            elif "/" in name and "/." not in name:
                found.add(name.encode())
        return found

    def left_over(self) -> list[str]:
        return sorted(path.name for path in self.temporary.iterdir())

    def close(self) -> None:
        shutil.rmtree(self.temporary, ignore_errors=True)
        shutil.rmtree(self.base)

    def _files(self) -> Iterator[tuple[str, Path]]:
        for path in sorted(self.out.rglob("*")):
            if path.is_file():
                yield path.relative_to(self.out).as_posix(), path


def trial(
    place: Place, whole: dict[str, bytes], name: str, seconds: float, kills: int, rng: random.Random, found: Found
) -> None:
    """Signal a command so many times, then let it end; add to ``found``."""
    pieces: set[bytes] = set()
    for number in range(kills):
        moment = rng.uniform(0, seconds)
        said = f"{name} after {moment:.2f} s of {seconds:.1f} s (run {number + 1})"
        process = place.start()
        begun = time.monotonic()
        try:
            process.wait(moment)
            found.ended_before += 1
            process.communicate()
            break
        except subprocess.TimeoutExpired:
            process.send_signal(SIGNALS[name])
        found.signals += 1
        sent = time.monotonic()
        text = process.communicate()[1]
        while (alive := place.processes()) and time.monotonic() < sent + GONE_S:
            time.sleep(0.05)
        found.slowest_end_s = max(found.slowest_end_s, time.monotonic() - sent)
        if alive:
            found.wrong.append(f"{said}: alive: {', '.join(alive)}")
        status = process.returncode
        handled = sent - begun > 1.0  # before that Python may still be starting, and has no handler
        if status not in (STATUS[name], 0) and (handled or status not in (-15, -2, 1)):
            found.wrong.append(f"{said}: exit status {status}: {text[-200:]!r}")
        if name != "SIGKILL" and status == STATUS[name]:
            last = (text.splitlines() or [""])[-1]
            if not last.startswith("fastswitch: interrupted") or "Traceback" in text:
                found.wrong.append(f"{said}: says {text[-300:]!r}")
            if left := place.left_over():
                found.wrong.append(f"{said}: temporary files left: {left}")
        there = place.pieces()
        if status != 0 and not place.results().items() >= whole.items() and pieces - there:
            found.wrong.append(f"{said}: {len(pieces - there)} finished pieces are gone")
        found.resumed_with_pieces += bool(there)
        pieces = there
    status, text = place.finish()
    if status:
        found.wrong.append(f"{name}: the run after it ends with {status}: {text[-300:]!r}")
    now = place.results()
    for file in sorted(whole.keys() | now.keys()):
        if whole.get(file) != now.get(file):
            what = "is missing" if file not in now else "is new" if file not in whole else "differs"
            found.wrong.append(f"{name}: {file} {what}")
    if left := place.left_over():
        found.wrong.append(f"{name}: temporary files left at the end: {left}")


def full_disk(base: Path, words: str, whole: dict[str, bytes], found: Found) -> None:
    """The command on a disk without enough room; then the same command with more."""
    pages = sum(-(-len(data) // 4096) for data in whole.values())
    for size in sorted({1, max(1, pages // 2)}):
        place = Place(base / f"disk{size}", words)
        place.out.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size * 4096}", "tmpfs", str(place.out)]
        if subprocess.run(mount, capture_output=True).returncode:
            place.close()
            return
        found.full_disks += 1
        said = f"with {size} of {pages} pages on the disk"
        try:
            status, text = place.finish()
            last = (text.splitlines() or [""])[-1]
            if status != 2 or "No space left on device" not in last or "Traceback" in text:
                found.wrong.append(f"{said}: ends with {status}: {text[-300:]!r}")
            subprocess.run(["mount", "-o", "remount,size=1g", str(place.out)], check=True)
            status, text = place.finish()
            if status or place.results() != whole:
                found.wrong.append(f"{said}, then more: ends with {status}, other bytes or: {text[-300:]!r}")
        finally:
            subprocess.run(["umount", "--lazy", str(place.out)], check=True)
            place.close()


def measure(words: str, signals: Sequence[str], moments: int, kills: int, rng: random.Random, base: Path) -> Found:
    """All trials of one command."""
    found = Found()
    warm = Place(base / "warm", words)
    warm.finish()  # compiled simulators and kernels, as a user has them from the second run on
    warm.close()
    undisturbed = Place(base / "whole", words)
    begin = time.monotonic()
    status, text = undisturbed.finish()
    found.seconds = time.monotonic() - begin
    if status:
        found.wrong.append(f"undisturbed it ends with {status}: {text[-300:]!r}")
        undisturbed.close()
        return found
    if left := undisturbed.left_over():
        found.wrong.append(f"undisturbed it leaves temporary files: {left}")
    whole = undisturbed.results()
    for name in signals:
        for number in range(moments):
            place = Place(base / f"{name}{number}", words)
            trial(place, whole, name, found.seconds, kills, rng, found)
            place.close()
    if os.geteuid() == 0:
        full_disk(base, words, whole, found)
    undisturbed.close()
    return found


def main() -> int:
    """Measure, print and write the table; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--moments", type=int, default=3, help="for each signal")
    parser.add_argument("--kills", type=int, default=2, help="one run after the other, before one may end")
    parser.add_argument("--signals", nargs="+", choices=SIGNALS, default=list(SIGNALS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    lines = [
        "| command | undisturbed s | signals | ended before | with finished work | all gone s | full disks | wrong |",
        "|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    wrong: list[str] = []
    for name in options.only:
        rng = random.Random(f"{options.seed} {name}")
        with tempfile.TemporaryDirectory(prefix="kr-") as base:
            found = measure(COMMANDS[name], options.signals, options.moments, options.kills, rng, Path(base))
        lines.append(
            f"| {name} | {found.seconds:.1f} | {found.signals} | {found.ended_before} | {found.resumed_with_pieces} | "
            f"{found.slowest_end_s:.1f} | {found.full_disks} | {len(found.wrong)} |"
        )
        print(lines[-1], flush=True)
        for said in found.wrong:
            print(f"  {name}: {said}", flush=True)
        wrong += found.wrong
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
