"""The runner of the pages' code blocks, on pages made here; README and the first run; the options of all commands."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

import fastswitch

ROOT = Path(__file__).parents[1]


def load() -> ModuleType:
    """docs/site/run_blocks.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("run_blocks", ROOT / "docs" / "site" / "run_blocks.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BLOCKS = load()
PAGES = [path for path in BLOCKS.all_pages() if "```" in path.read_text()]


# ---- the runner ----


def outcomes(tmp_path: Path, page: str, short: bool = False):
    path = tmp_path / "page.md"
    path.write_text(page)
    return list(BLOCKS.run_page(path, short))


def failure(tmp_path: Path, page: str):
    """The failure of a page's last block; the message has the page's whole path."""
    *before, last = outcomes(tmp_path, page)
    assert last.failure and not any(outcome.failure for outcome in before)
    return last.failure


def test_blocks_run_in_order_in_a_clean_folder(tmp_path: Path) -> None:
    page = """
```sh
test -z "$(ls -A)"   # nothing is there
echo '1,2' > made.csv
```

text

```python
from pathlib import Path
Path("sum").write_text(str(sum(map(int, Path("made.csv").read_text().split(",")))))
```

```console
$ cat sum
3
```

1. In a list:

   ```sh
   test "$(cat sum)" = 3 && \\
     touch done
   ```
"""
    found = outcomes(tmp_path, page)
    assert [(outcome.why, outcome.failure) for outcome in found] == [(None, None)] * 4
    assert [outcome.block.language for outcome in found] == ["sh", "python", "console", "sh"]
    assert not (tmp_path / "made.csv").exists()


@pytest.mark.parametrize(
    ("page", "line", "command", "output"),
    [
        ("```sh\ntrue\necho before; false\ntouch x\n```", 3, "echo before; false", "before"),
        ("text\n\n```sh\ntrue | false | true\n```", 4, "true | false | true", ""),
        ("```sh\n# a comment\ntrue && \\\n  ls /nowhere\n```", 3, "true && ls /nowhere", "/nowhere"),
        ("```python\nx = 1\n\nassert x == 2\n```", 4, "assert x == 2", "AssertionError"),
        ("```python\nx = 1\n```\n```python\nprint(x)\n```", 5, "print(x)", "NameError"),
        ("```python\nfor\n```", 2, "for", "SyntaxError"),
        ("```console\n$ echo 1\n1\n$ false\n```", 4, "false", ""),
        ("```console\n$ printf 'a\\nc\\n'\na\nb\nc\n```", 4, "printf 'a\\nc\\n'", "c"),
        ("```console\n$ printf 'a\\nb\\n'\nb\na\n```", 4, "printf 'a\\nb\\n'", "a"),
    ],
)
def test_a_failure_has_its_line_its_command_and_the_output(tmp_path, page, line, command, output) -> None:
    said = failure(tmp_path, page)
    assert said.where == f"{tmp_path / 'page.md'}:{line}"
    assert " ".join(said.command.split()) == command and output in said.output
    assert str(said).startswith(f"{said.where}: ") and said.command in str(said)


def test_shown_output_may_leave_lines_out(tmp_path: Path) -> None:
    (outcome,) = outcomes(tmp_path, "```console\n$ seq 9\n2\n\n5\n```")
    assert outcome.failure is None


def test_a_block_that_takes_too_long_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BLOCKS, "STRETCH", 0.3 / BLOCKS.SECONDS)
    late = tmp_path / "late"
    said = failure(tmp_path, f"```sh\n(sleep 2; touch {late}) & echo begun; sleep 60\n```")
    assert said.what == "took too long" and said.output == "begun\n"
    time.sleep(2)
    assert not late.exists()


def test_what_is_not_run_says_why(tmp_path: Path) -> None:
    page = """
<!-- not run: needs a board -->
```sh
false
```

<!-- at most 3 minutes -->

```sh
true
```

<!-- not run: of another block -->
words between
```sh
true
```
```text
a picture
```
"""
    assert [(outcome.why, outcome.block.seconds) for outcome in outcomes(tmp_path, page, short=True)] == [
        ("needs a board", 60), ("long", 180), (None, 60),
    ]  # fmt: skip
    assert [outcome.why for outcome in outcomes(tmp_path, page)] == ["needs a board", None, None]


def test_what_needs_a_module_says_which() -> None:
    page = "<!-- needs {} --> <!-- at most 2 minutes -->\n```sh\ntrue\n```\n"
    (there,), (lacking,) = (BLOCKS.blocks_of("page.md", page.format(name)) for name in ("json", "no_such_module"))
    assert (there.why, there.seconds, lacking.why) == (None, 120, "no_such_module is not installed")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("```\nx\n```", "page.md:1: the fence's language is ''; give sh, python"),
        ("\n```bash\nx\n```", "page.md:2: the fence's language is 'bash'"),
        ("```sh\nx\n", "page.md:1: the fence has no end"),
        ("```text\n$ fastswitch run\n```", "page.md:1: a fence of text holds a command; give sh or console"),
        ("```text\nmake run\n```", "a fence of text holds a command"),
    ],
)
def test_a_page_that_hides_a_command_is_refused(page: str, said: str) -> None:
    with pytest.raises(BLOCKS.PageError, match=re.escape(said)):
        BLOCKS.blocks_of("page.md", page)


def test_a_clone_has_an_environment_that_make_takes(tmp_path: Path) -> None:
    page = f"{BLOCKS.IN_A_CLONE}\n```sh\nmake setup\ntest -x .venv/bin/python && test -f bench/README.md\n```"
    (outcome,) = outcomes(tmp_path, page)
    assert outcome.failure is None and outcome.seconds < 60


def test_exit_status_and_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\ntrue\n```\n<!-- not run: no board -->\n```sh\nx\n```\n")
    assert BLOCKS.main([str(page)]) == 0
    out = capsys.readouterr().out
    assert f"{page}:2" in out and "   1 ok\n" in out and "   1 not run: no board\n" in out
    page.write_text("```sh\nfalse\n```\n```sh\ntrue\n```\n")
    assert BLOCKS.main([str(page)]) == 1
    out = capsys.readouterr().out
    assert f"\n{page}:2: failed: false\n" in out and "   1 FAILED\n" in out and f"{page}:5" not in out


def test_the_lines_of_a_here_document_are_no_commands() -> None:
    page = "```sh\ncat > a.py <<'END'\nmake it's\n  END\nEND\npython a.py\n```\n"
    (block,) = BLOCKS.blocks_of("page.md", page)
    assert list(BLOCKS.commands_of(block)) == [(2, "cat > a.py <<'END'"), (6, "python a.py")]


# ---- the pages ----


def commands() -> Iterator[tuple[str, str]]:
    """Every command of the pages' blocks, run or not, and of the code in their sentences, and where it stands."""
    for path in PAGES:
        page, markdown = BLOCKS.name_of(path), path.read_text()
        blocks = BLOCKS.blocks_of(page, markdown)
        for block in blocks:
            if block.language in ("sh", "console"):
                yield from ((f"{page}:{line}", command) for line, command in BLOCKS.commands_of(block))
        prose = re.sub(r"^ *```.*?^ *```", lambda fence: "\n" * fence[0].count("\n"), markdown, flags=re.M | re.S)
        for code in re.finditer(r"`((?:fastswitch|python) [^`]+)`", prose):
            yield f"{page}:{prose.count(chr(10), 0, code.start()) + 1}", " ".join(code[1].split())


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_fence_says_what_it_is(page: Path) -> None:
    assert BLOCKS.blocks_of(BLOCKS.name_of(page), page.read_text())


def test_every_command_has_the_options_that_a_page_gives_it() -> None:
    seen, wrong = 0, []
    with click.Context(fastswitch.cli, info_name="fastswitch") as group:
        for where, text in commands():
            words = shlex.split(text, comments=True)
            if words[:1] == ["fastswitch"] and len(words) > 1 and not words[1].startswith("-"):
                seen += 1
                command = fastswitch.cli.get_command(group, words[1])
                if command is None:
                    wrong.append(f"{where}: no command {words[1]}")
                    continue
                try:
                    command.make_parser(click.Context(command, parent=group)).parse_args(_until_shell(words[2:]))
                except click.UsageError as error:
                    wrong.append(f"{where}: {text}: {error.format_message()}")
            if words[:1] == ["python"] and len(words) > 1 and words[1].endswith(".py"):
                seen += 1
                script = ROOT / words[1]
                if f"cat > {words[1]} <<" in (ROOT / where.rpartition(":")[0]).read_text():
                    continue  # the page itself writes it
                if not script.is_file():
                    wrong.append(f"{where}: no script {words[1]}")
                    continue
                source = script.read_text()
                for name in re.findall(r"^from (\w+) import .*\bmain\b", source, re.MULTILINE):  # whose options it has
                    source += script.with_name(f"{name}.py").read_text()
                wrong += [
                    f"{where}: {text}: no option {word}"
                    for word in words[2:]
                    if word.startswith("--") and f'"{word.split("=")[0]}"' not in source
                ]
    assert seen > 40 and not wrong, "\n".join(wrong)


def _until_shell(words: list[str]) -> list[str]:
    """The words of a command up to what the shell takes for itself."""
    ends = [i for i, word in enumerate(words) if word in ("|", ">", ">>", "2>", "&&", ";", "...", "…")]
    return words[: min(ends, default=len(words))]


@pytest.mark.parametrize("page", ["README.md", "docs/tutorials/first-run.md"])
def test_what_a_newcomer_types_first_runs(page: str) -> None:
    """The blocks of more than a minute are for `make blocks`."""
    found = list(BLOCKS.run_page(ROOT / page, short=True))
    assert not [str(outcome.failure) for outcome in found if outcome.failure]
    assert [outcome for outcome in found if outcome.why is None]
