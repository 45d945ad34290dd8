"""Place and route on an ECP5 with nextpnr: the clock that a small machine reaches, and how full the chip is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arch_model.machine.accelerator import Accelerator
from rtl.synth.errors import SynthesisError
from rtl.synth.tools import run_nextpnr, run_yosys

DEVICES: Mapping[str, int] = {"25k": 24_288, "45k": 43_848, "85k": 83_640}
"""LUTs of the ECP5 family's chips (LFE5U)."""


@dataclass(frozen=True)
class Placement:
    """What nextpnr says of a placed and routed machine.

    Attributes
    ----------
    device : the chip.
    clock_hz : the highest clock.
    used, available : cells of the chip by type.
    """

    device: str
    clock_hz: float
    used: Mapping[str, int]
    available: Mapping[str, int]


def place(
    accelerator: Accelerator, folder: Path, top: str, limit_s: float | None = None, *, seed: int = 1
) -> Placement:
    """Flatten ``fastswitch.v`` of a folder, synthesise, place and route it on the smallest chip that holds it.

    Out of context: a machine has more pins than a chip, so its ports end at nets without pads; paths from and to ports
    are not timed, those between registers are.

    Parameters
    ----------
    accelerator : the machine.
    folder : with the Verilog, and for the files.
    top : name of the top module.
    limit_s : seconds of each process. None: no limit.
    seed : of nextpnr.

    Raises
    ------
    SynthesisError
        It fits no chip, or a tool fails.
    """
    synth = f"synth_ecp5 -top {top} -json place.json"
    passes = (f"read_verilog {top}.v", synth, "tee -q -o place_stat.json stat -json")
    run_yosys(passes, folder, "place_synth", limit_s)
    cells = json.loads((folder / "place_stat.json").read_text())["design"]["num_cells_by_type"]
    luts = cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0) + 6 * cells.get("TRELLIS_DPR16X4", 0)
    fits = [device for device, has in DEVICES.items() if luts <= 0.9 * has]
    if not fits:
        raise SynthesisError(f"{accelerator.name} takes {luts} LUTs; the largest ECP5 has {max(DEVICES.values())}")
    arguments = (
        f"--{fits[0]}", "--package", "CABGA381" if fits[0] == "25k" else "CABGA756", "--json", "place.json", "--seed",
        str(seed), "--out-of-context", "--freq", f"{accelerator.clock_hz / 1e6:g}", "--timing-allow-fail",
        "--report", "place_report.json", "--quiet",
    )  # fmt: skip
    run_nextpnr(arguments, folder, "place", limit_s)
    report = json.loads((folder / "place_report.json").read_text())
    clocks = [clock["achieved"] for clock in report["fmax"].values()]
    if not clocks:
        raise SynthesisError(f"nextpnr found no clock in {accelerator.name} (the whole log: {folder / 'place.log'})")
    cells = {name: entry for name, entry in report["utilization"].items() if entry["used"]}
    return Placement(
        fits[0],
        min(clocks) * 1e6,
        {name: entry["used"] for name, entry in cells.items()},
        {name: entry["available"] for name, entry in cells.items()},
    )
