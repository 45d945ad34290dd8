"""What the site has beside the files of docs/: pages from elsewhere, every command's help, every public name.

mkdocs calls the functions named ``on_...``. Links in a page are those of the repository; here they become the site's.
"""

from __future__ import annotations

import importlib
import inspect
import posixpath
import re
from pathlib import Path
from textwrap import indent
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import fastswitch

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md", *(f"bench/{page.name}" for page in sorted((ROOT / "bench").glob("*.md"))))
"""Pages that stand elsewhere in the repository; they keep their paths on the site."""

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for path in OUTSIDE:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what is generated, and turn links of the repository into links of the site."""
    path = page.file.src_uri
    markdown = markdown.replace("<!-- help of every command -->", commands_text())
    markdown = re.sub(r"<!-- public names of ([\w.]+) -->", lambda m: names_text(m[1]), markdown)
    markdown = re.sub(r"<!-- docstrings of ([\w.]+) -->", lambda m: docstrings_text(m[1]), markdown)
    markdown = re.sub(r"<!-- source of (\S+) -->", lambda m: source_text(m[1]), markdown)
    home = "" if path in OUTSIDE else "docs"
    parts = FENCE.split(markdown)  # at odd places what stands in fences
    for i in range(0, len(parts), 2):
        parts[i] = LINK.sub(lambda m: site_link(m, posixpath.join(home, path), files), parts[i])
        parts[i] = re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", parts[i])  # narrow columns break anywhere else
    return "".join(parts)


def site_link(link: re.Match[str], source: str, files: Files) -> str:
    """The link of a page at ``source`` (a path in the repository) as the site has it.

    A file of the repository that is no page, such as a program, becomes its name without a link.
    """
    image, text, target, anchor = link[1], link[2], link[3], link[4] or ""
    if ":" in target:
        return link[0]
    there = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    on_site = there.removeprefix("docs/")
    if files.get_file_from_path(on_site) is None and (ROOT / there).exists():
        return text
    here = posixpath.dirname(source.removeprefix("docs/"))
    return f"{image}[{text}]({posixpath.relpath(on_site, here or '.')}{anchor})"


def commands_text() -> str:
    """Every command's help."""
    parts = []
    with click.Context(fastswitch.cli, info_name="fastswitch", **fastswitch.cli.context_settings) as group:
        for name, (_, what) in sorted(fastswitch.COMMANDS.items()):
            command = fastswitch.cli.get_command(group, name)
            assert isinstance(command, click.Command)
            with click.Context(command, info_name=name, parent=group, terminal_width=104) as context:
                parts.append(f"## {name}\n\n{what}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def source_text(path: str) -> str:
    """A file of the repository, folded up."""
    language = {".py": "python", ".yaml": "yaml"}[Path(path).suffix]
    return f'??? quote "{path}"\n\n' + indent(f"```{language}\n{(ROOT / path).read_text()}```\n", "    ")


def names_text(package: str) -> str:
    """A table of a package's public names: how each is called, and the first sentence of its docstring."""
    module = importlib.import_module(package)
    rows = ["| name | |", "|---|---|"]
    for name in module.__all__:
        value = getattr(module, name)
        rows.append(f"| `{name}{arguments(value)}` | {summary(value)} |")
    return "\n".join(rows)


def docstrings_text(package: str) -> str:
    """Every public function of a package with its whole docstring, every class with the first paragraph of its own."""
    module = importlib.import_module(package)
    parts = []
    for name in sorted(module.__all__, key=lambda name: (inspect.isclass(getattr(module, name)), name.lower())):
        value = getattr(module, name)
        called = f"{package}.{name}{'' if inspect.isclass(value) else plain_signature(value)}"
        text = summary(value) if inspect.isclass(value) else sections_text(inspect.getdoc(value) or "")
        parts.append(f"### {name}\n\n```text\n{called}\n```\n\n{text}\n")
    return "\n".join(parts)


def plain_signature(function: Any) -> str:
    """The parameters of a function with their defaults, without types, which its docstring says in words."""
    signature = inspect.signature(function)
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def sections_text(docstring: str) -> str:
    """A docstring in NumPy's sections as Markdown: Parameters and the like as lists, Examples as code."""
    head, *rest = re.split(r"^(\w+)\n-+\n", docstring, flags=re.MULTILINE)
    parts = [as_markdown(head)]
    for title, body in zip(rest[::2], rest[1::2], strict=True):
        if title == "Examples":
            parts.append(f"**{title}**\n\n```pycon\n{body.strip()}\n```")
            continue
        entries = re.split(r"\n(?=\S)", body.strip())
        rows = []
        for entry in entries:
            first, *more = entry.split("\n")
            name, _, what = first.partition(" : ")
            lines = " ".join(line.strip() for line in (what, *more) if line.strip())
            rows.append(f"- `{name}`{': ' if lines else ''}{as_markdown(lines)}")
        parts.append(f"**{title}**\n\n" + "\n".join(rows))
    return "\n\n".join(parts)


def as_markdown(text: str) -> str:
    """Text of a docstring, its roles of reStructuredText as code."""
    return re.sub(r":\w+:`~?([^`]*)`|``([^`]*)``", lambda m: f"`{m[1] or m[2]}`", text.strip())


def arguments(value: Any) -> str:
    """The names of a function's arguments; nothing for a class."""
    if inspect.isclass(value) or not callable(value):
        return ""
    return f"({', '.join(inspect.signature(value).parameters)})"


def summary(value: Any) -> str:
    """The first paragraph of a docstring on one line, roles of reStructuredText as code."""
    return as_markdown(" ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())).replace("|", "\\|")
