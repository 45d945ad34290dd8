"""The structural counts, by hand and against the RTL."""

from __future__ import annotations

import pytest

from arch_model.cost.resources import coefficients
from arch_model.cost.rtl_structure import Part, parts
from arch_model.machine.accelerator import Accelerator

TINY = Accelerator.load("tiny")


def by_path(accelerator: Accelerator) -> dict[str, Part]:
    return {part.path: part for part in parts(accelerator)}


def test_every_kind_has_coefficients_for_its_counts() -> None:
    table = coefficients()
    packed = TINY.replace(array={"dsp_packing": True}, axi={"pixels": 2})
    for machine in (TINY, packed):
        for part in parts(machine):
            assert set(part.luts) <= set(table[part.kind]["luts"]), part.path
            assert set(part.ffs) <= set(table[part.kind]["ffs"]), part.path


def test_the_repackers_choices_by_hand() -> None:
    # KP 4, CP 3: three offsets, two banks. Bytes 0 to 5 of a word come from 1, 2, 3, 3, 2, 1 outputs.
    lanes = by_path(TINY)["compute.repacker"].luts
    assert (lanes["lane choices"], lanes["bank choices"]) == (8 * (0 + 1 + 2 + 2 + 1 + 0), 8 * 6)
    # KP 4, CP 2: every K-tile starts at lane 0, so only the bank is chosen.
    even = TINY.replace(array={"cp": 2})
    assert by_path(even)["compute.repacker"].luts["lane choices"] == 0


def test_a_packed_pair_has_nine_bits_for_its_upper_weights() -> None:
    plain, packed = (by_path(TINY.replace(array={"dsp_packing": on})) for on in (False, True))
    more = packed["compute.array"].ffs["registers"] - plain["compute.array"].ffs["registers"]
    assert more == 2 * 2 * 27 + 27  # two upper filters, shadow and active; the signs of the lower one
    assert (plain["compute.array.dpe"].dsps, packed["compute.array.dpe"].dsps) == (108, 54)


@pytest.mark.parametrize(("kp", "dsps"), [(4, 0), (6, 1)])
def test_a_kp_that_is_no_power_of_two_multiplies_addresses(kp: int, dsps: int) -> None:
    found = by_path(TINY.replace(array={"kp": kp}, axi={"data_bits": 64 if kp == 4 else 32}))
    assert found["feed"].dsps == dsps and found["load_weights"].dsps == 1


def test_paths_are_unique_and_belong_to_components() -> None:
    made = list(parts(TINY))
    assert len({part.path for part in made}) == len(made)
    assert {"array", "lb", "requantiser", "store", "control", "stripes"} <= {part.component for part in made}
