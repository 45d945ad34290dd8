"""A small network with every operator, run on a machine's RTL: what shows in seconds that a configuration works.

Each channel count is a prime or nearly so, so that none fills the K-tiles and channel groups of a machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from arch_model.errors import MappingError, SpaceError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Activation, Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.program.program import Program
from mapper.layout.dram_image import Segment, image_segment, weights_segments, zsb_segments
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.lowering.depthwise_tiling import GROUPS_MAX
from mapper.pinning.greedy import fit_subgraph
from sim.integers.random_integers import random_integers
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import Bench
from sim.rtl_bench.outcome import Outcome, Tensors, run_program

NAME = "every-operator"
WIDER = 2
"""Channels that a layer of the SuperNet has more than the SubNet's."""


def network(channelwise: bool = True) -> tuple[SuperNet, SubNet]:
    """A SubNet with every operator, and a SuperNet whose leading slices it takes.

    Concatenations and slices are no operators of the machine: they are addresses.

    Parameters
    ----------
    channelwise : False: without the operators of which each channel sees only itself (:func:`takes_channelwise`).

    Raises
    ------
    SpaceError
        Later, from the SuperNet, for a SubNet of another name.

    Examples
    --------
    >>> _, subnet = network()
    >>> len(subnet.layers), {layer.kind for layer in subnet.layers} == {kind for kind in Kind if not kind.is_view}
    (16, True)
    """
    relu, relu6, hswish, hsigmoid = Activation.RELU, Activation.RELU6, Activation.HSWISH, Activation.HSIGMOID
    stem = Layer("stem", Kind.CONV, 7, 3, 3, 3, 9, 7, 1, 1, inputs=(INPUT,), activation=relu)
    most = Layer("most", Kind.MAXPOOL, 7, 7, 3, 3, 9, 7, 2, 1, inputs=("stem",))
    h, w = most.P, most.Q
    expand = Layer("expand", Kind.CONV, 13, 7, H=h, W=w, inputs=("most",), activation=hswish)
    deep = Layer("deep", Kind.CONV, 13, 13, 5, 5, h, w, padding=2, groups=13, inputs=("expand",), activation=relu6)
    squeeze = Layer("squeeze", Kind.POOL, 13, 13, H=h, W=w, inputs=("deep",))
    fewer = Layer("fewer", Kind.LINEAR, 5, 13, inputs=("squeeze",), activation=relu)
    excite = Layer("excite", Kind.LINEAR, 13, 5, inputs=("fewer",), activation=hsigmoid)
    scale = Layer("scale", Kind.SCALE, 13, 13, H=h, W=w, inputs=("deep", "excite"))
    gate = Layer("gate", Kind.MUL, 13, 13, H=h, W=w, inputs=("scale", "expand"))
    project = Layer("project", Kind.CONV, 7, 13, H=h, W=w, inputs=("gate",))
    add = Layer("add", Kind.ADD, 7, 7, H=h, W=w, inputs=("project", "most"))
    wider = Layer("wider", Kind.MAXPOOL, 7, 7, 1, 2, h, w, inputs=("add",))
    down = Layer("down", Kind.CONV, 10, 7, 3, 3, h, wider.Q, stride=2, padding=1, inputs=("wider",), activation=relu)
    mean = Layer("mean", Kind.AVGPOOL, 10, 10, 2, 2, down.P, down.Q, 2, inputs=("down",), ceil_mode=True)
    if not channelwise:
        most = Layer("most", Kind.CONV, 7, 7, 3, 3, 9, 7, 2, 1, inputs=("stem",))
        deep = replace(deep, groups=1)
        scale = replace(expand, name="scale", C=13, inputs=("deep",))
        gate = replace(scale, name="gate", inputs=("scale",))
        wider = Layer("wider", Kind.CONV, 7, 7, 1, 2, h, w, inputs=("add",))
        mean = Layer("mean", Kind.CONV, 10, 10, 1, 1, down.P, down.Q, 2, inputs=("down",))
    pool = Layer("pool", Kind.POOL, 10, 10, H=mean.P, W=mean.Q, inputs=("mean",))
    linear = Layer("linear", Kind.LINEAR, 11, 10, inputs=("pool",))
    gated = stem, most, expand, deep, squeeze, fewer, excite, scale, gate
    layers = *gated, project, add, wider, down, mean, pool, linear
    subnet = SubNet(NAME, NAME, layers)

    def parse(name: str) -> dict[str, object]:
        if name != NAME:
            raise SpaceError(f"SubNet {name} does not exist; give {NAME}")
        return {}

    whole = tuple(
        replace(x, K=x.K + WIDER, C=x.C + WIDER, groups=x.groups + WIDER if x.groups > 1 else 1, inputs=())
        for x in subnet.weight_layers
    )
    return SuperNet(NAME, whole, lambda: subnet, parse, (NAME,)), subnet


def takes_channelwise(accelerator: Accelerator) -> bool:
    """Whether its depthwise passes can be: they see three channel groups, which a K-tile must not exceed."""
    return accelerator.nb <= GROUPS_MAX


def fits(accelerator: Accelerator) -> bool:
    """Whether the network compiles for the machine."""
    try:
        Case.of(accelerator, seed=0)
    except MappingError:
        return False
    return True


@dataclass(frozen=True, eq=False)
class Case:
    """The network for a machine.

    Attributes
    ----------
    programs : its Programs in the order in which they run.
    segments : what is in DRAM before the first.
    expected : every tensor after each.
    """

    programs: tuple[Program, ...]
    segments: tuple[Segment, ...]
    expected: Tensors

    @classmethod
    def of(cls, accelerator: Accelerator, seed: int) -> Case:
        """Compile the network.

        The first Program fills the PB with as much of the weights as it holds, the second finds them there; a machine
        without a PB has one Program.

        Parameters
        ----------
        accelerator : for which.
        seed : of the integers.

        Raises
        ------
        MappingError
            The machine is too small.
        """
        supernet, subnet = network(takes_channelwise(accelerator))
        drawn = random_integers(subnet, seed)
        rng = np.random.default_rng((seed, 1))
        weights = {
            x.name: rng.integers(-127, 128, (x.K, x.C // x.groups, x.R, x.S), dtype=np.int8) for x in supernet.layers
        }
        places = MemoryMap.build(supernet, [subnet], accelerator)
        held = PersistentBuffer.of(fit_subgraph(subnet, supernet, accelerator), supernet, accelerator)
        states = [(PersistentBuffer.empty(supernet), held), *([(held, held)] if held.slots else [])]
        return cls(
            tuple(compile_subnet(subnet, supernet, accelerator, drawn.quant, places, *state) for state in states),
            (
                *weights_segments(places, weights),
                *zsb_segments(places, subnet, weights, drawn.quant),
                image_segment(places, subnet, drawn.image),
            ),
            {INPUT: drawn.image, **run_layers(subnet.layers, weights, drawn.quant, drawn.image)},
        )

    def run(self, bench: Bench) -> tuple[Outcome, ...]:
        """Run the Programs in order."""
        return tuple(run_program(bench, program, self.segments, self.expected, stall=0) for program in self.programs)

    def run_stalled(self, bench: Bench, stall: int) -> Outcome:
        """Run the first Program while DRAM handshakes pause. The prediction knows of no stalls.

        Parameters
        ----------
        bench : the machine.
        stall : 0 to 255 in 256: how often each DRAM handshake pauses a cycle.
        """
        return run_program(bench, self.programs[0], self.segments, self.expected, stall=stall)
