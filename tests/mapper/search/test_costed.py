"""What follows from a walk: seconds, share of the multipliers, bytes and joules, by hand from its cycles."""

import pytest

from arch_model.cost.energy import energy, leakage_w
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.search.optimise import optimise

TINY = Accelerator.load("tiny")


def test_by_hand():
    found = optimise(Layer("a", Kind.CONV, K=3, C=3, R=3, S=3, H=4, W=4, padding=1), TINY)
    assert found.latency_s == found.cycles / 100e6
    assert found.utilisation == 3 * 3 * 9 * 16 / (108 * found.cycles)
    assert found.dram_bytes == sum(found.walk.activity[f"dram.{port}"] for port in ("prog", "wgt", "act", "b", "out"))
    leaked = leakage_w(TINY) * found.latency_s
    assert found.energy_j == pytest.approx(energy(found.walk.activity, TINY).total_j + leaked)
