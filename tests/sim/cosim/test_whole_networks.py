"""Whole SubNets on the RTL, cut in parts, interrupted and gone on with."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT
from arch_model.spaces import get_space
from sim.cosim.whole_networks import cut, run_whole
from sim.integers.random_integers import random_integers
from sim.integers.reference import run_layers
from sim.rtl_bench.simulators import find_simulator

TINY = Accelerator.load("tiny")
SUBNET = get_space("fashion").subnet("fashion-d111-w222")


@pytest.mark.parametrize("space", ["fashion", "ofa-resnet50", "ofa-mobilenetv3", "ofa-proxyless"])
@pytest.mark.parametrize("most", [1, 2, 8, 1000])
def test_parts_hold_every_layer_once_and_hand_on_one_tensor(space, most):
    supernet = get_space(space)
    subnet = supernet.subnet(supernet.subnet_names()[0])
    parts = cut(subnet, most)
    assert 1 <= len(parts) <= most
    assert [layer.name for part in parts for layer in part.subnet.layers] == [layer.name for layer in subnet.layers]
    assert parts[0].source == INPUT and parts[-1].result == subnet.layers[-1].name
    for one, other in pairwise(parts):
        assert one.result == other.source


def test_a_part_computes_what_the_whole_does():
    drawn = random_integers(SUBNET, seed=2)
    whole = run_layers(SUBNET.layers, drawn.weights, drawn.quant, drawn.image)
    tensor = drawn.image
    for part in cut(SUBNET, 3):
        made = run_layers(part.subnet.layers, drawn.weights, drawn.quant, tensor)
        assert all(np.array_equal(made[name], whole[name]) for name in made)
        tensor = made[part.result]
        assert len(np.unique(tensor)) > 5  # spread, not saturated


def test_an_interrupted_run_goes_on_and_another_is_refused(tmp_path):
    seen = []

    def stop_after_one(row):
        seen.append(row)
        if len(seen) == 1:
            raise KeyboardInterrupt

    options = {"seed": 1, "simulator": find_simulator(), "parts": 3}
    with pytest.raises(KeyboardInterrupt):
        run_whole(TINY, [SUBNET], tmp_path, on_row=stop_after_one, **options)
    first = tmp_path / SUBNET.name / "part-0.npz"
    before = first.stat().st_mtime_ns
    rows = run_whole(TINY, [SUBNET], tmp_path, on_row=seen.append, **options)
    assert first.stat().st_mtime_ns == before
    assert rows[0] == seen[0] and len(rows) == 3
    for row in rows:
        assert row["mismatches"] == 0
        assert row["predicted_dram_bytes"] == row["simulated_dram_bytes"]
        assert abs(row["predicted_cycles"] - row["simulated_cycles"]) <= 0.01 * row["simulated_cycles"]
    table = pd.read_csv(tmp_path / "parts.csv", comment="#")
    assert table.simulated_cycles.tolist() == [row["simulated_cycles"] for row in rows]
    with pytest.raises(FastSwitchError, match="seed is 1 there and 2 here"):
        run_whole(TINY, [SUBNET], tmp_path, on_row=seen.append, **{**options, "seed": 2})
