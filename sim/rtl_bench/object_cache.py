"""Compile Verilator's runtime library once: make's variable ``OBJCACHE`` names this program, as it might ``ccache``.

The library (``verilated*.cpp``) is the same for every design, and to compile it takes longer than a small design does.
Runs without this project or its packages on the path, before every compiler command that Verilator's Makefiles give.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def launcher(folder: Path) -> str:
    """Return the command to put before a compiler's, for a shell: objects of the library are kept in ``folder``."""
    return shlex.join([sys.executable, "-IS", str(Path(__file__).resolve()), str(folder)])


def main() -> int:
    """Run the compiler's command that follows the folder, or take its object from there; the compiler's exit status."""
    folder, command = Path(sys.argv[1]), sys.argv[2:]
    name = _name(command)
    if name is None:
        return subprocess.call(command)
    target = command[command.index("-o") + 1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            kept = folder / f"{name}.o"
            if kept.exists():
                shutil.copyfile(kept, target)
                return 0
            if status := subprocess.call(command):
                return status
            shutil.copyfile(target, folder / f"{name}.new")
            os.replace(folder / f"{name}.new", kept)
            return 0
    except OSError:  # a folder that cannot be written only makes it slow
        return subprocess.call(command)


def _name(command: Sequence[str]) -> str | None:
    """Return a name that only equal objects of the library share; None if this command compiles something else.

    The same are: the compiler, by its file's size and time; its options but for where the library lies; every file of
    the library.
    """
    source, compiler = Path(command[-1]), shutil.which(command[0])
    is_library = source.name.startswith("verilated") and (source.parent / "verilated.h").exists()
    if not is_library or "-o" not in command or compiler is None:
        return None
    facts = os.stat(compiler)
    options = [word for word in command[1:-1] if not word.startswith("-I")]
    text = hashlib.sha256(repr((os.path.realpath(compiler), facts.st_size, facts.st_mtime_ns, options)).encode())
    for path in sorted(source.parent.rglob("*")):
        if path.is_file():
            text.update(path.name.encode() + path.read_bytes())
    return f"{source.stem}-{text.hexdigest()[:12]}"


if __name__ == "__main__":
    sys.exit(main())
