"""Every counter of the machine holds what the model predicts: cycles at work, and those that RUN stood still."""

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from mapper.layout.dram_image import image_segment, weights_segments, zsb_segments
from mapper.lowering.compile import compile_layer, single_layer, single_quant
from rtl.driver_package import predicted_counters
from sim.integers.random_integers import random_op
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.outcome import run_program
from sim.rtl_bench.simulators import find_simulator

TINY = Accelerator.load("tiny")
C = Kind.CONV
LAYERS = (
    Layer("windows", C, K=8, C=6, R=3, S=3, H=12, W=12, padding=1),
    Layer("halves", C, K=16, C=16, R=3, S=3, H=13, W=13, stride=2, padding=1),
    Layer("few-pixels", C, K=31, C=64, H=3, W=3),
    Layer("four-windows", C, K=4, C=6, R=5, S=5, H=9, W=9, padding=2),
    Layer("depthwise", C, K=8, C=8, R=5, S=5, H=11, W=11, stride=2, padding=2, groups=8),
    Layer("linear", Kind.LINEAR, K=30, C=200),
    Layer("pool", Kind.MAXPOOL, K=8, C=8, R=3, S=3, H=20, W=20, stride=2, padding=1),
    Layer("average", Kind.AVGPOOL, K=8, C=8, R=3, S=3, H=9, W=8, stride=2, padding=1, ceil_mode=True),
    Layer("mul", Kind.MUL, K=6, C=6, H=8, W=8, inputs=("input", "input")),
    Layer("scale", Kind.SCALE, K=6, C=6, H=8, W=8, inputs=("input", "input")),
)

WAITS = {"windows": {"sb", "weights", "out"}, "linear": {"sb", "weights"}, "depthwise": {"sb"}}
"""What RUN waits for in some of them: a counter that never counts would prove nothing."""


@pytest.fixture(scope="module")
def bench():
    with Bench(build(TINY, find_simulator())) as running:
        yield running


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_the_counters_hold_what_is_predicted(layer: Layer, bench: Bench) -> None:
    rng = np.random.default_rng(3)
    quant = single_quant(layer, random_op(layer, rng))
    program, places = compile_layer(layer, TINY, quant[layer.name])
    _, subnet = single_layer(layer)
    shape = layer.K, layer.C // layer.groups, layer.R, layer.S
    weights = {layer.name: rng.integers(-127, 128, shape, dtype=np.int8)} if layer.kind.has_weights else {}
    image = rng.integers(-128, 128, (layer.C, layer.H, layer.W), dtype=np.int8)
    segments = [
        *weights_segments(places, weights),
        *zsb_segments(places, subnet, weights, quant),
        image_segment(places, subnet, image),
    ]
    expected = {INPUT: image, **run_layers(subnet.layers, weights, quant, image)}
    outcome = run_program(bench, program, segments, expected)
    assert outcome.mismatches == 0
    predicted = predicted_counters(program)
    assert {name: outcome.result.counters[name] for name in predicted} == predicted
    waits = {cause for cause, cycles in outcome.predicted.waits.items() if cycles}
    assert waits >= WAITS.get(layer.name, set())
