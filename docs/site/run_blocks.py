"""Run the code blocks of pages, in order, each page in a clean folder: `make blocks`.

    python docs/site/run_blocks.py [--short] [PAGE ...]

Without pages README.md, CONTRIBUTING.md, docs/**/*.md and bench/*.md. A fence's language says what happens:

==========  ============================================================================================
`sh`        Bash runs it and stops at the first command that fails.
`python`    A program of its own.
`console`   Lines after `$` are commands; the lines below have to be in what they print, in that order.
`text` ...  Shown only: another language, which may hold no command of ours.
==========  ============================================================================================

An HTML comment above a fence says what is particular: `<!-- not run: REASON -->`; `<!-- at most 20 minutes -->` for
a block that needs more than a minute, which `--short` leaves out; `<!-- needs MODULE -->` for one that is not run where
Python has no such module; both may stand on one line. `<!-- blocks run in a clone -->` anywhere on a page
makes its folder a copy of the repository, whose environment is the one that this runs in; other folders are empty.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

RUN = ("sh", "python", "console")
SHOWN = ("text", "yaml", "json", "csv", "c", "tcl", "verilog")
SECONDS = 60
"""What a block may take that says nothing else. Bounds are generous where a machine has other work: see `STRETCH`."""
STRETCH = float(os.environ.get("BLOCKS_STRETCH", "5"))
TAIL = 30
"""Lines of output that a failure shows."""

FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+)(?P<language>[^`]*)$")
NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
NEEDS = re.compile(r"<!-- needs (\w+) -->")
AT_MOST = re.compile(r"<!-- at most (\d+) minutes? -->")
IN_A_CLONE = "<!-- blocks run in a clone -->"
HERE_DOCUMENT = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
"""What follows, up to a line with the word, is text for a command and no command."""
OURS = re.compile(r"^(\$ |(fastswitch|python|make|pip) )", re.MULTILINE)
MADE = (".git", ".venv", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis", "fastswitch-out")


class PageError(Exception):
    """A page that cannot be read as blocks: it names the page and the line."""


@dataclass(frozen=True)
class Block:
    """A fence of a page; ``line`` is that of its first line of text, ``why`` the reason for which it is not run."""

    page: str
    line: int
    language: str
    text: str
    why: str | None = None
    seconds: float = SECONDS

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def long(self) -> bool:
        return self.seconds > SECONDS


@dataclass(frozen=True)
class Failure:
    """What went wrong: where, in which command, and what had been printed."""

    where: str
    command: str
    what: str
    output: str

    def __str__(self) -> str:
        lines = self.output.rstrip().splitlines()
        left_out = [f"... {len(lines) - TAIL} lines before"] if len(lines) > TAIL else []
        return "\n    ".join([f"{self.where}: {self.what}: {self.command}", *left_out, *lines[-TAIL:]])


# ---- reading ----


def blocks_of(page: str, markdown: str) -> list[Block]:
    """The blocks of a page; :class:`PageError` for a fence without a known language or without an end."""
    blocks: list[Block] = []
    lines = markdown.splitlines()
    mark, i = "", 0
    while i < len(lines):
        opening = FENCE.match(lines[i])
        if opening is None:
            if lines[i].strip():  # a mark holds over blank lines only
                mark = lines[i] if lines[i].lstrip().startswith("<!--") else ""
            i += 1
            continue
        end = next((j for j in range(i + 1, len(lines)) if lines[j].strip() == opening["ticks"]), None)
        if end is None:
            raise PageError(f"{page}:{i + 1}: the fence has no end")
        body = [line.removeprefix(opening["indent"]) for line in lines[i + 1 : end]]
        blocks.append(_block(page, i + 2, opening["language"].strip(), "\n".join(body) + "\n", mark))
        mark, i = "", end + 1
    return blocks


def _block(page: str, line: int, language: str, text: str, mark: str) -> Block:
    if language not in (*RUN, *SHOWN):
        raise PageError(f"{page}:{line - 1}: the fence's language is {language!r}; give {', '.join((*RUN, *SHOWN))}")
    if language not in RUN:
        if OURS.search(text):
            raise PageError(f"{page}:{line - 1}: a fence of {language} holds a command; give sh or console")
        return Block(page, line, language, text)
    reason, bound, needed = NOT_RUN.search(mark), AT_MOST.search(mark), NEEDS.search(mark)
    seconds = 60.0 * int(bound[1]) if bound else SECONDS
    why = reason[1] if reason else None
    if needed and find_spec(needed[1]) is None:
        why = f"{needed[1]} is not installed"
    return Block(page, line, language, text, why, seconds)


def commands_of(block: Block) -> Iterator[tuple[int, str]]:
    """The commands of a block of `sh` or `console`, each with its line of the page.

    Continued lines are one command; the lines of a here-document are none.
    """
    lines = block.text.splitlines()
    if block.language == "console":
        yield from ((block.line + i, line[2:]) for i, line in enumerate(lines) if line.startswith("$ "))
        return
    start, command, until = 0, "", ""
    for i, line in enumerate(lines):
        if until:
            until = "" if line == until else until
            continue
        start, command = (i, line) if not command else (start, command + line.strip())
        if command.endswith("\\"):
            command = command[:-1]
        else:
            if command.strip() and not command.lstrip().startswith("#"):
                yield block.line + start, command
                here = HERE_DOCUMENT.search(command)
                until = here[2] if here else ""
            command = ""


def all_pages() -> list[Path]:
    """The pages that are run when none is named."""
    return [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted(ROOT.glob("docs/**/*.md")),
        *sorted(ROOT.glob("bench/*.md")),
    ]


def name_of(page: Path) -> str:
    """A page as messages have it: its path in the repository, if it lies there."""
    return str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else str(page)


# ---- running ----


class Folder:
    """The clean folder of a page, and beside it what the runner itself needs."""

    def __init__(self, scratch: Path, clone: bool) -> None:
        self.path, self.scratch = scratch / "folder", scratch
        if clone:
            shutil.copytree(ROOT, self.path, ignore=shutil.ignore_patterns(*MADE))
            venv = self.path / ".venv"  # what `make setup` would make
            venv.mkdir()
            for entry in Path(sys.prefix).iterdir():
                if entry.name != ".installed":
                    (venv / entry.name).symlink_to(entry)
            (venv / ".installed").write_text(str(self.path.resolve()))
            if git := shutil.which("git"):
                subprocess.run([git, "init", "--quiet", self.path], check=True)
        else:
            self.path.mkdir()
        hide = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTEST_CURRENT_TEST", "PYTEST_ADDOPTS")
        self.env = {name: value for name, value in os.environ.items() if name not in hide}
        self.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.env['PATH']}"
        self.env["PYTHONPATH"] = str(self.path if clone else ROOT)

    def run(self, words: Sequence[str], seconds: float) -> tuple[int | None, str]:
        """Exit status, None if it took too long, and the output of a program; all that it started is ended."""
        with (self.scratch / "output").open("w+") as output:
            program = subprocess.Popen(
                words, cwd=self.path, env=self.env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
            try:
                status: int | None = program.wait(seconds * STRETCH)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                for number in (signal.SIGTERM, signal.SIGKILL):
                    with contextlib.suppress(ProcessLookupError):  # nothing is left of it
                        os.killpg(program.pid, number)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        program.wait(10)
            output.seek(0)
            return status, output.read()


def run_block(block: Block, folder: Folder) -> Failure | None:
    """Run a block; what failed, or None."""
    if block.language == "python":
        return _run_python(block, folder)
    if block.language == "console":
        return _run_console(block, folder)
    script, at = folder.scratch / "block.sh", folder.scratch / "line"
    at.unlink(missing_ok=True)
    script.write_text(f"set -o pipefail; trap 'echo $LINENO >{at}; exit 1' ERR; set -E\n{block.text}")
    status, output = folder.run(["bash", str(script)], block.seconds)
    if status == 0:
        return None
    lines = dict(commands_of(block))
    line = block.line + int(at.read_text()) - 2 if at.exists() else block.line
    known = max((number for number in lines if number <= line), default=block.line)
    what = "took too long" if status is None else "failed"
    text = f"one of {len(lines)} commands" if status is None and len(lines) > 1 else lines.get(known, "").strip()
    return Failure(f"{block.page}:{known}", text, what, output)


def _run_python(block: Block, folder: Folder) -> Failure | None:
    program = folder.scratch / "block.py"
    program.write_text("\n" * (block.line - 1) + block.text)  # so that a traceback has the page's lines
    start = f"exec(compile(open({str(program)!r}).read(), {block.page!r}, 'exec'))"
    status, output = folder.run([sys.executable, "-c", start], block.seconds)
    if status == 0:
        return None
    lines = [int(n) for n in re.findall(rf'File "{re.escape(block.page)}", line (\d+)', output)] or [block.line]
    own = block.text.splitlines()
    text = own[min(lines[0] - block.line, len(own) - 1)].strip()
    return Failure(f"{block.page}:{lines[0]}", text, "took too long" if status is None else "failed", output)


def _run_console(block: Block, folder: Folder) -> Failure | None:
    commands, lines = list(commands_of(block)), block.text.splitlines()
    for n, (line, command) in enumerate(commands):
        end = commands[n + 1][0] - block.line if n + 1 < len(commands) else len(lines)
        status, output = folder.run(["bash", "-c", command], block.seconds)
        where = f"{block.page}:{line}"
        if status != 0:
            return Failure(where, command, "took too long" if status is None else "failed", output)
        printed = iter([text.rstrip() for text in output.splitlines()])
        for i in range(line - block.line + 1, end):
            if lines[i].strip() and lines[i].rstrip() not in printed:
                return Failure(f"{block.page}:{block.line + i}", command, f"did not print {lines[i].strip()!r}", output)
    return None


@dataclass(frozen=True)
class Outcome:
    """A block, whether it was run (else why not), how long it took in seconds, and its failure if there was one."""

    block: Block
    why: str | None
    seconds: float = 0.0
    failure: Failure | None = None


def run_page(page: Path, short: bool = False) -> Iterator[Outcome]:
    """Run the blocks of a page one after another, up to the first that fails."""
    markdown = page.read_text()
    blocks = [block for block in blocks_of(name_of(page), markdown) if block.language in RUN]
    if not blocks:
        return
    with tempfile.TemporaryDirectory(prefix="blocks-", ignore_cleanup_errors=True) as scratch:
        folder = Folder(Path(scratch), IN_A_CLONE in markdown)
        for block in blocks:
            why = block.why or ("long" if short and block.long else None)
            if why:
                yield Outcome(block, why)
                continue
            began = time.monotonic()
            failure = run_block(block, folder)
            yield Outcome(block, None, time.monotonic() - began, failure)
            if failure:
                return


def main(arguments: Sequence[str] | None = None) -> int:
    """Run pages and say what became of each block; exit status 1 if one failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--short", action="store_true", help="leave out blocks that may take more than a minute")
    parser.add_argument("pages", nargs="*", type=Path, metavar="PAGE")
    asked = parser.parse_args(arguments)
    became: Counter[str] = Counter()
    failures = []
    for page in [path.resolve() for path in asked.pages] or all_pages():
        for outcome in run_page(page, asked.short):
            what = "FAILED" if outcome.failure else f"not run: {outcome.why}" if outcome.why else "ok"
            became[what] += 1
            failures += [outcome.failure] if outcome.failure else []
            print(f"{outcome.block.where:28} {outcome.block.language:8} {outcome.seconds:7.1f} s  {what}", flush=True)
    for failure in failures:
        print(f"\n{failure}")
    print("\n" + "\n".join(f"{count:4} {what}" for what, count in became.most_common()))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
