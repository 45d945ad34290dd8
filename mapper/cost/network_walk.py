"""The cycles of a SubNet's Program for many contents of the PB: from state to state, each different step taken once.

A step depends on the state before it, on the layer, on the layer after it, whose loads may be issued ahead, and on
those behind that as far as all loads before them might be issued. That is its key; a layer whose input was made before
the state was taken needs to know, too, by which STORE each of its rows was stored, as long as some of these have not
ended.
"""

from __future__ import annotations

from arch_model.compiled import Ints, compiled, inner
from arch_model.timing.rows import STORE_UNIT
from mapper.cost.entry_states import V_STORES
from mapper.cost.memo import (
    DEEPER,
    FAILED,
    KEY_WORDS,
    NODES,
    STATE_TABLE,
    STEP_TABLE,
    block_of,
    find_step,
    map_of,
    put_step,
    state_of,
)
from mapper.cost.variant_rows import B_COUNT, B_MAPS
from mapper.cost.window import (
    AFTERWARDS,
    DISTANCE,
    FLAGS,
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
def _context(m: Ints, v: int, variants: Ints, links: Ints, column: int, first: int, at: int) -> int:
    """What is to be known of layers before ``first`` for the loads of the layer ``at``: 0, or the map of the rows of
    its input, if not all of them have long been stored, and how many STOREs are between."""
    source = at - links[at, DISTANCE]
    if source == at or source >= first:
        return 0
    between = 0
    for layer in range(source + 1, first):
        between += m[block_of(m, variants[layer, column]) + B_COUNT + STORE_UNIT]
    number = m[block_of(m, variants[source, column]) + B_MAPS + links[at, TENSOR]]
    if between + m[map_of(m, number)] > m[v + V_STORES]:
        return 0
    return 1 + (number << MAP_BITS | between)


@inner
def _lookup(w: Ints, m: Ints, state: int, variants: Ints, links: Ints, column: int, first: int) -> tuple[int, int, int]:
    """Take a step, or remember it: the state after it, its cycles, and what has no room."""
    v, node, more, then, contexts = state_of(m, state), 2 * state + 2, 0, 0, 0
    contexts = _context(m, v, variants, links, column, first, first) << 32
    code = _code(variants, links, column, first)
    if links[first, AFTERWARDS] != NOTHING:
        more, then = 1, _code(variants, links, column, first + 1) + 1
        contexts |= _context(m, v, variants, links, column, first, first + 1)
    while True:
        entry = find_step(m, node, code, then, contexts)
        if m[entry] == 0:
            used, room = m[3 * STEP_TABLE + 2], m[3 * STEP_TABLE + 1]
            if 2 * used > room or 2 * m[3 * STATE_TABLE + 2] > m[3 * STATE_TABLE + 1]:
                return state, 0, STEPS_FULL if 2 * used > room else STATES_FULL
            leads, cycles = step(w, m, v, variants, links, column, first, more) if more < WINDOW else (FAILED, 0)
            if leads in (NO_ROWS, NO_VECTOR):
                return state, 0, WINDOW_FULL if leads == NO_ROWS else STATES_FULL
            if leads == DEEPER:
                leads = DEEPER - m[3 * NODES + 2]
                m[3 * NODES + 2] += 1
            put_step(m, entry, node, code, then, contexts, leads, cycles)
        if m[entry + KEY_WORDS] > DEEPER:
            return m[entry + KEY_WORDS], m[entry + KEY_WORDS + 1], DONE
        node, more = 2 * (DEEPER - m[entry + KEY_WORDS]) + 1, more + 1
        code, then = _code(variants, links, column, first + more), 0
        contexts = _context(m, v, variants, links, column, first, first + more)


@compiled
def walk(w: Ints, m: Ints, variants: Ints, links: Ints, at: Ints) -> int:
    """Take every column through its layers.

    Parameters
    ----------
    w : a workspace for windows.
    m : what is remembered (:mod:`mapper.cost.memo`).
    variants : int64 (layers, columns), each layer as cached in each column.
    links : int64 (layers, LINK_WORDS).
    at : int64 (2 + 2 * columns,): layer and column to go on with; the columns' states (below 0: done, or not possible);
        their cycles. Filled.

    Returns
    -------
    :data:`DONE`, or what has no room; to be called again with more of it.
    """
    layers, columns = variants.shape
    for layer in range(at[0], layers):
        for column in range(at[1], columns):
            if at[2 + column] < 0:
                continue
            leads, cycles, full = _lookup(w, m, at[2 + column], variants, links, column, layer)
            if full:
                at[0], at[1] = layer, column
                return full
            at[2 + column] = leads
            at[2 + columns + column] += cycles
        at[1] = 0
    return DONE
