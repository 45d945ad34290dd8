"""Options that several commands have. A name means the same in every command that has it.

===================  ===============================================================================================
``--space``          the SuperNet
``--subnets``        SubNets: FILE.json, NAME,... or how many to draw with ``--seed``
``--subnet``         one SubNet
``--cached``         what the PB holds: none, fit, best or FILE.json
``--stream``         a recorded stream of queries, FILE.csv
``--trace``          the folder for waveforms
``--out``            the folder for results
``--csv``            the table to write, FILE.csv
``--plot``           the picture to write
``--report``         whether a page is written
``--json``           JSON on standard output instead of a table
===================  ===============================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reports.commands.networks import NetworkOption, takes_models
from reports.commands.numbers import Count

if TYPE_CHECKING:
    Text = click.ParamType[str]
else:  # click below 8.2 has no type argument
    Text = click.ParamType

Decorator = Callable[[Any], Any]


def file_option(flag: str, metavar: str, text: str, required: bool = False, name: str = "") -> Decorator:
    """An option that names a file; the argument of ``--csv`` is ``csv_out``.

    Parameters
    ----------
    flag : the option, with its dashes.
    metavar : what help calls the value.
    text : of help.
    required : it has to be given.
    name : of the command's argument; "" for the flag's.
    """
    name = name or ("csv_out" if flag == "--csv" else flag.removeprefix("--"))
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option(flag, name, type=path, metavar=metavar, required=required, help=text)


def folder_option(
    flag: str, text: str, required: bool = False, default: Path | None = None, name: str = ""
) -> Decorator:
    """An option that names a folder.

    Parameters
    ----------
    flag : the option, with its dashes.
    text : of help.
    required : it has to be given.
    default : the folder without it.
    name : of the command's argument; "" for the flag's.
    """
    path, name = click.Path(path_type=Path, file_okay=False), name or flag.removeprefix("--")
    known: dict[str, Any] = {} if default is None else {"default": default, "show_default": True}
    return click.option(flag, name, type=path, metavar="DIR", required=required, help=text, **known)


def out_option(text: str, required: bool = True, default: Path | None = None) -> Decorator:
    """``--out DIR``, the folder for results.

    Parameters
    ----------
    text : of help.
    required : it has to be given, if there is no default.
    default : the folder without it.
    """
    return folder_option("--out", text, required and default is None, default)


SPACE_METAVAR = "NAME|FILE.yaml|FILE.py|MODULE:OBJECT|MODEL.onnx"


class Space(Text):
    """A SuperNet's name, or the file or module that makes one: it is then known by its name, which is the value."""

    name = SPACE_METAVAR

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The SuperNet's name, known from now on. See :meth:`click.ParamType.convert`.

        Parameters
        ----------
        value : a name, a file or ``MODULE:OBJECT``.
        param, ctx : click's.
        """
        from arch_model.spaces.own_file import is_source, load_supernet

        return load_supernet(value).name if is_source(value) else str(value)


def space_option(required: bool = False, text: str = "", models: bool = True) -> Decorator:
    """``--space``, a SuperNet by its name or where it is made; and ``MODEL.onnx ...`` in its place.

    Parameters
    ----------
    required : one of both has to be given.
    text : of help. "": the usual one.
    models : whether ONNX models are taken, too.
    """
    if not text:
        text = "The SuperNet, such as fashion or ofa-resnet50, or the file or module that makes one."
        text += "" if required else " Without it the one whose SubNets --subnets names."
    if not models:
        metavar = SPACE_METAVAR.removesuffix("|MODEL.onnx")
        return click.option("--space", type=Space(), metavar=metavar, required=required, help=text)
    text += " ONNX models (by commas; or without an option) are the SubNets of one, which share what is equal."
    option = click.option("--space", type=Space(), metavar=SPACE_METAVAR, cls=NetworkOption, needed=required, help=text)
    return lambda function: option(takes_models(function))


def subnets_option(text: str, required: bool = False, models: bool = True) -> Decorator:
    """``--subnets``, which :func:`arch_model.spaces.choose_subnets` reads.

    Parameters
    ----------
    text : of help.
    required : it has to be given, or ONNX models in its place.
    models : whether the command takes these (:func:`space_option`).
    """
    text += " A list as `fastswitch subnets --json` writes it, names, or how many to draw of those that can run."
    metavar = "FILE.json|NAME,...|N"
    if not models:
        return click.option("--subnets", metavar=metavar, required=required, help=text)
    text += " Without it, of ONNX models all."
    return click.option("--subnets", metavar=metavar, cls=NetworkOption, needed=required, help=text)


def cached_option(default: str, file: bool) -> Decorator:
    """``--cached``, what the PB holds while a SubNet runs; ``file``: whether the command takes a SubGraph, too.

    Parameters
    ----------
    default : ``"none"``, ``"fit"`` or ``"best"``.
    file : the command takes ``best`` and a SubGraph's file, too.
    """
    text = "What the PB holds: nothing; as much of each SubNet as fits"
    text += "; the part of it that saves most; or a SubGraph ([K, C] of each SuperNet layer)." if file else "."
    metavar = "none|fit|best|FILE.json" if file else "none|fit"
    return click.option("--cached", default=default, show_default=True, metavar=metavar, help=text)


def policy_option(default: str, more: str = "") -> Decorator:
    """``--policy``, who tiles the layers (:class:`mapper.search.policy.Policy`).

    Parameters
    ----------
    default : ``best`` or ``quick``.
    more : a sentence of help, behind a blank.
    """
    text = "Who tiles the layers of a Program: the quick choice, by an estimate; or the better of it and the search's "
    text += f"best, layer by layer, for the whole Program.{more}"
    return click.option("--policy", type=click.Choice(["best", "quick"]), default=default, show_default=True, help=text)


tensors_option = click.option(
    "--tensors",
    type=click.Choice(["dram", "chip"]),
    default="dram",
    show_default=True,
    help="Where feature maps are: all in DRAM; or on chip those that find room in the SB and make the Program faster.",
)

mapping_option = click.option(
    "--mapping",
    type=click.Choice(["best", "quick"]),
    default="quick",
    show_default=True,
    help="Who tiles the layers of a Program, as --policy of `predict`; best searches each SubNet for each SubGraph, at "
    "most 1,000 pairs. Queries that change the SubGraph are always quick.",
)

DRAWN = Count(1, 20_000, "each is built and kept in memory")
"""SubNets that are drawn; its limit is :data:`arch_model.spaces.chosen.MOST_DRAWN`."""

accelerator_option = click.option(
    "--accelerator",
    default="tiny",
    show_default=True,
    metavar="NAME|FILE",
    help="A preset or a YAML file.",
)
seed_option = click.option(
    "--seed", type=Count(0, 2**63 - 1), default=0, show_default=True, help="Seed of all that is random."
)
simulator_option = click.option(
    "--simulator",
    type=click.Choice(["verilator", "icarus"]),
    help="The simulator; without it the first that is found.",
)
force_option = click.option(
    "--force", is_flag=True, help="Replace results of another question, or a file that fastswitch did not write."
)
report_option = click.option(
    "--report/--no-report", default=True, show_default=True, help="Whether a page with pictures is written."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="JSON on standard output instead of a table: an object, or a list of them."
)
trace_option = folder_option(
    "--trace",
    "For each row (or part) a waveform, NAME.fst, and who worked when: NAME.png, a picture, and NAME.csv.",
)
