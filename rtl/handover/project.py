"""Files that tools find the sources by: file lists, a FuseSoC core, a Makefile, what lint is to pass over."""

from __future__ import annotations

from importlib.metadata import version

from arch_model.machine.accelerator import Accelerator
from rtl.handover.templates import DATA, fill

DESIGN = "rtl/fastswitch.v"
WAIVERS = "lint/fastswitch.vlt"
BENCH = ("sim/smoke.v", "sim/dram.v", "sim/machine.v")
IMAGES = ("before.hex", "after.hex")
CORE = "fastswitch.core"
VLNV = "fastswitch:accelerators:fastswitch"

DEFAULT_PART = "xczu7ev-ffvc1156-2-e"
"""That of a ZCU104: what scripts name for a machine whose description names no device."""


def device_part(accelerator: Accelerator) -> str:
    """The device that scripts are for, as Vivado calls it; ``fusesoc run ... --part=`` names another.

    >>> device_part(Accelerator.load("tiny")), device_part(Accelerator.load("u50"))
    ('xczu7ev-ffvc1156-2-e', 'xcu50-fsvh2104-2-e')
    """
    return accelerator.device.part if accelerator.device else DEFAULT_PART


def project_files(accelerator: Accelerator) -> dict[str, bytes]:
    """By file name: everything that this module makes."""
    files = {
        "fastswitch.f": f"{DESIGN}\n",
        "sim/smoke.f": "".join(f"{name}\n" for name in (*BENCH, DESIGN)),
        CORE: core(accelerator),
        "fusesoc.conf": "[library.fastswitch]\nlocation = .\nsync-uri = .\nsync-type = local\nauto-sync = false\n",
        "Makefile": (DATA / "Makefile").read_text(),
        WAIVERS: (DATA / "fastswitch.vlt").read_text(),
    }
    return {name: text.encode() for name, text in files.items()}


def core(accelerator: Accelerator) -> str:
    """The FuseSoC core, CAPI 2: ``data/fastswitch.core`` with this accelerator's names."""
    bench = "\n".join(f"      - {name}" for name in BENCH)
    images = "\n".join(f"      - sim/{name}: {{file_type: user, copyto: {name}}}" for name in IMAGES)
    values = {
        "VLNV": VLNV,
        "VERSION": version("fastswitch"),
        "ACCELERATOR": accelerator.name,
        "HASH": accelerator.hash(),
        "DESIGN": DESIGN,
        "WAIVERS": WAIVERS,
        "BENCH": bench,
        "IMAGES": images,
        "PART": device_part(accelerator),
    }
    return fill(CORE, values)
