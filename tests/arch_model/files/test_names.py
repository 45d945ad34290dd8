import pytest

from arch_model.errors import LayerError
from arch_model.files.names import LONGEST, why_no_name
from arch_model.network.layer import Kind, Layer


@pytest.mark.parametrize(
    "name", ["a", "conv#1", 'say "hi", twice', "/layer1/conv/Conv", "größe", "名前", "x" * LONGEST]
)
def test_what_is_a_name(name):
    assert why_no_name(name) is None
    assert Layer(name, Kind.LINEAR, 1, 1).name == name


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\r", "\x00", "\x1b[2J", "a\u2028b", "\ud800", "x" * (LONGEST + 1)])
def test_what_is_none_and_stays_out_of_layers(name):
    assert why_no_name(name)
    with pytest.raises(LayerError) as error:
        Layer(name, Kind.LINEAR, 1, 1)
    assert len(str(error.value)) < 200 and str(error.value).isprintable()
