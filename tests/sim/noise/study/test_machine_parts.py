"""The parts about the machine: who is compared, what an ADC meets."""

import numpy as np
import pytest

from arch_model.errors import FastSwitchError
from arch_model.network.weights import load_weights
from sim.noise.study.context import Effort, StudyContext
from sim.noise.study.machine_parts import ASIC_HZ, SLICED, Family, machine_parts, machines


@pytest.fixture
def context(tmp_path):
    with StudyContext("smallest", load_weights(), tmp_path, effort=Effort(images=8, trials=1, subnets=3)) as context:
        yield context


def test_members_are_spread_by_size(context):
    macs = [subnet.macs for subnet in Family(context).subnets]
    by_size = sorted(net.macs for net in context.weights.subnets.values())
    assert macs == [by_size[0], by_size[len(by_size) // 2], by_size[-1]]


def test_shared_channels_come_from_their_part(context):
    with pytest.raises(FastSwitchError, match=r"shared\.json does not exist; .*the part shared"):
        _ = Family(context).half


def test_the_asic_is_the_same_machine_with_another_clock(context):
    plain, fast = machines(context).values()
    assert (fast.clock_hz, fast.replace(clock_hz=plain.clock_hz)) == (ASIC_HZ, plain)


def test_a_histogram_counts_every_conversion_around_whole_levels(context):
    part = next(part for part in machine_parts(context) if part.name == "histogram")
    point = part.points(context)[0]
    row = part.measure(context, point)
    layer = context.network.weight_layers[0]
    counts = np.array([int(n) for n in row["counts"].split()])
    everything = SLICED.dac_slices * layer.K * layer.P * layer.Q * 8  # eight images
    assert 0 < counts.sum() <= everything
    assert (row["low"] * 2) % 2 == 1  # bins end between levels
    assert row["low"] + len(counts) * ((row["high"] - row["low"]) / len(counts)) == pytest.approx(row["high"])
    assert row["clip_high"] == -row["clip_low"] == row["step"] * 31  # six signed bits
