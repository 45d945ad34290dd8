"""The machine as an Amaranth component, for a design of one's own in Amaranth."""

from __future__ import annotations

from typing import Any

from amaranth import DomainRenamer, Module
from amaranth.lib.wiring import Component, In, Out, Signature

from arch_model.machine.accelerator import Accelerator
from rtl.accelerator import FastSwitch
from rtl.control import axi_lite
from rtl.interfaces import axi_read, axi_write
from rtl.port_names import master_names, port_names


class FastSwitchComponent(Component):
    """The machine in one clock domain, ``sync``; ``DomainRenamer`` puts it into another.

    It is elaborated like any component: in Amaranth's simulator, for Verilog, and on a platform. Ports have the names
    that they have in the delivered Verilog.

    Parameters
    ----------
    accelerator : the machine.

    Ports
    -----
    s_axi_ctrl (In, AXI4-Lite): the registers.
    m_axi_prog, m_axi_wgt or m_axi_wgt0 …, m_axi_act or m_axi_act0 … (Out, AR and R of AXI4): Program, weights,
        activations.
    m_axi_out or m_axi_out0 … (Out, AXI4): operand b, results.
    irq (Out, 1): high while an enabled interrupt is pending.

    Side bands that are constant are left out: AxSIZE is the port's width, AxBURST 1 (INCR), AxCACHE 3, AxPROT 0.

    Examples
    --------
    >>> machine = FastSwitchComponent(Accelerator.load("tiny"))
    >>> sorted(machine.signature.members)
    ['irq', 'm_axi_act', 'm_axi_out', 'm_axi_prog', 'm_axi_wgt', 's_axi_ctrl']
    >>> len(machine.m_axi_wgt.rdata), len(machine.m_axi_out.wstrb)
    (32, 4)
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = a = accelerator
        read, write = axi_read(a.port_bytes), axi_write(a.port_bytes)
        both = Signature({**dict(read.members.items()), **dict(write.members.items())})
        writers = port_names("out", a.stripes)
        names = master_names(a.stripes, a.weight_stripes)
        masters = {name: Out(both if name in writers else read) for name in names}
        super().__init__({"s_axi_ctrl": In(axi_lite()), **masters, "irq": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        a, m = self.accelerator, Module()
        machine = FastSwitch(a)
        # Inside, sync is what CTRL's reset resets, too, and axi what it leaves alone: the user's domain.
        m.submodules.machine = DomainRenamer({"axi": "sync", "sync": "units"})(machine)
        m.d.comb += self.irq.eq(machine.irq)
        _connect(m, machine.s_axi_ctrl, self.s_axi_ctrl)
        for name, ports in (("prog", [machine.m_axi_prog]), ("wgt", machine.m_axi_wgt), ("act", machine.m_axi_act)):
            for inside, outside in zip(ports, port_names(name, len(ports)), strict=True):
                _connect(m, inside, getattr(self, outside))
        for index, outside in enumerate(port_names("out", a.stripes)):
            for half in (machine.m_axi_out_read[index], machine.m_axi_out_write[index]):
                _connect(m, half, getattr(self, outside))
        return m


def _connect(m: Module, inside: Any, outside: Any) -> None:
    """A port of the machine to the members of the same names outside, which may have more."""
    for path, member, value in inside.signature.flatten(inside):
        other = getattr(outside, path[0])
        m.d.comb += other.eq(value) if member.flow is Out else value.eq(other)
