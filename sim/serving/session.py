"""A SuperNet on an accelerator: everything that the queries of a stream share, and one query's way through it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.network.weights import SuperNetWeights
from arch_model.program.program import Program
from arch_model.spaces import get_space
from mapper.layout.dram_image import Segment, image_segment, read_tensor, weights_segments, zsb_segments
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.lowering.compile import compile_subnet
from mapper.lowering.placement import Placement
from mapper.lowering.switch_program import switch_program
from mapper.lowering.tiling import Tiling
from mapper.search.fitted import fit_supernet
from sim.integers.reference import run_layers
from sim.rtl_bench.bench import Bench
from sim.rtl_bench.outcome import Outcome, Tensors, run_program

RANDOM_IMAGES = 100
"""Images of weights that come without test images."""
RANDOM = "random: the weights come without test images"


class Session:
    """A SuperNet, its weights and its SubNets laid out in an accelerator's DRAM, and what is in the PB.

    Parameters
    ----------
    supernet : the SuperNet, or its name.
    weights : its int8 weights, and the integers of some SubNets, which are those of the session.
    accelerator : the machine.
    subnets : these SubNets by name. None: the SuperNet makes them from their names.

    Raises
    ------
    MappingError
        They do not fit the accelerator's DRAM.
    SpaceError
        The SuperNet has no SubNet of one of the names.
    """

    def __init__(
        self,
        supernet: SuperNet | str,
        weights: SuperNetWeights,
        accelerator: Accelerator,
        subnets: Mapping[str, SubNet] | None = None,
    ) -> None:
        whole, known = get_space(supernet), subnets or {}
        nets = [known[name] if name in known else whole.subnet(name) for name in weights.subnets]
        self.accelerator, self.fitted = accelerator, fit_supernet(whole, nets, accelerator)
        self.supernet: SuperNet = self.fitted.supernet
        self.subnets: Mapping[str, SubNet] = self.fitted.subnets
        self.weights = self.fitted.weights(weights)
        self.images, self.labels = self._images()
        self.memory_map = MemoryMap.build(self.supernet, self.subnets.values(), accelerator)
        self.resident = PersistentBuffer.empty(self.supernet)
        self._on_chip = self.resident
        self._written = False

    def _images(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]:
        """The test images and their labels; of weights that have none random images, the same each time, and None."""
        if len(self.weights.images):
            return self.weights.images, self.weights.labels if len(self.weights.labels) else None
        first = self.supernet.layers[0]
        shape = (RANDOM_IMAGES, first.C, first.H, first.W)
        return np.random.default_rng(0).integers(0, 256, shape, np.uint8), None

    @cached_property
    def shared_segments(self) -> list[Segment]:
        """What is written to DRAM once: the SuperNet's weights and every SubNet's ZSB tables."""
        segments = weights_segments(self.memory_map, self.weights.layers)
        for name, subnet in self.subnets.items():
            segments += zsb_segments(self.memory_map, subnet, self.weights.layers, self.weights.subnets[name].ops)
        return segments

    def image(self, index: int, name: str) -> npt.NDArray[np.int8]:
        """An image as a SubNet reads it: int8 (C, H, W), pixel − 128; of a larger one the middle.

        Parameters
        ----------
        index : of the image.
        name : of the SubNet.
        """
        place = self.memory_map.tensors[name][INPUT]
        pixels = self.images[index].reshape(-1, *self.images.shape[-2:])
        top, left = (pixels.shape[1] - place.H) // 2, (pixels.shape[2] - place.W) // 2
        middle = pixels[: place.C, top : top + place.H, left : left + place.W]
        signed: npt.NDArray[np.int8] = (middle.astype(np.int16) - 128).astype(np.int8)
        return signed

    def compile(
        self,
        name: str,
        target: PersistentBuffer,
        tilings: Mapping[str, Tiling] | None = None,
        placement: Placement | None = None,
    ) -> Program:
        """The Program of a SubNet that leaves some tiles in the PB, given what is there now.

        Parameters
        ----------
        name : of the SubNet.
        target : the PB after it.
        tilings : of its layers. None: the quick choice.
        placement : of the tensors that stay in the SB. None: none does.
        """
        return compile_subnet(
            self.subnets[name],
            self.supernet,
            self.accelerator,
            self.weights.subnets[name].ops,
            self.memory_map,
            resident=self.resident,
            target=target,
            tilings=tilings,
            placement=placement,
        )

    def run(
        self,
        bench: Bench,
        name: str,
        subgraph: SubGraph,
        image: npt.NDArray[np.int8],
        tilings: Mapping[str, Tiling] | None = None,
        placement: Placement | None = None,
    ) -> Outcome:
        """Compile a SubNet, run it on the RTL, compare everything.

        Parameters
        ----------
        bench : the machine.
        name : of the SubNet.
        subgraph : that the PB holds after it.
        image : int8 (C, H, W).
        tilings : of its layers. None: the quick choice.
        placement : of the tensors that stay in the SB. None: none does.
        """
        subnet, target = self.subnets[name], self._after(subgraph)
        if self._on_chip != self.resident:  # queries were passed over
            self._run(bench, switch_program(self._on_chip, self.resident, self.memory_map), self.resident, [], {})
        computed = run_layers(subnet.layers, self.weights.layers, self.weights.subnets[name].ops, image)
        segment = image_segment(self.memory_map, subnet, image)
        program = self.compile(name, target, tilings, placement)
        return self._run(bench, program, target, [segment], {INPUT: image, **computed})

    def pass_over(self, subgraph: SubGraph) -> None:
        """Take a query as done that left ``subgraph`` in the PB; the next one to run brings the PB to that first."""
        self.resident = self._after(subgraph)

    def _after(self, subgraph: SubGraph) -> PersistentBuffer:
        if subgraph == self.resident.subgraph:
            return self.resident
        return self.resident.switch(subgraph, self.supernet, self.accelerator)

    def load(self, bench: Bench, target: PersistentBuffer) -> Outcome:
        """Run the Program that fills the PB and computes nothing.

        Parameters
        ----------
        bench : the machine.
        target : the PB after it.
        """
        return self._run(bench, switch_program(self.resident, target, self.memory_map), target, [], {})

    def _run(
        self, bench: Bench, program: Program, target: PersistentBuffer, segments: list[Segment], expected: Tensors
    ) -> Outcome:
        if not self._written:
            segments = [*self.shared_segments, *segments]
        outcome = run_program(bench, program, segments, expected)
        self._written, self.resident, self._on_chip = True, target, target
        return outcome

    def logits(self, outcome: Outcome, name: str) -> npt.NDArray[np.int8]:
        """The last layer's int8 channels in DRAM.

        Parameters
        ----------
        outcome : of the run.
        name : of the SubNet.
        """
        last = self.subnets[name].layers[-1].name
        tensor = read_tensor(outcome.memory, outcome.program, last)
        return (tensor[self.fitted.fits[name].positions[last]] if name in self.fitted.fits else tensor).ravel()
