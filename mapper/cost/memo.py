"""What tables of costs remember, in one array of integers: blocks of layers, states between them, and steps from state
to state.

The array is a header and segments behind one another. Of each segment the header has where it begins, for how many
integers there is room, and how many are in use. Places inside segments count from their beginning, so that a segment
can grow.
"""

from __future__ import annotations

import numpy as np

from arch_model.compiled import Ints, compiled, inner
from mapper.cost.entry_states import V_ACTS, V_LISTS, V_STORES, V_WGTS

BLOCK_AT, BLOCKS, MAP_AT, MAPS, STATE_AT, VECTORS, STATE_TABLE, STEP_TABLE, NODES = range(9)
"""Segments: where each layer's block begins, and the blocks; where each map from rows to STOREs begins, and the maps;
where each state begins, and the states; hash tables of states and of steps; how many inner nodes of keys there are."""
_SEGMENTS = 9

KEY_WORDS, STEP_WORDS = 3, 5
"""Integers of a step's key, and of its entry: key, what it leads to, cycles."""

END, FAILED, DEEPER = -1, -2, -3
"""What a step leads to beside a state: the Program's end; a rule is broken; node n of the next key (DEEPER - n)."""

_SIZES = (1 << 10, 1 << 16, 1 << 8, 1 << 12, 1 << 12, 1 << 18, 1 << 13, STEP_WORDS << 14, 0)
_HASHED = (STATE_TABLE, STEP_TABLE)


@inner
def begin_of(m: Ints, segment: int) -> int:
    """Where a segment begins."""
    return m[3 * segment]


@inner
def room_in(m: Ints, segment: int, words: int) -> bool:
    """Whether so many more integers fit into a segment."""
    return m[3 * segment + 2] + words <= m[3 * segment + 1]


@inner
def block_of(m: Ints, variant: int) -> int:
    """Where the block of a layer begins."""
    return m[3 * BLOCKS] + m[m[3 * BLOCK_AT] + variant]


@inner
def map_of(m: Ints, number: int) -> int:
    """Where a map begins: its least entry, then one for each row."""
    return m[3 * MAPS] + m[m[3 * MAP_AT] + number]


@inner
def state_of(m: Ints, state: int) -> int:
    """Where the vector of a state begins."""
    return m[3 * VECTORS] + m[m[3 * STATE_AT] + state]


@inner
def new_vector(m: Ints) -> int:
    """Where the vector of a new state may be written."""
    return m[3 * VECTORS] + m[3 * VECTORS + 2]


@inner
def _mixed(h: int) -> int:
    """A number of 42 bits that depends on all bits of one of 60, without overflow."""
    h ^= h >> 25
    return (h & 0xFFFFFFF) * 0x9E3779B >> 14


@inner
def length_of(m: Ints, v: int) -> int:
    """Integers of the state at ``v``."""
    return V_LISTS + m[v + V_ACTS] + m[v + V_WGTS] + m[v + V_STORES]


@inner
def _state_hash(m: Ints, v: int) -> int:
    h = 0
    for place in range(v, v + length_of(m, v)):
        h = (h * 69069 + m[place]) & 0x7FFFFFFF
    return _mixed(h)


@inner
def intern_state(m: Ints) -> int:
    """The number of the state at :func:`new_vector`; it is kept if it is new. There must be room."""
    v = new_vector(m)
    length = length_of(m, v)
    begin, mask = m[3 * STATE_TABLE], m[3 * STATE_TABLE + 1] - 1
    at = _state_hash(m, v) & mask
    while m[begin + at]:
        other, same = state_of(m, m[begin + at] - 1), True
        for place in range(length):
            if m[other + place] != m[v + place]:
                same = False
                break
        if same:
            return m[begin + at] - 1
        at = (at + 1) & mask
    state = m[3 * STATE_AT + 2]
    m[m[3 * STATE_AT] + state] = m[3 * VECTORS + 2]
    m[3 * STATE_AT + 2] += 1
    m[3 * VECTORS + 2] += length
    m[begin + at] = state + 1
    m[3 * STATE_TABLE + 2] += 1
    return state


@inner
def find_step(m: Ints, node: int, code: int, then: int, contexts: int) -> int:
    """Where the entry of a step is, or is to be put: its key is not 0 if it is there.

    A key is a node (a state, or what keys before it came to), the code of a layer and of the one after it, and what is
    to be known of layers before them.
    """
    begin, places = m[3 * STEP_TABLE], m[3 * STEP_TABLE + 1] // STEP_WORDS
    h = node * 40503 + code * 69069 + then * 30011 + (contexts >> 32) * 50021 + (contexts & 0xFFFFFFFF) * 65537
    at, first = _mixed(h) & (places - 1), node << 32 | code
    while True:
        entry = begin + at * STEP_WORDS
        if m[entry] == 0 or (m[entry] == first and m[entry + 1] == then and m[entry + 2] == contexts):
            return entry
        at = (at + 1) & (places - 1)


@inner
def put_step(m: Ints, entry: int, node: int, code: int, then: int, contexts: int, leads: int, cycles: int) -> None:
    """Fill an entry that was not there."""
    m[entry] = node << 32 | code
    m[entry + 1] = then
    m[entry + 2] = contexts
    m[entry + KEY_WORDS] = leads
    m[entry + KEY_WORDS + 1] = cycles
    m[3 * STEP_TABLE + 2] += STEP_WORDS


@compiled
def refill(m: Ints, segment: int, old: Ints) -> None:
    """Fill the hash table of states or of steps, which is empty; ``old``: that of steps with less room."""
    if segment == STATE_TABLE:
        begin, mask = m[3 * STATE_TABLE], m[3 * STATE_TABLE + 1] - 1
        for state in range(m[3 * STATE_AT + 2]):
            at = _state_hash(m, state_of(m, state)) & mask
            while m[begin + at]:
                at = (at + 1) & mask
            m[begin + at] = state + 1
        return
    for before in range(0, len(old), STEP_WORDS):
        if old[before]:
            node, code = old[before] >> 32, old[before] & 0xFFFFFFFF
            entry = find_step(m, node, code, old[before + 1], old[before + 2])
            for word in range(STEP_WORDS):
                m[entry + word] = old[before + word]


def new_memo() -> Ints:
    """A memory of nothing."""
    m = np.zeros(3 * _SEGMENTS + sum(_SIZES), np.int64)
    m[0 : 3 * _SEGMENTS : 3] = 3 * _SEGMENTS + np.concatenate([[0], np.cumsum(_SIZES)[:-1]])
    m[1 : 3 * _SEGMENTS : 3] = _SIZES
    return m


def used(m: Ints, segment: int) -> int:
    """Integers of a segment that are in use."""
    return int(m[3 * segment + 2])


def segment_of(m: Ints, segment: int) -> Ints:
    """The integers of a segment, those without use too: a view."""
    begin, room = m[3 * segment : 3 * segment + 2].tolist()
    return m[begin : begin + room]


def grown(m: Ints, segment: int, words: int = 0) -> Ints:
    """A copy with at least twice the room in a segment, and for ``words`` more integers."""
    rooms = m[1 : 3 * _SEGMENTS : 3].copy()
    while rooms[segment] < 2 * m[3 * segment + 1] or rooms[segment] < m[3 * segment + 2] + words:
        rooms[segment] *= 2
    n = np.zeros(3 * _SEGMENTS + int(rooms.sum()), np.int64)
    n[0 : 3 * _SEGMENTS : 3] = 3 * _SEGMENTS + np.concatenate([[0], np.cumsum(rooms)[:-1]])
    n[1 : 3 * _SEGMENTS : 3] = rooms
    n[2 : 3 * _SEGMENTS : 3] = m[2 : 3 * _SEGMENTS : 3]
    for each in range(_SEGMENTS):
        if each != segment or each not in _HASHED:
            old = segment_of(m, each)[: None if each in _HASHED else used(m, each)]
            segment_of(n, each)[: len(old)] = old
    if segment in _HASHED:
        refill(n, segment, segment_of(m, segment))
    return n
