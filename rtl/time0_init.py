"""Verilog whose combinational processes run at time 0 in every simulator."""

from __future__ import annotations

import re


def with_time0_init(verilog: str) -> str:
    """Return Yosys's Verilog with every ``always @*`` made to run at time 0.

    IEEE 1364-2001 lets such a process wait for a *change* of what it reads, so one that reads constants alone never
    runs and its outputs stay X. Yosys therefore puts a register into each that goes from X to 0 at time 0, where it is
    declared; but whether that comes before or after the process begins to wait is the simulator's choice, and Icarus
    (as SystemVerilog asks) does it before. A nonblocking assignment takes effect after all processes have begun.

    >>> print(with_time0_init(r"  reg \\$auto$verilog_backend.cc:2355:dump_module$29  = 0;"))
      reg \\$auto$verilog_backend.cc:2355:dump_module$29 ; initial \\$auto$verilog_backend.cc:2355:dump_module$29  <= 0;
    """
    return re.sub(
        r"^( *reg )(\\\$auto\$verilog_backend\S+ ) = 0;", r"\1\2; initial \2 <= 0;", verilog, flags=re.MULTILINE
    )
