"""Words that nothing can be done with, and options that do not go together."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from reports.commands.words import LONGEST, check_words, refuse_together, was_given
from tests.test_fastswitch import call


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--space", ""], "the value of --space is empty; give one, or leave --space out"),
        (["--space", " \t"], "the value of --space is empty"),
        (["--space="], "the value of --space is empty"),
        (["--csv= "], "the value of --csv is empty"),
        ([""], "an argument is empty"),
        (["a\0b"], "has a NUL character"),
        (["--out", "caf\udce9"], "is not UTF-8"),
        (["x" * (LONGEST + 1)], "has 100,001 characters; give at most 100,000"),
    ],
)
def test_a_word_that_is_none(words: list[str], text: str) -> None:
    with pytest.raises(click.UsageError) as error:
        check_words(words)
    assert text in error.value.message and len(error.value.message) < 200


def test_other_words_pass() -> None:
    check_words(["--space", "fashion", "--vary", "KP=2 CP=3", "--csv=a.csv", "caf\u00e9", "a\nb", "-"])


@click.command()
@click.option("--stream")
@click.option("--queries", type=int, default=3)
@click.option("--compare", "every", is_flag=True)
@click.pass_context
def command(context: click.Context, **options: object) -> None:
    """Options of which some do not go together."""
    refuse_together(context, "stream", ("queries", "every"), "a stream has its own")
    click.echo(f"{was_given(context, 'queries')}")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--stream a --queries 3", "--stream and --queries are both given, but a stream has its own; give one of them"),
        ("--stream a --compare", "--stream and --compare are both given"),
    ],
)
def test_both_are_refused_even_at_the_default(words: str, text: str) -> None:
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 2 and text in done.output


@pytest.mark.parametrize(("words", "said"), [("--stream a", "False"), ("--queries 3 --compare", "True"), ("", "False")])
def test_one_of_them_is_fine(words: str, said: str) -> None:
    assert CliRunner().invoke(command, words).output.strip() == said


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("cosim --layers LAYERS --csv o.csv --space fashion", "--layers and --space are both given"),
        ("cosim --layers LAYERS --csv o.csv --subnets fashion-d111-w222", "--layers and --subnets are both given"),
        ("cosim --layers LAYERS --csv o.csv --parts 8", "--layers and --parts are both given"),
        ("cosim --layers LAYERS --csv o.csv --out o", "--layers and --out are both given"),
        ("cosim --subnets fashion-d111-w222 --out o --csv o.csv", "--subnets and --csv are both given"),
        ("cosim --subnets fashion-d111-w222 --out o --best", "--subnets and --best are both given"),
        ("serve --stream LAYERS --arrivals poisson:1", "--stream and --arrivals are both given"),
        ("serve --stream LAYERS --queries 1000", "--stream and --queries are both given"),
        ("serve --stream LAYERS --locality 0.8", "--stream and --locality are both given"),
        ("serve --compare --plot p.png", "--compare and --plot are both given"),
        ("serve --compare --policy random", "--compare and --policy are both given"),
        ("serve --compare --cache none", "--compare and --cache are both given"),
        ("serve --table LAYERS --candidates 6", "--table and --candidates are both given"),
        ("serve --plot p.jpg", "picture p.jpg: give a name that ends in .png, .svg, .pdf"),
        ("serve --plot p", "give a name that ends in .png, .svg, .pdf"),
        ("import LAYERS --skip-unsupported", "--skip-unsupported is of ONNX models"),
        ("rtl --out o --place", "--place goes with --synth ecp5"),
        ("rtl --out --place", "the value of --out is missing: --place, which follows it, is an option"),
        ("run --queries --json", "the value of --queries is missing: --json, which follows it, is an option"),
        ("subnets --space fashion --sample 1000000000", "give 1 to 20,000: each is built and kept in memory"),
        ("serve --queries 1000000000", "give 1 to 5,000,000: each is kept in memory"),
        ("explore --space fashion --subnets 1 --vary KP=1e99999999 --out o", "give a number of at most 30 digits"),
        ("serve --arrivals diurnal:0,1,1e300", "PERIOD_S is 1e+300; give 1e-06 to 1e+09"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "LAYERS").write_text("arrival_s,accuracy,latency_s\n0,0.9,1\n")
    status, out, err = call(capsys, *line.split())
    (said,) = err.splitlines()
    assert (status, out) == (2, "") and text in said
    assert [path.name for path in tmp_path.iterdir()] == ["LAYERS"]
