"""The different layers of SubNets, each once, and their rows on different arrays."""

from __future__ import annotations

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from mapper.lowering.layer_rows import layer_row, network_rows
from mapper.workload.fusion import steps
from sim.explore.workload import Workload, array_of

TINY, RESNET = Accelerator.load("tiny"), get_space("ofa-resnet50")
NETS = [RESNET.subnet(name) for name in RESNET.subnet_names()[:2]]


def test_every_use_is_of_a_layer_with_its_row() -> None:
    work = Workload(NETS)
    assert len(work.layers) < len(work.uses) == sum(len(steps(net.layers)) for net in NETS)
    for machine in (TINY, Accelerator.load("zcu104")):
        rows = work.rows(machine)
        assert work.rows(machine) is rows and len(np.unique(rows, axis=0)) == len(rows)
        for use in range(len(work.uses)):
            assert rows[work.uses[use]].tolist() == layer_row(work.step(use), machine).tolist()
        for net, order in enumerate(work.orders):
            own, expected = work.network(net, machine), network_rows(order, machine)
            assert own[1] == expected[1] and np.array_equal(own[0], expected[0])


def test_rows_depend_on_nothing_else_than_the_array() -> None:
    """Of two machines with the same KP, CP and folded images, whatever their memories and ports, rows are the same."""
    other = TINY.replace(buffers={"sb_bytes": 99 * 54, "pb_bytes": 0}, dram={"latency_cycles": 3}, clock_hz=2e8)
    assert array_of(other) == array_of(TINY)
    for step in steps(NETS[0].layers):
        assert layer_row(step, other).tolist() == layer_row(step, TINY).tolist()
