"""What every machine of an exploration runs: the layers of its SubNets, each different one once, as rows of numbers.

Of all machines that a grid has few differ in what a layer's row depends on: KP, CP and how many pixels of an image a
word holds. Such an *array* has rows of its own, made when they are first asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arch_model.compiled import Ints
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubNet
from mapper.lowering.layer_rows import layer_row, network_rows
from mapper.workload.fusion import Step, steps

Array = tuple[int, int, int]


class Workload:
    """The layers of some SubNets.

    Attributes
    ----------
    orders : of each SubNet its steps, in order of execution.
    layers : a step for each different layer.
    uses : (u,), which of them the steps of all SubNets are, one SubNet after another.
    starts : (SubNets + 1,), where those of each begin.
    commands : of each SubNet, for how many commands of a unit its Programs so far had room.

    >>> from arch_model.spaces import get_space
    >>> work = Workload([get_space("fashion").subnet("fashion-d111-w222")] * 2)
    >>> len(work.layers), len(work.uses), work.starts.tolist()
    (12, 24, [0, 12, 24])
    """

    def __init__(self, nets: Sequence[SubNet]) -> None:
        self.orders = tuple(steps(net.layers) for net in nets)
        numbers: dict[tuple[object, ...], int] = {}
        uses, starts, self.layers = [], [0], list[Step]()
        for order in self.orders:
            for step in order:
                key = _shape(step)
                if key not in numbers:
                    numbers[key] = len(self.layers)
                    self.layers.append(step)
                uses.append(numbers[key])
            starts.append(len(uses))
        self.uses, self.starts = np.array(uses, np.int64), np.array(starts, np.int64)
        self.commands = [1 << 12] * len(nets)
        self._rows: dict[Array, Ints] = {}
        self._networks: dict[tuple[int, Array], tuple[Ints, int]] = {}

    def step(self, use: int) -> Step:
        """The step of a SubNet that a use of a layer is."""
        net = int(np.searchsorted(self.starts, use, "right")) - 1
        return self.orders[net][use - int(self.starts[net])]

    def rows(self, machine: Accelerator) -> Ints:
        """(layers, columns), a row of :data:`mapper.lowering.rows.LAYER` for each different layer."""
        key = array_of(machine)
        if key not in self._rows:
            self._rows[key] = np.array([layer_row(step, machine) for step in self.layers], np.int64)
        return self._rows[key]

    def network(self, net: int, machine: Accelerator) -> tuple[Ints, int]:
        """The steps of a SubNet, as :func:`mapper.lowering.layer_rows.network_rows` gives them.

        Parameters
        ----------
        net : number of the SubNet.
        machine : that runs it.
        """
        key = net, array_of(machine)
        if key not in self._networks:
            self._networks[key] = network_rows(self.orders[net], machine)
        return self._networks[key]


def array_of(machine: Accelerator) -> Array:
    """What of a machine rows of layers depend on."""
    return machine.kp, machine.cp, machine.fold


def _shape(step: Step) -> tuple[object, ...]:
    """All of a step that its row depends on."""
    x = step.layer
    sizes = (x.kind, x.K, x.C, x.R, x.S, x.H, x.W, x.stride, x.padding, x.groups, x.ceil_mode)
    return (*sizes, x.activation.is_clamp, step.add is not None)
