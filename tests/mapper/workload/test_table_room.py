"""Room for activation tables: what the lowering wants, by hand and on a machine."""

import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Activation, Kind, Layer
from arch_model.network.supernet import SubNet
from mapper.cost.program_cost import ProgramCosts
from mapper.lowering.buffers import DRAIN_PASSES
from mapper.search.policy import Policy, fit_for, map_network
from mapper.workload.fusion import steps
from mapper.workload.table_room import DRAIN, larger_layers, repetitions

ZCU = Accelerator.load("zcu104")


def squeeze_excite():
    """A depthwise convolution with a table, and the two small layers of its factors with one each."""
    silu, sigmoid = Activation.SILU, Activation.SIGMOID
    wide = Layer("dw", Kind.CONV, 32, 32, 3, 3, 9, 9, padding=1, groups=32, inputs=(INPUT,), activation=silu)
    mean = Layer("mean", Kind.POOL, 32, 32, H=9, W=9, inputs=("dw",))
    few = Layer("few", Kind.LINEAR, 8, 32, inputs=("mean",), activation=silu)
    many = Layer("many", Kind.LINEAR, 32, 8, inputs=("few",), activation=sigmoid)
    return SubNet(
        "se", "se", (wide, mean, few, many, Layer("scale", Kind.SCALE, 32, 32, H=9, W=9, inputs=("dw", "many")))
    )


def test_the_bound_is_the_lowerings():
    assert DRAIN == DRAIN_PASSES


def test_repetitions():
    """K-tiles, times windows, times C-tiles."""
    assert repetitions(Layer("a", Kind.CONV, 20, 20, 5, 5, 9, 9), kp=16, cp=9) == 2 * 4 * 3
    assert repetitions(Layer("a", Kind.MAXPOOL, 20, 20, 3, 3, 9, 9), kp=16, cp=9) == 2
    assert repetitions(Layer("a", Kind.POOL, 20, 20, H=9, W=9), kp=16, cp=9) == 0


def test_a_small_layer_gets_filters():
    """One repetition between the first table and the third; three are wanted, so three K-tiles of 16."""
    net = squeeze_excite()
    assert larger_layers(net.layers, ZCU.kp, ZCU.cp) == {"few": 48}
    assert larger_layers(net.layers, 4, 3) == {}  # eight filters are two K-tiles there, of two C-tiles each
    fitted = {layer.name: layer for layer in fit_for(net, ZCU).layers}
    assert (fitted["few"].K, fitted["many"].C, fitted["many"].K) == (48, 48, 32)
    with pytest.raises(MappingError, match="its activation table would take the place"):
        ProgramCosts(steps(net.layers), ZCU, []).cost(ProgramCosts(steps(net.layers), ZCU, []).quick())
    assert map_network(net, ZCU, policy=Policy.QUICK).cost.cycles > 0
