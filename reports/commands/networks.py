"""Which network a command is about: ``--space`` and ``--subnets``, or the paths of ONNX models.

Every command with :func:`space_option` takes ``MODEL.onnx ...`` as words of its own, and as values of ``--space`` and
``--subnets``. Models become the SubNets of one SuperNet (:mod:`mapper.importers.spaces`), which is then known by its
name, so that a command sees names alone: its parameters ``space`` and ``subnets``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from arch_model.network.weights import SuperNetWeights
    from mapper.importers.family import Family

Decorator = Callable[[Any], Any]

METAVAR, SUFFIX = "[MODEL.onnx]...", ".onnx"
NAMED, NOTES = 6, 3
"""Names in a list, and notes of one model, that are said."""


class NetworkOption(click.Option):
    """An option that says which network, which models may say instead.

    Parameters
    ----------
    args, attrs : of :class:`click.Option`.
    needed : the option or models have to be given.
    """

    def __init__(self, *args: Any, needed: bool = False, **attrs: Any) -> None:
        self.needed = needed
        super().__init__(*args, **attrs)


def takes_models(function: Any) -> Any:
    """Give a command ``MODEL.onnx ...``, and its ``--space`` and ``--subnets`` the same.

    Raises
    ------
    UsageError
        From the command: neither the network nor models are given, where one is needed.
    """

    @wraps(function)
    def command(*args: Any, **options: Any) -> Any:
        context = click.get_current_context()
        models = _asked(context, options, options.pop("models"))
        if models:
            _replace(options, models)
        for option in context.command.params:
            if isinstance(option, NetworkOption) and option.needed and options[str(option.name)] is None:
                raise click.UsageError(f"Missing option '{option.opts[0]}', or MODEL.onnx.")
        return function(*args, **options)

    return click.argument("models", nargs=-1, metavar=METAVAR)(command)


def refuse_models(given: bool, option: str, space: str | None, why: str) -> None:
    """Refuse models beside an option that they do not go with.

    Parameters
    ----------
    given : whether the option is.
    option : as the user writes it.
    space : the command's SuperNet, which is models' where the user cannot have named one (``refuse_together``).
    why : what is said of the pair.

    Raises
    ------
    UsageError
        Both are given.
    """
    if given and space is not None:
        raise click.UsageError(f"{option} and MODEL.onnx are both given, but {why}; give one of them")


def _asked(context: click.Context, options: dict[str, Any], words: Sequence[str]) -> list[str]:
    """The models, wherever they are named; none are left in the options."""
    for word in words:
        if Path(word).suffix.lower() != SUFFIX:
            from arch_model.files.shown import plain

            raise click.UsageError(
                f"Got unexpected extra argument ({plain(word)}); a network's file is a MODEL{SUFFIX}"
            )
    found = {"MODEL.onnx": list(words)} if words else {}
    for option in context.command.params:
        value = options[str(option.name)] if isinstance(option, NetworkOption) else None
        if isinstance(value, str) and value.lower().endswith(SUFFIX):
            from mapper.importers.spaces import model_paths

            if paths := model_paths(value):
                found[option.opts[0]] = paths
                options[str(option.name)] = None
    if len(found) > 1:
        raise click.UsageError(f"{' and '.join(found)} name models; give them in one place")
    if not found:
        return []
    ((where, models),) = found.items()
    if options.get("space") is not None:
        raise click.UsageError(f"{where} and --space are both given, but models are a SuperNet; give one of them")
    if options.get("weights") is not None:
        raise click.UsageError(f"{where} and --weights are both given, but models have their own; give one of them")
    return models


def _replace(options: dict[str, Any], models: Sequence[str]) -> None:
    """Put the names of the models' SuperNet and SubNets in the place of the options."""
    if "onnx" in options:  # one network, whose integers are all that counts
        if len(models) > 1:
            raise click.UsageError(f"{len(models)} models are given; this command takes one network")
        if options["onnx"] is not None:
            raise click.UsageError("MODEL.onnx and --onnx are both given; give one of them")
        options["onnx"] = Path(models[0])
        return
    from mapper.importers.spaces import read_family

    family = read_family(models)
    _register(family, models)
    options["space"] = family.supernet.name
    if "subnets" in options and options["subnets"] is None:
        options["subnets"] = ",".join(family.networks)
    _say_at_the_end(_notes(family))


def _register(family: Family, models: Sequence[str]) -> None:
    """Make the models' SuperNet known, with integers that are drawn where it has none."""
    from mapper.importers.spaces import register_family

    def drawn() -> SuperNetWeights:
        from sim.integers.random_weights import random_weights

        float_ones = [name for name, network in family.networks.items() if not network.runnable]
        click.echo(
            f"note: {_listed(float_ones)}: no int8 integers of every layer; all are drawn, with seed 0", err=True
        )
        nets = [network.subnet for network in family.networks.values()]
        return random_weights(family.supernet, dict.fromkeys(family.networks, float("nan")), 0, nets)

    register_family(family, models, drawn)


def _notes(family: Family) -> list[str]:
    """What is said of models: what their files say and the layers do not, and which weights they share."""
    lines = []
    if len(family.networks) > 1:
        names, shared, separate = _listed(list(family.networks)), family.shared, family.separate
        if shared:
            saved = sum(n.subnet.weight_bytes for n in family.networks.values()) - family.supernet.weight_bytes
            rest = f"; separate: {_listed(separate)}" if separate else ""
            lines.append(f"{names} share {_listed(shared)}, {saved:,} bytes of weights{rest}")
        else:
            lines.append(f"{names} share no weights")
    for name, network in family.networks.items():
        lines += [f"{name}: {note}" for note in network.notes[:NOTES]]
        if more := len(network.notes[NOTES:]):
            lines.append(f"{name}: {more} more notes; fastswitch import lists them")
    return lines


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _say_at_the_end(lines: Sequence[str]) -> None:
    from reports.commands.memory import say_at_the_end

    for line in reversed(lines):  # what is to be said first is said at the end last
        say_at_the_end(line)
