"""The layers of the README's table, on machines that run all of them and that do not."""

from arch_model.machine.accelerator import Accelerator
from mapper.workload.layer_text import parse_layer
from reports.handover import LAYERS, layer_rows


def test_every_layer_has_cycles_or_a_reason():
    tiny = Accelerator.load("tiny")
    rows = layer_rows(tiny)
    assert [row.layer for row in rows] == list(LAYERS)
    for row in rows:
        assert (row.cycles > 0) == (row.problem == "")
        if row.cycles:
            assert row.cycles >= parse_layer(row.layer).macs / tiny.multipliers
    (problem,) = {row.problem for row in rows if row.layer == "K=2048 C=512 H=7 W=7"}
    assert problem.startswith("its ZSB entries need 16384 bytes")
