import pytest

from arch_model.errors import MappingError
from arch_model.network.layer import Activation, Kind, Layer
from arch_model.network.supernet import SubNet
from arch_model.spaces import get_space
from mapper.workload.fusion import check_runnable, inputs_of, is_runnable, steps


def test_fashion_block_in_order():
    order = steps(get_space("fashion").subnet("fashion-d111-w222").layers)
    assert [s.output for s in order][:5] == ["stem", "s1b1_conv1", "s1b1_down", "s1b1_add", "s2b1_conv1"]
    assert order[3].layer.name == "s1b1_conv2" and inputs_of(order[3]) == ("s1b1_conv1", "s1b1_down")


def test_a_conv_waits_for_the_other_operand_of_its_add():
    a = Layer("a", Kind.CONV, 4, 4, inputs=("input",))
    b = Layer("b", Kind.CONV, 4, 4, inputs=("input",))
    add = Layer("c", Kind.ADD, 4, 4, inputs=("a", "b"))
    assert [s.output for s in steps([a, b, add])] == ["b", "c"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": 2}, "layer a: groups is 2; the mapper takes 1, or as many as channels and filters"),
        ({"groups": 4, "K": 8}, "layer a: groups is 4; the mapper takes 1, or as many as channels and filters"),
        ({"groups": 4, "R": 3, "S": 3, "padding": 2}, "layer a: padding is 2; the mapper takes of depthwise"),
        ({"groups": 4, "R": 9, "S": 9, "padding": 4}, "layer a: R is 9; the mapper takes kernels of at most 7"),
        ({"R": 9, "S": 9, "H": 9, "W": 9}, "layer a: R is 9; the mapper takes kernels of at most 7"),
        ({"stride": 3}, "layer a: stride is 3; the mapper takes 1 and 2"),
        ({"C": 1 << 14, "R": 3, "S": 3, "H": 3, "W": 3}, "layer a: C / groups * R * S is 147456; the mapper takes"),
        ({"padding": 1}, "layer a: padding is 1; the mapper takes less than the kernel, 1x1"),
        ({"kind": Kind.POOL, "activation": Activation.HSWISH}, "layer a: activation is hswish; the mapper takes none"),
        ({"kind": Kind.MAXPOOL, "R": 2, "S": 5}, "layer a: S is 5; the mapper takes maximum pools of at most 3x3"),
        ({"kind": Kind.AVGPOOL, "R": 5, "S": 5, "padding": 1}, "layer a: R is 5; the mapper takes average pools with"),
        ({"kind": Kind.MAXPOOL, "R": 3, "S": 3, "stride": 3}, "layer a: stride is 3; the mapper takes 1 and 2"),
    ],
)
def test_what_the_machine_does_not_have(change, message):
    fields = {"kind": Kind.CONV, "K": 4, "C": 4, "H": 8, "W": 8, "inputs": ("input",)} | change
    with pytest.raises(MappingError) as error:
        steps([Layer("a", **fields)])
    assert str(error.value).startswith(message)


def test_a_product_reads_two_tensors():
    a = Layer("a", Kind.CONV, 4, 4, inputs=("input",))
    gate = Layer("b", Kind.MUL, 4, 4, inputs=("a", "input"))
    first, second = steps([a, gate])
    assert (first.output, second.output, inputs_of(second)) == ("a", "b", ("input", "a"))
    assert (second.source, second.addend) == ("input", "a")


def test_a_pool_over_more_pixels_than_its_sum_holds():
    steps([Layer("p", Kind.POOL, 4, 4, H=128, W=256, inputs=("input",))])
    with pytest.raises(MappingError, match=r"layer p: H \* W is 32896; the mapper takes pools over at most 32768"):
        steps([Layer("p", Kind.POOL, 4, 4, H=128, W=257, inputs=("input",))])


def test_an_add_that_follows_no_conv():
    a = Layer("a", Kind.CONV, 4, 4, inputs=("input",))
    add = Layer("b", Kind.ADD, 4, 4, inputs=("a", "input"))
    again = Layer("c", Kind.ADD, 4, 4, inputs=("b", "a"))
    with pytest.raises(MappingError, match="layer b: its first input a is not a conv that it alone reads"):
        steps([a, add, again])


def test_a_subnet_runs_whole_or_not_at_all():
    """Also those of OFA-ResNet50 whose shortcuts average windows that overhang an odd number of rows."""
    nets = get_space("ofa-resnet50").sample(8, seed=0)
    odd = [net for net in nets if any(layer.kind is Kind.AVGPOOL and layer.H % 2 for layer in net.layers)]
    assert 0 < len(odd) < len(nets) and all(is_runnable(net) for net in nets)
    average = Layer("avg", Kind.AVGPOOL, 4, 4, 4, 4, 9, 9, stride=2, ceil_mode=True, inputs=("input",))
    net = SubNet("wide", "none", (average,))
    assert not is_runnable(net)
    with pytest.raises(MappingError, match="SubNet wide: layer avg: R is 4; the mapper takes average pools with"):
        check_runnable(net)
