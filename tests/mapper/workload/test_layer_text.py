import pytest

from arch_model.errors import LayerError
from mapper.workload.layer_text import parse_layer


def test_defaults():
    layer = parse_layer("K=8, C=4")
    assert (layer.K, layer.C, layer.R, layer.H, layer.padding, layer.stride) == (8, 4, 1, 1, 0, 1)
    assert parse_layer("K=8 C=4 R=5 S=5 H=9 W=9").padding == 2
    assert parse_layer("K=8 C=4 R=5 S=5 H=9 W=9 padding=0 stride=2").P == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("K=8", "C is missing; give C=.."),
        ("K=8 C=4 Q=3", "Q=3 is no size"),
        ("K=8 C=four", "C is 'four'; give a whole number"),
        ("K=8 C=-4", "C is '-4'; give a whole number"),
        ("K=8 K=8 C=4", "K is there twice"),
        ("K=8 C=4 R=3 S=3 H=1 W=1 padding=0", "H is 1; give at least 3"),
        ("K=0 C=4", "K is 0"),
    ],
)
def test_what_is_wrong_is_named(text, message):
    with pytest.raises(LayerError) as error:
        parse_layer(text)
    assert message in str(error.value)


def test_other_kinds_and_activations():
    deep = parse_layer("K=6 C=6 R=5 S=5 H=9 W=9 groups=6 activation=hswish")
    assert (deep.groups, deep.padding, deep.activation) == (6, 2, "hswish")
    assert parse_layer("kind=maxpool K=6 C=6 R=3 S=3 H=9 W=9 stride=2").P == 5
    with pytest.raises(LayerError, match="kind is 'deep'; give one of conv, linear"):
        parse_layer("kind=deep K=6 C=6")
