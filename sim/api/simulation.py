"""``fastswitch.simulate``: a SubNet on the accelerator's RTL, beside its prediction and the reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import Accelerator
from arch_model.machine.load import load_accelerator
from arch_model.network.supernet import SubNet
from mapper.importers.network import Network
from mapper.importers.spaces import Source
from mapper.pinning.cached import Cached
from mapper.search.policy import Policy, chosen
from mapper.search.tensors import Tensors
from sim.api.asked import Weights, asked
from sim.api.inference import checked_image
from sim.api.programs import integers_of
from sim.integers.random_weights import imported_weights, random_weights
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.outcome import Outcome
from sim.rtl_bench.simulators import find_simulator
from sim.serving.session import Session


@dataclass(frozen=True, eq=False)
class Simulation:
    """A SubNet's Program as the model predicted it and as the RTL executed it.

    Attributes
    ----------
    predicted_cycles, simulated_cycles : from the start to the interrupt.
    predicted_dram_bytes, simulated_dram_bytes : over all ports, as the hardware's counters have them.
    mismatches : int8 values of any layer's tensor that differ from the reference's.
    output : int8, what the last layer left in DRAM, flattened (the logits of a classifier).
    """

    predicted_cycles: int
    simulated_cycles: int
    predicted_dram_bytes: int
    simulated_dram_bytes: int
    mismatches: int
    output: npt.NDArray[np.int8]

    @property
    def exact(self) -> bool:
        """Whether cycles and bytes are those predicted, and every integer is the reference's."""
        cycles, moved = self.simulated_cycles, self.simulated_dram_bytes
        return not self.mismatches and (cycles, moved) == (self.predicted_cycles, self.predicted_dram_bytes)


def simulate(
    supernet: Source,
    subnet: SubNet | Network | str,
    accelerator: Accelerator | str | Path,
    cached: Cached = "none",
    weights: Weights | None = None,
    image: npt.ArrayLike | None = None,
    seed: int = 0,
    simulator: str | None = None,
    policy: Policy | str = Policy.BEST,
    tensors: Tensors | str = Tensors.DRAM,
) -> Simulation:
    """Run a SubNet on the RTL in a simulator, and compare every integer, cycle and byte.

    Parameters
    ----------
    supernet, subnet, accelerator, cached, policy, tensors : as of ``fastswitch.compile``; the PB is filled before the
        run that counts.
    weights : the SuperNet's weights file as it was read, or the imported network. None: those of a quantised model, of
        other SubNets drawn from ``seed``.
    image : int8 (C, H, W), as the first layer reads it. None: the first image of the weights, or a random
        one if they have none.
    seed : of integers and an image that are drawn.
    simulator : ``"verilator"`` or ``"icarus"``. None: the first that is found.

    Returns
    -------
    Simulation

    Raises
    ------
    SimulatorError
        There is no simulator, or the simulation hangs.
    MappingError, SpaceError, WeightsError
        As ``fastswitch.compile`` does.

    Examples
    --------
    >>> run = simulate("fashion", "fashion-d111-w222", "tiny", cached="best")  # doctest: +SKIP
    >>> run.exact, run.simulated_cycles  # doctest: +SKIP
    (True, 25012)
    """
    tool, machine = find_simulator(simulator), load_accelerator(accelerator)
    space, net, weights = asked(supernet, subnet, weights)
    if weights is None:
        held = random_weights(space, {net.name: 0.0}, seed, [net])
    else:
        integers_of(net, weights)  # or one line that says what is not there
        held = imported_weights(weights, seed) if isinstance(weights, Network) else weights.only([net.name])
    session = Session(space, held, machine, {net.name: net})
    net, resident = session.subnets[net.name], session.fitted.resident(cached, net.name)
    tilings, placement = chosen(net, machine, resident, policy, tensors)
    with Bench(build(machine, tool)) as bench:
        if resident.slots:
            session.load(bench, resident)
        given = session.image(0, net.name) if image is None else checked_image(image, net)
        outcome = session.run(bench, net.name, resident.subgraph, given, tilings, placement)
    return _simulation(outcome, session.logits(outcome, net.name))


def _simulation(outcome: Outcome, output: npt.NDArray[np.int8]) -> Simulation:
    moved = sum(outcome.program.dram_bytes.values()), sum(outcome.simulated_bytes.values())
    return Simulation(outcome.predicted.cycles, outcome.result.cycles, *moved, outcome.mismatches, output)
