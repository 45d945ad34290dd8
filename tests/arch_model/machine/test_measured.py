"""The measured machine: its formula by hand, its constants by another road, and networks that a fit has not seen."""

from __future__ import annotations

import copy
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.errors import AcceleratorError, MappingError
from arch_model.files.published import VARIABLE
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.load import load_machine, machine_names
from arch_model.machine.measured import MeasuredMachine
from arch_model.network.layer import Kind, Layer
from arch_model.spaces import get_space
from arch_model.spaces.ofa_resnet50 import PUBLISHED, published_table
from tests.published_tables import published_or_skip

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "bench" / "fit_sushi_zcu104.py"
SUSHI = MeasuredMachine.load("sushi-zcu104")
OFA = get_space("ofa-resnet50")

Floats = npt.NDArray[np.float64]

# Every measured layer: network, K, C, H = W, stride, microseconds (ZCU104, the FEATHER artifact, mean of 200 runs).
ROWS = """
0 24 3 160 2 703.03; 0 40 24 80 1 766.30; 0 32 32 40 1 246.22; 0 32 32 40 1 246.66;
0 64 64 40 2 694.23; 0 64 64 20 1 244.77; 0 136 136 20 2 799.87; 0 136 136 10 1 306.58;
0 136 136 10 1 308.30; 0 168 168 10 1 398.27; 0 136 136 10 1 305.23; 0 328 328 10 2 1273.90;
0 408 408 5 1 909.01; 2 24 3 192 2 977.18; 2 64 24 96 1 1346.49; 2 40 40 48 1 490.59;
2 40 40 48 1 487.76; 2 32 32 48 1 307.29; 2 32 32 48 1 307.44; 2 88 88 48 2 1681.65;
2 88 88 24 1 500.49; 2 88 88 24 1 514.74; 2 64 64 24 1 307.08; 2 160 160 24 2 1352.76;
2 208 208 12 1 729.28; 2 208 208 12 1 727.33; 2 208 208 12 1 733.89; 2 208 208 12 1 733.79;
2 512 512 12 2 3816.71; 2 512 512 6 1 1539.41; 2 512 512 6 1 1536.53; 4 24 3 224 2 1316.22;
4 24 24 112 1 1011.96; 4 64 24 112 1 1798.27; 4 40 40 56 1 650.43; 4 56 56 56 1 1117.97;
4 40 40 56 1 641.18; 4 32 32 56 1 394.23; 4 104 104 56 2 3073.03; 4 104 104 28 1 882.23;
4 104 104 28 1 876.92; 4 104 104 28 1 879.81; 4 256 256 28 2 4386.99; 4 208 208 14 1 908.24;
4 360 360 14 1 2546.45; 4 256 256 14 1 1323.24; 4 256 256 14 1 1331.51; 4 208 208 14 1 921.39;
4 576 576 14 2 6193.09; 4 576 576 7 1 2218.98; 4 408 408 7 1 1194.64; 4 408 408 7 1 1189.52
"""
NETWORK, K, C, H, STRIDE, US = np.array([row.split() for row in ROWS.split(";")], np.float64).T


def conv(**changes: Any) -> Layer:
    """A 3 x 3 layer of 32 filters on 32 channels of 40 x 40."""
    shape = {"K": 32, "C": 32, "R": 3, "S": 3, "H": 40, "W": 40, "padding": 1}
    return Layer("one", Kind(changes.pop("kind", "conv")), **{**shape, **changes})


def round_machine() -> MeasuredMachine:
    """SUSHI's array with constants that can be multiplied by hand: 100 us, 1 GB/s and 2 GB/s."""
    constants = {"start_s": 1e-4, "weight_bytes_per_s": 1e9, "input_bytes_per_s": 2e9}
    return MeasuredMachine.model_validate({**SUSHI.model_dump(), "constants": constants})


def error_of(folder: Path, path: str = "", value: Any = ...) -> str:
    """The one line that the preset raises with the value at a dotted path changed, or removed if it is ``...``."""
    data = copy.deepcopy(yaml.safe_load(yaml.safe_dump(SUSHI.model_dump(mode="json"))))
    *sections, key = path.split(".")
    target = data
    for section in sections:
        target = target[section]
    if value is ...:
        del target[key]
    else:
        target[key] = value
    file = folder / "a.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(AcceleratorError) as error:
        MeasuredMachine.load(file)
    line = str(error.value)
    assert "\n" not in line
    return line.replace(str(file), "a.yaml")


# ------------------------------------------------------------------------------------ formula


def test_a_layer_by_hand() -> None:
    cost = round_machine().cost([conv()])
    # 2 K-tiles of 16, 4 groups of 9: 8 passes of 41 * 41 cycles; 8 tiles of 1296 bytes; 36 channels of 1600 pixels.
    assert cost.sweep_cycles.tolist() == [13_448]
    assert (cost.weight_bytes.tolist(), cost.input_bytes.tolist()) == ([10_368], [57_600])
    assert cost.latency_s.tolist() == pytest.approx([100e-6 + 134.48e-6 + 10.368e-6 + 28.8e-6])
    assert cost.cycles.tolist() == [27_365]  # 273.648 us at 100 MHz
    assert cost.bound.tolist() == ["sweep"]


def test_stride_wastes_three_cycles_in_four_and_partial_tiles_count_whole() -> None:
    cost = round_machine().cost([conv(K=17, C=10), conv(K=32, C=18), conv(K=32, C=18, stride=2)])
    assert cost.sweep_cycles.tolist() == [4 * 41 * 41] * 3
    assert cost.weight_bytes.tolist() == [4 * 1296] * 3
    assert cost.input_bytes.tolist() == [18 * 1600] * 3


def test_the_bound_is_the_largest_part() -> None:
    cost = round_machine().cost([conv(K=16, C=9, H=3, W=3), conv(K=512, C=512, H=3, W=3), conv(K=1, C=9, H=224, W=224)])
    # 16 cycles beside 100 us; 1824 tiles, 2.4 ms, beside 29,184 cycles; 50,625 cycles beside 0.45 MB at 2 GB/s.
    assert cost.bound.tolist() == ["start", "weights", "sweep"]


@settings(deadline=None, print_blob=True)
@given(st.lists(st.tuples(*[st.integers(1, 3000)] * 2, *[st.integers(1, 300)] * 2), max_size=8))
def test_many_layers_at_once_are_the_same_as_each(shapes: list[tuple[int, int, int, int]]) -> None:
    machine = round_machine()
    cost = machine.cost(conv(K=k, C=c, H=h, W=w) for k, c, h, w in shapes)
    expected = []
    for k, c, h, w in shapes:
        tiles = len(range(0, k, 16)) * len(range(0, c, 9))
        inputs = len(range(0, c, 9)) * 9 * h * w
        expected.append(100e-6 + tiles * (h + 1) * (w + 1) * 10e-9 + tiles * 1296 / 1e9 + inputs / 2e9)
    assert cost.latency_s.tolist() == pytest.approx(expected)
    frame = cost.to_frame()
    assert list(frame["latency_s"]) == pytest.approx(expected) and len(frame) == len(shapes)
    assert list(frame.columns[:4]) == ["name", "cycles", "latency_s", "bound"]
    parts = frame[["start_s", "sweep_s", "weights_s", "inputs_s"]].sum(axis=1)
    assert list(parts) == pytest.approx(expected)


def test_sizes_broadcast() -> None:
    filters, pixels = np.array([[16], [32]]), np.array([7, 14, 28])
    cost = SUSHI.sweep(filters, 9, pixels, pixels)
    assert cost.latency_s.shape == (2, 3)
    assert cost.sweep_cycles.tolist() == [[64, 225, 841], [128, 450, 1682]]
    assert len(cost.to_frame()) == 6


# ------------------------------------------------------------------------------------ what it says nothing of


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"R": 1, "S": 1, "padding": 0}, "R is 1; give 3"),
        ({"S": 5, "padding": 1}, "S is 5; give 3"),
        ({"stride": 3}, "stride is 3; give 1 or 2"),
        ({"padding": 0}, "padding is 0; give 1"),
        ({"groups": 32}, "groups is 32; give 1"),
        ({"kind": "linear", "R": 1, "S": 1, "H": 1, "W": 1, "padding": 0}, "kind is linear; give conv"),
    ],
)
def test_a_layer_unlike_any_that_was_measured(changes: dict[str, Any], message: str) -> None:
    layer = conv(**changes)
    assert SUSHI.covers(conv()) and SUSHI.covers(conv(stride=2)) and not SUSHI.covers(layer)
    with pytest.raises(MappingError) as error:
        SUSHI.cost([conv(), layer])
    line = f"layer one: {message}; sushi-zcu104 is known by measurements of such layers alone"
    assert str(error.value) == line


# ------------------------------------------------------------------------------------ measurements


def fit(rows: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """Start, seconds a byte of weights and of inputs, least squares in relative errors, by the normal equations."""
    tiles = np.ceil(K / 16) * np.ceil(C / 9)
    sweep = tiles * (H + 1) ** 2 / 100e6
    A = np.stack([np.ones_like(K), tiles * 1296, np.ceil(C / 9) * 9 * H * H], 1)[rows]
    seconds, scale = US[rows] / 1e6, np.array([1e-4, 1e-9, 1e-9])  # scaled to be of one size
    A = A * scale / seconds[:, None]
    found = np.linalg.solve(A.T @ A, A.T @ ((seconds - sweep[rows]) / seconds)) * scale
    return float(found[0]), float(found[1]), float(found[2])


def predicted_without(network: float) -> tuple[Floats, Floats]:
    """The latencies of a network as the machine predicts them with constants from the others, and as measured."""
    unseen = np.equal(NETWORK, network)
    start, weight, inputs = fit(~unseen)
    constants = {"start_s": start, "weight_bytes_per_s": 1 / weight, "input_bytes_per_s": 1 / inputs}
    machine = MeasuredMachine.model_validate({**SUSHI.model_dump(), "constants": constants})
    whole = (size[unseen].astype(np.int64) for size in (K, C, H, H))
    return machine.sweep(*whole).latency_s, US[unseen] / 1e6


def figures(predicted: Floats, measured: Floats) -> tuple[float, float, float]:
    off = np.abs(predicted / measured - 1)
    ranks = pd.DataFrame({"p": predicted, "m": measured}).rank()
    return float(off.mean()), float(off.max()), float(ranks["p"].corr(ranks["m"]))


def test_the_constants_are_those_of_the_measurements() -> None:
    start, weight, inputs = fit(np.ones_like(K, np.bool_))
    constants = SUSHI.constants
    assert (constants.start_s, constants.weight_bytes_per_s, constants.input_bytes_per_s) == pytest.approx(
        (start, 1 / weight, 1 / inputs), rel=5e-4
    )
    assert SUSHI.provenance.points == K.size == 52
    whole = (size.astype(np.int64) for size in (K, C, H, H))
    residuals = SUSHI.provenance.residuals
    assert figures(SUSHI.sweep(*whole).latency_s, US / 1e6) == pytest.approx(
        (residuals.mean, residuals.maximum, residuals.rank_correlation), abs=1e-4
    )


def test_networks_that_the_fit_has_not_seen() -> None:
    pairs = [predicted_without(network) for network in (0, 2, 4)]
    for predicted, measured in pairs:
        mean, maximum, rank = figures(predicted, measured)
        assert mean <= 0.03 and maximum <= 0.10 and rank >= 0.99
    overall = figures(*(np.concatenate(part) for part in zip(*pairs, strict=True)))
    assert overall[0] <= 0.03 and overall[1] <= 0.10 and overall[2] >= 0.99
    stated = SUSHI.provenance.held_out
    assert overall == pytest.approx((stated.mean, stated.maximum, stated.rank_correlation), abs=1e-4)


def test_the_rows_here_are_those_of_the_files() -> None:
    provenance = SUSHI.provenance
    shapes = pd.read_csv(layers := published_or_skip(provenance.layers), dtype=str)
    measured = pd.read_csv(times := published_or_skip(provenance.measured), dtype=str)
    for path, digest in ((layers, provenance.layers_sha256), (times, provenance.measured_sha256)):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    joined = measured.merge(shapes, on=["network", "layer_index", "name"], validate="1:1")
    for column, here in (("network", NETWORK), ("K", K), ("C", C), ("H", H), ("W", H), ("stride", STRIDE)):
        assert joined[column].astype(float).tolist() == here.tolist()
    assert (1e6 * joined["latency_s"].astype(float)).tolist() == pytest.approx(US.tolist(), abs=0.005)
    assert sorted(set(joined["network"])) == list(provenance.networks)


def test_networks_of_which_only_the_total_is_known() -> None:
    totals = {1: 9.93, 3: 24.56, 5: 35.63}  # ms, all 3 x 3 layers; no fit has seen them
    shapes = published_table(map(OFA.subnet, PUBLISHED))
    for network, total in totals.items():
        rows = shapes[(shapes["network"] == network) & (shapes["R"] == 3)]
        sizes = (rows[column].to_numpy(np.int64) for column in "KCHW")
        assert 1e3 * SUSHI.sweep(*sizes).latency_s.sum() == pytest.approx(total, rel=0.02)


def test_the_script_gives_the_preset_and_the_tables_that_ship() -> None:
    published_or_skip(SUSHI.provenance.measured)
    done = subprocess.run([sys.executable, SCRIPT, "--check"], cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (ROOT / "docs" / "studies" / "measured.md").read_text(encoding="utf-8")
    shown = re.findall("```text\n(.*?)```", page, re.DOTALL)
    assert len(shown) == 3
    for block in shown:
        assert block in done.stdout


def test_the_script_names_the_file_that_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--data", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"{tmp_path / SUSHI.provenance.measured}: ") and "No such file" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    env = {key: value for key, value in os.environ.items() if key != VARIABLE}
    done = subprocess.run(command[:2], cwd=ROOT, text=True, capture_output=True, check=False, env=env)
    assert done.returncode == 2 and done.stderr.startswith(f"published table {SUSHI.provenance.measured} is not here; ")


# ------------------------------------------------------------------------------------ descriptions


def test_machines_are_loaded_by_name_and_by_what_a_file_holds(tmp_path: Path) -> None:
    assert machine_names() == ("small", "sushi-zcu104", "tiny", "u50", "zcu104")
    for name in machine_names():
        assert load_machine(name).name == name
    assert load_machine("sushi-zcu104") == SUSHI and load_machine("tiny") == Accelerator.load("tiny")
    mine, design = tmp_path / "mine.yaml", tmp_path / "design.yaml"
    mine.write_text(yaml.safe_dump(SUSHI.model_dump(mode="json")), encoding="utf-8")
    design.write_text(yaml.safe_dump(Accelerator.load("tiny").model_dump()), encoding="utf-8")
    assert load_machine(mine) == SUSHI and load_machine(design) == Accelerator.load("tiny")


def test_it_has_the_array_and_clock_of_the_design_beside_it() -> None:
    ours = Accelerator.load("zcu104")
    assert (SUSHI.array.kp, SUSHI.array.cp, SUSHI.clock_hz) == (ours.kp, ours.cp, ours.clock_hz)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("speed", 1, "speed is not a key; known here: name, model, array, clock_hz, constants, provenance"),
        ("model", "output-sweep", "model is 'output-sweep'; give input-sweep, the one model of a measured machine"),
        ("array.kp", 0, "array.kp is 0; give 1 to 63 filters"),
        ("clock_hz", "100 MHz", "clock_hz is '100 MHz'; give 1000 to 4e+09 hertz, a number such as 100_000_000"),
        ("constants.start_s", -1.0, "constants.start_s is -1.0; give 0 to 3600 seconds: once a layer"),
        ("constants.input_bytes_per_s", 0, "constants.input_bytes_per_s is 0; give 1000 to 1e+14 bytes a second"),
        (
            "constants.weight_bytes_per_s",
            ...,
            "constants.weight_bytes_per_s is missing; give 1000 to 1e+14 bytes a second",
        ),
        ("constants.start", 1e-6, "constants.start is not a key; did you mean start_s? known here: start_s,"),
        ("provenance", ..., "provenance is missing; give a section with source, measured, measured_sha256,"),
        ("provenance.networks", [], "provenance.networks is []; give a list of one or more texts"),
        ("provenance.networks", ["0", 2], "provenance.networks is 2; give a list of one or more texts"),
        ("provenance.layers_sha256", "12", "provenance.layers_sha256 is '12'; give 64 hexadecimal digits in quotes"),
        ("provenance.held_out.rank_correlation", 2, "provenance.held_out.rank_correlation is 2; give Spearman's"),
    ],
)
def test_a_description_that_is_wrong(path: str, value: Any, message: str, tmp_path: Path) -> None:
    assert error_of(tmp_path, path, value).startswith(f"accelerator a.yaml: {message}")


def test_a_machine_that_cannot_be_built_says_so() -> None:
    with pytest.raises(AcceleratorError) as error:
        Accelerator.load("sushi-zcu104")
    assert str(error.value) == (
        "accelerator sushi-zcu104 is a measured machine: it predicts latency and has no Program or RTL; "
        "give a YAML file or one of: small, tiny, u50, zcu104"
    )


def test_a_machine_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AcceleratorError) as error:
        load_machine("sushi-zcu14")
    assert str(error.value) == (
        "accelerator sushi-zcu14 is neither a file nor a preset (did you mean sushi-zcu104?); "
        "give a YAML file or one of: small, sushi-zcu104, tiny, u50, zcu104"
    )
    (tmp_path / "list.yaml").write_text("- 1\n", encoding="utf-8")
    with pytest.raises(AcceleratorError, match=r"accelerator list.yaml holds \[1\]; give a mapping with"):
        load_machine("list.yaml")
