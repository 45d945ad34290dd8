"""Devices: the shipped table against other homes of its figures, devices of one's own, and wrong ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arch_model.errors import AcceleratorError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.accelerator_yaml import accelerator_yaml
from arch_model.machine.device import BOARDS, Device, devices, load_device, named_device

OWN = {"part": "xcvu9p-flga2104-2-i", "luts": 1_182_240, "ffs": 2_364_480, "dsps": 6840, "bram36": 2160, "uram": 960}
PRESETS = Path(__file__).parents[3] / "arch_model" / "presets"


def test_the_table_has_a_source_for_each_and_the_boards_that_errors_name() -> None:
    assert tuple(device.board for device in devices().values()) == BOARDS
    for device in devices().values():
        assert re.search(r"\bDS\d{3}\b", device.source), device.part
        assert device.ffs == 2 * device.luts, "UltraScale+: eight LUTs and sixteen flip-flops a CLB (AMD UG574)"
        assert device.lutram is None or device.luts / 3 < device.lutram < device.luts * 0.55
        assert named_device(device.board) is named_device(device.part) is device


@pytest.mark.parametrize("name", ["zcu104", "small", "u50"])
def test_the_figures_are_those_that_the_presets_were_made_for(name: str) -> None:
    """Each preset's comment quotes its board, independently of the table."""
    text = " ".join((PRESETS / f"{name}.yaml").read_text().replace("# ", " ").replace(",", "").split())
    device = Accelerator.load(name).device
    assert device is not None
    assert re.search(rf"\b{device.bram36} block RAMs of 36 Kb", text)
    if device.uram:
        assert re.search(rf"\b{device.uram} UltraRAMs", text)
    for count, what in ((device.luts, "LUTs"), (device.ffs, "flip-flops"), (device.dsps, "DSP48E2")):
        if found := re.search(rf"(\d+) {what}", text):
            assert int(found[1]) == count


def test_a_device_of_ones_own_in_a_section_or_a_file(tmp_path: Path) -> None:
    machine = Accelerator.load("tiny").replace(device=OWN)
    assert machine.device == Device(**OWN)
    assert machine.hash() == Accelerator.load("tiny").hash() and machine.replace(clock_hz=2e8).device == machine.device
    (tmp_path / "own.yaml").write_text("\n".join(f"{key}: {value}" for key, value in OWN.items()))
    assert load_device(tmp_path / "own.yaml") == machine.device
    (tmp_path / "machine.yaml").write_text(accelerator_yaml(machine))
    assert Accelerator.load(tmp_path / "machine.yaml") == machine
    shipped = Accelerator.load("tiny").replace(device="u250")
    assert "\ndevice: xcu250-figd2104-2L-e\n" in accelerator_yaml(shipped)
    assert "device" not in accelerator_yaml(Accelerator.load("tiny"))


@pytest.mark.parametrize(
    ("device", "line"),
    [
        ("zcu105", "device is 'zcu105'; give a part or a board that is known: zcu104, "),
        (["zcu104"], "device is ['zcu104']; give a part or a board that is known"),
        (OWN | {"dsps": -1}, "device.dsps is -1; give 0 or more"),
        (OWN | {"bram": 7}, "device.bram is not a key; did you mean bram36?"),
        ({k: v for k, v in OWN.items() if k != "ffs"}, "device.ffs is missing; give 0 or more"),
    ],
)
def test_a_wrong_device_is_one_line(device: object, line: str, tmp_path: Path) -> None:
    with pytest.raises(AcceleratorError) as seen:
        Accelerator.load("tiny").replace(device=device)
    assert line in str(seen.value) and "\n" not in str(seen.value) and str(seen.value).startswith("accelerator tiny: ")


def test_a_wrong_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("part: a\nluts: many\n")
    with pytest.raises(AcceleratorError, match=r"^device \S+own\.yaml: luts is 'many'; give 0 or more"):
        load_device(tmp_path / "own.yaml")
    with pytest.raises(
        AcceleratorError, match=r"^device nowhere is neither a file nor a device .* board that is known"
    ):
        load_device("nowhere")
    with pytest.raises(AcceleratorError, match=r"^device is 'nowhere'; give a part or a board that is known: zcu104"):
        named_device("nowhere")
    (tmp_path / "machine.yaml").write_text("format: 1\n" + accelerator_yaml(Accelerator.load("u50")).split("\n", 1)[1])
    with pytest.raises(AcceleratorError, match="is not a key of format 1; give format: 2"):
        Accelerator.load(tmp_path / "machine.yaml")
