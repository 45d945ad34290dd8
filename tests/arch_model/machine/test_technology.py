"""The tables: rules by hand, and what is said of a row that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from arch_model.errors import AcceleratorError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.technology import AreaTable, EnergyTable, SramRow

TINY = Accelerator.load("tiny")
ROW = {"value": 2.0, "unit": "pJ", "node_nm": 7, "source": "ours", "year": 2026}


def described(folder: Path, **sections: Any) -> Path:
    """The preset ``tiny`` as a file, with these sections."""
    data = {k: v for k, v in TINY.model_dump().items() if k not in ("energy", "area")}
    path = folder / "a.yaml"
    path.write_text(yaml.safe_dump(data | sections), encoding="utf-8")
    return path


def test_sram_energy_by_hand() -> None:
    table = EnergyTable.shipped()
    # 8 KiB 10 pJ, 32 KiB 20 pJ, 1 MiB 100 pJ for 64 bits: square root between and below the first two.
    assert table.sram_pj_per_bit(8192) * 64 == pytest.approx(10)
    assert table.sram_pj_per_bit(32768) * 64 == pytest.approx(20)
    assert table.sram_pj_per_bit(1048576) * 64 == pytest.approx(100)
    assert table.sram_pj_per_bit(16384) * 64 == pytest.approx(10 * 2**0.5)
    assert table.sram_pj_per_bit(2048) * 64 == pytest.approx(5)
    # Then five times the energy for 32 times the size: 2 MiB costs 5^(1/5) times 1 MiB.
    assert table.sram_pj_per_bit(2097152) * 64 == pytest.approx(100 * 5**0.2)


@settings(deadline=None)
@given(st.integers(1, 10**8), st.integers(1, 10**8))
def test_larger_memories_cost_more(a: int, b: int) -> None:
    table = EnergyTable.shipped()
    assert (table.sram_pj_per_bit(a) < table.sram_pj_per_bit(b)) == (a < b)


def test_every_row_names_its_source() -> None:
    for table in (EnergyTable.shipped(), AreaTable.shipped()):
        rows = dict(table.rows())
        assert set(rows) == set(type(table).model_fields)
        assert not list(table.misfits("t"))


def test_a_file_replaces_rows_and_keeps_the_others(tmp_path: Path) -> None:
    a = Accelerator.load(described(tmp_path, energy={"multiply_int8": ROW}))
    assert a.energy.multiply_int8.value == 2 and a.energy.multiply_int8.node_nm == 7
    assert a.energy.dram == EnergyTable.shipped().dram and a.area == AreaTable.shipped()
    assert a.replace(energy={"add_int32": ROW}).energy.multiply_int8.value == 2


def test_the_hash_is_of_what_the_file_says(tmp_path: Path) -> None:
    # Shipped tables leave it as it was; another row, and nothing but that, changes it.
    assert Accelerator.load(described(tmp_path)).hash() == TINY.hash()
    other = Accelerator.load(described(tmp_path, energy={"multiply_int8": ROW}))
    assert other.hash() != TINY.hash()
    again = other.replace(energy={"multiply_int8": TINY.energy.multiply_int8.model_dump()})
    assert again.hash() == TINY.hash()


SRAM = {"bytes": 1024, "value": 2.0, "unit": "pJ/64bit", "node_nm": 7, "source": "ours", "year": 2026}


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"energy": {"multiply": ROW}}, "energy.multiply is not a key; did you mean multiply_int8?"),
        ({"energy": {"dram": ROW}}, "energy.dram.unit is pJ; give pJ/64bit"),
        ({"energy": {"add_int32": ROW | {"value": -1.0}}}, "energy.add_int32.value is -1.0; give 0 to 1e+09: a number"),
        (
            {"energy": {"add_int32": ROW | {"year": "2014"}}},
            "energy.add_int32.year is '2014'; give a year, 1950 to 2100",
        ),
        ({"energy": {"add_int32": {"value": 1.0}}}, "energy.add_int32.unit is missing; give a unit"),
        ({"energy": {"add_int32": ROW | {"joules": 1}}}, "energy.add_int32.joules is not a key; known here: value,"),
        ({"energy": {"add_int32": 0.1}}, "energy.add_int32 is 0.1; give a row with value, unit, node_nm, source, year"),
        ({"energy": {"sram": [SRAM]}}, "give a list of 2 or more rows with bytes (growing)"),
        ({"energy": {"sram": [SRAM, SRAM]}}, "energy.sram bytes is [1024, 1024]; give sizes that grow from row to row"),
        ({"energy": {"sram": [SRAM | {"value": 0.0}, SRAM | {"bytes": 2048}]}}, "give numbers above 0"),
        ({"energy": {"sram": [SRAM | {"bytes": 0}, SRAM]}}, "energy.sram is 0; give a list of 2 or more rows"),
        ({"energy": 3}, "energy is 3; give a section with rows of multiply_int8,"),
        ({"area": {"gate": ROW}}, "area.gate.unit is pJ; give um2"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path: Path, sections: dict[str, Any], said: str) -> None:
    with pytest.raises(AcceleratorError) as error:
        Accelerator.load(described(tmp_path, **sections))
    line = str(error.value)
    assert said in line and "\n" not in line


@pytest.mark.parametrize("table", [EnergyTable.shipped(), AreaTable.shipped()])
def test_the_page_shows_every_row(table: EnergyTable | AreaTable) -> None:
    page = (Path(__file__).parents[3] / "docs" / "concepts" / "energy.md").read_text(encoding="utf-8")
    for key, row in table.rows():
        name = f"{key} {row.bytes}" if isinstance(row, SramRow) else key
        line = f"| `{name}` | {row.value:g} {row.unit} | {row.node_nm:g} | {row.year} | {row.source} |"
        assert line in page, line
