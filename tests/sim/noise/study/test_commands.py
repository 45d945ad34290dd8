"""The commands: keys, files, one-line errors."""

import json
from pathlib import Path

import pandas as pd
import pytest

import fastswitch
from arch_model.network.weights import DEFAULT_PATH, load_weights
from mapper.hybrid.partition import Partition
from sim.noise.engine.network import Network
from sim.noise.sensitivity import monte_carlo

RUN_TRIAL = monte_carlo.run_trial

FEW = ["--subnet", "smallest", "--images", "64", "--trials", "2", "--jobs", "1", "--seed", "1"]


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        fastswitch.main([*arguments])
    output = capsys.readouterr()
    return stop.value.code, output.out, output.err


def test_noise_partition_and_noise_of_the_partition(capsys, tmp_path):
    csv, split = tmp_path / "noise.csv", tmp_path / "split"
    noise = ["noise", *FEW, "--variation", "lognormal:0.5", "--adc-bits", "6"]
    code, out, _ = run(capsys, *noise, "--csv", str(csv), "--json")
    assert code == 0
    alone = json.loads(out)
    keys = "accuracy_clean accuracy_mean accuracy_ci95 accuracy_p5 trials images seconds_per_1000_images variation"
    assert set(keys.split()) <= set(alone)
    rows = pd.read_csv(csv, comment="#")
    assert rows["accuracy"].mean() == pytest.approx(alone["accuracy_mean"])
    assert "# seed: 1" in csv.read_text()

    code, out, _ = run(
        capsys, "partition", *FEW, "--variation", "lognormal:0.5", "--max-loss", "10", "--out", str(split), "--json"
    )
    assert code == 0
    found = json.loads(out)
    assert 0 < found["digital_fraction"] < 1
    assert found["loss_points"] <= 10

    code, out, _ = run(capsys, *noise, "--partition", str(split), "--json")
    assert code == 0
    assert json.loads(out)["accuracy_mean"] > alone["accuracy_mean"]
    assert json.loads(out)["digital_fraction"] == found["digital_fraction"]

    code, out, err = run(capsys, "noise", "--variation", "lognormal:0.5", "--partition", str(split))
    assert (code, out) == (2, "")
    assert err.startswith("fastswitch: partition is of network fashion-d111-w222")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--variation", "lognormal:-1"], "sigma is -1"),
        (["--variation", "lognormal:0.5", "--adc-bits", "0"], "'--adc-bits': 0 is out of range; give 1 to 32"),
        (["--variation", "lognormal:0.5", "--cols", "3"], "cols is 3; give at least 8"),
        (["--variation", "lognormal:0.5", "--rows", "0"], "'--rows': 0 is out of range"),
        (["--variation", "lognormal:0.5", "--trials", "0"], "'--trials': 0 is out of range"),
        (["--variation", "lognormal:0.5", "--images", "0"], "'--images': 0 is out of range"),
        (["--variation", "lognormal:0.5", "--jobs", "0"], "'--jobs': 0 is out of range"),
        (["--variation", "lognormal:0.5", "--subnet", "big"], "SubNet big"),
        (
            ["--variation", "lognormal:0.5", "--engine", "fast", "--conversion", "slice", "--adc-bits", "6"],
            "engine is fast",
        ),
        (
            ["--variation", "lognormal:0.5", "--partition", "no-such-file.json"],
            "partition no-such-file.json does not exist",
        ),
        ([], "--variation"),
    ],
)
def test_bad_input_is_one_line_and_status_2(capsys, arguments, says):
    code, out, err = run(capsys, "noise", *arguments)
    assert (code, out) == (2, "")
    assert says in err.splitlines()[-1]
    assert len([line for line in err.splitlines() if line.startswith("fastswitch:")]) == 1


FEWER = ["--subnet", "smallest", "--images", "32", "--trials", "4", "--jobs", "1", "--variation", "lognormal:0.5"]


def stopped_after(monkeypatch, trials):
    """Ctrl-C in the middle of the trial after so many; what counts those that were computed."""
    computed = []

    def run_trial(*arguments):
        if len(computed) == trials:
            raise KeyboardInterrupt
        computed.append(arguments[4].trial)
        return RUN_TRIAL(*arguments)

    monkeypatch.setattr(monte_carlo, "run_trial", run_trial)
    return computed


@pytest.mark.parametrize(
    "words", [["noise", "--csv", "OUT"], ["partition", "--ranking", "magnitude", "--max-loss", "20", "--out", "OUT"]]
)
def test_stopped_it_goes_on_and_its_results_are_those_of_a_run_that_was_not(words, capsys, tmp_path, monkeypatch):
    def command(out, *more):
        return run(capsys, *(str(tmp_path / out) if word == "OUT" else word for word in words), *FEWER, *more)

    def results(out):
        files = [tmp_path / out] if (tmp_path / out).is_file() else (tmp_path / out).glob("partition.json")
        return {path.name: path.read_bytes() for path in files}

    first = stopped_after(monkeypatch, 2)
    code, _, err = command("out")
    assert code == 130 and err.splitlines()[-1].startswith("fastswitch: interrupted; ")
    assert "finished trials are" in err and err.endswith("the same command goes on with them\n")
    assert not results("out") and first == [0, 1]

    code, _, err = command("out", "--seed", "2")
    assert code == 2 and "seed is 0 there and 2 here" in err.splitlines()[-1]
    second = stopped_after(monkeypatch, -1)
    assert command("out")[0] == 0
    assert second[:2] == [2, 3]
    monkeypatch.setattr(monte_carlo, "run_trial", RUN_TRIAL)
    assert command("whole")[0] == 0
    there = results("out")
    assert list(there.values()) == list(results("whole").values()) and b"seconds" not in b"".join(there.values())

    code, _, err = command("out", "--images", "33")
    assert code == 2 and "images is 32 there and 33 here" in err and results("out") == there
    assert command("out", "--images", "33", "--force")[0] == 0 and results("out") != there


@pytest.mark.parametrize("option", ["--partition", "--weights"])
def test_what_is_read_is_not_written(option, capsys, tmp_path):
    path, name = tmp_path / "input", tmp_path / "other-name"
    if option == "--weights":
        path.write_bytes(DEFAULT_PATH.read_bytes())
    else:
        network = Network.of_subnet("smallest", load_weights())
        Partition(network.name, network.hash, {}).write(path)
    before = path.read_bytes()
    name.hardlink_to(path)
    for csv in path, name:
        code, _, err = run(capsys, "noise", *FEWER, option, str(path), "--csv", str(csv), "--force")
        assert code == 2 and f"{csv} is also the input {path}, which would be lost" in err
    assert path.read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_table_that_takes_no_more_is_one_line(capsys):
    code, _, err = run(capsys, "noise", *FEWER, "--csv", "/dev/full")
    assert code == 2 and err.splitlines()[-1] == "fastswitch: cannot write /dev/full: No space left on device"
