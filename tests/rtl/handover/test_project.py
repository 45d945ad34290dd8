"""The core, the lists and the Makefile name files that a delivery has."""

import re

import pytest
import yaml

from arch_model.machine.accelerator import Accelerator
from rtl.handover.project import BENCH, DESIGN, IMAGES, WAIVERS, project_files

FILES = project_files(Accelerator.load("tiny"))
THERE = {
    *FILES,
    DESIGN,
    *BENCH,
    *(f"sim/{name}" for name in IMAGES),
    "constraints/fastswitch.xdc",
    "vivado/fusesoc_ooc.tcl",
}


def core():
    first, rest = FILES["fastswitch.core"].decode().split("\n", 1)
    assert first == "CAPI=2:"
    return yaml.safe_load(rest)


def test_the_core_has_the_targets_and_files():
    found = core()
    assert {"default", "lint", "sim", "synth"} <= set(found["targets"])
    named = []
    for entry in [entry for files in found["filesets"].values() for entry in files["files"]]:
        named += [entry] if isinstance(entry, str) else list(entry)
    assert set(named) <= THERE and {DESIGN, WAIVERS, *BENCH} <= set(named)
    for target in found["targets"].values():
        assert set(target["filesets"]) <= set(found["filesets"])
        assert set(target.get("parameters", [])) <= set(found["parameters"])


def test_the_lists_name_files_that_are_there():
    for name in ("fastswitch.f", "sim/smoke.f"):
        lines = FILES[name].decode().split()
        assert DESIGN in lines and set(lines) <= THERE


def test_the_makefile_names_files_that_are_there():
    text = FILES["Makefile"].decode()
    named = set(re.findall(r"\b(?:lint|sim|rtl)/[\w.]+|\bfastswitch\.f\b", text))
    assert named <= THERE and len(named) == 3


@pytest.mark.parametrize("name,device", [("tiny", "xczu7ev-"), ("small", "xczu3eg-"), ("u50", "xcu50-")])
def test_synth_is_for_the_device_that_the_preset_is_for(name, device):
    text = project_files(Accelerator.load(name))["fastswitch.core"].decode().split("\n", 1)[1]
    assert yaml.safe_load(text)["targets"]["synth"]["flow_options"]["part"].startswith(device)


def test_a_name_of_other_signs_is_still_a_core():
    machine = Accelerator.load("tiny").replace(name="a-b_c.1")
    assert yaml.safe_load(project_files(machine)["fastswitch.core"].decode().split("\n", 1)[1])["description"]
