"""Scripts for Vivado: the machine as an IP, on a Zynq UltraScale+ board, and synthesised out of context."""

from __future__ import annotations

from importlib.metadata import version

from arch_model.machine.accelerator import Accelerator
from rtl.dma_write import AW_AHEAD
from rtl.handover.project import VLNV, device_part
from rtl.handover.templates import fill
from rtl.interfaces import ADDRESS_BITS
from rtl.port_names import master_names, port_names
from rtl.registers import ADDRESS_BITS as CONTROL_BITS
from rtl.registers import REGISTERS, Access

VENDOR, LIBRARY = VLNV.split(":")[:2]

READS_UNDER_WAY = 32
"""Bursts that a read port is said to have under way. It has no limit of its own: it offers addresses as long as the
memory takes them; 32 is the most that Vivado's interconnects are made for (AMD PG247)."""

PS_PORTS = (
    ("S_AXI_HP0_FPD", "saxihp0_fpd_aclk", 2),
    ("S_AXI_HP1_FPD", "saxihp1_fpd_aclk", 3),
    ("S_AXI_HP2_FPD", "saxihp2_fpd_aclk", 4),
    ("S_AXI_HP3_FPD", "saxihp3_fpd_aclk", 5),
    ("S_AXI_HPC0_FPD", "saxihpc0_fpd_aclk", 0),
    ("S_AXI_HPC1_FPD", "saxihpc1_fpd_aclk", 1),
    ("S_AXI_LPD", "saxi_lpd_aclk", 6),
)
"""Ports of the processing system that lead to its DDR, the clock pin of each, and its number in PSU__USE__S_AXI_GP
(AMD PG201, UG1085). The slow one is last: it gets the Program where there are seven masters."""

PS_BITS = 128
"""The widest that they are."""

BOARD_PATTERNS = {"zcu104": "zcu104", "zcu102": "zcu102", "ultra96": "ultra96v2", "kv260": "kv260_som"}
"""What Vivado's board files are called."""

_ACCESS = {Access.CONSTANT: "read-only", Access.READ: "read-only", Access.COUNT: "read-only"}


def vivado_files(accelerator: Accelerator) -> dict[str, bytes]:
    """By file name. The block design is there where the device is a Zynq UltraScale+ on a board that is known."""
    files = {
        "vivado/package_ip.tcl": package_ip(accelerator),
        "vivado/synth_ooc.tcl": synth_ooc(accelerator),
        "vivado/fusesoc_ooc.tcl": fill("fusesoc_ooc.tcl", {}),
    }
    if has_block_design(accelerator):
        files["vivado/block_design.tcl"] = block_design(accelerator)
    return {name: text.encode() for name, text in files.items()}


def master_rows(accelerator: Accelerator) -> list[tuple[str, bool, int, int, int]]:
    """Each AXI4 master: name, whether it writes too, bits of its data, bursts of reads and of writes under way.

    >>> master_rows(Accelerator.load("tiny"))[-1]
    ('m_axi_out', True, 32, 32, 8)
    """
    writers = port_names("out", accelerator.stripes)
    return [
        (name, name in writers, 8 * accelerator.port_bytes, READS_UNDER_WAY, AW_AHEAD if name in writers else 0)
        for name in master_names(accelerator.stripes, accelerator.weight_stripes)
    ]


def package_ip(accelerator: Accelerator) -> str:
    """Tcl that makes an IP with its bus interfaces, their parameters, clocks and registers."""
    masters = "\n".join(
        f"    {name} {'READ_WRITE' if writes else 'READ_ONLY'} {bits} {reads} {most}"
        for name, writes, bits, reads, most in master_rows(accelerator)
    )
    registers = "\n".join(
        f"    {r.name} 0x{r.address:02X} {_ACCESS.get(r.access, 'read-write')} 0x{r.reset_value(accelerator):08X}"
        for r in REGISTERS
    )
    return fill(
        "package_ip.tcl",
        tcl_names(accelerator)
        | {
            "MASTERS": masters,
            "REGISTERS": registers,
            "ADDRESS_BITS": ADDRESS_BITS,
            "CONTROL_BITS": CONTROL_BITS,
            "CONTROL_RANGE": 1 << CONTROL_BITS,
            "MAX_BURST": accelerator.axi.max_burst,
        },
    )


def synth_ooc(accelerator: Accelerator) -> str:
    """Tcl that synthesises the module by itself, without a project."""
    return fill("synth_ooc.tcl", tcl_names(accelerator) | {"PERIOD": f"{1e9 / accelerator.clock_hz:.3f}"})


def has_block_design(accelerator: Accelerator) -> bool:
    """Whether :func:`block_design` can be made: the board is known, and its ports are as wide as the machine's.

    >>> [has_block_design(Accelerator.load(name)) for name in ("zcu104", "small", "u50", "tiny")]
    [True, True, False, False]
    """
    board = accelerator.device.board if accelerator.device else ""
    return board in BOARD_PATTERNS and 8 * accelerator.port_bytes <= PS_BITS


def block_design(accelerator: Accelerator) -> str:
    """Tcl that makes a block design with the processing system, the IP, clock, reset and interrupt."""
    assert accelerator.device is not None
    groups = connections(accelerator)
    ports = "\n".join(
        f"    CONFIG.PSU__USE__S_AXI_GP{number} {int(port in groups)} \\"
        + (f"\n    CONFIG.PSU__SAXIGP{number}__DATA_WIDTH {8 * accelerator.port_bytes} \\" if port in groups else "")
        for port, _, number in PS_PORTS
    )
    clocks = {port: clock for port, clock, _ in PS_PORTS}
    rows = "\n".join(f"    {port} {clocks[port]} {{{' '.join(masters)}}}" for port, masters in groups.items())
    board = accelerator.device.board
    more = {
        "BOARD": board.upper(),
        "BOARD_PATTERN": BOARD_PATTERNS[board],
        "COUNT": sum(map(len, groups.values())),
        "MHZ": f"{accelerator.clock_hz / 1e6:g}",
        "PS_PORTS": ports,
        "CONNECTIONS": rows,
    }
    return fill("block_design.tcl", tcl_names(accelerator) | more)


def connections(accelerator: Accelerator) -> dict[str, list[str]]:
    """Port of the processing system to the masters on it: each its own as long as there are enough.

    The order is weights, activations, results, the Program.

    >>> list(connections(Accelerator.load("zcu104")).items())[3:]  # doctest: +NORMALIZE_WHITESPACE
    [('S_AXI_HP3_FPD', ['m_axi_wgt3']), ('S_AXI_HPC0_FPD', ['m_axi_act']), ('S_AXI_HPC1_FPD', ['m_axi_out']),
     ('S_AXI_LPD', ['m_axi_prog'])]
    """
    program, *others = master_names(accelerator.stripes, accelerator.weight_stripes)
    groups: dict[str, list[str]] = {}
    for index, master in enumerate([*others, program]):
        groups.setdefault(PS_PORTS[index % len(PS_PORTS)][0], []).append(master)
    return groups


def tcl_names(accelerator: Accelerator) -> dict[str, object]:
    """What every script calls the machine, its device and itself."""
    return {
        "NAME": accelerator.name,
        "HASH": accelerator.hash(),
        "PART": device_part(accelerator),
        "VENDOR": VENDOR,
        "LIBRARY": LIBRARY,
        "VERSION": ".".join(version("fastswitch").split(".")[:2]),
    }
