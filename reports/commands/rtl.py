"""``fastswitch rtl``: the hardware, as its users receive it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reports.commands.memory import with_memory_said
from reports.commands.options import accelerator_option, force_option, out_option
from reports.terminal import counting, show_summary, shown

if TYPE_CHECKING:
    from arch_model.cost.fit import Fit
    from arch_model.machine.accelerator import Accelerator


@click.command(
    "rtl",
    epilog="\b\nExample:  fastswitch rtl --accelerator zcu104 --out zcu104",
)
@accelerator_option
@out_option("Folder for the files. Those of an earlier delivery are replaced, others never.")
@click.option(
    "--device",
    metavar="NAME",
    help="The FPGA: a part (xczu7ev-ffvc1156-2-e), a board (zcu104, u50, u250, ...), a YAML file, or none. Without "
    "it the accelerator's own. A machine that does not fit is refused.",
)
@click.option(
    "--synth",
    type=click.Choice(["xilinx", "ecp5"]),
    help="Synthesise it, too (Yosys; minutes): what each component takes, also in synthesis-TARGET.csv.",
)
@click.option("--place", is_flag=True, help="With --synth ecp5, for small machines: place and route; says the clock.")
@force_option
def command(accelerator: str, out: Path, device: str | None, synth: str | None, place: bool, force: bool) -> None:
    """Write Verilog, registers, constraints, a FuseSoC core and a bench in plain Verilog, with a README.

    The same accelerator gives the same bytes.
    """
    if place and synth != "ecp5":
        raise click.UsageError("--place goes with --synth ecp5")
    from arch_model.files.question import asked, machine_facts
    from arch_model.files.results_folder import ResultsFolder
    from arch_model.machine.accelerator import Accelerator
    from rtl.handover.deliver import MANIFEST

    machine = Accelerator.load(accelerator)
    if device is not None:
        from reports.handover import on_device

        machine = on_device(machine, device)
    if machine.device is not None:
        from arch_model.cost.fit import fit

        fit(machine, machine.device).check()  # before a folder is made
    with_memory_said(machine)
    question = asked("rtl", **machine_facts(machine))
    # The manifest says which files are the delivery's own.
    with ResultsFolder(out, question, [], [accelerator], force, [MANIFEST]):
        from reports.handover import write_delivery

        with shown(None, ()) as (_, say):
            files = write_delivery(machine, out, say, force)
        lines = files["rtl/fastswitch.v"].count(b"\n")
        facts = {"accelerator": f"{machine.name} {machine.hash()}", "files": len(files), "lines of Verilog": lines}
        if machine.device is not None:
            facts[f"of {machine.device.part}"] = _shares(fit(machine, machine.device))
        show_summary(facts)
        click.echo(f"start with {out / 'README.md'}")
        if synth is not None:
            _synthesise(machine, synth, out / f"synthesis-{synth}", place)


def _shares(fit: Fit) -> str:
    """The parts of a device that a machine is estimated to take."""
    short = {"block RAMs of 36 Kb": "block RAMs", "DSP slices": "DSPs"}
    rows = [(short.get(name, name), taken, there) for name, taken, there in fit.rows() if there]
    return ", ".join(f"{taken / there:.0%} of {name}" for name, taken, there in rows)


def _synthesise(machine: Accelerator, synth: str, folder: Path, place: bool) -> None:
    from arch_model.cost.fit import fit
    from arch_model.files.writing import write_whole
    from rtl.synth import ULTRARAM, synthesise

    with counting() as on_stage:
        ultraram: Collection[str] = ULTRARAM if synth == "xilinx" else ()
        if synth == "xilinx" and machine.device is not None:
            ultraram = [name for name, style in fit(machine, machine.device).styles.items() if style == "ultra"]
        result = synthesise(machine, synth, folder, ultraram=ultraram, placed=place, on_stage=on_stage)
    table = result.to_frame()
    write_whole(folder.with_suffix(".csv"), table.to_csv(index=False))
    click.echo(f"\n{result.tool}, {result.target.command}\n{table.round(3).to_string(index=False)}")
    if result.placement:
        click.echo(f"ECP5 {result.placement.device}: {result.placement.clock_hz / 1e6:.1f} MHz")
