"""FastSwitch in Python, and the command line.

``import fastswitch as fs`` gives a few names, listed in ``__all__``; each loads what it needs when it is first used:

* what there is to work on: :func:`load_accelerator`, :func:`load_supernet`, :func:`load_weights`, :func:`read_network`;
  :func:`quantise` makes weights of a PyTorch model, which :func:`save_weights` writes; :func:`fixed_supernet` makes a
  SuperNet of SubNets that you list, :func:`register_supernet` makes one known by its name;
* what to do with it: :func:`map` a layer, :func:`compile` a SubNet, :func:`price` it, :func:`infer` what it computes,
  :func:`simulate` it on the RTL, put it on :func:`noise`-y crossbars, :func:`explore` machines, whose prices
  :func:`load_study` reads, :func:`serve` a stream of queries, :func:`generate_rtl`;
* the values that these take and give: :class:`Accelerator`, :class:`SuperNet`, :class:`SubNet`, :class:`SubGraph`,
  :class:`Layer`, :class:`Choice`. What a user can get wrong raises :class:`FastSwitchError`, one line.

>>> import fastswitch as fs
>>> tiny, fashion = fs.load_accelerator("tiny"), fs.load_supernet("fashion")
>>> subnet = fashion.subnet("fashion-d111-w222")
>>> fs.map(subnet.layer("stem"), tiny).cycles < fs.price(fashion, subnet, tiny).cycles
True

:func:`main` is the command ``fastswitch``; what it does is in :mod:`reports.commands`. Importing this module raises
ImportError if another package hides one of FastSwitch's own (:func:`hidden_package`).
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arch_model.errors import FastSwitchError
    from arch_model.machine.accelerator import Accelerator
    from arch_model.machine.load import load_accelerator
    from arch_model.network.choices import Choice
    from arch_model.network.fixed_supernet import fixed_supernet
    from arch_model.network.layer import Layer
    from arch_model.network.supernet import SubGraph, SubNet, SuperNet
    from arch_model.network.weights import load_weights, save_weights
    from arch_model.spaces.registry import register_supernet
    from mapper.importers import read_network
    from mapper.importers.spaces import load_supernet
    from reports.commands.command_line import COMMANDS as COMMANDS
    from reports.commands.command_line import cli as cli
    from reports.commands.interrupt import Stop
    from reports.commands.standard_streams import Output
    from reports.handover import generate_rtl
    from sim.api.inference import infer
    from sim.api.mapping import map
    from sim.api.noise import noise
    from sim.api.programs import compile, price
    from sim.api.serving import serve
    from sim.api.simulation import simulate
    from sim.explore.run import explore
    from sim.explore.study import load_study
    from sim.quantise.quantise import quantise

__all__ = [
    "Accelerator",
    "Choice",
    "FastSwitchError",
    "Layer",
    "SubGraph",
    "SubNet",
    "SuperNet",
    "compile",
    "explore",
    "fixed_supernet",
    "generate_rtl",
    "infer",
    "load_accelerator",
    "load_study",
    "load_supernet",
    "load_weights",
    "map",
    "noise",
    "price",
    "quantise",
    "read_network",
    "register_supernet",
    "save_weights",
    "serve",
    "simulate",
]

_HOME = {
    "Accelerator": "arch_model.machine.accelerator",
    "COMMANDS": "reports.commands.command_line",
    "Choice": "arch_model.network.choices",
    "FastSwitchError": "arch_model.errors",
    "Layer": "arch_model.network.layer",
    "SubGraph": "arch_model.network.supernet",
    "SubNet": "arch_model.network.supernet",
    "SuperNet": "arch_model.network.supernet",
    "cli": "reports.commands.command_line",
    "compile": "sim.api.programs",
    "explore": "sim.explore.run",
    "fixed_supernet": "arch_model.network.fixed_supernet",
    "generate_rtl": "reports.handover",
    "infer": "sim.api.inference",
    "load_accelerator": "arch_model.machine.load",
    "load_study": "sim.explore.study",
    "load_supernet": "mapper.importers.spaces",
    "load_weights": "arch_model.network.weights",
    "map": "sim.api.mapping",
    "noise": "sim.api.noise",
    "price": "sim.api.programs",
    "quantise": "sim.quantise.quantise",
    "read_network": "mapper.importers",
    "register_supernet": "arch_model.spaces.registry",
    "save_weights": "arch_model.network.weights",
    "serve": "sim.api.serving",
    "simulate": "sim.api.simulation",
}
"""The module of each name, imported when the name is first used."""

PACKAGES = ("arch_model", "mapper", "rtl", "sim", "reports")
"""FastSwitch's own. Their names are common: another distribution, or a folder where one works, may have one, too."""


if not TYPE_CHECKING:  # a type checker has the imports above, and says of any other name that it is not there

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module fastswitch has no {name}; it has {', '.join(__all__)}")
        found = globals()[name] = getattr(import_module(_HOME[name]), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# ---- the command line ----


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    0 done, 1 done but wrong (or the reader of the output has left), 2 bad input or no place for the output, 70 an error
    of ours, 130 interrupted by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP.
    """
    from reports.commands.interrupt import ignore_while_exiting, stoppable
    from reports.commands.standard_streams import checked_output, open_closed_streams, say

    # Modules, layers and commands by the hundred thousand, hardly any of them garbage; at the end none matters.
    gc.set_threshold(200_000, 10, 10)
    atexit.register(gc.disable)
    open_closed_streams()
    with stoppable() as stop, checked_output() as output:
        text, status = _outcome(argv, stop, output)
        ignore_while_exiting()
    if output.error:
        has_reader = not isinstance(output.error, BrokenPipeError)  # without one there is nobody to say it to
        text = text or (f"cannot write standard output: {output.error.strerror}" if has_reader else "")
        status = status or (2 if has_reader else 1)
    if text:
        say(text)
    sys.exit(status)


def _outcome(argv: Sequence[str] | None, stop: Stop, output: Output) -> tuple[str, int]:
    """Run the command; what to say at the end, and the exit status."""
    import click

    from reports.commands.interrupt import Interrupted

    try:
        from reports.commands.command_line import cli

        status = cli.main(args=argv, prog_name="fastswitch", standalone_mode=False)
        return "", status if isinstance(status, int) else 0
    except (Interrupted, KeyboardInterrupt, click.Abort) as interrupt:
        warnings.simplefilter("ignore")  # of what the interrupt left half made, such as a design without a use
        return f"interrupted{interrupt}", stop.status
    except Exception as error:
        if isinstance(error, OSError) and output.error is not None:
            return "", 0
        if isinstance(error, ImportError) and (shared := shared_package()):
            return shared, 2
        from reports.commands.failures import explained

        return explained(error)


# ---- packages of the same name ----


def hidden_package() -> str | None:
    """Which package of FastSwitch something else stands in for, and what to do, in one line; None if all are its own.

    A package that is imported already counts, else the one that an import would find.
    """
    home = Path(__file__).resolve().parent
    for name in PACKAGES:
        found, own = _place(name), home / name
        if found and own.is_dir() and found.resolve() != own:
            owners = " and ".join(_other_owners(name, found.parent))
            return f"{found}{f' (of {owners})' if owners else ''} hides FastSwitch's own package {name}, {own}: " + (
                _remedy(name, found.resolve().parent)
            )
    return None


def shared_package() -> str | None:
    """Which package another distribution has written into as well, so that either may lack its files; None if none."""
    home = Path(__file__).resolve().parent
    for name in PACKAGES:
        if owners := _other_owners(name, home):
            return f"{' and '.join(owners)} wrote a package {name} over FastSwitch's own, {home / name}: {_APART}"
    return None


_APART = "install FastSwitch in an environment of its own (python3 -m venv)"


def _place(name: str) -> Path | None:
    """The folder of the package, or the file of the module, that is imported as ``name``; None if there is none."""
    try:
        spec = util.find_spec(name)
    except ValueError:  # in sys.modules, made by hand
        return None
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or ())
    return Path(folders[0]) if folders else Path(spec.origin) if spec.origin else None


def _other_owners(name: str, folder: Path) -> list[str]:
    """The distributions beside this one that installed the package or module ``name`` in a folder."""
    from importlib.metadata import distributions  # slow to import: only where something is wrong

    owners = set()
    for distribution in distributions(path=[str(folder)]):
        files = f"\n{distribution.read_text('RECORD') or ''}"
        if f"\n{name}/" in files or f"\n{name}.py," in files:
            owners.add(distribution.metadata["Name"])
    return sorted(owners - {"fastswitch"})


def _remedy(name: str, folder: Path) -> str:
    """What to do about a package ``name`` in ``folder``."""
    if folder == Path.cwd():
        return f"rename it, or work in a folder without a {name}"
    if folder in (Path(entry).resolve() for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        return f"take {folder} out of PYTHONPATH"
    return _APART


if _hidden := hidden_package():
    if __name__ == "__main__" or Path(sys.argv[0]).name == "fastswitch":  # the command: one line and no traceback
        print("fastswitch:", _hidden, file=sys.stderr)
        sys.exit(2)
    raise ImportError(_hidden)

if __name__ == "__main__":
    main()
