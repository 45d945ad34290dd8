"""The crossbar's derived numbers by hand, and what it refuses."""

import json

import pytest

from arch_model.analog import Conversion, Crossbar, Encoding
from arch_model.errors import FastSwitchError


@pytest.mark.parametrize(
    ("encoding", "weight_bits", "cell_bits", "slices", "cells"),
    [
        ("offset", 8, 2, 4, 4),
        ("offset", 8, 1, 8, 8),
        ("differential", 8, 2, 4, 8),  # 7 bits of magnitude in 4 cells, twice
        ("differential", 8, 1, 7, 14),
        ("sign-magnitude", 6, 4, 2, 4),
        ("differential", 5, 4, 1, 2),
    ],
)
def test_cells_of_a_weight(encoding, weight_bits, cell_bits, slices, cells):
    crossbar = Crossbar(encoding=encoding, weight_bits=weight_bits, cell_bits=cell_bits)
    assert (crossbar.cell_slices, crossbar.cells) == (slices, cells)


def test_bits_and_percentile_of_single_layers():
    crossbar = Crossbar(adc_bits=8, adc_bits_of={"stem": 10}, percentile_of={"linear": 100})
    assert [crossbar.adc_bits_for(n) for n in ("stem", "linear")] == [10, 8]
    assert [crossbar.percentile_for(n) for n in ("stem", "linear")] == [99.9, 100]


def test_the_record_reads_back_as_the_same_crossbar():
    crossbar = Crossbar(encoding=Encoding.OFFSET, conversion=Conversion.SLICE, adc_bits=6, adc_bits_of={"a": 4})
    assert Crossbar.from_dict(json.loads(json.dumps(crossbar.to_dict()))) == crossbar


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"adc_bits": 0}, "adc_bits is 0; give 1..32"),
        ({"adc_bits": 1}, "adc_bits is 1; give at least 2"),
        ({"adc_bits_of": {"stem": -3}}, "adc_bits_of[stem] is -3"),
        ({"rows": 0}, "rows is 0; give 1..65536"),
        ({"cols": 7}, "cols is 7; give at least 8, the cells of one differential weight"),
        ({"cols": 0}, "cols is 0"),
        ({"cell_bits": 2.0}, "cell_bits is 2.0"),
        ({"dac_bits": 9}, "dac_bits is 9; give 1..8"),
        ({"weight_bits": 1}, "weight_bits is 1; give 2..8"),
        ({"percentile": 101}, "percentile is 101"),
        ({"encoding": "balanced"}, "encoding is balanced; give one of offset, differential, sign-magnitude"),
    ],
)
def test_nonsense_is_refused_in_one_line_that_names_it(fields, says):
    with pytest.raises(FastSwitchError) as error:
        Crossbar(**fields)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_the_least_array_is_one_row_of_one_weight():
    assert Crossbar(rows=1, cols=8).cells == 8
