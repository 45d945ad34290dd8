"""What the bench's DRAM can do wrong on a port of the machine, or slowly on all (``sim/rtl_bench/verilog/dram.v``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from rtl.port_names import master_names, port_names


class Fault(IntEnum):
    """By the numbers that ``sim/rtl_bench/verilog/dram.v`` knows them by."""

    RLAST_EARLY = 1
    RLAST_MISSING = 2
    BEAT_AFTER_LAST = 3
    BEAT_AFTER_LAST_WITH_RLAST = 4
    BEAT_TOO_MANY = 5
    BEAT_TOO_FEW = 6
    BEAT_TOO_FEW_NO_RLAST = 7
    EXOKAY_READ = 8
    BEAT_BEFORE_ADDRESS = 9
    B_TWICE = 16
    B_MISSING = 17
    EXOKAY_WRITE = 18
    B_BEFORE_DATA = 19
    B_BEFORE_ADDRESS = 20
    READY_AFTER_VALID = 30
    COUNTED = 31

    @property
    def legal(self) -> bool:
        """AXI allows it: ready only after its valid; or nothing happens, bursts are counted.

        >>> [fault.name for fault in Fault if fault.legal]
        ['READY_AFTER_VALID', 'COUNTED']
        """
        return self >= Fault.READY_AFTER_VALID

    @property
    def writes(self) -> bool:
        """Whether the fault is one of a write port."""
        return Fault.B_TWICE <= self <= Fault.B_BEFORE_ADDRESS


@dataclass(frozen=True)
class BusFault:
    """A fault of one port, at the first burst fit for it.

    Attributes
    ----------
    fault : what goes wrong.
    port : as :func:`port_indices` numbers them.
    burst : from which number on, counted from 0 since the job began.
    """

    fault: Fault
    port: int = 0
    burst: int = 0


def port_indices(stripes: int, weight_stripes: int, *, writes: bool) -> dict[str, int]:
    """The DRAM's number of each port that reads, or of each that writes, by the port's name.

    Parameters
    ----------
    stripes : ports that activations and results have each.
    weight_stripes : ports that weights have.
    writes : ports that write; else those that read.

    Examples
    --------
    >>> port_indices(1, 2, writes=False), port_indices(1, 2, writes=True)
    ({'m_axi_prog': 0, 'm_axi_wgt0': 1, 'm_axi_wgt1': 2, 'm_axi_act': 3, 'm_axi_out': 4}, {'m_axi_out': 5})
    """
    reads = master_names(stripes, weight_stripes)
    names = port_names("out", stripes) if writes else reads
    return {name: i + (len(reads) if writes else 0) for i, name in enumerate(names)}
