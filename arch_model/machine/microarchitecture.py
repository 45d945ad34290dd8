"""Facts of the microarchitecture: depths, sizes, tokens and latencies that every machine has, each written once.

An :class:`~arch_model.machine.accelerator.Accelerator` says what differs from machine to machine; what stands here is
the same for all. The model counts with these numbers, the mapper plans with them, and the RTL is built from them:
where it builds a queue or a memory it takes the depth from here, and where a unit has a latency of its own,
:mod:`rtl.stages` counts the unit's registers when the machine is elaborated and refuses one that differs.

Latencies are clock cycles. Those without a sum are counted in the unit that they name; a sum says of what it is made.
"""

from __future__ import annotations

from collections.abc import Mapping

# ---------------------------------------------------------------------------------------------- queues and tokens

QUEUE_DEPTH = 4
"""Commands that each unit's queue holds, the one that the unit executes not among them (``rtl/fetch.py``)."""

STORE_FIFO = 16
"""Words of results that STORE keeps ready for the write channel (``rtl/store.py``)."""

TOKENS: Mapping[str, tuple[str, str]] = {
    "sb_full": ("load_act", "run"),
    "sb_free": ("run", "load_act"),
    "w_full": ("load_wgt", "feed"),
    "w_free": ("feed", "load_wgt"),
    "out_full": ("run", "store"),
    "out_free": ("store", "run"),
    "stored": ("store", "load_act"),
    "kept": ("store", "run"),
    "loaded": ("load_act", "store"),
}
"""The tokens between the units: who releases each, and who acquires it."""

TOKENS_BITS = 8
"""Bits of a token's counter (``rtl/semaphore.py``)."""

# ---------------------------------------------------------------------------------------------- sizes

LANE_BYTES = 8
"""Bytes of one filter in a ZSB entry (bias, multiplier, shift), and of a word of an activation table."""

TABLES = 2
"""Activation tables on chip, each a copy in every lane of the requantiser."""

TABLE_BYTES = 256
"""Bytes of an activation table: an output for each int8 value."""

TABLE_WORDS = TABLE_BYTES // LANE_BYTES
"""Words of one of them."""


def gearbox_bytes(in_bytes: int, out_bytes: int, max_pad: int, max_drop: int) -> int:
    """Bytes that a gearbox (``rtl/gearbox.py``) holds: the least with which neither side waits for padding.

    Downwards, a refused word (level above the capacity less a word) must leave a whole word behind after one output and
    its drop. Upwards, a word must fit although another waits: levels stay below ``out + in + max_pad`` and, since
    padding ends on an output word, at most two of those.

    Parameters
    ----------
    in_bytes, out_bytes : int
        Bytes of a word on either side.
    max_pad, max_drop : int
        Most bytes added after a word that comes in, thrown away after a word that goes out.

    Returns
    -------
    int
        Bytes.

    Examples
    --------
    >>> gearbox_bytes(16, 9, 0, 15), gearbox_bytes(9, 16, 15, 0), gearbox_bytes(16, 81, 0, 15)
    (48, 41, 112)
    """
    need = in_bytes + out_bytes
    if in_bytes >= out_bytes:
        need = in_bytes + 2 * out_bytes + max_drop - 1
    if in_bytes <= out_bytes:
        need = max(need, min(2 * out_bytes, out_bytes + in_bytes + max_pad - 1) + in_bytes)
    return need


# ------------------------------------------------------------------------------------------ latencies of components

MEMORY_READ = 1  # an address to its word (rtl/memory.py)
GEARBOX = 1  # the word that completes an output to that output (rtl/gearbox.py)
FIFO = 2  # a word in to that word out (Amaranth's SyncFIFOBuffered)
DMA_ADDRESS = 1  # a request to AR or AW (rtl/dma_read.py, rtl/dma_write.py)
TOKEN = 1  # a token released to the cycle in which it can be acquired (rtl/semaphore.py)

LINE_BUFFER = 1  # nine words to a window (rtl/line_buffer.py)
COLUMN_BUFFER = 1  # a column to the windows that it ends (rtl/column_buffer.py)
DPE = 2  # a window to its dot product (rtl/dpe.py)
ARRAY = DPE + 1  # a window to the sums of all channels (rtl/array.py)
ACCUMULATOR = MEMORY_READ + 1  # a partial sum's address to the new partial sum (rtl/accumulator.py)
REQUANTISER = 5  # a sum to its int8 (rtl/requantiser.py)
REPACKER = 1  # a K-tile's bytes to the banks' writes (rtl/repacker.py)
STORE_LANE = 6  # two int8 operands to their int8 result (rtl/store_lane.py)

# ---------------------------------------------------------------------------------------------- latencies of units

# FETCH (rtl/fetch.py)
FETCH_ADDRESS = DMA_ADDRESS  # start to AR
FETCH_ROOM = 1  # a slot left FETCH's gearbox to the next beat's arrival
FETCH_DECODE = GEARBOX  # a slot's last byte to its dispatch
FETCH_QUEUE = FIFO  # dispatch to the queue's output
FETCH_END = 1  # END decoded to done, if everything is idle by then

# LOAD_ACT, LOAD_WGT (rtl/load_act.py, rtl/load_weights.py)
LOAD_ADDRESS = DMA_ADDRESS  # acceptance to AR
LOAD_WORD = GEARBOX  # a beat to the word that it completes
LOAD_GIVE = 1  # last word to the token, and to the next command's acceptance

LOAD_TURNAROUND = LOAD_WORD + LOAD_GIVE + LOAD_ADDRESS
"""A load's last beat to the next load's address."""

# FEED, RUN (rtl/feed.py, rtl/run.py, rtl/compute.py)
FEED_FULL = MEMORY_READ + 1  # last weight word's read to the shadow being full
COLUMN_ISSUE = 3  # depthwise: the step of a window's leftmost column to that in which its pixel is issued
RUN_WRITE = MEMORY_READ + LINE_BUFFER + ARRAY + ACCUMULATOR - 1 + REQUANTISER + REPACKER
"""A pixel issued to its output written; the partial sum's read is under way while the array adds."""

PASS_OVERHEAD = 5
"""A pass is planned to take at least KP + 5 cycles: the choice of tilings counts with it. FEED
itself needs KP + 2 (``rtl/feed.py``), with which the cycles of a Program are counted."""

# STORE (rtl/store.py)
STORE_ADDRESS = DMA_ADDRESS  # acceptance to AR and AW
STORE_WORD = 1  # acceptance to the first word's read, or a beat of b to the read of the word it completes
STORE_STAGES = MEMORY_READ + STORE_LANE  # a word's address to its result at the FIFO's input
STORE_RESULT = STORE_STAGES + FIFO  # a word's read to its result's way out of the FIFO, at the earliest
STORE_BEAT = STORE_RESULT + GEARBOX  # a word's read to the offer of the beat it completes
STORE_KEPT = STORE_STAGES + 1  # the last word's read to the token that its result is in the SB
STORE_GIVE = 1  # last acknowledgement to the token
STORE_NEXT = 1  # token released to the next command's acceptance
