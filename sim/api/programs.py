"""``fastswitch.compile`` and ``fastswitch.price``: the Program of a SubNet, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arch_model.cost.energy import energy_of
from arch_model.errors import WeightsError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.load import load_accelerator
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.network.weights import OpQuant
from arch_model.program.program import Program
from arch_model.timing.reference_timing import time_program
from mapper.importers.network import Network
from mapper.importers.spaces import Source, load_supernet, the_subnet
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.pinning.cached import Cached
from mapper.search.fitted import fit_supernet
from mapper.search.policy import Policy, chosen, map_network
from mapper.search.tensors import Tensors
from sim.api.asked import Weights, asked
from sim.integers.random_integers import random_integers


@dataclass(frozen=True, eq=False)
class CompiledSubNet:
    """A SubNet compiled for a machine.

    Attributes
    ----------
    supernet, subnet, accelerator : what was compiled for what; with channels fitted to the machine's words
        (:mod:`mapper.search.fitted`), where a network has concatenations.
    program : the commands that the hardware executes.
    memory_map : where weights, tensors and the Program are in DRAM.
    cached : what the PB holds while the Program runs.
    """

    supernet: SuperNet
    subnet: SubNet
    accelerator: Accelerator
    program: Program
    memory_map: MemoryMap
    cached: PersistentBuffer


def compile(
    supernet: Source,
    subnet: SubNet | Network | str,
    accelerator: Accelerator | str | Path,
    cached: Cached = "none",
    weights: Weights | None = None,
    seed: int = 0,
    policy: Policy | str = Policy.BEST,
    tensors: Tensors | str = Tensors.DRAM,
) -> CompiledSubNet:
    """Compile a SubNet into the Program that a machine executes.

    Parameters
    ----------
    supernet : the SuperNet; or its name, a file that makes it, ONNX models (``load_supernet``), or an imported network.
    subnet : one of its SubNets, the name of one, or an imported network.
    accelerator : the machine, the name of a preset, or a YAML file.
    cached : what the PB holds: ``"none"``, ``"fit"`` (as much of the SubNet as fits), ``"best"`` (the part that saves
        most), a SubGraph, or a JSON file with one.
    weights : the integers that the Program requantises with. None: those of a quantised model, of other SubNets drawn
        from ``seed``. They do not change its cycles.
    seed : of integers that are drawn.
    policy : who tiles the layers: ``"best"`` or ``"quick"`` (:class:`mapper.search.policy.Policy`).
    tensors : where feature maps are: all in ``"dram"``, or on ``"chip"`` those that find room in the SB and make the
        Program faster (:class:`mapper.search.tensors.Tensors`).

    Returns
    -------
    CompiledSubNet
        ``program`` is what the hardware executes; ``memory_map`` says where everything is in DRAM.

    Raises
    ------
    MappingError
        The machine cannot run a layer, or something does not fit its buffers or its DRAM.
    SpaceError, WeightsError
        The SuperNet has no such SubNet; the weights have no integers of it.

    Examples
    --------
    >>> compiled = compile("fashion", "fashion-d111-w222", "tiny")
    >>> compiled.program.commands[-1].opcode.name, len(compiled.program.layers)
    ('END', 12)
    """
    space, net, weights = asked(supernet, subnet, weights)
    machine = load_accelerator(accelerator)
    quant = random_integers(net, seed).quant if weights is None else integers_of(net, weights)
    fitted = fit_supernet(space, [net], machine)
    space, net, quant = fitted.supernet, fitted.subnets[net.name], fitted.quant(net.name, quant)
    places, resident = MemoryMap.build(space, [net], machine), fitted.resident(cached, net.name)
    host = {one.layer for one in weights.handed.values()} if isinstance(weights, Network) else ()
    tilings, placement = chosen(net, machine, resident, policy, tensors, host)
    program = compile_subnet(
        net, space, machine, quant, places, resident=resident, tilings=tilings, placement=placement
    )
    return CompiledSubNet(space, net, machine, program, places, resident)


def integers_of(subnet: SubNet, weights: Weights) -> Mapping[str, OpQuant]:
    """The integers of a SubNet's operators, by name.

    Parameters
    ----------
    subnet : whose operators they are.
    weights : a weights file as it was read, or an imported network.

    Raises
    ------
    WeightsError
        An operator has none.
    """
    found = weights.quant if isinstance(weights, Network) else weights.only([subnet.name]).subnets[subnet.name].ops
    lacking = [layer.name for layer in subnet.layers if layer.name not in found and not layer.kind.is_view]
    if lacking:
        raise WeightsError(
            f"SubNet {subnet.name}: the weights have no integers of layer {lacking[0]}; give those of a quantised "
            "network, or none to have them drawn"
        )
    return found


@dataclass(frozen=True)
class Price:
    """What a SubNet costs on a machine: its whole Program, layers overlapping.

    Attributes
    ----------
    cycles : from the start to the interrupt.
    latency_s : the same in seconds, at the machine's clock.
    dram_bytes : read and written, over all ports.
    energy_j : joules, DRAM and leakage included.
    """

    cycles: int
    latency_s: float
    dram_bytes: int
    energy_j: float

    @classmethod
    def of(cls, program: Program) -> Price:
        """The price of a Program."""
        machine, cycles = program.accelerator, time_program(program.commands, program.accelerator).cycles
        energy_j = energy_of(program.commands, machine, cycles).total_j
        return cls(cycles, cycles / machine.clock_hz, sum(program.dram_bytes.values()), energy_j)


def price(
    supernet: Source,
    subnet: SubNet | Network | str,
    accelerator: Accelerator | str | Path,
    cached: Cached = "none",
    policy: Policy | str = Policy.BEST,
    tensors: Tensors | str = Tensors.DRAM,
) -> Price:
    """What a SubNet costs as one Program: cycles (what the RTL takes), seconds, bytes and joules.

    Parameters
    ----------
    supernet, subnet, accelerator, cached, policy, tensors : as of ``fastswitch.compile``, whose Program costs this.

    Returns
    -------
    Price

    Raises
    ------
    MappingError, SpaceError
        As ``fastswitch.compile`` does.

    Examples
    --------
    >>> alone, pinned = (price("fashion", "fashion-d111-w222", "tiny", cached) for cached in ("none", "best"))
    >>> pinned.cycles < alone.cycles, pinned.dram_bytes < alone.dram_bytes
    (True, True)
    """
    space, machine = load_supernet(supernet), load_accelerator(accelerator)
    net = the_subnet(space, subnet)
    fitted = fit_supernet(space, [net], machine)
    resident = fitted.resident(cached, net.name)
    mapped = map_network(fitted.subnets[net.name], machine, resident, policy, tensors=tensors)
    return Price(mapped.cost.cycles, mapped.latency_s, mapped.cost.dram_bytes, mapped.energy.total_j)
