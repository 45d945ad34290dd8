"""Whole SubNets on the RTL, image in, logits out: part after part, each kept on disk when it is done.

A part is a piece of the network between two places where one tensor alone is alive, compiled as a Program of its own.
It starts from the tensor that the RTL has left there, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from arch_model.files.npz_file import Arrays, read_npz
from arch_model.files.question import asked, digest, machine_facts, nets_facts
from arch_model.files.results_folder import ResultsFolder
from arch_model.files.wanted import Wanted
from arch_model.files.writing import Source
from arch_model.machine.accelerator import Accelerator
from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.layer import INPUT
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.network.weight_slices import used_weights
from arch_model.network.weights import SuperNetWeights
from arch_model.program.program import Program
from mapper.layout.dram_image import image_segment, read_tensor, weights_segments, zsb_segments
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from mapper.search.policy import Policy, chosen, fit_for
from mapper.search.tensors import Tensors
from mapper.workload.fusion import inputs_of, steps
from mapper.workload.views import fitted_numbers, shown_tensors
from sim.integers.random_integers import Int8, RandomIntegers, random_integers
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import build
from sim.rtl_bench.bench_build import MOST_BYTES
from sim.rtl_bench.simulators import Simulator
from sim.rtl_bench.tracing import RunProgram, Tracing, file_name, machine

Row = dict[str, Any]

PARTS = "parts.csv"
"""The table in the folder, of all parts of all SubNets."""


@dataclass(frozen=True)
class Part:
    """Some layers of a SubNet, which run as one Program.

    Attributes
    ----------
    subnet : the layers, as a SubNet of their own.
    source : the tensor that is its image.
    result : its last tensor.
    """

    subnet: SubNet
    source: str
    result: str


def cut(subnet: SubNet, most: int) -> list[Part]:
    """Cut a SubNet into parts of about as many multiply-accumulates each.

    Parameters
    ----------
    subnet : to cut.
    most : parts, at most.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> parts = cut(get_space("fashion").subnet("fashion-d111-w222"), 3)
    >>> [(part.source, part.result, len(part.subnet.layers)) for part in parts]
    [('input', 's1b1_add', 5), ('s1b1_add', 's2b1_add', 4), ('s2b1_add', 'linear', 6)]
    """
    order = steps(subnet.layers)
    shown = shown_tensors(subnet.layers)
    last_use = {name: i for i, step in enumerate(order) for view in inputs_of(step) for name in shown.get(view, [view])}
    names = [INPUT, *(step.output for step in order)]
    # After step i only its own tensor is still wanted.
    places = [i + 1 for i in range(len(order)) if not any(last_use.get(name, -1) > i for name in names[: i + 1])]
    work = np.cumsum([0, *(step.layer.macs for step in order)])
    wanted = [work[-1] * (i + 1) / most for i in range(most - 1)]
    ends = sorted({0, len(order), *(min(places, key=lambda at: abs(int(work[at]) - goal)) for goal in wanted)})
    parts = []
    for first, last in pairwise(ends):
        source = names[first]
        chosen = {layer.name for step in order[first:last] for layer in (step.layer, step.add) if layer is not None}
        inside = {step.output for step in order[first:last]}
        chosen |= {view for view, names in shown.items() if names & inside}
        layers = tuple(
            replace(layer, inputs=tuple(INPUT if name == source else name for name in layer.inputs))
            for layer in subnet.layers
            if layer.name in chosen
        )
        parts.append(Part(SubNet(subnet.name, subnet.supernet, layers, subnet.config), source, names[last]))
    return parts


def run_whole(
    accelerator: Accelerator,
    subnets: Sequence[SubNet],
    folder: Path,
    *,
    seed: int,
    simulator: Simulator,
    parts: int = 1,
    policy: Policy | str = Policy.BEST,
    tensors: Tensors | str = Tensors.DRAM,
    weights: SuperNetWeights | None = None,
    force: bool = False,
    inputs: Sequence[Source] = (),
    tracing: Tracing | None = None,
    on_row: Callable[[Row], None],
    on_stage: Callable[[str], None] = lambda stage: None,
) -> list[Row]:
    """Simulate whole SubNets, with seeded random integers or with those of ``weights``, on a seeded random image.

    Finished parts are in the folder, from which the same call goes on, unless their Program or the machine's RTL has
    become another; the table is ``folder/parts.csv``. A row: subnet, part, layers, predicted_cycles, simulated_cycles,
    predicted_dram_bytes, simulated_dram_bytes, mismatches (wrong int8 values of any layer's tensor, against the whole
    network computed by :mod:`sim.integers.reference`).

    Parameters
    ----------
    accelerator : the machine.
    subnets : to simulate.
    folder : for results.
    seed : of the integers.
    simulator : that runs the RTL.
    parts : Programs that a SubNet is cut into, at most.
    policy : who tiles the layers of a Program.
    tensors : where feature maps are (:class:`mapper.search.tensors.Tensors`); of those on chip alone no value is
        compared, but of all that follow from them.
    weights : the integers of the SubNets. None: drawn from ``seed``, as the image always is.
    force, inputs : as :class:`~arch_model.files.results_folder.ResultsFolder` takes them.
    tracing : each part leaves a waveform, also one that was finished without.
    on_row : called with each part's row.
    on_stage : called with what is begun.

    Returns
    -------
    list
        The rows.

    Raises
    ------
    FastSwitchError
        The machine cannot run a SubNet, or the folder is of another question.
    """
    question = asked(
        "cosim",
        **machine_facts(accelerator),
        **nets_facts(subnets),
        seed=seed,
        parts=parts,
        policy=str(policy),
        tensors=str(tensors),
    )
    drawn = [_integers(subnet, weights, seed) for subnet in subnets]
    if weights is not None:
        question["integers_digest"] = digest([_numbers(integers) for integers in drawn])
    files = [PARTS, *(f"{subnet.name}/" for subnet in subnets)]
    with ResultsFolder(folder, question, files, inputs, force, ["whole.json"]) as results:
        on_stage("compiling")
        networks = [
            _Network(subnet, integers, accelerator, parts, policy, tensors, results)
            for subnet, integers in zip(subnets, drawn, strict=True)
        ]
        need = max(program.address + len(program.encode()) for network in networks for program, _ in network.programs)
        on_stage("building the simulation")
        dram_bytes = -(-2 * need // MOST_BYTES) * MOST_BYTES
        built = build(accelerator, simulator, trace=tracing is not None, dram_bytes=dram_bytes, on_stage=on_stage)
        on_stage("simulating")
        rows: list[Row] = []
        names = [network.trace_name(number) for network in networks for number in range(len(network.parts))]
        with nullcontext() if tracing is None else tracing.opened(question, names, force, inputs):
            for network in networks:
                with machine(built, tracing) as run:
                    for number in range(len(network.parts)):
                        traced = tracing is None or tracing.has(network.trace_name(number))
                        row = network.run(number, run, built.folder.name, anew=not traced)
                        rows.append(row)
                        on_row(row)
        results.write_table(PARTS, rows)
    return rows


def _integers(subnet: SubNet, weights: SuperNetWeights | None, seed: int) -> RandomIntegers:
    """A SubNet's integers, which are drawn where it has none, and a random image."""
    drawn = random_integers(subnet, seed)
    if weights is None:
        return drawn
    used = {layer.name: used_weights(layer, weights.layers[layer.name]) for layer in subnet.weight_layers}
    return RandomIntegers(weights.subnets[subnet.name].ops, used, drawn.image)


def _numbers(integers: RandomIntegers) -> list[str]:
    """What tells integers from others."""
    arrays = [(name, array.tobytes()) for name, array in integers.weights.items()]
    arrays += [
        (name, np.asarray(value, np.int64).tobytes())
        for name, op in integers.quant.items()
        for value in vars(op).values()
        if value is not None  # an activation table
    ]
    return [f"{name} {hashlib.sha256(data).hexdigest()}" for name, data in arrays]


class _Network:
    """A SubNet cut and compiled; its reference is computed when it is wanted."""

    def __init__(
        self,
        subnet: SubNet,
        integers: RandomIntegers,
        accelerator: Accelerator,
        parts: int,
        policy: Policy | str,
        tensors: Tensors | str,
        results: ResultsFolder,
    ) -> None:
        fit = fit_for(subnet, accelerator)
        if fit.layers != subnet.layers:
            subnet = replace(subnet, layers=fit.layers)
            weights, quant = fitted_numbers(fit, integers.weights, integers.quant)
            integers = RandomIntegers(quant, weights, integers.image)
        self.subnet, self.accelerator, self.results = subnet, accelerator, results
        self.policy, self.tensors = Policy(policy), Tensors(tensors)
        self.parts = cut(subnet, parts)
        self.drawn = integers
        self.programs = [self._compile(part.subnet) for part in self.parts]
        self.expected: dict[str, Int8] = {}

    def _compile(self, part: SubNet) -> tuple[Program, MemoryMap]:
        whole = _alone(part)
        places = MemoryMap.build(whole, [part], self.accelerator)
        a, quant = self.accelerator, self.drawn.quant
        tilings, placement = chosen(part, a, None, self.policy, self.tensors)
        return compile_subnet(part, whole, a, quant, places, tilings=tilings, placement=placement), places

    def trace_name(self, number: int) -> str:
        """What the waveform of a part is called."""
        return file_name(self.subnet.name, number + 1)

    def run(self, number: int, run: RunProgram, simulation: str, anew: bool) -> Row:
        """The row of a part: what is on disk, or, or ``anew``, what the simulation of this name says, which then is."""
        name = self._name(number)
        kept = self.results.path(name)
        part, (program, places) = self.parts[number], self.programs[number]
        made = f"{simulation} {hashlib.sha256(program.encode()).hexdigest()}"
        if kept.exists() and not anew:
            arrays = self._read(number)
            if "made" in arrays and str(arrays["made"]) == made:
                finished: Row = json.loads(str(arrays["row"]))
                return finished
        image = self._image(number)
        if not self.expected:
            drawn = self.drawn
            computed = run_layers(self.subnet.layers, drawn.weights, drawn.quant, drawn.image)
            self.expected = {INPUT: drawn.image, **computed}
        segments = [
            *weights_segments(places, self.drawn.weights),
            *zsb_segments(places, part.subnet, self.drawn.weights, self.drawn.quant),
            image_segment(places, part.subnet, image),
        ]
        expected = {**self.expected, INPUT: self.expected[part.source]}
        outcome = run(self.trace_name(number), program, segments, expected)
        row = {
            "subnet": self.subnet.name,
            "part": f"{number + 1}/{len(self.parts)}",
            "layers": f"{part.subnet.layers[0].name} .. {part.subnet.layers[-1].name}",
            "predicted_cycles": outcome.predicted.cycles,
            "simulated_cycles": outcome.result.cycles,
            "predicted_dram_bytes": sum(program.dram_bytes.values()),
            "simulated_dram_bytes": sum(outcome.simulated_bytes.values()),
            "mismatches": outcome.mismatches,
        }
        last = read_tensor(outcome.memory, program, part.result)
        with self.results.open(name) as file:
            np.savez_compressed(file, made=made, row=json.dumps(row), tensor=last)
        return row

    def _name(self, number: int) -> str:
        return f"{self.subnet.name}/part-{number}.npz"

    def _image(self, number: int) -> Int8:
        """What the part starts from: the image, or what the RTL left at the end of the part before."""
        if number == 0:
            return self.drawn.image
        tensor: Int8 = self._read(number - 1)["tensor"]
        return tensor

    def _read(self, number: int) -> Arrays:
        path = self.results.path(self._name(number))
        return read_npz(path, Wanted(f"part {path}", "its folder another name, or remove it"))


def _alone(part: SubNet) -> SuperNet:
    """A SuperNet of the part's own layers: kernels and widths are those of this SubNet."""
    return fixed_supernet([part])
