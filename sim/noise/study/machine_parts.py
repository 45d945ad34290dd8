"""The parts of the whole study in which the digital half is a machine: shared channels, their SubGraph, the cost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from arch_model.analog import Conversion, Crossbar, Encoding
from arch_model.errors import AnalogError
from arch_model.files.json_file import read_json
from arch_model.files.wanted import Wanted
from arch_model.files.writing import write_whole
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubNet
from mapper.hybrid.digital_half import DigitalHalf
from mapper.hybrid.partition import partition_bytes
from mapper.pinning.cached import best_cached
from mapper.search.predict import predict_subnet
from sim.noise.engine.calibration import IMAGES, calibrate_adcs, observe
from sim.noise.engine.hybrid import Hybrid
from sim.noise.engine.network import Network
from sim.noise.sensitivity.gradients import sensitivity
from sim.noise.sensitivity.monte_carlo import Runner
from sim.noise.sensitivity.shared import rank_shared, smallest_shared
from sim.noise.study.context import StudyContext, figures
from sim.noise.study.hybrid_cost import ISAAC, Figures, all_analog, all_digital, changes, hybrid
from sim.noise.study.parts import BEST, Part, heat_points
from sim.noise.study.tables import Row

HYBRID = Crossbar(encoding=Encoding.DIFFERENTIAL, weight_bits=6, adc_bits=6)
"""The hybrid's crossbars: six-bit weights and ADCs."""

SLICED = Crossbar(encoding=Encoding.DIFFERENTIAL, weight_bits=6, adc_bits=6, conversion=Conversion.SLICE)
"""The same as ISAAC's hardware has it, each slice converted: what is priced, and checked bit-serially."""

SHARED = "shared.json"
"""The file of the digital channels that all SubNets share."""

ASIC_HZ = 400_000_000
BINS = 64


@dataclass(frozen=True, eq=False)
class Family:
    """SubNets of the study's SuperNet with their integers, and the digital channels that they share."""

    context: StudyContext

    @cached_property
    def members(self) -> list[tuple[Network, SubNet]]:
        """SubNets spread evenly by MACs, the smallest and the largest among them."""
        by_size = sorted(self.context.weights.subnets.values(), key=lambda s: (s.macs, s.name))
        many = min(self.context.effort.subnets, len(by_size))
        places = sorted({round(i) for i in np.linspace(0, len(by_size) - 1, many)}) if many > 1 else [len(by_size) - 1]
        space, names = self.context.supernet, [by_size[i].name for i in places]
        return [(Network.of_subnet(name, self.context.weights, space), space.subnet(name)) for name in names]

    def member(self, name: str) -> tuple[Network, SubNet]:
        """The network and the SubNet of a name."""
        return next(pair for pair in self.members if pair[1].name == name)

    @property
    def subnets(self) -> list[SubNet]:
        """The SubNets of all members."""
        return [subnet for _, subnet in self.members]

    @property
    def path(self) -> Path:
        """Where the shared channels are kept."""
        return self.context.folder / SHARED

    def find(self) -> tuple[DigitalHalf, float]:
        """Search for the shared channels, with the smallest, the middle and the largest SubNet as judges."""
        networks = [network for network, _ in self.members]
        units = rank_shared(
            self.context.supernet, networks, {n.name: sensitivity(n, self.context.rank_on) for n in networks}
        )
        last = len(self.members) - 1
        judges = [self.members[i] for i in sorted({0, last // 2, last})]
        half, fraction = smallest_shared(
            self.context.runner,
            self.context.supernet,
            judges,
            units,
            HYBRID,
            self.context.strongest,
            max_loss=self.context.max_loss,
            trials=max(1, self.context.effort.trials // 2),
            seed=self.context.seed,
            resolution=self.context.effort.resolution,
        )
        write_whole(self.path, json.dumps({"fraction": fraction, "channels": half.channels}) + "\n")
        return half, fraction

    @cached_property
    def half(self) -> DigitalHalf:
        """The shared channels that :meth:`find` kept.

        Raises
        ------
        AnalogError
            The file is not there or holds something else.
        """
        right = "what the part shared wrote: run it first"
        try:
            channels = read_json(self.path, Wanted(f"shared channels {self.path}", right, AnalogError))["channels"]
        except (KeyError, TypeError):
            raise AnalogError(f"{self.path}: no shared channels; {right}") from None
        return DigitalHalf(self.context.supernet, {name: tuple(chosen) for name, chosen in channels.items()})


def machines(context: StudyContext) -> dict[str, Accelerator]:
    """The study's accelerator, and the same as an ASIC would be clocked."""
    name = context.accelerator.name
    return {
        name: context.accelerator,
        f"{name}, {ASIC_HZ // 1_000_000} MHz": context.accelerator.replace(clock_hz=ASIC_HZ),
    }


def _shared(family: Family, point: Row) -> Row:
    half, fraction = family.find()
    space, subnets = half.supernet, family.subnets
    common, needed = half.common(subnets), half.needed(subnets)
    pinned = half.pin(needed, family.context.accelerator)
    return {
        "digital_fraction": fraction,
        "supernet_bytes": space.weight_bytes,
        "needed_bytes": needed.bytes(space),
        "common_bytes": common.bytes(space),
        "sum_bytes": sum(half.subgraph(net).bytes(space) for net in subnets),
        "pb_bytes": family.context.accelerator.buffers.pb_bytes,
        "pinned_bytes": pinned.subgraph.bytes(space),
    }


def _subnets(family: Family, point: Row) -> Row:
    """One SubNet: accuracy all analog and hybrid; its digital half streamed and pinned; its cost."""
    context, half = family.context, family.half
    network, subnet = family.member(point["member"])
    machine = context.accelerator
    resident = half.pin(half.needed(family.subnets), machine)
    partition = half.partition(subnet, network.hash)
    trials = max(1, min(context.effort.trials, 4))
    row: Row = {"macs": subnet.macs, "weight_bytes": subnet.weight_bytes}
    for prefix, masks in (("bare_", {}), ("", partition.masks(network.weight_layers, network.hash))):
        made = Hybrid(network, HYBRID, masks)
        row |= figures(context.runner.run(made, context.strongest, trials=trials, seed=context.seed), prefix)
    row["digital_bytes"] = partition_bytes(partition, network.weight_layers)["weights"]
    row["digital_macs"] = half.layers(subnet).macs
    for name, held in (("streamed", None), ("pinned", resident)):
        rows = half.price(subnet, machine, held)
        row[f"{name}_cycles"] = sum(r["cycles"] for r in rows)
        row[f"{name}_dram_bytes"] = sum(r["dram_bytes"] for r in rows)
        row[f"{name}_energy_j"] = sum(r["energy_j"] for r in rows)
        if held is not None:
            row["hit_bytes"] = sum(r["pb_hit_bytes"] for r in rows)
    asic = machine.replace(clock_hz=ASIC_HZ)
    for name, cost in (
        ("analog", all_analog(subnet, ISAAC)),
        ("hybrid", hybrid(subnet, half, SLICED, asic, resident)),
        ("digital", all_digital(subnet, asic, best_cached(subnet, half.supernet, asic))),
    ):
        row |= {f"{name}_{key}": value for key, value in cost.to_dict().items()}
    return row


def _cost(family: Family, point: Row) -> Row:
    """One way to run the study's network, and what it changes against ISAAC's 16 bits."""
    _, subnet = _largest(family)
    base = all_analog(subnet, ISAAC, words=2)
    cost = _ways(family.context)[point["way"]](family, subnet)
    row: Row = cost.to_dict() | {f"{key}_change": value for key, value in changes(cost, base).items()}
    return row | {"energy_without_dram_change": 100 * ((cost.energy_j - cost.dram_j) / base.energy_j - 1)}


def _largest(family: Family) -> tuple[Network, SubNet]:
    return family.context.network, family.context.supernet.subnet(family.context.network.name)


Way = Callable[[Family, SubNet], Figures]


def _ways(context: StudyContext) -> dict[str, Way]:
    """What computes each row of the cost table, by its title."""
    ways: dict[str, Way] = {
        "all analog: ISAAC, 16 bits": lambda _, net: all_analog(net, ISAAC, words=2),
        "all analog: ISAAC, 8 bits": lambda _, net: all_analog(net, ISAAC),
        "all analog: differential pairs, 6-bit weights and ADCs": lambda _, net: all_analog(net, SLICED),
    }
    for name, machine in machines(context).items():
        ways[f"hybrid, digital half streamed on {name}"] = _hybrid_on(machine, pinned=False)
        ways[f"hybrid, digital half pinned on {name}"] = _hybrid_on(machine, pinned=True)
        ways[f"all digital on {name}"] = _digital_on(machine)
    return ways


def _hybrid_on(machine: Accelerator, pinned: bool) -> Way:
    def cost(family: Family, net: SubNet) -> Figures:
        resident = family.half.pin(family.half.needed(family.subnets), machine) if pinned else None
        return hybrid(net, family.half, SLICED, machine, resident)

    return cost


def _digital_on(machine: Accelerator) -> Way:
    return lambda family, net: all_digital(net, machine, best_cached(net, family.half.supernet, machine))


def _energy(family: Family, point: Row) -> Row:
    """What an image costs at a point of the heat map: its crossbars' slices converted, its digital half pinned."""
    units = family.context.units(BEST)
    half = DigitalHalf(family.context.supernet, units.partition(units.count(point["asked"])).channels)
    _, subnet = _largest(family)
    machine = family.context.accelerator.replace(clock_hz=ASIC_HZ)
    crossbar = replace(SLICED, adc_bits=point["adc_bits"])
    return hybrid(subnet, half, crossbar, machine, half.pin(half.needed([subnet]), machine)).to_dict()


def _layers(family: Family, point: Row) -> Row:
    """One digital layer of the study's network, streamed and pinned."""
    half, machine = family.half, family.context.accelerator
    _, subnet = _largest(family)
    layer = subnet.layer(point["layer"])
    part = half.layers(subnet)
    resident = half.pin(half.needed(family.subnets), machine)
    digital = half.count(layer)
    row: Row = {"K": layer.K, "C": layer.C, "digital_channels": digital, "bytes": layer.K * digital * layer.R * layer.S}
    costs = {name: None for name in ("streamed_cycles", "pinned_cycles", "hit_bytes")}
    if not digital:
        return row | costs
    alone = SubNet(part.name, part.supernet, tuple(one for one in part.layers if one.name == layer.name))
    streamed, pinned = (next(predict_subnet(alone, machine, held)) for held in (None, resident))
    return row | {
        "streamed_cycles": streamed["cycles"],
        "pinned_cycles": pinned["cycles"],
        "hit_bytes": pinned["pb_hit_bytes"],
    }


def _serial(family: Family, point: Row) -> Row:
    """Every conversion of the priced crossbars, on few images: does converting words stand for converting slices?"""
    context = family.context
    network, subnet = _largest(family)
    masks = family.half.partition(subnet, network.hash).masks(network.weight_layers, network.hash)
    crossbar = SLICED if point["conversion"] == "slice" else HYBRID
    few = context.images.first(min(200, len(context.images.images)))
    trials = max(1, min(context.effort.trials, 4))
    with Runner(few, context.jobs) as runner:
        result = runner.run(Hybrid(network, crossbar, masks), context.strongest, trials=trials, seed=context.seed)
    return dict(figures(result))


def _histogram_points(family: Family) -> list[Row]:
    names = [layer.name for layer in family.context.network.weight_layers]
    chosen = sorted({0, len(names) // 2, len(names) - 2})
    return [{"layer": names[i], "slice": s} for i in chosen for s in range(SLICED.cell_slices)]


def _histogram(family: Family, point: Row) -> Row:
    """What the ADCs of a cell slice meet on noiseless images, and the range that is calibrated on it."""
    context = family.context
    made = Hybrid(context.network, SLICED)
    images = context.images.images[:IMAGES]
    values = observe(made, context.strongest, images)[point["layer"]][point["slice"]]
    adc = calibrate_adcs(made, context.strongest, images)[point["layer"]][point["slice"]]
    assert adc is not None  # SLICED has ADCs
    least, most = int(np.floor(values.min())), int(np.ceil(values.max()))
    width = -(-(most - least + 1) // BINS)  # of bins around whole levels: noiseless sums are
    counts, edges = np.histogram(values, bins=np.arange(least - 0.5, most + 0.5 + width, width))
    clipped = float(np.mean((values < adc.low) | (values > adc.high)))
    return {
        "low": float(edges[0]),
        "high": float(edges[-1]),
        "clip_low": adc.low,
        "clip_high": adc.high,
        "step": adc.step,
        "clipped": clipped,
        "counts": " ".join(map(str, counts.tolist())),
    }


def _sensitivity(family: Family, point: Row) -> Row:
    """The share of each input channel of a layer in the network's Fisher score."""
    found, network = family.context.sensitivity, family.context.network
    total = sum(float((found.fisher[n] * network.weights[n].astype(float) ** 2).sum()) for n in found.fisher)
    name = point["layer"]
    share = (found.fisher[name] * network.weights[name].astype(float) ** 2).sum(axis=(0, 2, 3)) / total
    return {"share": float(share.sum()), "channels": " ".join(f"{value:.4g}" for value in share)}


def machine_parts(context: StudyContext) -> tuple[Part, ...]:
    """The parts, which share the family's digital channels."""
    family = Family(context)

    def part(name: str, points: list[Row], measure: object) -> Part:
        return Part(name, lambda _: points, lambda _, point: measure(family, point))  # type: ignore[operator]

    layers = [{"layer": layer.name} for layer in context.network.weight_layers]
    return (
        part("shared", [{"accelerator": context.accelerator.name}], _shared),
        part("subnets", [{"member": subnet.name} for subnet in family.subnets], _subnets),
        part("layers", layers, _layers),
        part("cost", [{"way": way} for way in _ways(context)], _cost),
        part("energy", heat_points(context), _energy),
        part("sensitivity", layers, _sensitivity),
        part("histogram", _histogram_points(family), _histogram),
        part("serial", [{"conversion": c} for c in ("word", "slice")], _serial),
    )
