"""A bus that breaks AXI's rules: an error that names the port, a reset that ends or says so, a next run that is right.

Every fault of every port: ``python bench/faulty_bus.py``.
"""

from __future__ import annotations

import pytest

from rtl.errors import ErrorCode
from sim.cosim.every_operator import Case
from sim.cosim.faulty_bus import After, FaultyBus
from sim.rtl_bench.bench import Bench, build
from sim.rtl_bench.faults import BusFault, Fault, port_indices
from sim.rtl_bench.simulators import find_simulator
from tests.machines import TINY

PROG, WGT, ACT, B, OUT = 0, 1, 2, 3, 4
"""The DRAM's ports of a machine without stripes."""

LAST = -1
"""The last burst of a port, whatever the network."""


@pytest.fixture(scope="module")
def spoilt():
    """One machine for all: each fault finds it as the one before left it."""
    with Bench(build(TINY, find_simulator()), seed=1) as bench:
        yield FaultyBus(Case.of(TINY, seed=1), bench)


@pytest.fixture(scope="module")
def last(spoilt):
    """The last burst of each port, counted before anything is spoilt."""
    return {port: spoilt._run(0, BusFault(Fault.COUNTED, port)).bursts - 1 for port in (PROG, WGT, ACT, B, OUT)}


def test_the_numbers_of_the_ports():
    assert list(port_indices(1, 1, writes=False).values()) == [PROG, WGT, ACT, B]
    assert port_indices(1, 1, writes=True) == {"m_axi_out": OUT}


@pytest.mark.parametrize(
    ("fault", "port", "burst", "stall", "error", "after"),
    [
        (Fault.RLAST_EARLY, WGT, 0, 0, "PROTOCOL_WGT", {After.RIGHT}),
        (Fault.RLAST_MISSING, PROG, 30, 90, "PROTOCOL_PROG", {After.RIGHT}),
        (Fault.RLAST_MISSING, ACT, LAST, 0, "PROTOCOL_ACT", {After.RIGHT}),
        (Fault.BEAT_AFTER_LAST, PROG, 39, 0, "PROTOCOL_PROG", {After.REFUSED}),
        (Fault.BEAT_AFTER_LAST_WITH_RLAST, B, LAST, 0, "PROTOCOL_B", {After.RIGHT, After.REFUSED}),
        (Fault.BEAT_TOO_MANY, WGT, 50, 90, "PROTOCOL_WGT", {After.RIGHT, After.REFUSED}),
        (Fault.BEAT_TOO_FEW, ACT, 10, 0, "PROTOCOL_ACT", {After.BROKEN}),
        (Fault.BEAT_TOO_FEW_NO_RLAST, B, LAST, 90, "STUCK", {After.BROKEN}),
        (Fault.EXOKAY_READ, PROG, LAST, 0, "PROTOCOL_PROG", {After.RIGHT}),
        (Fault.BEAT_BEFORE_ADDRESS, WGT, 0, 0, "PROTOCOL_WGT", {After.RIGHT, After.REFUSED}),  # before the start
        (Fault.B_TWICE, OUT, LAST, 0, "PROTOCOL_OUT", {After.RIGHT, After.REFUSED}),
        (Fault.B_MISSING, OUT, LAST, 0, "STUCK", {After.BROKEN}),
        (Fault.EXOKAY_WRITE, OUT, 40, 90, "PROTOCOL_OUT", {After.RIGHT}),
        (Fault.B_BEFORE_DATA, OUT, 0, 0, "PROTOCOL_OUT", {After.BROKEN}),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else None,
)  # fmt: skip
def test_a_fault_is_an_error_and_harms_no_later_run(fault, port, burst, stall, error, after, spoilt, last):
    found = spoilt.run(BusFault(fault, port, last[port] if burst == LAST else burst), stall)
    print(found)
    assert found.struck and found.error == error and not found.silent
    assert found.after in after
    assert found.reset_cycles < 5_000


@pytest.mark.parametrize("stall", [0, 60, 200])
def test_a_legal_bus_is_no_error_however_it_stalls(stall, spoilt):
    """Ready waits for valid on every channel, with pauses besides."""
    found = spoilt.run(BusFault(Fault.READY_AFTER_VALID), stall)
    assert (found.error, found.right, found.after, found.reset_cycles) == ("", True, After.RIGHT, 0)


def test_port_and_command_are_named(spoilt):
    """BUS has the port; ERROR_COMMAND the unit's command, of which the first burst of a port is command 0."""
    for port, bit in ((WGT, 1), (ACT, 5), (OUT, 9)):
        fault = Fault.EXOKAY_WRITE if port == OUT else Fault.EXOKAY_READ
        result = spoilt._run(0, BusFault(fault, port, 0))
        assert ErrorCode(result.error_code).of_port and result.bus & 0x1FFF == 1 << bit
        assert result.error_command == 0
        assert spoilt.bench.drain()[1] is False
