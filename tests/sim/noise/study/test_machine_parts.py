"""The parts about the machine: who is compared, what an ADC meets."""

import numpy as np
import pytest

from arch_model.errors import FastSwitchError
from arch_model.network.weights import load_weights
from sim.noise.study.context import Effort, Lab
from sim.noise.study.machine_parts import ASIC_HZ, SLICED, Family, machine_parts, machines


@pytest.fixture
def lab(tmp_path):
    with Lab("smallest", load_weights(), tmp_path, effort=Effort(images=8, trials=1, subnets=3)) as lab:
        yield lab


def test_members_are_spread_over_the_ladder(lab):
    macs = [subnet.macs for subnet in Family(lab).subnets]
    ladder = sorted(net.macs for net in lab.weights.subnets.values())
    assert macs == [ladder[0], ladder[len(ladder) // 2], ladder[-1]]


def test_shared_channels_come_from_their_part(lab):
    with pytest.raises(FastSwitchError, match=r"shared\.json does not exist; .*the part shared"):
        _ = Family(lab).half


def test_the_asic_is_the_same_machine_with_another_clock(lab):
    plain, fast = machines(lab).values()
    assert (fast.clock_hz, fast.replace(clock_hz=plain.clock_hz)) == (ASIC_HZ, plain)


def test_a_histogram_counts_every_conversion_around_whole_levels(lab):
    part = next(part for part in machine_parts(lab) if part.name == "histogram")
    point = part.points(lab)[0]
    row = part.measure(lab, point)
    layer = lab.network.weight_layers[0]
    counts = np.array([int(n) for n in row["counts"].split()])
    everything = SLICED.dac_slices * layer.K * layer.P * layer.Q * 8  # eight images
    assert 0 < counts.sum() <= everything
    assert (row["low"] * 2) % 2 == 1  # bins end between levels
    assert row["low"] + len(counts) * ((row["high"] - row["low"]) / len(counts)) == pytest.approx(row["high"])
    assert row["clip_high"] == -row["clip_low"] == row["step"] * 31  # six signed bits
