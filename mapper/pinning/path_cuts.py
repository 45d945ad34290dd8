"""Lower bounds of a SubNet's cycles that are linear in what is cached of each layer: the lengths of single paths.

Without FETCH a Program takes as long as the longest path from its start to its end. Where a path crosses from layer to
layer it meets an event (:data:`mapper.pinning.responses.EVENTS`, or a row of a tensor that is stored), and between two
events lies one layer, whose response depends on nothing but what of it is cached. So the length of *one* path is a sum
over layers, and for any other choice the Program takes no less than that path then is long: a plane below the cycles,
which comes as near as the recurrence without FETCH does where the path is the longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.machine.microarchitecture import FETCH_END, FETCH_QUEUE, STORE_NEXT
from arch_model.network.supernet import SubNet
from arch_model.timing.relaxed import FAR, first_dispatch
from arch_model.timing.rows import machine_row
from mapper.cost.cached_layers import CachedLayers
from mapper.pinning.options import Menu, Use, program_uses
from mapper.pinning.responses import FETCH, ROWS_AT, RUN, STORE, UNITS, LayerResponses, single_event

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

START = -1
"""The start of the Program, as a cause of what happens in its first stage."""

_CAUSED = FAR // 2
"""Times below this one follow from no event."""

IDLE_TO_DONE, END_TO_DONE = 2, 1 + FETCH_END - FETCH_QUEUE
"""From a unit's last cycle of work to the end of the Program, which counts: it shows that it is idle, and is done. And
from when a queue could show END, which none does, as FETCH is done with it."""


@dataclass(frozen=True, eq=False)
class _Stage:
    """A layer of a SubNet over the menu.

    Attributes
    ----------
    layer : its number in the SuperNet; -1 if nothing of it can be cached.
    source : the stage that makes its input; -1 if that is in DRAM before the Program starts.
    height, rows : rows of its input and of its output.
    options : (n,) the different layers that entries of the menu make, by their numbers in
        :class:`~mapper.cost.cached_layers.CachedLayers`.
    entry : which option each entry of the menu is.
    """

    layer: int
    source: int
    height: int
    rows: int
    options: tuple[int, ...]
    entry: Ints

    def option(self, choice: Ints) -> int:
        """Which option a choice takes."""
        return int(self.entry[choice[self.layer] if self.layer >= 0 else 0])


@dataclass(frozen=True, eq=False)
class _Walk:
    """One choice, stage by stage.

    Attributes
    ----------
    cycles : from start to done.
    before : times of the events before a stage, all rows of its input among them.
    causes : those events that may hold a stage up.
    within : (causes, events and rows of the output), from each cause to each event at the end of a stage.
    rest : from each event at the end of a stage, rows of its output among them, to the end of the Program.
    """

    cycles: int
    before: list[Ints]
    causes: list[Ints]
    within: list[Ints]
    rest: list[Ints]


class SubNetPaths:
    """The longest paths through the Programs of SubNets, for whatever of a menu is cached.

    Parameters
    ----------
    menu, subnets : what can be cached of each SuperNet layer, and which SubNets are meant.
    layers : the different layers on this machine, numbered.

    Raises
    ------
    MappingError
        For a layer that the machine does not have.
    """

    def __init__(self, menu: Menu, subnets: Sequence[SubNet], layers: CachedLayers) -> None:
        self.menu, self.responses = menu, LayerResponses(layers)
        self.routes = [self._route(program_uses(menu, subnet, layers)) for subnet in subnets]
        self._within_of: dict[tuple[int, bool, bool], tuple[Ints, Ints]] = {}
        self._edges_of: dict[tuple[object, ...], Ints] = {}
        self._walks: dict[tuple[int, bytes], _Walk] = {}

    def _route(self, uses: Sequence[Use]) -> list[_Stage]:
        route, made = [], {use.step.output: number for number, use in enumerate(uses)}
        for use in uses:
            options, entry = np.unique(use.numbers, return_inverse=True)
            height, source, rows = self.responses.of_input(options[0]), made.get(use.step.awaited, -1), use.step.layer.P
            route.append(_Stage(use.layer, source, height, rows, tuple(options.tolist()), entry.reshape(-1)))
        return route

    def cycles(self, subnet: int, choice: Ints) -> int:
        """A SubNet's cycles without FETCH.

        Parameters
        ----------
        subnet : its number.
        choice : an entry of each SuperNet layer, (layers,).
        """
        return self._walk(subnet, choice).cycles

    def plane(self, subnet: int, choice: Ints, firm: bool = False) -> Floats:
        """A plane below a SubNet's cycles.

        Parameters
        ----------
        subnet : its number.
        choice : (layers,), an entry of each SuperNet layer. There the plane is as high as :meth:`cycles`.
        firm : of the path through events that are causes of each other for every option of the menu. Otherwise the
            path may need something that other options lack (a second load of weights); for these the plane is below 0
            and says nothing. A firm plane is lower at ``choice``, and says something everywhere.

        Returns
        -------
        float64 (layers, entries), whose sum over any choice is no more than its cycles.
        """
        walk, route = self._walk(subnet, choice), self.routes[subnet]
        found, lacks = np.zeros(self.menu.tiles.shape), np.zeros(self.menu.tiles.shape, np.bool_)
        at, cause = 0, START
        while True:
            stage, rest = route[at], walk.rest[at]
            ends = np.flatnonzero(rest > _CAUSED)
            edges = self._edges(stage, cause, ends)
            worth = edges[stage.option(choice)] + rest[ends]
            if firm:
                worth = np.where((edges > _CAUSED).all(axis=0), worth, FAR)
            best = int(worth.argmax())
            length = edges[:, best][stage.entry]
            if stage.layer < 0:
                found[0] += length[0]  # one entry of each layer is taken: a constant may stand with those of any layer
            else:
                found[stage.layer, : len(length)] += np.where(length > _CAUSED, length, 0)
                lacks[stage.layer, : len(length)] |= length <= _CAUSED
            cause = int(ends[best])
            if at == len(route) - 1:
                break
            at = self._reader(walk, subnet, at, cause) if cause >= ROWS_AT else at + 1
        found[0] += walk.rest[-1][cause]
        # An option that cuts the path: so little that the plane is not above 0 there.
        found[lacks] = -(np.where(lacks, -np.inf, found).max(axis=1, initial=0.0).sum() + 1)
        return found

    def changes(self, subnet: int, choice: Ints) -> Floats:
        """By how many cycles each single change of a choice makes a SubNet longer, without FETCH.

        Parameters
        ----------
        subnet : its number.
        choice : an entry of each SuperNet layer, (layers,).

        Returns
        -------
        float64 array
            (layers, entries).
        """
        walk, found = self._walk(subnet, choice), np.zeros(self.menu.tiles.shape)
        for number, stage in enumerate(self.routes[subnet]):
            before, rest = walk.before[number], walk.rest[number]
            if stage.layer >= 0 and len(stage.options) > 1:
                ends = np.flatnonzero(rest > _CAUSED)
                after = self._respond(stage, stage.options, before[None], ends, number == 0)[:, 0]
                found[stage.layer, : len(stage.entry)] = ((after + rest[ends]).max(axis=1) - walk.cycles)[stage.entry]
        return found

    def _respond(self, stage: _Stage, options: Sequence[int], entries: Ints, ends: Ints, starts: bool) -> Ints:
        """(options, entries, ends): times of some events at the end of a stage."""
        rows = ends[ends >= ROWS_AT] - ROWS_AT
        found = self.responses.of(options, stage.source >= 0, entries, rows, starts)
        kept = ends[ends < ROWS_AT].tolist() + list(range(ROWS_AT, found.shape[2]))
        return found[:, :, kept]

    def _entry(self, stage: _Stage, cause: int) -> Ints:
        """Times of the events before a stage if ``cause`` is at 0."""
        if cause == START:
            events = np.full(ROWS_AT + stage.height, FAR, np.int64)
            events[:UNITS] = first_dispatch(machine_row(self.menu.accelerator))
            return events
        return single_event(cause, stage.height)

    def _edges(self, stage: _Stage, cause: int, ends: Ints) -> Ints:
        """From an event before a stage to some at its end, (options, ends)."""
        key = self.responses.layers.of_shape[stage.options[0]], stage.source >= 0, stage.options, cause, ends.tobytes()
        if key not in self._edges_of:
            entry = self._entry(stage, cause)
            self._edges_of[key] = self._respond(stage, stage.options, entry[None], ends, cause == START)[:, 0]
        return self._edges_of[key]

    def _within(self, stage: _Stage, option: int, first: bool) -> tuple[Ints, Ints]:
        """(causes, within) of a :class:`_Walk` for one option of a stage."""
        key = option, stage.source >= 0, first
        if key not in self._within_of:
            causes = np.array([START])
            if not first:
                needs = self.responses.needs(option, stage.source >= 0)
                causes = np.concatenate([np.arange(ROWS_AT), ROWS_AT + needs])
            entries = np.array([self._entry(stage, cause) for cause in causes.tolist()])
            ends = np.arange(ROWS_AT + stage.rows)
            self._within_of[key] = causes, self._respond(stage, [option], entries, ends, first)[0]
        return self._within_of[key]

    def _walk(self, subnet: int, choice: Ints) -> _Walk:
        """Both ways through a SubNet: from the start to each event, and from each event to the end."""
        key = subnet, choice.tobytes()
        if key not in self._walks:
            while len(self._walks) > 2 * len(self.routes):
                del self._walks[next(iter(self._walks))]
            self._walks[key] = self._new_walk(self.routes[subnet], choice)
        return self._walks[key]

    def _new_walk(self, route: Sequence[_Stage], choice: Ints) -> _Walk:
        causes: list[Ints] = []
        within: list[Ints] = []
        before: list[Ints] = []
        after: list[Ints] = []
        for number, stage in enumerate(route):
            own, lengths = self._within(stage, stage.options[stage.option(choice)], number == 0)
            times = self._entry(stage, START)
            if number:
                times[:ROWS_AT] = after[-1][:ROWS_AT]
                if stage.source >= 0:
                    times[ROWS_AT:] = after[stage.source][ROWS_AT:][: stage.height]
            waited = times[own] if number else np.zeros(1, np.int64)
            causes.append(own)
            within.append(lengths)
            before.append(times)
            after.append((waited[:, None] + lengths).max(axis=0))
        rest = [np.full(ROWS_AT + stage.rows, FAR, np.int64) for stage in route]
        rest[-1][[RUN, STORE, FETCH]] = IDLE_TO_DONE, IDLE_TO_DONE - STORE_NEXT, END_TO_DONE
        for number in range(len(route) - 1, 0, -1):
            own = (within[number] + rest[number]).max(axis=1)
            rest[number - 1][:ROWS_AT] = own[:ROWS_AT]
            if (source := route[number].source) >= 0:
                rows = causes[number][ROWS_AT:]
                rest[source][rows] = np.maximum(rest[source][rows], own[ROWS_AT:])
        return _Walk(int((after[0] + rest[0]).max()), before, causes, within, rest)

    def _reader(self, walk: _Walk, subnet: int, at: int, row: int) -> int:
        """The stage that reads a row of the output of stage ``at`` and is on the longest way from it to the end."""
        for number, stage in enumerate(self.routes[subnet]):
            if stage.source == at and row in (causes := walk.causes[number]):
                place = int(np.flatnonzero(causes == row)[0])
                if int((walk.within[number][place] + walk.rest[number]).max()) == walk.rest[at][row]:
                    return number
        raise AssertionError("a row that nobody reads has no way to the end")
