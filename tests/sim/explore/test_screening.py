"""What is screened: machines of all arrays together, each as by itself; what the PB holds; what does not fit."""

from __future__ import annotations

import numpy as np

from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from mapper.pinning.greedy import fit_subgraph
from mapper.workload.depthwise import has_tiles
from sim.explore.knobs import set_knobs
from sim.explore.screening import Machines, cached_hits, screen
from sim.explore.workload import Workload

TINY, ZCU, FASHION = Accelerator.load("tiny"), Accelerator.load("zcu104"), get_space("fashion")
NETS = tuple(FASHION.subnet(name) for name in ("fashion-d111-w222", "fashion-d122-w234", "fashion-d222-w444"))


def test_the_pb_holds_what_fit_subgraph_puts_there() -> None:
    machine = TINY.replace(buffers={"pb_bytes": 30_000})
    work = Workload(NETS)
    fits, hits = cached_hits(Machines.of([ZCU, machine], work), work, "fit")
    assert fits.all()
    for net, order, low in zip(NETS, work.orders, work.starts.tolist(), strict=False):
        graph = fit_subgraph(net, FASHION, machine)
        for use, step in enumerate(order, low):
            if not has_tiles(step.layer):
                assert hits[1, use] == 0
                continue
            k, c = graph.slices[FASHION.index(step.layer.name)]
            assert hits[1, use] == -(-k // machine.kp) and c in (0, step.layer.C)
    assert not cached_hits(Machines.of([machine], work), work, "none")[1].any()


def test_a_machine_is_screened_as_if_it_were_alone() -> None:
    work = Workload(NETS)
    machines = [TINY, ZCU, set_knobs(TINY, {"PB": 0}), set_knobs(TINY, {"KP": 8, "SB": 20_000, "DB": 14_000})]
    whole = screen(machines, work, "fit")
    for row, machine in enumerate(machines):
        alone = screen([machine], Workload(NETS), "fit")
        for name in ("misfits", "hits", "cycles", "totals"):
            assert np.array_equal(getattr(whole, name)[row], getattr(alone, name)[0]), name
    assert (whole.misfits == -1).all() and (whole.cycles > 0).all()


def test_the_first_layer_that_does_not_fit_is_named() -> None:
    mobile = get_space("ofa-mobilenetv3")
    net = mobile.subnet(mobile.subnet_names()[0])
    work = Workload([net])
    small = set_knobs(ZCU, {"SB": 20_000})
    (first,) = screen([small], work, "none").misfits[0]
    fits = cached_hits(Machines.of([small], work), work, "none")[0][0]
    assert not fits[first] and fits[:first].all()
