"""The ports of the top module, read from its Verilog, and what each means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rtl.generate import TOP


@dataclass(frozen=True)
class Port:
    """One port of the top module.

    Attributes
    ----------
    name : its name.
    direction : ``input`` or ``output``.
    width : bits.
    """

    name: str
    direction: str
    width: int

    @property
    def meaning(self) -> str:
        """What the port's signal carries, in words.

        Examples
        --------
        >>> Port("m_axi_wgt1_arlen", "output", 8).meaning
        'beats of the burst less 1'
        """
        if self.name in _SINGLE:
            return _SINGLE[self.name]
        bus, signal = self.name.rsplit("_", 1)
        if bus == "s_axi_ctrl":
            return _SLAVE.get(signal) or _CHANNEL[signal]
        return _CHANNEL[signal]

    @property
    def bus(self) -> str:
        """The AXI port that it belongs to, or an empty text."""
        return "" if self.name in _SINGLE else self.name.rsplit("_", 1)[0]


BUSES = {
    "": "clock, reset, interrupt",
    "s_axi_ctrl": "AXI4-Lite slave: the registers",
    "m_axi_prog": "AXI4 master, reads only: the Program",
    "m_axi_wgt": "AXI4 master, reads only: weights, biases and scales",
    "m_axi_act": "AXI4 master, reads only: activations",
    "m_axi_out": "AXI4 master: reads the second operand of additions, writes results",
}

_SINGLE = {
    "aclk": "the one clock; everything happens at its rising edge",
    "aresetn": "reset, active low, synchronous to aclk; low for one cycle or more",
    "irq": "interrupt, level, active high: IRQ_STATUS and IRQ_ENABLE",
}
_SLAVE = {
    "awprot": "not looked at",
    "arprot": "not looked at",
    "awaddr": "byte address of the register; the lowest two bits are not looked at",
    "araddr": "byte address of the register; the lowest two bits are not looked at",
    "wstrb": "bytes of wdata to write",
    "bresp": "always OKAY",
    "rresp": "always OKAY",
}
_CHANNEL = {
    "awaddr": "byte address of a write burst",
    "araddr": "byte address of a read burst",
    "awlen": "beats of the burst less 1",
    "arlen": "beats of the burst less 1",
    "awsize": "constant: whole beats",
    "arsize": "constant: whole beats",
    "awburst": "constant 1: INCR",
    "arburst": "constant 1: INCR",
    "awcache": "constant 3: normal, bufferable, modifiable memory",
    "arcache": "constant 3: normal, bufferable, modifiable memory",
    "awprot": "constant 0: unprivileged, secure, data",
    "arprot": "constant 0: unprivileged, secure, data",
    "awvalid": "the write address is there",
    "arvalid": "the read address is there",
    "awready": "the write address is taken",
    "arready": "the read address is taken",
    "wdata": "data to write, the byte of the lowest address in bits 7:0",
    "wstrb": "all ones, or all zeros in beats that are not to be written",
    "wlast": "the burst's last beat",
    "wvalid": "wdata is there",
    "wready": "wdata is taken",
    "bresp": "0 OKAY; 2, 3: an error",
    "bvalid": "the write is acknowledged",
    "bready": "the acknowledgement is taken",
    "rdata": "data read, the byte of the lowest address in bits 7:0",
    "rresp": "0 OKAY; 2, 3: an error",
    "rlast": "the burst's last beat",
    "rvalid": "rdata is there",
    "rready": "rdata is taken",
}


def read_ports(verilog: str) -> list[Port]:
    """The ports of the module ``fastswitch`` in the order of its header.

    >>> read_ports("module fastswitch(a, b);\\n  output [7:0] b;\\n  input a;\\nendmodule\\n")
    [Port(name='a', direction='input', width=1), Port(name='b', direction='output', width=8)]
    """
    match = re.search(rf"^module {TOP}\((.*?)\);(.*?)^endmodule", verilog, re.MULTILINE | re.DOTALL)
    assert match, f"no module {TOP}"
    declared = {
        name: Port(name, direction, int(high or 0) + 1)
        for direction, high, name in re.findall(r"^\s*(input|output) (?:\[(\d+):0\] )?(\w+);", match[2], re.MULTILINE)
    }
    return [declared[name.strip()] for name in match[1].split(",")]


def ports_table(ports: list[Port]) -> str:
    """The ports as Markdown, a table for each bus."""
    parts = []
    ports = sorted(ports, key=_order)
    for bus in dict.fromkeys(port.bus for port in ports):
        title = BUSES[re.sub(r"\d+$", "", bus)]
        parts.append(f"**{f'`{bus}`: ' if bus else ''}{title}**\n\n| port | direction | bits | |\n|---|---|---|---|")
        parts[-1] += "".join(
            f"\n| `{p.name}` | {p.direction} | {p.width} | {p.meaning} |" for p in ports if p.bus == bus
        )
    return "\n\n".join(parts)


def instance(ports: list[Port], module: str = "top") -> str:
    """Verilog of a module that holds an instance with every port connected to a port of its own of the same name.

    Parameters
    ----------
    ports : of the top module.
    module : name of the module around it.
    """
    outside = ",\n".join(f"    {p.direction} wire {_range(p)}{p.name}" for p in ports)
    inside = ",\n".join(f"        .{p.name}({p.name})" for p in ports)
    return f"module {module} (\n{outside}\n);\n    {TOP} accelerator (\n{inside}\n    );\nendmodule\n"


def ids_wrapper(ports: list[Port], module: str = f"{TOP}_ids") -> str:
    """Verilog of a module around an instance whose AXI4 masters have IDs, as many tools expect of every AXI4 port.

    IDs that go out are 0; those that come back are not looked at, since all transfers of a port are in order.

    Parameters
    ----------
    ports : of the top module.
    module : name of the module around it.

    Examples
    --------
    >>> print(ids_wrapper([Port("m_axi_wgt_araddr", "output", 32), Port("m_axi_wgt_rdata", "input", 64)]))
    // The accelerator with IDs on its AXI4 masters, one bit each: tools that expect them take this module.
    module fastswitch_ids (
        output wire [31:0] m_axi_wgt_araddr,
        input wire [63:0] m_axi_wgt_rdata,
        output wire [0:0] m_axi_wgt_arid,
        input wire [0:0] m_axi_wgt_rid
    );
        assign m_axi_wgt_arid = 1'b0;
        fastswitch accelerator (
            .m_axi_wgt_araddr(m_axi_wgt_araddr),
            .m_axi_wgt_rdata(m_axi_wgt_rdata)
        );
    endmodule
    <BLANKLINE>
    """
    buses = dict.fromkeys(port.bus for port in ports if port.bus.startswith("m_axi_"))
    names = {port.name for port in ports}
    made = [
        (f"{bus}_{channel}id", channel.startswith("a"))
        for bus in buses
        for channel, sign in (("ar", "araddr"), ("r", "araddr"), ("aw", "awaddr"), ("b", "awaddr"))
        if f"{bus}_{sign}" in names
    ]
    outside = [f"    {p.direction} wire {_range(p)}{p.name}" for p in ports]
    outside += [f"    {'output' if out else 'input'} wire [0:0] {name}" for name, out in made]
    inside = ",\n".join(f"        .{p.name}({p.name})" for p in ports)
    zeros = "".join(f"    assign {name} = 1'b0;\n" for name, out in made if out)
    return (
        "// The accelerator with IDs on its AXI4 masters, one bit each: tools that expect them take this module.\n"
        f"module {module} (\n" + ",\n".join(outside) + f"\n);\n{zeros}    {TOP} accelerator (\n{inside}\n    );\n"
        "endmodule\n"
    )


def _range(port: Port) -> str:
    return "" if port.width == 1 else f"[{port.width - 1}:0] "


def _order(port: Port) -> tuple[int, str, int]:
    own = list(_SINGLE).index(port.name) if port.name in _SINGLE else len(_SINGLE)
    return list(BUSES).index(re.sub(r"\d+$", "", port.bus)), port.bus, own
