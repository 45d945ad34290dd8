"""An Accelerator as YAML, loaded again."""

import yaml

from arch_model import Accelerator, preset_names
from arch_model.machine.accelerator_yaml import accelerator_yaml
from arch_model.machine.technology import EnergyTable


def read(text, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return Accelerator.load(path)


def test_presets_load_again_as_they_are(tmp_path):
    for name in preset_names():
        preset = Accelerator.load(name)
        text = accelerator_yaml(preset)
        assert read(text, tmp_path) == preset and read(text, tmp_path).hash() == preset.hash()
        assert "energy" not in yaml.safe_load(text)


def test_tables_of_ones_own_stay(tmp_path):
    table = EnergyTable.shipped().model_dump()
    first = next(key for key, row in table.items() if isinstance(row, dict))
    table[first]["value"] = 2 * table[first]["value"]
    own = Accelerator.load("tiny").replace(energy=table)
    assert read(accelerator_yaml(own), tmp_path) == own != Accelerator.load("tiny")
