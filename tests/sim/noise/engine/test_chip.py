"""Programming: streams apart, wires by array, fixed point without rounding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.analog import Crossbar, Encoding, Variation, exact_conductance
from sim.noise.engine.chip import Chip, Purpose, fixed_point, off_level, program
from sim.noise.engine.split import split_network
from tests.sim.noise.small_nets import residual

CHIP = Chip(1, 0)


def cells(text, encoding="differential", chip=CHIP, **crossbar):
    described = Crossbar(encoding=encoding, **crossbar)
    split = split_network(residual(3), described, {})["a"]
    return program(split, described, Variation.parse(text), chip, 1)


def test_one_option_does_not_change_what_another_draws():
    plain, stuck = cells("lognormal:0.3,per-cell"), cells("lognormal:0.3,per-cell,stuck-on=0.05")
    changed = plain != stuck
    assert 0.02 < changed.mean() < 0.08
    assert (stuck[changed] == 3).all()


def test_trials_layers_and_images_have_streams_of_their_own():
    drawn = {
        float(chip.stream(layer, purpose, batch).random())
        for chip in (Chip(1, 0), Chip(1, 1), Chip(2, 0), Chip(1, 0, 0), Chip(1, 0, 1))
        for layer in (0, 1)
        for purpose in Purpose
        for batch in (0, 32)
    }
    assert len(drawn) == 5 * 2 * 4 * 2


def test_a_raw_gaussian_is_not_negative_and_a_mean_preserving_one_may_be():
    assert cells("gaussian:1").min() == 0
    assert cells("gaussian:1,mean-preserving").min() < 0


def test_a_weight_s_cells_share_a_draw_and_single_cells_do_not():
    exact = cells("none")
    for text, shared in (("lognormal:0.3", True), ("lognormal:0.3,per-cell", False)):
        with np.errstate(invalid="ignore"):
            factor = cells(text) / exact
        several = (exact > 0).sum(axis=(0, 1)) > 1
        each = factor[:, :, several]
        assert (np.nanmax(each, axis=(0, 1)) - np.nanmin(each, axis=(0, 1)) < 1e-12).all() == shared


def test_the_off_state_by_hand():
    crossbar = Crossbar(cell_bits=2)
    assert off_level(crossbar, Variation()) == 0
    off = off_level(crossbar, Variation(on_off=7))
    assert (3 + off) / off == pytest.approx(7)
    assert cells("none,on-off=7").min() == off


def test_drift_by_hand():
    assert cells("none,drift=0.1@1000") == pytest.approx(cells("none") * 1000**-0.1)


def test_the_chip_as_intended_has_wires_but_nothing_random():
    ideal = cells("none", chip=None)
    assert (cells("lognormal:0.5,stuck-on=0.5,drift=0.1@99", chip=None) == ideal).all()
    assert (cells("none,ir=1e-3", chip=None) < ideal + 1e-12).all()


@pytest.mark.parametrize("encoding", Encoding)
def test_wires_reduce_each_array_as_the_exact_solve_says(encoding):
    """Arrays of 16 rows and two outputs; an output's cells lie side by side, positive column first."""
    wire = 1e-4
    crossbar = Crossbar(encoding=encoding, rows=16, cols=2 * Crossbar(encoding=encoding).cells + 1)
    ideal = cells("none", encoding, rows=16, cols=crossbar.cols)
    given_ = cells(f"none,ir={wire}", encoding, rows=16, cols=crossbar.cols)
    columns, slices, k, rows = ideal.shape
    for top in range(0, rows, 16):
        for first in range(0, k, 2):
            part = (slice(None), slice(None), slice(first, first + 2), slice(top, top + 16))
            array = np.concatenate(
                [
                    ideal[p, s, o, top : top + 16][:, None]
                    for o in range(first, min(first + 2, k))
                    for p in range(columns)
                    for s in range(slices)
                ],
                axis=1,
            )
            exact = exact_conductance(array, wire / 3)
            expected = exact.reshape(len(array), -1, columns, slices).transpose(2, 3, 1, 0)
            drive = np.ones(len(array))
            assert given_[part] @ drive == pytest.approx(expected @ drive, rel=2e-4, abs=2e-4)
            assert given_[part] @ drive != pytest.approx(ideal[part] @ drive, rel=2e-4, abs=2e-4)


@given(st.integers(0, 2**32), st.integers(1, 300), st.sampled_from([1, 3, 255]), st.floats(0.1, 1000))
def test_products_in_fixed_point_do_not_round(seed, rows, drive, greatest):
    """Summed in any order and in any chunks they are equal, to the last bit."""
    rng = np.random.default_rng(seed)
    values, bits = fixed_point(rng.uniform(-greatest, greatest, (3, rows)), rows, drive)
    u = rng.integers(0, drive + 1, (rows, 4)).astype(values.dtype)
    order = rng.permutation(rows)
    sums = values @ u
    assert (sums == values[:, order] @ u[order]).all()
    whole = np.rint(values.astype(np.float64) * 2.0**bits).astype(object)
    assert (sums.astype(np.float64) * 2.0**bits == (whole @ u.astype(np.int64).astype(object)).astype(np.float64)).all()
