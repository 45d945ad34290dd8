"""The words of a command line as they come, before any option reads them; and options that do not go together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import click
from click.core import ParameterSource

LONGEST = 100_000
"""Characters of one word."""


def check_words(words: Sequence[str]) -> None:
    """Refuse a word that nothing can be done with: empty, or no text.

    Raises
    ------
    UsageError
        Naming the option or the argument.

    Examples
    --------
    >>> check_words(["--space", ""])
    Traceback (most recent call last):
    click.exceptions.UsageError: the value of --space is empty; give one, or leave --space out
    """
    before = ""
    for word in words:
        option, equals, value = word.partition("=")
        if not word.strip():
            after = before if before.startswith("--") else ""
            what = f"the value of {after} is empty; give one, or leave {after} out" if after else "an argument is empty"
            raise click.UsageError(what)
        if option.startswith("--") and equals and not value.strip():
            raise click.UsageError(f"the value of {_plain(option)} is empty; give one, or leave {_plain(option)} out")
        if "\0" in word:
            raise click.UsageError(f"{_plain(word)!r} has a NUL character; no name or number has")
        if len(word) > LONGEST:
            raise click.UsageError(f"{_plain(word)!r} has {len(word):,} characters; give at most {LONGEST:,}")
        try:
            word.encode()
        except UnicodeEncodeError:
            raise click.UsageError(f"{_plain(word)!r} is not UTF-8; give names in UTF-8") from None
        before = word


def check_values(command: click.Command, words: Sequence[str]) -> None:
    """Refuse an option without its value, as which the next option would be taken.

    Parameters
    ----------
    command : with its options.
    words : behind its name.

    Raises
    ------
    UsageError
        Naming both options.

    Examples
    --------
    >>> command = click.Command("rtl", params=[click.Option(["--out"]), click.Option(["--place"], is_flag=True)])
    >>> check_values(command, ["--out", "--place"])
    Traceback (most recent call last):
    click.exceptions.UsageError: the value of --out is missing: --place, which follows it, is an option
    """
    options = [param for param in command.params if isinstance(param, click.Option)]
    flags = {flag for option in options for flag in (*option.opts, *option.secondary_opts)}
    valued = {flag for option in options if not (option.is_flag or option.count) for flag in option.opts}
    for word, after in pairwise(words):
        if word == "--":
            return
        if word in valued and after in flags:
            raise click.UsageError(f"the value of {word} is missing: {after}, which follows it, is an option")


def _plain(text: str) -> str:
    from arch_model.files.shown import plain  # with NumPy behind it: only where something is wrong

    return plain(text)


def was_given(context: click.Context, name: str) -> bool:
    """Whether an option is on the command line.

    Parameters
    ----------
    context : of the command that runs.
    name : of the option's parameter.
    """
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def refuse_together(context: click.Context, name: str, others: Sequence[str], why: str) -> None:
    """Raise :class:`click.UsageError` if an option is given and any of some others is, too.

    Parameters
    ----------
    context : of the command that runs.
    name, others : the parameters' names in the command.
    why : what is said of the pair, such as "a recorded stream has its queries".

    Raises
    ------
    UsageError
        Both are given.
    """
    if not was_given(context, name):
        return
    flags = {param.name: param.opts[0] for param in context.command.params}
    for other in others:
        if was_given(context, other):
            raise click.UsageError(f"{flags[name]} and {flags[other]} are both given, but {why}; give one of them")
