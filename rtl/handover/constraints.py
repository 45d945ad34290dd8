"""Timing constraints: SDC for ASIC flows and most FPGA tools, XDC for Vivado."""

from __future__ import annotations

from collections.abc import Iterable

from arch_model.machine.accelerator import Accelerator
from rtl.handover.ports import Port

CLOCK, RESET = "aclk", "aresetn"

SHARE = 0.3
"""Of a clock period that is left to what is outside, on inputs and on outputs each."""

UNCERTAINTY = 0.05
"""Of a clock period, for jitter and for skew that is not known before the clock tree is."""

_HEAD = """\
# Accelerator {name}: one clock of {mhz:g} MHz.
"""

_CLOCK = """
# Everything happens at the rising edge of {clock}; there is no other clock and no latch.
create_clock -name {clock} -period {period:.3f} [get_ports {clock}]
"""

_RESET = """
# {reset} is synchronous: a clocked input like any other, sampled at the edge. So there is no false path from it, and
# a source in another clock domain needs a synchroniser outside.
"""

_IO = """
# The ports go to an interconnect on the same chip and the same clock, not to pads. {share:.0%} of the period is left to
# it on each side, which is more than an AXI register slice takes.
"""
_DELAYS = """\
set_input_delay {io:.3f} -clock [get_clocks {clock}] [get_ports {{
{inputs}
}}]
set_output_delay {io:.3f} -clock [get_clocks {clock}] [all_outputs]
"""


def sdc(accelerator: Accelerator, ports: Iterable[Port]) -> str:
    """Synopsys Design Constraints: time in ns, which SDC leaves to the tool's library unless ``set_units`` says.

    Parameters
    ----------
    accelerator : the machine.
    ports : of its top module.
    """
    parts = [
        _HEAD,
        "# Synopsys Design Constraints, version 2.1.\n\nset_units -time ns\n",
        _CLOCK,
        "set_clock_uncertainty {jitter:.3f} [get_clocks {clock}]\n",
        _RESET,
        _IO,
        _DELAYS,
    ]
    return "".join(parts).format(**_values(accelerator, ports))


def xdc(accelerator: Accelerator, ports: Iterable[Port]) -> str:
    """Xilinx Design Constraints for the module by itself (out of context).

    Parameters
    ----------
    accelerator : the machine.
    ports : of its top module.
    """
    parts = [
        _HEAD,
        "# Xilinx Design Constraints, for the module by itself. They are not for a design around it, where the clock\n"
        "# comes from its source: the scripts in vivado/ read this file with `read_xdc -mode out_of_context`, or set\n"
        "# its property USED_IN to {{out_of_context synthesis implementation}}, as whoever adds it to a project does.\n"
        "# In a design the machine needs no constraint of its own: one clock, no false path, no path of two cycles.\n",
        _CLOCK,
        "set_clock_uncertainty {jitter:.3f} [get_clocks {clock}]\n",
        _RESET,
        _IO,
        _DELAYS,
    ]
    return "".join(parts).format(**_values(accelerator, ports))


def _values(accelerator: Accelerator, ports: Iterable[Port]) -> dict[str, object]:
    period = 1e9 / accelerator.clock_hz
    return {
        "name": accelerator.name,
        "mhz": accelerator.clock_hz / 1e6,
        "clock": CLOCK,
        "reset": RESET,
        "period": period,
        "jitter": UNCERTAINTY * period,
        "io": SHARE * period,
        "share": SHARE,
        "inputs": "\n".join(f"    {_pattern(p)}" for p in ports if p.direction == "input" and p.name != CLOCK),
    }


def _pattern(port: Port) -> str:
    """What ``get_ports`` finds all bits of a port by."""
    return port.name if port.width == 1 else f"{port.name}[*]"
