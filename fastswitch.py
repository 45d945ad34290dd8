"""The command line. Thin: the commands' names and what an error looks like; :mod:`reports.commands` has the rest.

Importing this module raises ImportError if another package hides one of FastSwitch's own (:func:`hidden_package`).
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module, util
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    from reports.commands.interrupt import Stop
    from reports.commands.standard_streams import Output

PACKAGES = ("arch_model", "mapper", "rtl", "sim", "reports")
"""FastSwitch's own. Their names are common: another distribution, or a folder where one works, may have one, too."""

# Name: (module of reports.commands that defines `command`, its line in --help).
COMMANDS = {
    "cosim": ("cosim", "Simulate the rows of a layer table."),
    "explore": ("explore", "Price many machines for some SubNets and find the best."),
    "hybrid": ("hybrid", "The whole study of a hybrid: tables, pictures, a page."),
    "import": ("import_", "Read a network from ONNX, SCALE-Sim or Timeloop."),
    "map": ("map", "Find a layer's best mapping, with a certificate."),
    "noise": ("noise", "Accuracy of a SubNet whose weights are on analog crossbars."),
    "package": ("package", "Compile SubNets for the Python driver of a board."),
    "partition": ("partition", "Choose the channels that must stay digital."),
    "predict": ("predict", "Predict every layer of SubNets."),
    "rtl": ("rtl", "Write Verilog, registers, constraints, a core and a bench for a flow."),
    "run": ("run", "Serve a stream of queries on the RTL."),
    "serve": ("serve", "Serve a stream of queries on the latency table."),
    "subnets": ("subnets", "List or sample the SubNets of a SuperNet."),
    "table": ("table", "Build SushiAbs, the latency table of SubNets by cached SubGraphs."),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    0 done, 1 done but wrong (or the reader of the output has left), 2 bad input or no place for the output, 70 an error
    of ours, 130 interrupted by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP.
    """
    from reports.commands.interrupt import stoppable
    from reports.commands.standard_streams import checked_output, open_closed_streams, say

    gc.set_threshold(50_000, 10, 10)  # layers, commands and signals by the hundred thousand, hardly any of them garbage
    open_closed_streams()
    with stoppable() as stop, checked_output() as output:
        text, status = _outcome(argv, stop, output)
    if output.error:
        has_reader = not isinstance(output.error, BrokenPipeError)  # without one there is nobody to say it to
        text = text or (f"cannot write standard output: {output.error.strerror}" if has_reader else "")
        status = status or (2 if has_reader else 1)
    if text:
        say(text)
    sys.exit(status)


def _outcome(argv: Sequence[str] | None, stop: Stop, output: Output) -> tuple[str, int]:
    """Run the command; what to say at the end, and the exit status."""
    from reports.commands.interrupt import Interrupted

    try:
        status = cli.main(args=argv, prog_name="fastswitch", standalone_mode=False)
        return "", status if isinstance(status, int) else 0
    except (Interrupted, KeyboardInterrupt, click.Abort) as interrupt:
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


class _Commands(click.Group):
    """The group of all commands: a command's module is imported when the command is called, not to list it.

    An interrupt reaches :func:`main` without the blank line that click prints.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return cast(click.Command, import_module(f"reports.commands.{COMMANDS[cmd_name][0]}").command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from reports.commands.renamed import refuse_renamed
        from reports.commands.words import check_values, check_words

        check_words(args)
        name, command, words = super().resolve_command(ctx, args)
        refuse_renamed(name or "", words)
        if command:
            check_values(command, words)
        return name, command, words

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        from reports.commands.interrupt import Interrupted

        try:
            result = super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None
        from arch_model.scratch import remove_abandoned  # imported by then, as all of arch_model is

        remove_abandoned()
        return result


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    epilog="\b\nExample:  fastswitch run --queries 4",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="fastswitch", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Model, mapper and RTL of an accelerator that keeps the shared part of a SuperNet on chip."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError("no command given; fastswitch --help lists them")


if _hidden := hidden_package():
    if __name__ == "__main__" or Path(sys.argv[0]).name == "fastswitch":  # the command: one line and no traceback
        print("fastswitch:", _hidden, file=sys.stderr)
        sys.exit(2)
    raise ImportError(_hidden)

if __name__ == "__main__":
    main()
