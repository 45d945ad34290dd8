"""Units of columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.explore.quantities import Scale, scale_of, value_labels, without_unit

PARTS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20}


@pytest.mark.parametrize(
    "values, unit, expected",
    [
        ([3e-3, 40e-3], "s", Scale(1e-3, "ms")),
        ([3e-6, 4e-6, 5e-3], "J", Scale(1e-6, "µJ")),
        ([0.5], "mm2", Scale(1.0, "mm²")),
        ([0.5], "B/s", Scale(1.0, "B/s")),
        ([2.4e9, 9.6e9], "B/s", Scale(1e9, "GB/s")),
        ([float("nan"), 0], "s", Scale(1.0, "s")),
        ([91.7], "%", Scale(1.0, "%")),
        ([1296], "", Scale(1.0, "")),
    ],
)
def test_the_unit_is_that_of_the_median_size(values, unit, expected):
    assert scale_of(values, unit) == expected


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=6, unique=True))
def test_labels_of_bytes_mean_exactly_the_bytes_or_round_to_four_digits(values):
    for value, label in zip(values, value_labels(values, "B"), strict=True):
        number, _, unit = label.partition(" ")
        read = float(number.replace(",", "")) * PARTS.get(unit, 1)
        assert read == pytest.approx(value, rel=5.1e-4)


def test_powers_of_two_are_written_whole():
    assert value_labels([0, 512 << 10, 1 << 20], "B") == ["0", "512 KiB", "1,024 KiB"]
    assert value_labels([0, 500_000, 8_000_000], "B") == ["0", "0.5 MB", "8 MB"]
    assert value_labels([100e6, 333e6], "Hz") == ["100 MHz", "333 MHz"]


def test_a_unit_is_taken_off_only_where_all_have_it():
    assert without_unit(["100 MHz", "200 MHz"]) == (["100", "200"], "MHz")
    assert without_unit(["8", "16"]) == (["8", "16"], "")
    assert without_unit(["0"]) == (["0"], "")
