"""The README's section on resources: what each component takes, what the device has, and where each buffer lies."""

from __future__ import annotations

from collections.abc import Iterable

from arch_model.cost.fit import Fit, Style, fit
from arch_model.cost.resources import Resources, fpga_resources
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.memories import memories

URAM_DEPTH = 4096

_HEAD = "| | LUT | LUT as memory | FF | DSP | BRAM36 | URAM |\n|---|---|---|---|---|---|---|\n"
_RAM: dict[Style, str] = {"ultra": "UltraRAM", "block": "block RAM", "distributed": "LUTs"}
_ORIGIN = "The model's estimate for AMD UltraScale+ devices, fitted on syntheses with Yosys; another tool will differ."


def resources_text(accelerator: Accelerator) -> str:
    """Tables in Markdown: with a device what it has and in which of its RAMs each buffer lies; without one, the
    estimate with all buffers in block RAMs, and with the large ones in UltraRAMs.
    """
    if accelerator.device is None:
        return _without_device(accelerator)
    made = fit(accelerator, accelerator.device)
    return "\n\n".join([_taken(made), _memories(made), _components(made)])


def _without_device(accelerator: Accelerator) -> str:
    plain, ultra = fpga_resources(accelerator), fpga_resources(accelerator, uram_depth=URAM_DEPTH)
    rows = [(part.component, part) for part in plain.components]
    rows += [("**all**", plain.total), (f"**all**, {URAM_DEPTH} words or more in an UltraRAM", ultra.total)]
    return (
        f"{_ORIGIN} The description names no device, so nothing was compared with one, and no memory says which RAM it "
        "is to be built of: `fastswitch rtl --device` names one.\n\n" + _table(rows)
    )


def _taken(made: Fit) -> str:
    device = made.device
    source = f" Figures of the device: {device.source}." if device.source else ""
    board = f" ({device.board})" if device.board else ""
    rows = [
        f"| {name} | {taken:,g} | {'' if there is None else f'{there:,}'} | {f'{taken / there:.0%}' if there else ''} |"
        for name, taken, there in made.rows()
    ]
    return (
        f"{_ORIGIN}{source}\n\n| | this machine | `{device.part}`{board} has | used |\n|---|---|---|---|\n"
        + "\n".join(rows)
    )


def _memories(made: Fit) -> str:
    rows = []
    for name, memory in memories(made.accelerator).items():
        part, style = made.estimate[name], made.styles[name]
        count = {"ultra": f"{part.uram:,}", "block": f"{part.bram36:,g}", "distributed": f"{part.lutram:,}"}[style]
        rows.append(
            f"| {name} | {memory.banks} | {memory.depth:,} × {memory.width:,} | {memory.granularity} | {_RAM[style]} | "
            f"{count} |"
        )
    return (
        "Each memory's array in the Verilog has the attribute `ram_style` that says so; other arrays, FIFOs of 16 "
        "words or fewer, are left to the tool. Reads are registered once, a read and a write of one word in one "
        "cycle give the old word, and nothing has contents at power-on, which UltraRAMs cannot have. Yosys needs "
        "`synth_xilinx -uram` for those that say `ultra`.\n\n"
        "| buffer | memories | words × bits | bits an enable | built of | how many |\n|---|---|---|---|---|---|\n"
        + "\n".join(rows)
    )


def _components(made: Fit) -> str:
    rows = [(part.component, part) for part in made.estimate.components]
    return "By component:\n\n" + _table([*rows, ("**all**", made.estimate.total)])


def _table(rows: Iterable[tuple[str, Resources]]) -> str:
    return _HEAD + "\n".join(
        f"| {name} | {r.luts:,} | {r.lutram:,} | {r.ffs:,} | {r.dsps:,} | {r.bram36:,g} | {r.uram:,} |"
        for name, r in rows
    )
