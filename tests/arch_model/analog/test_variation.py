"""A variation says exactly what it says: text and fields are one, and nonsense is refused in one line."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.analog import Cycle, Distribution, Mean, Per, RelativeTo, Variation
from arch_model.errors import FastSwitchError

numbers = st.floats(0, 1)
fractions = st.floats(0, 0.5)


@st.composite
def variations(draw):
    law = draw(st.sampled_from(Distribution))
    relative = [r for r in RelativeTo if (law, r) != (Distribution.LOGNORMAL, RelativeTo.RANGE)]
    return Variation(
        distribution=law,
        sigma=0.0 if law is Distribution.NONE else draw(numbers),
        mean=draw(st.sampled_from(Mean)),
        relative_to=draw(st.sampled_from(relative)),
        per=draw(st.sampled_from(Per)),
        cycle=draw(st.sampled_from(Cycle)),
        read=draw(numbers),
        stuck_off=draw(fractions),
        stuck_on=draw(fractions),
        drift=draw(numbers),
        drift_sigma=draw(numbers),
        time_s=draw(st.floats(1, 1e9)),
        on_off=draw(st.one_of(st.just(math.inf), st.floats(1.001, 1e9))),
        ir=draw(numbers),
    )


@given(variations())
def test_text_and_record_read_back_as_the_same_variation(variation):
    assert Variation.parse(str(variation)) == variation
    assert Variation.from_dict(json.loads(json.dumps(variation.to_dict(), allow_nan=False))) == variation


def test_the_text_names_every_choice_even_if_it_was_not_given():
    assert str(Variation.parse("lognormal:0.5")) == "lognormal:0.5,raw,weight,per-weight,d2d"
    assert str(Variation.parse("none")) == "none,raw,weight,per-weight,d2d"


def test_options_come_in_any_order():
    a = Variation.parse("gaussian:0.1, c2c, drift=0.05/0.01@3600, per-cell, ir=1e-4, stuck-on=0.001, range")
    assert (a.cycle, a.per, a.relative_to) == (Cycle.PROGRAM, Per.CELL, RelativeTo.RANGE)
    assert (a.drift, a.drift_sigma, a.time_s, a.ir, a.stuck_on) == (0.05, 0.01, 3600, 1e-4, 0.001)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lognormal:-0.1", "sigma is -0.1"),
        ("lognormal:nan", "sigma is nan"),
        ("gaussian:inf", "sigma is inf"),
        ("gaussian:much", "sigma is 'much'"),
        ("lognormal", "give lognormal:SIGMA"),
        ("none:0.5", "give lognormal:SIGMA"),
        ("normal:0.5", "give lognormal:SIGMA"),
        ("", "give lognormal:SIGMA"),
        ("lognormal:0.5,range", "relative_to is range"),
        ("lognormal:0.5,read=-1", "read is -1"),
        ("lognormal:0.5,stuck-off=1.5", "stuck_off is 1.5"),
        ("lognormal:0.5,stuck-off=0.6,stuck-on=0.6", "stuck_off + stuck_on is 1.2"),
        ("lognormal:0.5,on-off=1", "on_off is 1"),
        ("lognormal:0.5,drift=0.1@0.5", "time_s is 0.5"),
        ("lognormal:0.5,raw,mean-preserving", "mean is given twice"),
        ("lognormal:0.5,wiggle", "option 'wiggle' is unknown"),
    ],
)
def test_nonsense_is_refused_in_one_line_that_names_it(text, says):
    with pytest.raises(FastSwitchError) as error:
        Variation.parse(text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_random_and_what_is_ideal():
    assert Variation().is_ideal
    assert Variation.parse("lognormal:0").is_ideal
    assert not Variation.parse("none,ir=1e-3").draws
    assert Variation.parse("none,stuck-on=0.1").draws
    assert Variation.parse("none,c2c").is_static
    assert not Variation.parse("lognormal:0.1,c2c").is_static
    assert Variation.parse("none,drift=0.1/0.1@1").is_ideal  # at t0 nothing has drifted
