"""A kernel for Vitis on Alveo cards: a wrapper with 64-bit addresses, its description, its script, its connections."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from arch_model.machine.accelerator import Accelerator
from rtl.generate import TOP
from rtl.handover.ports import Port
from rtl.handover.templates import fill
from rtl.handover.vivado import VENDOR, master_rows, tcl_names
from rtl.interfaces import ADDRESS_BITS
from rtl.registers import ADDRESS

KERNEL = "fastswitch_kernel"
UNIT = f"{KERNEL}_1"
"""Vitis' name of the one compute unit."""

KERNEL_ADDRESS_BITS = 64
"""Vitis wants them of every AXI4 master of a kernel (AMD UG1393, "Requirements of an RTL Kernel")."""

DDR_HIGH = 0x40
"""Address bits 63:32 of DDR[0] on AMD's XDMA platforms of U200 and U250, 0x40_0000_0000, quoted from memory:
``platforminfo`` says it of any platform."""

_RENAMED = {"aclk": "ap_clk", "aresetn": "ap_rst_n", "irq": "interrupt"}
"""Names that Vitis wants."""


def alveo_files(accelerator: Accelerator, ports: Sequence[Port]) -> dict[str, bytes]:
    """By file name; nothing where the device is no Alveo card's.

    Parameters
    ----------
    accelerator : the machine.
    ports : of its top module.
    """
    if not is_alveo(accelerator):
        return {}
    files = {
        f"alveo/{KERNEL}.v": kernel_wrapper(accelerator, ports),
        "alveo/kernel.xml": kernel_xml(accelerator),
        "alveo/package_xo.tcl": package_xo(accelerator),
        "alveo/link.cfg": link_config(accelerator),
    }
    return {name: text.encode() for name, text in files.items()}


def is_alveo(accelerator: Accelerator) -> bool:
    """Whether the device is an Alveo card's.

    >>> is_alveo(Accelerator.load("u50")), is_alveo(Accelerator.load("zcu104")), is_alveo(Accelerator.load("tiny"))
    (True, False, False)
    """
    return accelerator.device is not None and accelerator.device.part.startswith("xcu")


def window(accelerator: Accelerator) -> int:
    """Address bits 63:32 of the memory that the kernel reaches: 0 with HBM, elsewhere where DDR[0] begins.

    >>> window(Accelerator.load("u50")), hex(window(Accelerator.load("u50").replace(device="u250")))
    (0, '0x40')
    """
    return 0 if has_hbm(accelerator) else DDR_HIGH


def has_hbm(accelerator: Accelerator) -> bool:
    """Whether the card's memory is HBM."""
    return accelerator.device is not None and accelerator.device.board in ("u50", "u280")


def kernel_wrapper(accelerator: Accelerator, ports: Iterable[Port]) -> str:
    """Verilog of a module with the names and the address width that Vitis wants, around an instance of the machine.

    Parameters
    ----------
    accelerator : the machine.
    ports : of its top module.
    """
    outside, inside, high = [], [], []
    for port in ports:
        name = _kernel_name(port.name)
        if _is_master_address(port):
            outside.append(f"    output wire [{KERNEL_ADDRESS_BITS - 1}:0] {name}")
            inside.append(f"        .{port.name}({name}[{ADDRESS_BITS - 1}:0])")
            high.append(f"    assign {name}[{KERNEL_ADDRESS_BITS - 1}:{ADDRESS_BITS}] = ADDRESS_HIGH;")
        else:
            width = "" if port.width == 1 else f"[{port.width - 1}:0] "
            outside.append(f"    {port.direction} wire {width}{name}")
            inside.append(f"        .{port.name}({name})")
    return "\n".join(
        [
            "// The accelerator as a kernel of Vitis: the names of clock, reset and control that it wants, and",
            "// addresses of 64 bits. The machine has 32: all that it reads and writes lies in one window of 4 GiB,",
            "// from ADDRESS_HIGH << 32 on. HBM begins at 0; where DDR does, `platforminfo` says of a platform.",
            "`default_nettype none",
            f"module {KERNEL} #(",
            f"    parameter [31:0] ADDRESS_HIGH = 32'h{window(accelerator):x}",
            ") (",
            ",\n".join(outside),
            ");",
            *high,
            f"    {TOP} accelerator (",
            ",\n".join(inside),
            "    );",
            "endmodule",
            "`default_nettype wire",
            "",
        ]
    )


def _kernel_name(name: str) -> str:
    return _RENAMED.get(name) or re.sub(r"^s_axi_ctrl_", "s_axi_control_", name)


def _is_master_address(port: Port) -> bool:
    return port.name.startswith("m_axi_") and port.name.endswith(("_araddr", "_awaddr"))


def kernel_xml(accelerator: Accelerator) -> str:
    """The kernel's description: its ports, and an argument for each master, by which memory banks are named.

    An argument has its port's name, and as its offset the register that holds the port's base address.
    """
    root = ElementTree.Element("root", versionMajor="1", versionMinor="9")
    kernel = ElementTree.SubElement(
        root,
        "kernel",
        name=KERNEL,
        language="ip",
        vlnv=f"{VENDOR}:kernel:{KERNEL}:{tcl_names(accelerator)['VERSION']}",
        attributes="",
        preferredWorkGroupSizeMultiple="0",
        workGroupSize="1",
        interrupt="true",
        hwControlProtocol="user_managed",
    )
    ports, args = ElementTree.SubElement(kernel, "ports"), ElementTree.SubElement(kernel, "args")
    ElementTree.SubElement(
        ports,
        "port",
        name="s_axi_control",
        mode="slave",
        range="0x1000",
        dataWidth="32",
        portType="addressable",
        base="0x0",
    )
    for index, (name, _, bits, _, _) in enumerate(master_rows(accelerator)):
        whole = hex((1 << KERNEL_ADDRESS_BITS) - 1).upper().replace("X", "x")
        ElementTree.SubElement(
            ports,
            "port",
            name=name,
            mode="master",
            range=whole,
            dataWidth=str(bits),
            portType="addressable",
            base="0x0",
        )
        ElementTree.SubElement(
            args,
            "arg",
            name=name,
            addressQualifier="1",
            id=str(index),
            port=name,
            size="0x8",
            offset=f"0x{ADDRESS[base_register(name)]:02X}",
            hostOffset="0x0",
            hostSize="0x8",
            type="void*",
        )
    ElementTree.indent(root)
    note = "<!-- No Vitis has read this file. -->"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{note}\n{ElementTree.tostring(root, encoding="unicode")}\n'


def base_register(master: str) -> str:
    """The register that says where a master's memory begins.

    >>> [base_register(f"m_axi_{name}") for name in ("prog", "wgt", "wgt2", "act1", "out")]
    ['PROG_ADDR', 'WGT_BASE_0', 'WGT_BASE_2', 'BASE_1', 'BASE_0']
    """
    match = re.fullmatch(r"m_axi_(prog|wgt|act|out)(\d*)", master)
    assert match, master
    kind, stripe = match[1], match[2] or "0"
    return "PROG_ADDR" if kind == "prog" else f"WGT_BASE_{stripe}" if kind == "wgt" else f"BASE_{stripe}"


def package_xo(accelerator: Accelerator) -> str:
    """Tcl that makes the kernel's file."""
    buses = " ".join(["s_axi_control", *(name for name, *_ in master_rows(accelerator))])
    return fill("package_xo.tcl", tcl_names(accelerator) | {"BUSES": buses})


def banks(accelerator: Accelerator) -> list[int]:
    """The memory bank of each buffer that a driver allocates: stripes of weights, stripes of tensors, Programs.

    >>> banks(Accelerator.load("u50"))
    [0, 1, 2, 3, 4, 5, 6]
    """
    return list(range(accelerator.weight_stripes + accelerator.stripes + 1))


def link_config(accelerator: Accelerator) -> str:
    """What ``v++ --link --config`` reads: one compute unit, its clock, and the memory bank of each master.

    A stripe has a bank of HBM of its own; reads and writes of tensors share theirs. On a card with DDR all are on
    DDR[0].
    """
    assert accelerator.device is not None
    hbm = has_hbm(accelerator)
    bank = dict(zip(_registers(accelerator), banks(accelerator), strict=True))
    rows = [
        f"sp={UNIT}.{name}:" + (f"HBM[{bank[base_register(name)]}]" if hbm else "DDR[0]")
        for name, *_ in master_rows(accelerator)
    ]
    return "\n".join(
        [
            f"# For the accelerator {accelerator.name}: v++ --link --config alveo/link.cfg. No Vitis has read this.",
            f"kernel_frequency={accelerator.clock_hz / 1e6:g}",
            "",
            "[connectivity]",
            f"nk={KERNEL}:1:{UNIT}",
            *rows,
            "",
        ]
    )


def _registers(accelerator: Accelerator) -> list[str]:
    """The registers of bases in the order in which a driver allocates what they name."""
    weights = [f"WGT_BASE_{i}" for i in range(accelerator.weight_stripes)]
    return [*weights, *(f"BASE_{i}" for i in range(accelerator.stripes)), "PROG_ADDR"]
