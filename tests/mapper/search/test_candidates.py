"""Candidates: all mappings but those that a bound rules out, in as many steps as there is room for."""

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.lowering.rows import TILING
from mapper.search import candidates as c
from mapper.search.optimise import Objective, _Search
from mapper.search.space import C_BOUND, CUT_COLUMNS
from mapper.workload.fusion import Step

TINY = Accelerator.load("tiny")
LAYERS = (
    Layer("a", Kind.CONV, K=24, C=16, H=7, W=7),
    Layer("d", Kind.CONV, K=24, C=24, R=3, S=3, H=9, W=9, padding=1, groups=24),
)


def begun(layer, objective=Objective.LATENCY):
    search = _Search(Step(layer), TINY, None, objective, 1)
    best = c.begin_search(search.costs.w, search.s, search.f, search.costs.xs)
    search.s[[c.CUT, c.STOP]] = search.s[[c.CUTS_AT, c.CUTS_END]]
    search.s[[c.NEXT_PARTS, c.NEXT_PREFETCH, c.NEXT_INTERLEAVE]] = 1, 0, 1
    return search, best


def listed(search):
    """(bound, tiling) of all candidates, and in how many steps they came."""
    found, steps, more = [], 0, 1
    while more:
        more = c.find_candidates(search.costs.w, search.s, search.f)
        count, at = int(search.s[c.CANDIDATES]), int(search.s[c.CANDIDATES_AT])
        rows = search.s[at : at + count * len(TILING)].reshape(count, len(TILING)).tolist()
        found += zip(search.f[c.FLOAT_BOUNDS : c.FLOAT_BOUNDS + count].tolist(), map(tuple, rows), strict=True)
        steps += 1
    return found, steps


@pytest.mark.parametrize("layer", LAYERS, ids=["dense", "depthwise"])
def test_without_a_limit_all_are_candidates_and_each_comes_once(layer):
    search, best = begun(layer)
    found, steps = listed(search)
    assert steps == 1 and len(found) == search.s[c.SPACE] == len({row for _, row in found})
    assert min(bound for bound, _ in found) == search.f[c.LEAST] >= search.s[best + C_BOUND]


def test_little_room_takes_more_steps():
    whole, _ = begun(LAYERS[0])
    everything, _ = listed(whole)
    search, _ = begun(LAYERS[0])
    cuts = (search.s[c.CUTS_END] - search.s[c.CUTS_AT]) // CUT_COLUMNS
    search.s[c.CANDIDATES_ROOM] = cuts
    found, steps = listed(search)
    assert steps > 1 and found == everything and search.s[c.SPACE] == whole.s[c.SPACE]


def test_what_is_left_out_has_a_bound_that_says_so():
    whole, _ = begun(LAYERS[0])
    everything, _ = listed(whole)
    limit = float(np.median([bound for bound, _ in everything]))
    search, _ = begun(LAYERS[0])
    search.f[c.LIMIT] = limit
    found, _ = listed(search)
    assert found == [one for one in everything if one[0] < limit]
    s = search.s
    assert s[c.SPACE] == len(everything) == len(found) + s[c.PRUNED_CUT] + s[c.PRUNED_MAPPING]


def test_bounds_in_joules_follow_the_same_mappings():
    cycles, _ = listed(begun(LAYERS[0])[0])
    joules, _ = listed(begun(LAYERS[0], Objective.ENERGY)[0])
    assert [row for _, row in joules] == [row for _, row in cycles] and all(0 < bound < 1e-3 for bound, _ in joules)
