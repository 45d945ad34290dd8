"""A delivery of hardware, put together: what the RTL room writes, the bench's Programs, and the mapper's figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from arch_model.cost.fit import fit
from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.device import Device, load_device
from arch_model.machine.load import load_accelerator
from mapper.search.optimise import optimise
from mapper.workload.layer_text import parse_layer
from rtl.handover.deliver import deliver
from rtl.handover.files import delivery
from rtl.handover.readme import LayerRow
from sim.cosim.smoke import smoke_case

LAYERS = (
    "K=64 C=3 R=7 S=7 H=224 W=224 stride=2",
    "K=64 C=64 R=3 S=3 H=56 W=56",
    "K=256 C=64 H=56 W=56",
    "K=128 C=128 R=3 S=3 H=56 W=56 stride=2",
    "K=256 C=256 R=3 S=3 H=14 W=14",
    "K=2048 C=512 H=7 W=7",
    "K=512 C=512 R=3 S=3 H=7 W=7",
)
"""Layers of ResNet50, large ones and small ones of every kind, for the README's table."""


def layer_rows(accelerator: Accelerator) -> list[LayerRow]:
    """:data:`LAYERS` at their best mappings; one that the machine cannot run says why."""
    rows = []
    for text in LAYERS:
        try:
            best = optimise(parse_layer(text), accelerator)
        except MappingError as error:
            rows.append(LayerRow(text, problem=str(error).removeprefix("layer layer: ")))
        else:
            rows.append(LayerRow(text, best.cycles, best.utilisation))
    return rows


def write_delivery(
    accelerator: Accelerator,
    folder: Path,
    on_stage: Callable[[str], None] = lambda stage: None,
    force: bool = False,
) -> dict[str, bytes]:
    """Make every file of a delivery and write it; return them by path.

    Parameters
    ----------
    accelerator : the machine.
    folder : below which they are written.
    on_stage : called with what is begun.
    force : as :func:`rtl.handover.deliver.deliver` takes it.

    Raises
    ------
    FastSwitchError
        The machine does not fit its device; or as :func:`rtl.handover.deliver.deliver` and
        :func:`rtl.handover.files.delivery`.
    """
    if accelerator.device is not None:
        fit(accelerator, accelerator.device).check()
    on_stage("compiling the bench's Programs")
    smoke = smoke_case(accelerator)
    on_stage("mapping layers")
    rows = layer_rows(accelerator)
    on_stage("elaborating the RTL")
    files = delivery(accelerator, smoke, rows)
    on_stage("writing")
    deliver(files, folder, force)
    return files


def on_device(accelerator: Accelerator, device: str | Path | Device | None) -> Accelerator:
    """The machine on another device.

    Parameters
    ----------
    accelerator : the machine.
    device : a device, a part's or a board's name, a YAML file, or ``"none"``: no device at all. None: its own.
    """
    if device is None:
        return accelerator
    if device == "none":
        return accelerator.replace(device=None)
    return accelerator.replace(device=device if isinstance(device, Device) else load_device(device))


def generate_rtl(
    accelerator: Accelerator | str | Path,
    out: str | Path,
    force: bool = False,
    device: str | Path | Device | None = None,
) -> dict[str, Path]:
    """Write the hardware: Verilog, registers, constraints, a FuseSoC core, a bench in plain Verilog, and a README.

    Parameters
    ----------
    accelerator : the machine, the name of a preset, or a YAML file.
    out : the folder. Files of an earlier delivery are replaced, others never.
    force : replace other files that are in the way, too.
    device : the FPGA: its part's or its board's name, a YAML file, or ``"none"``. None: the accelerator's own.

    Returns
    -------
    dict
        Every file that was written, by its path in the folder; the hardware itself is ``"rtl/fastswitch.v"``, its top
        module ``fastswitch``. The same accelerator gives the same bytes.

    Raises
    ------
    FastSwitchError
        The machine does not fit its device; a file is in the way, or the folder cannot be written to.

    Examples
    --------
    >>> files = generate_rtl("tiny", "tiny-rtl")  # doctest: +SKIP
    >>> files["rtl/fastswitch.v"]  # doctest: +SKIP
    PosixPath('tiny-rtl/rtl/fastswitch.v')
    """
    folder = Path(out)
    written = write_delivery(on_device(load_accelerator(accelerator), device), folder, force=force)
    return {name: folder / name for name in sorted(written)}
