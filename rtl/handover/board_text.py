"""The README's sections for whoever puts the machine on a board: at a glance, what was checked, buses, bring-up."""

from __future__ import annotations

import re

from arch_model.cost.fit import fit
from arch_model.machine.accelerator import Accelerator
from rtl.dma_write import AW_AHEAD, PENDING_BITS
from rtl.handover.alveo import KERNEL, is_alveo
from rtl.handover.ports import BUSES
from rtl.handover.vivado import READS_UNDER_WAY, connections, has_block_design, master_rows
from rtl.registers import ADDRESS
from rtl.stripes import OWED_BITS

ESTIMATED_HZ = 122e6
"""Static timing of the preset ``tiny`` of version 0.1.0: 8.19 ns on Yosys' netlist, with 0.10 ns a LUT, 0.30 + 0.04 ·
log2(fan-out) ns a net, 1.5 ns from an UltraRAM's clock to its output; 161 to 98 MHz over three models of nets."""


def glance(a: Accelerator) -> str:
    """The machine in a table."""
    rows = [("clock", _clock(a))]
    if a.device is None:
        rows.append(("device", "none is named in the description; scripts take a ZCU104's"))
    else:
        made = fit(a, a.device)
        shares = ", ".join(f"{taken / there:.0%} of {name}" for name, taken, there in made.rows() if there)
        rows.append(("device", f"`{a.device.part}`; an estimated {shares}"))
    masters = master_rows(a)
    bits = masters[0][2]
    rate = bits / 8 * a.clock_hz / 1e9
    rows += [
        ("memory ports", f"{len(masters)} AXI4 masters of {bits} bits, {rate:g} GB/s each at that clock"),
        ("control", "one AXI4-Lite slave of 32 bits and 256 bytes, one interrupt"),
        ("addresses", "32 bits: all that it reads and writes lies in one window of 4 GiB"),
        (
            "memory",
            f"{a.dram.bytes:,} bytes at most, in {a.weight_stripes + a.stripes + 1} buffers (memory map, below)",
        ),
    ]
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {text} |" for name, text in rows)


def _clock(a: Accelerator) -> str:
    text = f"one, {a.clock_hz / 1e6:g} MHz in the description; **no place and route has shown that it closes**"
    if a.clock_hz > ESTIMATED_HZ:
        text += (
            f". It probably does not: a static estimate for the machine `tiny` on a device of speed grade -2 is "
            f"{ESTIMATED_HZ / 1e6:g} MHz"
        )
    return text


def checked(a: Accelerator) -> str:
    """What of the folder was run by what, and what by nothing."""
    scripts = "`vivado/`" + (" and `alveo/`" if is_alveo(a) else "")
    rows = [
        (
            "the RTL",
            "machines of many shapes, the presets among them, in simulation: whole networks give the reference's "
            "integers in the predicted cycles, with pauses and errors on every port too, and AXI's rules are checked "
            "in every run; this very one by `make sim`",
            "placed and routed, or run on a chip",
        ),
        (
            "`rtl/`",
            "Verilator `-Wall`, Icarus Verilog `-g2001`; Yosys `check`: no loop, no latch, no second driver",
            "read by a vendor's tool",
        ),
        ("`sim/`", "Icarus Verilog and Verilator", "other simulators"),
        ("`fastswitch.core`", "FuseSoC: lint and simulation run, the Vivado project is written", "the project"),
        (
            "`constraints/`, " + scripts,
            "run by a Tcl interpreter with stand-ins for the vendor's commands, XML parsed",
            "read by Vivado or Vitis",
        ),
        ("`registers/`", "read back; every register of the RTL compared; the C header compiled as C11 and C++11", ""),
        (
            "`driver/`",
            "SubNets on the simulated RTL, through its device for PYNQ and that for XRT with stand-ins for the "
            "two libraries",
            "a board",
        ),
    ]
    return "| | was run | never was |\n|---|---|---|\n" + "\n".join(f"| {a} | {b} | {c} |" for a, b, c in rows)


def buses(a: Accelerator) -> str:
    """Attributes of each bus, and how the machine behaves on it."""
    rows = []
    for name, writes, bits, _, _ in master_rows(a):
        what = BUSES[re.sub(r"\d+$", "", name)].removeprefix("AXI4 master, reads only: ").removeprefix("AXI4 master: ")
        rows.append(f"| `{name}` | {'reads, writes' if writes else 'reads'} | {bits} | {a.axi.max_burst} | {what} |")
    needed = 1 + -(-a.dram.latency_cycles // a.axi.max_burst)
    return (
        "| bus | | bits | longest burst | carries |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n\n"
        f"- **Bursts.** INCR, whole beats (AxSIZE is the bus's width, no narrow transfers), at most {a.axi.max_burst} "
        f"beats; none crosses a multiple of {a.axi.max_burst * a.port_bytes} bytes, so none crosses 4 KiB. Every "
        f"address is a multiple of {a.port_bytes}. No FIXED, WRAP, exclusive or locked access.\n"
        "- **IDs.** None: everything on a bus is in order. `rtl/fastswitch_ids.v` is the same with IDs of one bit, for "
        "tools that expect them.\n"
        "- **Reads under way.** An address a cycle as long as ARREADY is there, without a limit of the machine's own "
        f"(it stops where {1 << (OWED_BITS - 1):,} beats are owed on a port): the interconnect decides. To keep a port "
        f"busy it must take {needed} bursts at once where memory answers after {a.dram.latency_cycles} cycles: 1 + "
        f"latency / {a.axi.max_burst}, rounded up. The IP says {READS_UNDER_WAY}.\n"
        f"- **Writes under way.** Addresses are at most {AW_AHEAD} bursts ahead of their data; up to "
        f"{(1 << PENDING_BITS) - 1:,} bursts may be unacknowledged. Data may come before its address is accepted, "
        "never before it is offered. BREADY is always 1. WSTRB is all ones, but for bursts that a reset cuts short: "
        "zeros.\n"
        "- **Reads and writes of one port go on side by side.** On `m_axi_out` a burst of operand b is taken only as "
        "fast as results are: a memory or a converter that ends a read before it takes the next write (one state "
        "machine for both) stops for ever, with error 10. Ports of a processing system, of DDR and HBM controllers and "
        "AMD's SmartConnect have channels of their own for both; a shared bus of single transfers has not. So do not "
        "put `m_axi_out` behind such a bus.\n"
        "- **Answers.** OKAY; SLVERR and DECERR are errors 3 to 7 below. A port that breaks AXI's rules is an error, "
        "too.\n"
        "- **Cache and protection.** AxCACHE 0011 (normal, not cacheable, bufferable), AxPROT 000 (unprivileged, "
        "secure, data). Caches of a processor must be flushed and invalidated; the driver does. A processing system "
        "whose memory is for the non-secure world only must change AxPROT[1] in its interconnect.\n"
        "- **Timing of the ports.** Outputs may depend on inputs of the same cycle: RREADY on RVALID, on the weights' "
        "ports on the RVALID of all of them. A register slice on each side makes this the machine's own affair."
    )


def bring_up(a: Accelerator) -> str:
    """Steps from the folder to a network that runs, each with what should be seen."""
    steps = ["`make lint` and `make sim` here: PASS, so that the folder arrived whole."]
    if has_block_design(a):
        board = a.device.board.upper() if a.device else ""
        ports = ", ".join(f"{' and '.join(masters)} on {port}" for port, masters in connections(a).items())
        steps += [
            "`vivado -mode batch -source vivado/synth_ooc.tcl -tclargs route`: the clock that closes, and whether the "
            "RAMs are those of the table under Resources (`vivado/build/ooc/synth_ram.rpt`). If the slack is negative, "
            "lower `clock_hz` in `accelerator.yaml` and make the folder anew, or lower the clock in the block design "
            "alone: cycles stay the same.",
            "`vivado -mode batch -source vivado/package_ip.tcl`, then `vivado -mode batch -source "
            f"vivado/block_design.tcl -tclargs bitstream`: `vivado/fastswitch.bit` and `.hwh` for the {board}. Masters "
            f"and ports of the processing system: {ports}. HP1 and HP2 share a port of the DDR controller (AMD "
            "UG1085).",
            "Copy both files, `driver/` and a package to the board, load the overlay and read ID: 0x46535731.",
        ]
    elif is_alveo(a):
        steps += [
            "`vivado -mode batch -source vivado/synth_ooc.tcl -tclargs route`: the clock that closes, and whether the "
            "RAMs are those of the table under Resources.",
            "`vivado -mode batch -source alveo/package_xo.tcl`, then `v++ --link --target hw --platform PLATFORM "
            f"--config alveo/link.cfg --output fastswitch.xclbin alveo/fastswitch.xo`. The kernel is `{KERNEL}` (user "
            "managed).",
            "`xrt-smi validate`, load the xclbin, read ID: 0x46535731.",
        ]
    else:
        steps += [
            "Synthesise `rtl/fastswitch.v` with `constraints/`; for Vivado `vivado/synth_ooc.tcl`. The clock that "
            "closes may be lower than the description's: cycles stay the same.",
            "Connect the ports (below), the interrupt and one reset for machine and interconnect; read ID: 0x46535731.",
        ]
    steps += [
        f"Read SHAPE (0x{ADDRESS['SHAPE']:02X}) and PORTS (0x{ADDRESS['PORTS']:02X}): the driver compares them with "
        "the package. If ID reads 0 or the bus hangs, look at `aclk`, `aresetn` and the address of `s_axi_ctrl` first.",
        "Run the bench's Programs or a SubNet by the driver. Logits that are wrong while all counters are as predicted "
        "mean memory that is not coherent, or a BASE that is another one's.",
        "Compare the counters: beats, passes and commands must be as predicted; cycles and waits may differ, as the "
        "memory does. WAIT_WEIGHTS far above its prediction: the weights' ports get less than a beat a cycle, or too "
        "few reads are let through.",
        "When nothing ends, STATUS has error 10 after WATCHDOG cycles, ERROR_COMMAND the command, and BUS the port "
        "that owes an answer.",
    ]
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
