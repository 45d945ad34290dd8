"""The command line: the commands' names, and the group that imports a command when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

import click

# Name: (module of reports.commands that defines `command`, its line in --help).
COMMANDS = {
    "cosim": ("cosim", "Simulate the rows of a layer table."),
    "explore": ("explore", "Price many machines for some SubNets and find the best."),
    "hybrid": ("hybrid", "The whole study of a hybrid: tables, pictures, a page."),
    "import": ("import_", "Read a network from ONNX, or from the tables of other tools."),
    "map": ("map", "Find a layer's best mapping, with a certificate."),
    "noise": ("noise", "Accuracy of a SubNet whose weights are on analog crossbars."),
    "package": ("package", "Compile SubNets for the Python driver of a board."),
    "partition": ("partition", "Choose the channels that must stay digital."),
    "predict": ("predict", "Predict every layer of SubNets."),
    "quantise": ("quantise", "Make the SubNets of a PyTorch model int8: a weights archive."),
    "rtl": ("rtl", "Write Verilog, registers, constraints, a core and a bench for a flow."),
    "run": ("run", "Serve a stream of queries on the RTL."),
    "serve": ("serve", "Serve a stream of queries on the latency table."),
    "subnets": ("subnets", "List or sample the SubNets of a SuperNet."),
    "table": ("table", "Build SushiAbs, the latency table of SubNets by cached SubGraphs."),
    "verify": ("verify", "Hold an ONNX model against onnxruntime, the reference and the RTL."),
}


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
    """Model, mapper and RTL of an accelerator that keeps the shared part of a SuperNet on chip.

    \f
    Raises
    ------
    UsageError
        No command is given.
    """
    if ctx.invoked_subcommand is None:
        raise click.UsageError("no command given; fastswitch --help lists them")
