"""The commands: keys, files, one-line errors."""

import json

import pandas as pd
import pytest

import fastswitch

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
        (["--variation", "lognormal:0.5", "--adc-bits", "0"], "adc_bits is 0"),
        (["--variation", "lognormal:0.5", "--cols", "3"], "cols is 3; give at least 8"),
        (["--variation", "lognormal:0.5", "--rows", "0"], "rows is 0"),
        (["--variation", "lognormal:0.5", "--trials", "0"], "trials is 0"),
        (["--variation", "lognormal:0.5", "--images", "0"], "images is 0"),
        (["--variation", "lognormal:0.5", "--jobs", "0"], "jobs is 0"),
        (["--variation", "lognormal:0.5", "--subnet", "big"], "SubNet big"),
        (
            ["--variation", "lognormal:0.5", "--engine", "fast", "--conversion", "slice", "--adc-bits", "6"],
            "engine is fast",
        ),
        (
            ["--variation", "lognormal:0.5", "--partition", "no-such-file.json"],
            "cannot read partition no-such-file.json",
        ),
        ([], "--variation"),
    ],
)
def test_bad_input_is_one_line_and_status_2(capsys, arguments, says):
    code, out, err = run(capsys, "noise", *arguments)
    assert (code, out) == (2, "")
    assert says in err.splitlines()[-1]
    assert len([line for line in err.splitlines() if line.startswith("fastswitch:")]) == 1
