"""Modules are read as the layers that they are, or refused by the name of what no layer does."""

from typing import Any

import numpy as np
import pytest

from arch_model.network.layer import Activation, Kind
from sim.quantise.errors import ModelError
from sim.quantise.floats import check_reading
from sim.quantise.read import read_layers
from sim.quantise.trace import trace_module

torch = pytest.importorskip("torch", reason="torch is not installed (extra train)")
nn, F = torch.nn, torch.nn.functional
Module: Any = nn.Module


def read(module, shape=(3, 12, 12)):
    """The layers of a module, which give what the module gives."""
    torch.manual_seed(1)
    for one in module.modules():
        if isinstance(one, nn.BatchNorm2d):
            nn.init.normal_(one.weight)
            nn.init.uniform_(one.running_var, 0.5, 2)
    trace = trace_module(module.eval(), shape)
    net = read_layers(trace, "net")
    check_reading(net, trace)
    return [one.layer for one in net.layers]


class Do(Module):
    """A module of a function, with parts that it may use."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


def conv(k, c, size=3, **more):
    return nn.Conv2d(c, k, size, padding=size // 2, **more)


def test_names_shapes_and_activations_by_hand():
    net = nn.Sequential(conv(8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2))
    net = nn.Sequential(net, nn.Flatten(), nn.Linear(8 * 9, 5))
    first, pool, last = read(net)
    assert (first.name, first.kind, first.K, first.C, first.stride, first.P) == ("0.0", Kind.CONV, 8, 3, 2, 6)
    assert first.activation is Activation.RELU and first.batch_norm and not first.bias
    assert (pool.name, pool.kind, pool.R, pool.stride, pool.P) == ("0.3_maxpool", Kind.MAXPOOL, 2, 2, 3)
    # a linear layer of a flattened 8 x 3 x 3 is a convolution as large as that
    assert (last.kind, last.K, last.C, last.R, last.S, last.P, last.bias) == (Kind.CONV, 5, 8, 3, 3, 1, True)


@pytest.mark.parametrize(
    ("function", "activation"),
    [
        (lambda x: x * F.relu6(x + 3) / 6, Activation.HSWISH),  # as once-for-all writes it
        (lambda x: x * (F.relu6(x + 3.0, inplace=True) / 6.0), Activation.HSWISH),
        (F.hardswish, Activation.HSWISH),
        (lambda x: (x + 3).clamp(0, 6) / 6, Activation.HSIGMOID),
        (lambda x: x.clamp(min=0, max=6), Activation.RELU6),
        (lambda x: torch.sigmoid(x) * x, Activation.SILU),
        (lambda x: F.leaky_relu(x, 0.1), Activation.LEAKY_RELU),
        (lambda x: x.abs().sqrt(), Activation.CURVE),
        (lambda x: x + 0, Activation.NONE),
    ],
)
def test_an_activation_is_told_by_what_it_does(function, activation):
    (layer,) = read(Do(lambda net, x: function(net.conv(x)), conv=conv(4, 3)))
    assert layer.activation is activation


def test_squeeze_excite_with_two_means_and_a_residual():
    def block(net, x):
        y = net.a(x)
        s = y.mean(3, keepdim=True).mean(2, keepdim=True)
        return y * F.hardsigmoid(net.down(s)) + x

    net = Do(block, a=conv(3, 3), down=nn.Conv2d(3, 3, 1))
    layers = {layer.kind: layer for layer in read(net)}
    assert layers[Kind.SCALE].inputs == ("a", "down") and layers[Kind.LINEAR].activation is Activation.HSIGMOID
    assert layers[Kind.ADD].inputs == ("a_scale", "input")


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("axes", [(2, 3), (-1, -2), (3, 2)])
def test_every_way_to_take_the_mean(axes, keep):
    def both(net, x):
        y = net.a(x)
        mean = y.mean(axes, keepdim=keep)
        return F.linear(mean.flatten(1), net.b.weight, net.b.bias)

    pool = read(Do(both, a=conv(4, 3), b=nn.Linear(4, 2)))[1]
    assert (pool.kind, pool.H, pool.W) == (Kind.POOL, 12, 12)
    first, second = axes if axes[0] > axes[1] else axes[::-1]  # the last axis first, so that the other keeps its number

    def one_after_the_other(net, x):
        mean = net.a(x).mean(first, keepdim=keep).mean(second if keep or first > 0 else -1, keepdim=keep)
        return F.linear(mean.flatten(1), net.b.weight, net.b.bias)

    assert [layer.kind for layer in read(Do(one_after_the_other, a=conv(4, 3), b=nn.Linear(4, 2)))][1] is Kind.POOL


def test_depthwise_padding_and_pools():
    def forward(net, x):
        x = net.dw(F.pad(net.a(x), (1, 1, 1, 1)))
        return F.avg_pool2d(F.adaptive_avg_pool2d(x, 6), 3, 2, 1, count_include_pad=False)

    net = Do(forward, a=conv(6, 3), dw=nn.Conv2d(6, 6, 3, groups=6))
    _, dw, halved, averaged = read(net)
    assert (dw.groups, dw.padding) == (6, 1)
    assert (halved.kind, halved.R, halved.stride) == (Kind.AVGPOOL, 2, 2)
    assert (averaged.R, averaged.stride, averaged.padding, averaged.P) == (3, 2, 1, 3)


def test_an_activation_behind_a_sum_gets_a_layer_that_has_a_table():
    layers = read(Do(lambda net, x: F.silu(net.a(x) + net.b(x)), a=conv(4, 3), b=conv(4, 3)))
    assert [layer.kind for layer in layers[2:]] == [Kind.ADD, Kind.CONV]
    assert (layers[-1].groups, layers[-1].activation, layers[-1].R) == (4, Activation.SILU, 1)


def test_what_is_changed_in_place_is_seen_by_its_readers():
    """The second branch sees the ReLU too, as PyTorch computes it."""

    def forward(net, x):
        y = net.a(x)
        z = F.relu_(y)
        return net.b(z) + y

    layers = read(Do(forward, a=conv(4, 3), b=conv(4, 4)))
    assert layers[-1].inputs == ("b", "a") and layers[0].activation is Activation.RELU


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda net, x: torch.cat([net.a(x), net.a2(x)], 1), "operator cat: no layer stands for it"),
        (lambda net, x: net.a((x - 0.5) / 0.25), "the image is changed before the first layer"),
        (lambda net, x: net.bn(F.relu(net.a(x))), "operator native_batch_norm in module bn: it does not follow a conv"),
        (lambda net, x: net.b(F.relu(net.a(x))) + net.a(x), "module a runs twice; give each run a module of its own"),
        (lambda net, x: net.a(x).mean(1, keepdim=True), "it is no mean over rows and columns"),
        (lambda net, x: net.a(x) * torch.ones(1, 4, 1, 1) * 2, "it has a constant of its own for each channel"),
        (lambda net, x: net.wide(x), "operator convolution in module wide: it is transposed, dilated or not of two"),
        (lambda net, x: net.a(F.pad(x, (0, 1, 0, 1))), "it pads by 0, 1, 0, 1 with 0"),
        (lambda net, x: net.grouped(net.a(x)), "it has 2 groups of 4 channels"),
        (lambda net, x: net.a(x).reshape(-1, 8, 6, 12), "only flattening is understood"),
        (lambda net, x: x, "it gives the image itself"),
        (lambda net, x: torch.zeros(2, 3), "does not depend on the image"),
        (lambda net, x: [net.a(x)], "it gives a list; let it give one tensor"),
        (lambda net, x: 1 / 0, "it fails on images of (3, 12, 12): ZeroDivisionError: division by zero"),
        (lambda net, x: net.b(net.a(x)) + F.relu(net.a2(x)) + net.a2(x), "module a2 runs twice"),
    ],
)
def test_what_no_layer_does_is_named(function, message):
    parts = {"a": conv(4, 3), "a2": conv(4, 3), "b": conv(4, 4), "bn": nn.BatchNorm2d(4)}
    parts |= {"wide": nn.Conv2d(3, 4, 3, dilation=2), "grouped": nn.Conv2d(4, 4, 3, groups=2)}
    with pytest.raises(ModelError) as caught:
        read(Do(function, **parts))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_result_that_is_read_before_and_after_an_activation():
    def forward(net, x):
        y = net.a(x)
        return net.b(F.relu(y)) + y

    with pytest.raises(ModelError, match="the result of module a is read before and after an activation"):
        read(Do(forward, a=conv(4, 3), b=conv(4, 4)))


def test_training_mode_and_other_things_are_refused():
    with pytest.raises(ModelError, match="it is in training mode"):
        trace_module(conv(4, 3), (3, 8, 8))
    with pytest.raises(ModelError, match=r"it is of type int; give a torch\.nn\.Module"):
        trace_module(3, (3, 8, 8))


def test_a_reading_that_is_wrong_is_found():
    """The layers are run beside the module, so an operator that is misread does not pass."""
    trace = trace_module(nn.Sequential(conv(4, 3)).eval(), (3, 8, 8))
    net = read_layers(trace, "net")
    net.layers[0].weights[0] += 1
    with pytest.raises(ModelError, match="the layers that were read of it give another result than the module"):
        check_reading(net, trace)
    assert np.isfinite(trace.output).all()
