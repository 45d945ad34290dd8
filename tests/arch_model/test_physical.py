"""Quantities have the limits of this world, in files, in options and from Python."""

import math

import numpy as np
import pytest

from arch_model import physical
from arch_model.analog import Variation
from arch_model.errors import AcceleratorError, FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.measured import MeasuredMachine
from arch_model.physical import Range
from sim.explore.knobs import parse_vary, set_knobs
from sim.serving.streams import Stream, parse_arrivals

TINY = Accelerator.load("tiny")


def test_every_range_is_one_and_says_why_it_ends():
    ranges = [value for value in vars(physical).values() if isinstance(value, Range)]
    assert len(ranges) > 15
    for limits in ranges:
        assert limits.low < limits.high and limits.why
        assert limits.low in limits and limits.high in limits
        for kind in (np.float16, np.float32, np.float64, np.int64):
            assert (kind(1) in limits) == (1 in limits) and (kind(2) in limits) == (2 in limits)
        assert np.array(limits.high) not in limits and np.array([limits.high]) not in limits and np.True_ not in limits
        assert not any(value in limits for value in (math.nan, math.inf, -math.inf, True, "1", None, 2 * limits.high))


@pytest.mark.parametrize("clock_hz", [5e9, 1e308, 999, 1e-300, -1.0, math.nan])
def test_a_clock_that_no_machine_has(clock_hz):
    with pytest.raises(AcceleratorError, match=r"clock_hz is .*; give 1000 to 4e\+09 hertz"):
        TINY.replace(clock_hz=clock_hz)
    with pytest.raises(AcceleratorError, match="clock_hz"):
        MeasuredMachine.model_validate(MeasuredMachine.load("sushi-zcu104").model_dump() | {"clock_hz": clock_hz})


@pytest.mark.parametrize(
    "changes", [{"latency_cycles": 10**6}, {"cycles_per_beat": 10**9}, {"latency_cycles": 10**400}, {"bytes": 2**33}]
)
def test_a_dram_that_no_machine_has(changes):
    with pytest.raises(AcceleratorError, match=f"dram.{next(iter(changes))} is "):
        TINY.replace(dram=changes)


@pytest.mark.parametrize("text", ["DRAM=1e20GB/s", "DRAM=1B/s", "CLOCK=5GHz", "CLOCK=1e30GHz", "CLOCK=1Hz"])
def test_a_knob_that_no_machine_has(text):
    (knob,) = parse_vary(text)
    with pytest.raises(AcceleratorError, match=r"give 1000 to "):
        set_knobs(TINY, {knob.name: knob.values[0]})


@pytest.mark.parametrize(
    "text",
    [
        *("gaussian:1e30", "lognormal:11", "lognormal:nan", "gaussian:inf", "none,read=1e9", "none,drift=1e300"),
        *("none,drift=0.1@1e300", "none,on-off=1e13", "none,ir=1e30", "none,stuck-on=1.5", "none,drift=0.1/99@9"),
    ],
)
def test_a_cell_that_no_chip_has(text):
    with pytest.raises(FastSwitchError, match=r"variation: \w+ is .*; give ") as error:
        Variation.parse(text)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    "text",
    ["poisson:1e300", "poisson:1e-300", "gamma:1,1e300", "diurnal:0,1,1e300", "diurnal:0,1e300,1", "bursty:1,1e99,1"],
)
def test_a_stream_that_nobody_sends(text):
    with pytest.raises(FastSwitchError, match=r"arrivals .* give .* to "):
        parse_arrivals(text)


def test_a_recorded_stream_has_the_same_limits():
    for arrival, latency in ((1e300, 1.0), (0.0, 1e300), (0.0, 1e-300)):
        with pytest.raises(FastSwitchError, match=r"query 0: \w+_s is "):
            Stream(np.array([arrival]), np.array([0.5]), np.array([latency]))
