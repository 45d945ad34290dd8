"""``fastswitch quantise``: an archive by command, which other commands take as weights and as the SuperNet."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import fastswitch as fs
from arch_model.errors import FastSwitchError
from reports.commands.command_line import cli
from tests.sim.quantise.elastic import pixels  # skips where torch is not installed

MODEL = "from tests.sim.quantise.elastic import Elastic\nnet = Elastic()\n"
CONFIGS = [
    {"name": "small", "depth": [1, 1, 1], "width": [2, 2, 2], "top1": 71.5},
    {"name": "other", "depth": [2, 1, 1], "width": [3, 4, 2]},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("model.py").write_text(MODEL)
    np.savez("cal.npz", images=pixels(4))
    np.savez("test.npz", images=pixels(6, 3), labels=np.arange(6))
    Path("nets.json").write_text(json.dumps(CONFIGS))
    return tmp_path


def quantise(*words: str) -> str:
    done = CliRunner().invoke(cli, ["quantise", "model.py:net", "--images", "cal.npz", *words], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done.stdout


def test_with_and_without_a_supernet(folder: Path) -> None:
    names = "fashion-d111-w222,fashion-d121-w234"
    rows = quantise("--space", "fashion", "--subnets", names, "--test", "test.npz", "--npz", "a.npz", "--json")
    first, second, facts = (json.loads(line) for line in rows.splitlines())
    assert [first["subnet"], second["subnet"]] == names.split(",") and facts["weight_bytes"] < 389_136 + 1
    made = fs.load_weights("a.npz", fs.load_supernet("fashion"))
    assert made.subnets[first["subnet"]].top1 == first["top1"] and made.supernet is None

    rows = quantise("--subnets", "nets.json", "--name", "mine", "--npz", "b.npz", "--json")
    assert json.loads(rows.splitlines()[0]) == {"subnet": "small", "macs": 1_654_944, "top1_float": None, "top1": None}
    space = fs.load_supernet("b.npz")
    assert space.subnet_names() == ("small", "other") and dict(space.subnet("other").config)["width"] == (3, 4, 2)
    assert fs.price(space, "small", "tiny").cycles > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--subnets", "small"), "SubNets small does not exist; give a JSON list"),
        (("--subnets", "nets.json", "--name", "a\nb"), "name of the SuperNet is 'a\\nb': it has the control character"),
        (("--subnets", "nets.json", "--test", "cal.npz"), "cal.npz: no images: it: it has no array labels"),
        (("--subnets", "nets.json", "--space", "moon"), "SuperNet moon does not exist"),
        (("--subnets", "fashion-d111-w999", "--space", "fashion"), "SubNet fashion-d111-w999 does not exist"),
        (("--subnets", "nets.json", "--scale", "0"), "give a positive scale and a zero of 0..255"),
    ],
)
def test_refusals_are_one_line_and_nothing_is_written(folder: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(FastSwitchError) as caught:
        quantise(*words, "--npz", "c.npz")
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not Path("c.npz").exists()


def test_a_file_that_is_there_stays(folder: Path) -> None:
    Path("there.npz").write_text("mine")
    with pytest.raises(Exception, match=r"there\.npz is there; give another file, or --force to replace it"):
        quantise("--subnets", "nets.json", "--npz", "there.npz")
    with pytest.raises(FastSwitchError, match=r"cal\.npz is also the input cal\.npz"):
        quantise("--subnets", "nets.json", "--npz", "cal.npz", "--force")
    assert Path("there.npz").read_text() == "mine"
