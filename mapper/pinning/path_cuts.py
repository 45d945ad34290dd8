"""Cycles of SubNets for any choice of a menu, and what slows each down: a lower bound that is linear in the choices.

A Program's time is the length of the longest path through its layers' events (``mapper/cost/layer_overlap.py``). The
length of
*one* path is a sum of numbers of single layers, and for any other choice the time is no less than that path's length
then: a plane below the function that touches it where the path is the longest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.network.supernet import SubNet
from arch_model.timing.reference_timing import TOKEN
from mapper.cost.layer_overlap import EVENTS, Joints, chain_cycles
from mapper.cost.sushi_costs import Route, SubNetCosts
from mapper.pinning.options import Menu

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RUN, LOADER, INNER, HALF, OTHER = range(5)
"""Events of a layer: its last pixel, its last LOAD_WGT, the last PASS of its last group of weights but one; and when a
half of the DB, and the other one, are free."""

_NEVER, _SPLIT = -(1 << 50), -(1 << 39)  # what never happens, and what numbers below it say
Add = Callable[[int, npt.NDArray[Any]], None]


class SubNetPaths:
    """SubNets over a menu. Raises :class:`MappingError` for a layer that the machine does not have."""

    def __init__(self, menu: Menu, subnets: Sequence[SubNet]) -> None:
        self.menu = menu
        costs = SubNetCosts.of_tiles(menu.supernet, menu.grid().transpose(1, 0, 2), menu.accelerator)
        self.routes = [Route.of(subnet, menu.accelerator) for subnet in subnets]
        numbers = costs.numbers(self.routes)
        self.joints: Joints = costs.joints
        self.chains = [
            _Chain(route, [menu.supernet.index(layer.name) for layer, _ in route.layers], n, start, self.joints)
            for route, (n, start) in zip(self.routes, numbers, strict=True)
        ]

    def cycles(self, choice: Ints) -> Ints:
        """Cycles of each SubNet's Program for entries of each SuperNet layer, (..., layers): (SubNets, ...).

        Without its pools over windows (:func:`mapper.cost.sushi_costs.beside_cycles`), which are the same for every
        choice.
        """
        flat = choice.reshape(-1, choice.shape[-1])
        return np.array([chain.cycles(flat) for chain in self.chains]).reshape(-1, *choice.shape[:-1])

    def plane(self, subnet: int, choice: Ints, firm: bool = False) -> Floats:
        """A plane below a SubNet's cycles: weights (layers, entries) whose sum over any choice is no more than its
        cycles, and at ``choice`` as much.

        The longest path may need something that other choices lack (a second load of weights); there the plane is below
        0 and says nothing. ``firm``: of the longest path that every choice has, a little less at ``choice``.
        """
        return self.chains[subnet].plane(choice, self.menu.tiles.shape, firm)


class _Chain:
    """One SubNet: ``at`` the SuperNet layers in order, ``numbers`` the joints of their entries."""

    def __init__(self, route: Route, at: Sequence[int], numbers: Sequence[Ints], start: Ints, joints: Joints) -> None:
        self.route, self.at, self.numbers, self.start, self.j = route, np.array(at), numbers, start, joints

    def cycles(self, choices: Ints) -> Ints:
        """(m,) for (m, layers)."""
        picked = choices[:, self.at].T
        layers = [n[c] for n, c in zip(self.numbers, picked, strict=True)]
        start = self.start[picked[0]]
        found: Ints = chain_cycles(self.j, start, layers, self.route.links, self.route.after).sum(axis=0)
        return found

    def _act(self, i: int, had: int, now: int, firm: bool) -> list[tuple[int, Ints, Ints]]:
        """What the first LOAD_ACT of layer ``i`` waits for: (cycles after the last pixel of the layer before, those as
        sums of numbers of the entries of that layer and of this one)."""
        j, link, before, here = self.j, self.route.links[i], self.numbers[i - 1], self.numbers[i]
        none = np.zeros_like(here)
        ways = [(int(j.half[had]), j.half[before], none), (int(j.act[had]), j.act[before], none)]
        if link.pool:
            more = TOKEN + link.pool
            ways.append((int(j.last[had]) + more, j.last[before] + more, none))
        elif link.reads:
            needs, which = np.unique(j.need[here], return_inverse=True)
            tile = np.minimum(needs[:, None] // j.rows[before], j.spatial[before] - 1)
            stored = j.stored[tile, before] + TOKEN  # (needs, entries of the layer before)
            mine = stored[np.searchsorted(needs, j.need[now])]
            # Another entry may need another row: what that costs at least, whatever is pinned of the layer before.
            ways.append((int(mine[np.flatnonzero(before == had)[0]]), mine, (stored - mine).min(axis=1)[which]))
        return [way for way in ways if not firm or bool(np.all(way[1] > _SPLIT))]

    def _responses(self, i: int, firm: bool) -> Ints:
        """Cycles from each of EVENTS to RUN, LOADER and INNER of layer ``i``, (events, 3, entries)."""
        found = self.j.respond[:, :, self.numbers[i]]
        if firm:
            always = np.asarray((found > _SPLIT).all(axis=2))
            always[:, INNER] = False
            always[EVENTS.index("next_weights")] = False
            found = np.where(always[:, :, None], found, _NEVER)
        return found

    def _events(self, choice: Ints, firm: bool) -> tuple[list[list[int]], list[list[int]]]:
        """Times of (RUN, LOADER, INNER, HALF, OTHER) of each layer, and of EVENTS before it; from the start."""
        j = self.j
        nodes: list[list[int]] = []
        events: list[list[int]] = []
        had = -1
        for i, (numbers, layer) in enumerate(zip(self.numbers, self.at.tolist(), strict=True)):
            now, respond = int(numbers[choice[layer]]), self._responses(i, firm)[:, :, choice[layer]]
            fills = int(j.fills[now])
            if i == 0:
                times, half, other = [_NEVER] * len(EVENTS), _NEVER, _NEVER
                run = int(self.start[choice[layer]])
                loader, inner = (run + int(r - respond[0, 0]) for r in respond[0, 1:])
            else:
                run, loader, _, half, other = nodes[-1]
                stored = run + int(j.last[had]) + TOKEN + self.route.links[i].pool
                act = run + max((value for value, _, _ in self._act(i, had, now, firm)), default=_NEVER)
                weights = max(loader + int(j.zsb[now]), half)
                times = [run, act, stored, weights, other, run + int(j.out[had])]
                run, loader, inner = (respond + np.array(times)[:, None]).max(axis=0).tolist()
            if not firm:
                half = inner if fills >= 2 else other if fills == 1 else half
                other = run if fills >= 1 else other
            nodes.append([run, loader, inner, half, other])
            events.append(times)
            had = now
        return nodes, events

    def plane(self, choice: Ints, shape: tuple[int, ...], firm: bool) -> Floats:
        """See :meth:`SubNetPaths.plane`: the longest path, walked from its end."""
        j, found, split = self.j, np.zeros(shape), np.zeros(shape, np.bool_)
        nodes, events = self._events(choice, firm)

        def add(i: int, weights: Floats | Ints) -> None:
            far = weights < _SPLIT
            found[self.at[i]] += np.where(far, 0, weights)
            split[self.at[i]] |= far

        i, node = len(self.at) - 1, RUN
        add(i, j.last[self.numbers[i]] + self.route.after + 2)
        while True:
            numbers, picked = self.numbers[i], int(choice[self.at[i]])
            fills, many = int(j.fills[numbers[picked]]), j.fills[numbers]
            if node == HALF and fills < 2:
                split[self.at[i]] |= many != fills
                i, node = i - 1, OTHER if fills == 1 else HALF
                continue
            if node == OTHER and fills == 0:
                split[self.at[i]] |= many > 0
                i -= 1
                continue
            if node in (HALF, OTHER):
                split[self.at[i]] |= many < (2 if node == HALF else 1)
                node = INNER if node == HALF else RUN
            respond = self._responses(i, firm)
            if i == 0:
                add(0, self.start + respond[0, node] - respond[0, 0])
                break
            event = int((respond[:, node, picked] + np.array(events[i])).argmax())
            add(i, respond[event, node])
            i, node = i - 1, self._before(i, EVENTS[event], nodes[i - 1], choice, add, firm)
        # A choice that cuts the path: so little that the plane is not above 0 there.
        found[split] = -(np.where(split, -np.inf, found).max(axis=1, initial=0.0).sum() + 1)
        return found

    def _before(self, i: int, event: str, before: Sequence[int], choice: Ints, add: Add, firm: bool) -> int:
        """Which event of the layer before layer ``i`` makes this one; the way there is added."""
        j, numbers, old = self.j, self.numbers[i], self.numbers[i - 1]
        now, had = int(numbers[choice[self.at[i]]]), int(old[choice[self.at[i - 1]]])
        if event == "act":
            _, there, here = max(self._act(i, had, now, firm), key=lambda way: way[0])
            add(i - 1, there)
            add(i, here)
        elif event == "stored":
            add(i - 1, j.last[old] + TOKEN + self.route.links[i].pool)
        elif event == "out":
            add(i - 1, j.out[old])
        elif event == "next_weights":
            return OTHER
        elif event == "weights":
            if before[LOADER] + int(j.zsb[now]) < before[HALF]:
                return HALF
            add(i, j.zsb[numbers])
            return LOADER
        return RUN
