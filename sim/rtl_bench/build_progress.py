"""How far the compilers of a simulation are, by the files that they have made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

EVERY_S = 5.0
"""How often it is looked at."""


def stage(folder: Path) -> str:
    """What Verilator's build in a folder is at.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     stage(Path(name))
    'translating Verilog to C++'
    """
    sources = {path.stem for path in folder.glob("Vtop*.cpp")} - {"Vtop__ALL"}
    if not (folder / "Vtop.mk").exists():
        return "translating Verilog to C++"
    objects = {path.stem for path in folder.glob("Vtop*.o")} & sources
    return f"compiling C++, {len(objects)} of {len(sources)} files"


@contextmanager
def told(folder: Path, on_stage: Callable[[str], None], every_s: float = EVERY_S) -> Iterator[None]:
    """Call ``on_stage`` with what a build is at whenever that has changed, while the body runs.

    Parameters
    ----------
    folder : of the build.
    on_stage : called from another thread.
    every_s : seconds from one look to the next.
    """
    over, said = Event(), ""

    def look() -> None:
        nonlocal said
        while not over.wait(every_s):
            if (now := stage(folder)) != said:
                said = now
                on_stage(now)

    thread = Thread(target=look, name="build-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
