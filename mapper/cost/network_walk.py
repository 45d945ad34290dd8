"""The cycles of a SubNet's Program for many contents of the PB: from state to state, each different step taken once.

A step depends on the state before it, on the layer, on the layer after it, whose loads may be issued ahead, and on
those behind that as far as all loads before them might be issued. That is its key; a layer whose input was made before
the state was taken needs to know, too, by which STORE each of its rows was stored, as long as some of these have not
ended.
"""

from __future__ import annotations

from arch_model.compiled import Ints, compiled, inner
from mapper.cost.memo import (
    AT_HEAD,
    AT_MAPS,
    AT_STORES,
    DEEPER,
    FAILED,
    FULLEST,
    HEAD_BITS,
    KEY_WORDS,
    NODES,
    STATE_TABLE,
    STEP_WORDS,
    STEPS,
    find_step,
    map_of,
    state_of,
    stores_in,
    variant_of,
)
from mapper.cost.window import (
    AFTERWARDS,
    DISTANCE,
    FLAGS,
    NEW_HALF,
    NO_ROWS,
    NO_VECTOR,
    NOTHING,
    TENSOR,
    WINDOW,
    step,
)

FLAG_BITS, DISTANCE_MAX = 8, 7
"""Bits of :data:`~mapper.cost.window.FLAGS`, and the most layers back that they can say."""

DONE, STATES_FULL, STEPS_FULL, WINDOW_FULL = range(4)
"""What :func:`walk` returns: all is done, or what has no room."""

MAP_BITS = 16


@inner
def _code(variants: Ints, links: Ints, column: int, at: int) -> int:
    """A layer of a column and what is fixed of it, as one number."""
    return variants[at, column] << FLAG_BITS | links[at, FLAGS]


@inner
def _head(m: Ints, variants: Ints, links: Ints, column: int, at: int) -> int:
    """The loads of weights with which a layer begins, and to which half of the ZSB they go, as one number."""
    return m[variant_of(m, variants[at, column]) + AT_HEAD] << 1 | links[at, NEW_HALF]


@inner
def _context(m: Ints, state: int, variants: Ints, links: Ints, column: int, first: int, at: int) -> int:
    """What is to be known of layers before ``first`` for the loads of the layer ``at``: 0, or the map of the rows of
    its input, if not all of them have long been stored, and how many STOREs are between."""
    source = at - links[at, DISTANCE]
    if source == at or source >= first:
        return 0
    between = 0
    for layer in range(source + 1, first):
        between += m[variant_of(m, variants[layer, column]) + AT_STORES]
    number = m[variant_of(m, variants[source, column]) + AT_MAPS + links[at, TENSOR]]
    if between + m[map_of(m, number)] > stores_in(m, state):
        return 0
    return 1 + (number << MAP_BITS | between)


@inner
def _lookup(
    w: Ints, m: Ints, t: Ints, state: int, variants: Ints, links: Ints, column: int, first: int
) -> tuple[int, int, int]:
    """Take a step, or remember it: the state after it, its cycles, and what has no room."""
    node, more, then = 2 * state + 2, 0, 0
    contexts = _context(m, state, variants, links, column, first, first) << 32
    code = _code(variants, links, column, first)
    if links[first, AFTERWARDS] != NOTHING:
        more, then = 1, (_code(variants, links, column, first + 1) + 1) << HEAD_BITS
        contexts |= _context(m, state, variants, links, column, first, first + 1)
        if links[first + 1, AFTERWARDS] != NOTHING:
            then |= _head(m, variants, links, column, first + 2)
    while True:
        entry = find_step(t, node, code, then, contexts)
        if t[entry] == 0:
            if m[3 * STEPS + 2] * STEP_WORDS > FULLEST * len(t):
                return state, 0, STEPS_FULL
            if m[3 * STATE_TABLE + 2] > FULLEST * m[3 * STATE_TABLE + 1]:
                return state, 0, STATES_FULL
            leads, cycles = FAILED, 0
            if more < WINDOW:
                leads, cycles = step(w, m, state_of(m, state), variants, links, column, first, more)
            if leads in (NO_ROWS, NO_VECTOR):
                return state, 0, WINDOW_FULL if leads == NO_ROWS else STATES_FULL
            if leads == DEEPER:
                leads = DEEPER - m[3 * NODES + 2]
                m[3 * NODES + 2] += 1
            t[entry], t[entry + 1], t[entry + 2] = node << 32 | code, then, contexts
            t[entry + KEY_WORDS], t[entry + KEY_WORDS + 1] = leads, cycles
            m[3 * STEPS + 2] += 1
        if t[entry + KEY_WORDS] > DEEPER:
            return t[entry + KEY_WORDS], t[entry + KEY_WORDS + 1], DONE
        node, more = 2 * (DEEPER - t[entry + KEY_WORDS]) + 1, more + 1
        code, then = _code(variants, links, column, first + more), 0
        contexts = _context(m, state, variants, links, column, first, first + more)
        if links[first + more, AFTERWARDS] != NOTHING:
            then = _head(m, variants, links, column, first + more + 1)


@compiled
def walk(w: Ints, m: Ints, t: Ints, variants: Ints, order: Ints, links: Ints, at: Ints) -> int:
    """Take every column through its layers.

    Parameters
    ----------
    w : a workspace for windows.
    m, t : what is remembered (:mod:`mapper.cost.memo`), and the table of steps.
    variants : int64 (layers, columns), each layer as cached in each column.
    order : int64 (layers, columns), in which order to take the columns: like variants one after another are faster.
    links : int64 (layers, LINK_WORDS).
    at : int64 (2 + 2 * columns,): layer and place in that order to go on with; the columns' states (below 0: done, or
        not possible); their cycles. Filled.

    Returns
    -------
    :data:`DONE`, or what has no room; to be called again with more of it.
    """
    layers, columns = variants.shape
    for layer in range(at[0], layers):
        for number in range(at[1], columns):
            column = order[layer, number]
            if at[2 + column] < 0:
                continue
            leads, cycles, full = _lookup(w, m, t, at[2 + column], variants, links, column, layer)
            if full:
                at[0], at[1] = layer, number
                return full
            at[2 + column] = leads
            at[2 + columns + column] += cycles
        at[1] = 0
    return DONE
