"""Which tensors of a SubNet stay in the SB, where, and where the others are loaded to.

A tensor that stays lies in one layout, that of windows, skewed windows (depthwise layers, pools over windows, scalings)
or pointwise, from the layer that makes it to the last layer that reads it so. Whoever reads it otherwise (a layer of
another layout, a residual addition, a global pool, a concatenation, the host) reads it from DRAM, where it then is,
too. A layer whose input does not stay has two places of its own to which its loads go in turns: what is free while it
runs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.timing.rows import TO_BOTH, TO_DRAM, TO_SB
from mapper.layout.tensors import is_pointwise
from mapper.lowering.layer_on_machine import LayerOnMachine
from mapper.workload.depthwise import input_size, is_channelwise, skewed_shape
from mapper.workload.fusion import Step


@dataclass(frozen=True)
class Layout:
    """How a whole tensor lies in the SB, from word 0 on.

    Attributes
    ----------
    pointwise, skew : as the fields of LOAD_ACT.
    row_step, group_step : SB words, as the fields of LOAD_ACT.
    words : of each bank.
    """

    pointwise: bool
    skew: bool
    row_step: int
    group_step: int
    words: int


def layout_for(layer: Layer, accelerator: Accelerator) -> Layout:
    """The layout in which a layer reads its whole input.

    Parameters
    ----------
    layer : that reads, no global pool.
    accelerator : the machine.

    Examples
    --------
    >>> conv = Layer("a", Kind.CONV, K=4, C=6, R=3, S=3, H=8, W=8, padding=1)
    >>> layout_for(conv, Accelerator.load("tiny"))     # CP 3: two groups of 3 x 3 cells
    Layout(pointwise=False, skew=False, row_step=3, group_step=9, words=18)
    """
    rows = input_size(layer)[0]
    if is_channelwise(layer):
        row_step, group_step = skewed_shape(layer, rows)
        return Layout(False, True, row_step, group_step, accelerator.groups(layer.C) * group_step)
    row_step, group_step, words = LayerOnMachine(layer, accelerator).sb_shape(rows)
    return Layout(is_pointwise(layer), False, row_step, group_step, words)


@dataclass(frozen=True)
class Region:
    """Where a tensor lies in the SB.

    Attributes
    ----------
    layout : its form.
    base : SB word of its first pixel.
    first, last : the step that makes it, and the last one that reads it.
    """

    layout: Layout
    base: int
    first: int
    last: int

    @property
    def words(self) -> range:
        """The words that it takes of every bank."""
        return range(self.base, self.base + self.layout.words)


@dataclass(frozen=True)
class LoadPlaces:
    """The two places of the SB to which a layer loads its input in turns.

    Attributes
    ----------
    bases : SB word at which each begins.
    room : words of each.
    after : for each, the last step before that reads something there; -1 for none.
    """

    bases: tuple[int, int]
    room: int
    after: tuple[int, int]


@dataclass(frozen=True)
class Candidate:
    """A tensor that can stay in the SB.

    Attributes
    ----------
    step : that makes it.
    readers : steps that read it from the SB, in order.
    layout : that all of them read.
    in_dram : whether somebody reads it from DRAM, too.
    moved : bytes that no longer go through DRAM.
    """

    step: int
    readers: tuple[int, ...]
    layout: Layout
    in_dram: bool
    moved: int


@dataclass(frozen=True)
class Placement:
    """Where the tensors of a SubNet are while it runs.

    Attributes
    ----------
    regions : of each step whose output stays in the SB.
    outputs : of each step where its STOREs write: ``TO_DRAM``, ``TO_BOTH`` or ``TO_SB``.
    inputs : of each step the one that wrote its input into the SB; -1 for an input that is loaded.
    loads : of each step that loads its input.
    """

    regions: Mapping[int, Region]
    outputs: Sequence[int]
    inputs: Sequence[int]
    loads: Mapping[int, LoadPlaces] = field(default_factory=dict)

    @cached_property
    def awaited(self) -> frozenset[int]:
        """Steps whose last PASS a later step's first load waits for."""
        return frozenset(step for places in self.loads.values() for step in places.after if step >= 0)

    def region_read(self, step: int) -> Region | None:
        """Where the input of a step lies in the SB; None if it is loaded.

        Parameters
        ----------
        step : its number.
        """
        return None if self.inputs[step] < 0 else self.regions[self.inputs[step]]

    def room(self, step: int, accelerator: Accelerator) -> int:
        """SB words that a tile of a step's input may take: of a place of its loads, or all, if the input is there.

        Parameters
        ----------
        step : its number.
        accelerator : the machine.
        """
        return self.loads[step].room if step in self.loads else 2 * accelerator.sb_half_words


def candidates(steps: Sequence[Step], accelerator: Accelerator, also: Collection[str] = ()) -> list[Candidate]:
    """The tensors of a SubNet that can stay in the SB, in the order in which they are made.

    Parameters
    ----------
    steps : in order of execution.
    accelerator : the machine.
    also : names of tensors that something else than a step reads from DRAM: a view of several tensors, the host.
    """
    a, found = accelerator, []
    for number, maker in enumerate(steps):
        name, layer = maker.output, maker.layer
        sources = [i for i, step in enumerate(steps) if step.source == name]
        by_layout: dict[Layout, list[int]] = {}
        for reader in sources:
            if _reads_whole(steps[reader].layer, layer):
                by_layout.setdefault(layout_for(steps[reader].layer, a), []).append(reader)
        if not by_layout:
            continue
        layout, readers = max(by_layout.items(), key=lambda item: len(item[1]))
        elsewhere = len(readers) < len(sources) or name in also or any(step.addend == name for step in steps)
        size = a.groups(layer.K) * layer.P * a.pitch(layer.Q)
        moved = size * (len(readers) + (not elsewhere))
        found.append(Candidate(number, tuple(readers), layout, elsewhere, moved))
    return found


def _reads_whole(reader: Layer, maker: Layer) -> bool:
    """Whether a layer's LOAD_ACT reads all of another one's output, pixel by pixel."""
    if reader.kind is Kind.POOL:
        return False  # its STORE reads it
    return (reader.C, *input_size(reader)) == (maker.K, maker.P, maker.Q)


def place(steps: Sequence[Step], accelerator: Accelerator, kept: Sequence[Candidate]) -> Placement:
    """Place tensors by first fit, the largest first, and give up those for which there is no room.

    Where a step that loads its input finds less room than it needs, the tensor that is there and saves the fewest bytes
    for the words that it takes, step by step, goes to DRAM. Without any tensor there it has a half of the SB, which may
    be too little for the layer: who tiles it says so.

    Parameters
    ----------
    steps : in order of execution.
    accelerator : the machine.
    kept : the tensors that shall stay if they can.
    """
    wanted, least = list(kept), [least_room(step, accelerator) for step in steps]
    while True:
        regions = _first_fit(wanted, 2 * accelerator.sb_half_words)
        wanted = [one for one in wanted if one.step in regions]
        made, short = _places(steps, accelerator, least, wanted, regions)
        if short < 0:
            return made
        wanted.remove(min((one for one in wanted if one.step <= short <= one.readers[-1]), key=_worth))


def _worth(one: Candidate) -> float:
    """Bytes that a tensor saves for each word of the SB and step that it takes."""
    return one.moved / (one.layout.words * (one.readers[-1] - one.step + 1))


def _first_fit(wanted: Sequence[Candidate], words: int) -> dict[int, Region]:
    """The lowest place for each tensor that no other one takes meanwhile, the largest tensor first."""
    regions: dict[int, Region] = {}
    for one in sorted(wanted, key=lambda one: (-one.layout.words, one.step)):
        first, last = one.step, one.readers[-1]
        base = 0
        for other in sorted(regions.values(), key=lambda region: region.base):
            if other.last < first or last < other.first:
                continue
            if base + one.layout.words <= other.base:
                break
            base = max(base, other.words.stop)
        if base + one.layout.words <= words:
            regions[first] = Region(one.layout, base, first, last)
    return regions


def _places(
    steps: Sequence[Step],
    accelerator: Accelerator,
    least: Sequence[int],
    kept: Sequence[Candidate],
    regions: Mapping[int, Region],
) -> tuple[Placement, int]:
    """The placement with these tensors, and the first step whose loads find too little room (-1: all find enough)."""
    outputs, inputs = [TO_DRAM] * len(steps), [-1] * len(steps)
    for one in kept:
        outputs[one.step] = TO_BOTH if one.in_dram else TO_SB
        for reader in one.readers:
            inputs[reader] = one.step
    loads: dict[int, LoadPlaces] = {}
    reads: list[list[range]] = []  # of each step, the words that its PASSes read
    for number in range(len(steps)):
        if inputs[number] >= 0:
            reads.append([regions[inputs[number]].words])
            continue
        if not least[number]:
            reads.append([])
            continue
        there = [region for region in regions.values() if region.first <= number <= region.last]
        start, size = _largest_gap(there, accelerator)
        room = min(size // 2, accelerator.sb_half_words)
        if room < least[number] and there:
            return Placement(regions, outputs, inputs), number
        own = [range(start, start + room), range(start + room, start + 2 * room)]
        after = [max((i for i, old in enumerate(reads) if _overlap(old, words)), default=-1) for words in own]
        loads[number] = LoadPlaces((own[0].start, own[1].start), room, (after[0], after[1]))
        reads.append(own)
    return Placement(regions, outputs, inputs, loads), -1


def _overlap(ranges: Sequence[range], words: range) -> bool:
    return any(old.start < words.stop and words.start < old.stop for old in ranges)


def _largest_gap(there: Sequence[Region], accelerator: Accelerator) -> tuple[int, int]:
    """Where the largest free range of the SB begins, and its words."""
    best, at = (0, 0), 0
    for region in sorted(there, key=lambda region: region.base):
        best = max(best, (region.base - at, -at))
        at = max(at, region.words.stop)
    best = max(best, (2 * accelerator.sb_half_words - at, -at))
    return -best[1], best[0]


def least_room(step: Step, accelerator: Accelerator) -> int:
    """SB words of a bank that the smallest spatial tile of a step needs; 0 for a global pool, which loads nothing.

    Parameters
    ----------
    step : the layer and the add in its STORE.
    accelerator : the machine.
    """
    layer, a = step.layer, accelerator
    if layer.kind is Kind.POOL:
        return 0
    rows = min(layer.R, input_size(layer)[0])
    if is_channelwise(layer):
        groups = -(-min(math.lcm(a.kp, a.cp), layer.C) // a.cp)  # of the smallest chunk
        return groups * skewed_shape(layer, rows)[1]
    return LayerOnMachine(layer, a).sb_shape(rows)[2]
