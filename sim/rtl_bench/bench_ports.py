"""The Verilog module between ``bench.v``, whose ports are vectors, and the accelerator, whose ports have names."""

from __future__ import annotations

from collections.abc import Iterator

from rtl.port_names import master_names, port_names

CONTROL = {
    "awaddr": (8, "input"),
    "awprot": (3, "input"),
    "awvalid": (1, "input"),
    "awready": (1, "output"),
    "wdata": (32, "input"),
    "wstrb": (4, "input"),
    "wvalid": (1, "input"),
    "wready": (1, "output"),
    "bresp": (2, "output"),
    "bvalid": (1, "output"),
    "bready": (1, "input"),
    "araddr": (8, "input"),
    "arprot": (3, "input"),
    "arvalid": (1, "input"),
    "arready": (1, "output"),
    "rdata": (32, "output"),
    "rresp": (2, "output"),
    "rvalid": (1, "output"),
    "rready": (1, "input"),
}
READ = {
    "araddr": (32, "output"),
    "arlen": (8, "output"),
    "arsize": (3, "output"),
    "arburst": (2, "output"),
    "arvalid": (1, "output"),
    "arready": (1, "input"),
    "rdata": (0, "input"),
    "rresp": (2, "input"),
    "rlast": (1, "input"),
    "rvalid": (1, "input"),
    "rready": (1, "output"),
}
WRITE = {
    "awaddr": (32, "output"),
    "awlen": (8, "output"),
    "awsize": (3, "output"),
    "awburst": (2, "output"),
    "awvalid": (1, "output"),
    "awready": (1, "input"),
    "wdata": (0, "output"),
    "wstrb": (-1, "output"),
    "wlast": (1, "output"),
    "wvalid": (1, "output"),
    "wready": (1, "input"),
    "bresp": (2, "input"),
    "bvalid": (1, "input"),
    "bready": (1, "output"),
}
"""Bits and direction, seen from the machine; 0: a beat, -1: its bytes."""

UNCONNECTED = ("arprot", "arcache")


def machine_verilog(stripes: int, weight_stripes: int, port_bytes: int) -> str:
    """The module ``machine``: read ports in the order prog, wgt, act, out, and write ports of out.

    Parameters
    ----------
    stripes : ports that activations and results have each.
    weight_stripes : ports that weights have.
    port_bytes : bytes of a beat of a port.
    """
    reads = master_names(stripes, weight_stripes)
    writes = port_names("out", stripes)
    ports = ["input wire aclk", "input wire aresetn", "output wire irq"]
    for name, (bits, way) in CONTROL.items():
        ports.append(f"{way} wire [{bits - 1}:0] s_axi_ctrl_{name}")
    for members, count in ((READ, len(reads)), (WRITE, len(writes))):
        for name, (bits, way) in members.items():
            ports.append(f"{way} wire [{_bits(bits, port_bytes) * count - 1}:0] {name}")
    wires = [*(f".{name}({name})" for name in ("aclk", "aresetn", "irq"))]
    wires += [f".s_axi_ctrl_{name}(s_axi_ctrl_{name})" for name in CONTROL]
    wires += _connections(reads, READ, port_bytes) + _connections(writes, WRITE, port_bytes)
    wires += [f".{port}_{name}()" for port in reads for name in UNCONNECTED]
    wires += [f".{port}_aw{name}()" for port in writes for name in ("prot", "cache")]
    return "\n".join(
        [
            "`default_nettype none",
            "module machine (",
            ",\n".join(f"    {port}" for port in ports),
            ");",
            "    fastswitch dut (",
            ",\n".join(f"        {wire}" for wire in wires),
            "    );",
            "endmodule",
            "",
        ]
    )


def _bits(bits: int, port_bytes: int) -> int:
    return {0: 8 * port_bytes, -1: port_bytes}.get(bits, bits)


def _connections(ports: list[str], members: dict[str, tuple[int, str]], port_bytes: int) -> list[str]:
    def each() -> Iterator[str]:
        for index, port in enumerate(ports):
            for name, (bits, _) in members.items():
                width = _bits(bits, port_bytes)
                yield f".{port}_{name}({name}[{width * index}+:{width}])"

    return list(each())
