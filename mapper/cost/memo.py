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

BLOCK_AT, BLOCKS, MAP_AT, MAPS, STATE_AT, VECTORS, STATE_TABLE, NODES, STEPS = range(9)
"""Segments: of each variant what is below, and the blocks; where each map from rows to STOREs begins, and the maps; of
each state where it begins and how many STOREs it has, and the states; a hash table of states. Of the last two only how
many there are: inner nodes of keys, and steps."""
_SEGMENTS = 9

AT_BLOCK, AT_HEAD, AT_STORES, AT_MAPS, VARIANT_WORDS = 0, 1, 2, 3, 8
"""Of each variant: where its block begins, which loads of weights it begins with, by number, how many STOREs it has,
and the maps of its steps."""
STATE_WORDS = 2
HEAD_BITS = 20
"""Bits of the number of loads that a layer begins with, and of whether its ZSB entries go to the other half."""

KEY_WORDS, STEP_WORDS = 3, 5
"""Integers of a step's key, and of its entry: key, what it leads to, cycles."""

END, FAILED, DEEPER = -1, -2, -3
"""What a step leads to beside a state: the Program's end; a rule is broken; node n of the next key (DEEPER - n)."""

_SIZES = (1 << 19, 1 << 25, 1 << 12, 1 << 18, 1 << 18, 1 << 23, 1 << 17, 0, 0)
"""At first; room that nobody uses takes no memory."""

FULLEST = 0.7
"""Of a hash table, the part that is in use at most."""


@inner
def begin_of(m: Ints, segment: int) -> int:
    """Index at which a segment begins.

    Parameters
    ----------
    m : memory of the tables of costs.
    segment : its number.
    """
    return m[3 * segment]


@inner
def room_in(m: Ints, segment: int, words: int) -> bool:
    """Whether more integers fit into a segment.

    Parameters
    ----------
    m : memory of the tables of costs.
    segment : its number.
    words : how many integers.
    """
    return m[3 * segment + 2] + words <= m[3 * segment + 1]


@inner
def variant_of(m: Ints, variant: int) -> int:
    """Index at which what is known of a variant stands.

    Parameters
    ----------
    m : memory of the tables of costs.
    variant : its number.
    """
    return m[3 * BLOCK_AT] + variant * VARIANT_WORDS


@inner
def block_of(m: Ints, variant: int) -> int:
    """Index at which the commands of a variant begin.

    Parameters
    ----------
    m : memory of the tables of costs.
    variant : its number.
    """
    return m[3 * BLOCKS] + m[variant_of(m, variant)]


@inner
def map_of(m: Ints, number: int) -> int:
    """Index at which a map begins: its least entry, then one for each row.

    Parameters
    ----------
    m : memory of the tables of costs.
    number : of the map.
    """
    return m[3 * MAPS] + m[m[3 * MAP_AT] + number]


@inner
def state_of(m: Ints, state: int) -> int:
    """Index at which the vector of a state begins.

    Parameters
    ----------
    m : memory of the tables of costs.
    state : its number.
    """
    return m[3 * VECTORS] + m[m[3 * STATE_AT] + state * STATE_WORDS]


@inner
def stores_in(m: Ints, state: int) -> int:
    """How many STOREs of a state have not ended.

    Parameters
    ----------
    m : memory of the tables of costs.
    state : its number.
    """
    return m[m[3 * STATE_AT] + state * STATE_WORDS + 1]


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
    """How many integers the state of a machine takes between two layers: its vector with all of its lists.

    Parameters
    ----------
    m : memory of the tables of costs.
    v : index at which its vector begins.
    """
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
    state = m[3 * STATE_AT + 2] // STATE_WORDS
    m[m[3 * STATE_AT] + state * STATE_WORDS] = m[3 * VECTORS + 2]
    m[m[3 * STATE_AT] + state * STATE_WORDS + 1] = m[v + V_STORES]
    m[3 * STATE_AT + 2] += STATE_WORDS
    m[3 * VECTORS + 2] += length
    m[begin + at] = state + 1
    m[3 * STATE_TABLE + 2] += 1
    return state


@inner
def find_step(t: Ints, node: int, code: int, then: int, contexts: int) -> int:
    """Index at which the entry of a step is in the table of steps, or is to be put: its key is not 0 if it is there.

    Parameters
    ----------
    t : table of steps.
    node : a state, or what keys before it came to.
    code : of a layer.
    then : code of the layer after it and of the loads that the next one begins with.
    contexts : what is to be known of layers before them.
    """
    places, first = len(t) // STEP_WORDS, node << 32 | code
    h = node * 40503 + code * 69069 + (then >> HEAD_BITS) * 30011 + (then & 0xFFFFF) * 7919
    at = _mixed(h + (contexts >> 32) * 50021 + (contexts & 0xFFFFFFFF) * 65537) & (places - 1)
    while True:
        entry = at * STEP_WORDS
        if t[entry] == 0 or (t[entry] == first and t[entry + 1] == then and t[entry + 2] == contexts):
            return entry
        at = (at + 1) & (places - 1)


@compiled
def refill_states(m: Ints) -> None:
    """Fill the hash table of states, which is empty."""
    begin, mask = m[3 * STATE_TABLE], m[3 * STATE_TABLE + 1] - 1
    for state in range(m[3 * STATE_AT + 2] // STATE_WORDS):
        at = _state_hash(m, state_of(m, state)) & mask
        while m[begin + at]:
            at = (at + 1) & mask
        m[begin + at] = state + 1


@compiled
def refill_steps(t: Ints, old: Ints) -> None:
    """Fill an empty table of steps with those of another one.

    Parameters
    ----------
    t : the empty table.
    old : the other one.
    """
    for before in range(0, len(old), STEP_WORDS):
        if old[before]:
            entry = find_step(t, old[before] >> 32, old[before] & 0xFFFFFFFF, old[before + 1], old[before + 2])
            for word in range(STEP_WORDS):
                t[entry + word] = old[before + word]


def new_steps(places: int = 1 << 19) -> Ints:
    """A table of steps with so many places, a power of two."""
    return np.zeros(places * STEP_WORDS, np.int64)


def more_steps(t: Ints) -> Ints:
    """A larger table with the same steps."""
    larger = new_steps(2 * len(t) // STEP_WORDS)
    refill_steps(larger, t)
    return larger


def new_memo() -> Ints:
    """An empty memory of the tables of costs."""
    m = np.zeros(3 * _SEGMENTS + sum(_SIZES), np.int64)
    m[0 : 3 * _SEGMENTS : 3] = 3 * _SEGMENTS + np.concatenate([[0], np.cumsum(_SIZES)[:-1]])
    m[1 : 3 * _SEGMENTS : 3] = _SIZES
    return m


def used(m: Ints, segment: int) -> int:
    """Integers of a segment that are in use.

    Parameters
    ----------
    m : memory of the tables of costs.
    segment : its number.
    """
    return int(m[3 * segment + 2])


def segment_of(m: Ints, segment: int) -> Ints:
    """The integers of a segment, those without use too: a view.

    Parameters
    ----------
    m : memory of the tables of costs.
    segment : its number.
    """
    begin, room = m[3 * segment : 3 * segment + 2].tolist()
    return m[begin : begin + room]


def grown(m: Ints, segment: int, words: int = 0) -> Ints:
    """A copy with at least four times the room in a segment.

    Parameters
    ----------
    m : memory of the tables of costs.
    segment : its number.
    words : so many more integers fit, too.
    """
    rooms = m[1 : 3 * _SEGMENTS : 3].copy()
    while rooms[segment] < 4 * m[3 * segment + 1] or rooms[segment] < m[3 * segment + 2] + words:
        rooms[segment] *= 2
    n = np.zeros(3 * _SEGMENTS + int(rooms.sum()), np.int64)
    n[0 : 3 * _SEGMENTS : 3] = 3 * _SEGMENTS + np.concatenate([[0], np.cumsum(rooms)[:-1]])
    n[1 : 3 * _SEGMENTS : 3] = rooms
    n[2 : 3 * _SEGMENTS : 3] = m[2 : 3 * _SEGMENTS : 3]
    for each in range(_SEGMENTS):
        if each != segment or each != STATE_TABLE:
            old = segment_of(m, each)[: None if each == STATE_TABLE else used(m, each)]
            segment_of(n, each)[: len(old)] = old
    if segment == STATE_TABLE:
        refill_states(n)
    return n
