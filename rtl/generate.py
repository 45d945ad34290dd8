"""Verilog of an accelerator, with the port names that FPGA tools infer AXI from."""

from __future__ import annotations

from pathlib import Path

from amaranth import ClockDomain, Module, Signal
from amaranth._toolchain import yosys
from amaranth.back.verilog import _convert_rtlil_text
from amaranth.hdl import Fragment
from amaranth.hdl._ir import PortDirection
from amaranth.lib.wiring import Out

from arch_model.child_processes import supervising
from arch_model.files.writing import write_whole
from arch_model.machine.accelerator import Accelerator
from rtl.accelerator import FastSwitch
from rtl.netlist import Netlist, module_rtlil, without_collector
from rtl.port_names import port_names
from rtl.unused_wires import without_unused_wires

TOP = "fastswitch"

# Side bands that never change: AXI4 spec (ARM IHI 0022), INCR bursts; normal, bufferable, modifiable memory.
INCR = 1
CACHE = 0b0011
"""AxCACHE; AxPROT is 0: unprivileged, secure, data."""


def write_verilog(accelerator: Accelerator, path: Path) -> None:
    """Write the machine as one Verilog file.

    The top module is named ``fastswitch``. Its ports are ``aclk``, ``aresetn`` (synchronous, active low), ``irq``,
    ``s_axi_ctrl_*`` (AXI4-Lite), ``m_axi_prog_*``, ``m_axi_wgt_*``, ``m_axi_act_*`` (AXI4, read only) and
    ``m_axi_out_*`` (AXI4); with stripes the last three are ``m_axi_wgt0_*``, ``m_axi_wgt1_*`` and so on. The same
    accelerator gives the same bytes.

    Parameters
    ----------
    accelerator : the machine.
    path : the file; it is there whole or not at all.

    Raises
    ------
    FastSwitchError
        The file cannot be written.
    """
    write_whole(path, verilog(accelerator))


def verilog(accelerator: Accelerator) -> str:
    """The text that :func:`write_verilog` writes."""
    top = Module()
    top.domains.axi = domain = ClockDomain(async_reset=False)
    top.submodules.machine = machine = FastSwitch(accelerator)
    aresetn = Signal()
    top.d.comb += domain.rst.eq(~aresetn)
    ports: dict[str, tuple[Signal, PortDirection]] = {
        "aclk": (domain.clk, PortDirection.Input),
        "aresetn": (aresetn, PortDirection.Input),
        "irq": (machine.irq, PortDirection.Output),
    }

    def expose(prefix, interface):
        """Ports for an interface of the machine; its signature already says which way each member goes."""
        for path, member, value in interface.signature.flatten(interface):
            direction = PortDirection.Output if member.flow is Out else PortDirection.Input
            ports[f"{prefix}_{'_'.join(map(str, path))}"] = (value, direction)

    def constant(name: str, width: int, value: int):
        signal = Signal(width, name=name)
        top.d.comb += signal.eq(value)
        ports[name] = (signal, PortDirection.Output)

    def read_side(prefix, interface, port_bytes=accelerator.port_bytes):
        expose(prefix, interface)
        side_band(prefix, "ar", port_bytes)

    def side_band(prefix, channel, port_bytes=accelerator.port_bytes):
        size = (port_bytes - 1).bit_length()
        constant(f"{prefix}_{channel}size", 3, size)
        constant(f"{prefix}_{channel}burst", 2, INCR)
        constant(f"{prefix}_{channel}cache", 4, CACHE)
        constant(f"{prefix}_{channel}prot", 3, 0)

    expose("s_axi_ctrl", machine.s_axi_ctrl)
    for channel in ("aw", "ar"):  # protection bits come in and are not looked at
        ports[f"s_axi_ctrl_{channel}prot"] = (Signal(3, name=f"s_axi_ctrl_{channel}prot"), PortDirection.Input)
    read_side("m_axi_prog", machine.m_axi_prog, accelerator.program_beat_bytes)
    for i, port in enumerate(port_names("wgt", accelerator.weight_stripes)):
        read_side(port, machine.m_axi_wgt[i])
    acts, outs = (port_names(name, accelerator.stripes) for name in ("act", "out"))
    for i, (act, out) in enumerate(zip(acts, outs, strict=True)):
        read_side(act, machine.m_axi_act[i])
        read_side(out, machine.m_axi_out_read[i])
        expose(out, machine.m_axi_out_write[i])
        side_band(out, "aw")

    netlist = Netlist()
    with without_collector():
        machine_text = module_rtlil(Fragment.get(top, netlist), ports, TOP)
    with supervising(yosys):
        return without_unused_wires(_convert_rtlil_text(netlist.rtlil + machine_text, strip_internal_attrs=True))
