"""A point's Accelerator as YAML."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from arch_model import Accelerator, preset_names
from arch_model.technology import EnergyTable
from reports.explore.machine_text import accelerator_yaml, changed_lines


def read(text, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return Accelerator.load(path)


def test_presets_load_again_as_they_are(tmp_path):
    for name in preset_names():
        preset = Accelerator.load(name)
        text = accelerator_yaml(preset)
        assert read(text, tmp_path) == preset
        assert "energy" not in yaml.safe_load(text)


def test_tables_of_ones_own_stay(tmp_path):
    table = EnergyTable.shipped().model_dump()
    first = next(key for key, row in table.items() if isinstance(row, dict))
    table[first]["value"] = 2 * table[first]["value"]
    own = Accelerator.load("tiny").replace(energy=table)
    assert read(accelerator_yaml(own), tmp_path) == own != Accelerator.load("tiny")


@given(st.lists(st.lists(st.text("ab: ", max_size=4), min_size=1, max_size=5), min_size=2, max_size=4))
def test_lines_put_into_the_base_give_the_text(texts):
    base, *others = ("".join(f"{line}\n" for line in lines) for lines in texts)
    for other, changed in zip(others, changed_lines(base, others), strict=True):
        if isinstance(changed, str):
            assert changed == other
            continue
        lines = base.splitlines()
        for at, line in changed:
            lines[at] = line
        assert "".join(f"{line}\n" for line in lines) == other
