"""All files of a delivery, made in memory."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from arch_model.machine.accelerator import Accelerator
from arch_model.machine.accelerator_yaml import accelerator_yaml
from rtl.handover.alveo import alveo_files
from rtl.handover.constraints import sdc, xdc
from rtl.handover.ports import ids_wrapper, read_ports
from rtl.handover.project import DESIGN, project_files
from rtl.handover.readme import LayerRow, readme
from rtl.handover.smoke import Smoke
from rtl.handover.source import delivered_verilog
from rtl.handover.systemrdl import register_files
from rtl.handover.vivado import vivado_files


def delivery(accelerator: Accelerator, smoke: Smoke, layers: list[LayerRow]) -> dict[str, bytes]:
    """The files of a delivery by path.

    The same accelerator and versions give the same bytes.

    Parameters
    ----------
    accelerator : the machine.
    smoke : what the bench runs.
    layers : for the README's table of cycles.

    Raises
    ------
    FastSwitchError
        The tools that make the register files are missing.
    """
    registers = register_files(accelerator)  # first: it is what may be missing
    verilog = delivered_verilog(accelerator)
    ports = read_ports(verilog)
    files = {
        DESIGN: verilog.encode(),
        "rtl/fastswitch_ids.v": ids_wrapper(ports).encode(),
        "constraints/fastswitch.sdc": sdc(accelerator, ports).encode(),
        "constraints/fastswitch.xdc": xdc(accelerator, ports).encode(),
        "LICENSE": licence().encode(),
        "accelerator.yaml": accelerator_yaml(accelerator).encode(),
        "README.md": readme(accelerator, ports, smoke, layers).encode(),
    }
    files |= project_files(accelerator)
    files |= vivado_files(accelerator)
    files |= alveo_files(accelerator, ports)
    files |= driver_files()
    files |= {f"registers/{name}": data for name, data in registers.items()}
    return files | {f"sim/{name}": data for name, data in smoke.files().items()}


def driver_files() -> dict[str, bytes]:
    """The Python driver, which needs NumPy alone, so it is copied as it is."""
    folder = Path(__file__).parents[1] / "driver"
    return {f"driver/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.py"))}


def licence() -> str:
    """The text of the licence, from the installed package or from its source tree."""
    try:
        text = distribution("fastswitch").read_text("licenses/LICENSE")
    except PackageNotFoundError:
        text = None
    return text or (Path(__file__).parents[2] / "LICENSE").read_text()
