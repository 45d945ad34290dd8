"""The layer table's mapping is the compiler's: cycles are those of the compiled Program."""

from __future__ import annotations

import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.weights import load_weights
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.lowering.compile import compile_layer
from mapper.search.predict import COLUMNS
from sim.explore.layers import as_compiled, layer_rows

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")


def test_cycles_are_those_of_the_compiled_program() -> None:
    net, ops = FASHION.subnet("fashion-d111-w222"), load_weights().subnets["fashion-d111-w222"].ops
    for layer in net.weight_layers[:4]:
        program, _ = compile_layer(layer, TINY, ops[layer.name])
        timing = time_program(program.commands, TINY)
        own = as_compiled(layer, TINY)
        assert own.cycles == timing.cycles
        assert own.dram_bytes == sum(program.dram_bytes.values())


def test_rows_are_those_of_predict_and_a_pb_saves_bytes() -> None:
    net = FASHION.subnet("fashion-d222-w444")
    none, fit = (list(layer_rows(net, FASHION, TINY, cached)) for cached in ("none", "fit"))
    assert tuple(none[0]) == COLUMNS and len(none) == len(net.layers)
    assert sum(row["pb_hit_bytes"] for row in none) == 0 < sum(row["pb_hit_bytes"] for row in fit)
    assert sum(row["dram_wgt_bytes"] for row in fit) < sum(row["dram_wgt_bytes"] for row in none)
    by_name = {row["name"]: row for row in none}
    assert by_name["s1b1_add"]["bound"] == "fused: s1b1_conv2"
    for row in none:
        assert row["cycles"] / TINY.clock_hz == pytest.approx(row["latency_s"])
