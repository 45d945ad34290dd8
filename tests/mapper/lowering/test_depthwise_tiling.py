from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.cost.layer_cost import LayerCosts
from mapper.lowering.depthwise_tiling import Cut, check_cut
from mapper.lowering.quick_choice import quick_tiling
from mapper.lowering.tiling import Tiling, chunk_unit
from mapper.workload.depthwise import k_tiles_of
from mapper.workload.fusion import Step
from tests.mapper.random_nets import random_accelerator, random_channelwise

TINY = Accelerator.load("tiny")  # KP 4, CP 3
DEEP = Layer("a", Kind.CONV, 10, 10, 5, 5, 12, 12, padding=2, groups=10)


@given(st.integers(0, 2**32))
def test_chunks_end_where_a_group_does(seed):
    rng = np.random.default_rng(seed)
    a, layer = random_accelerator(rng), random_channelwise(rng)
    try:
        cut = quick_tiling(Step(layer), a)
    except MappingError:
        return
    kt = k_tiles_of(layer, a)
    assert 1 <= cut.rows <= layer.P and (cut.chunk == kt or cut.chunk % chunk_unit(a) == 0)
    check_cut(layer, a, Cut(cut.rows, cut.chunk, cut.stays))


@pytest.mark.parametrize("accelerator", ["tiny", "zcu104"])
def test_few_cuts_are_better(accelerator, monkeypatch):
    """Of all cuts that fit, walked as Programs of their own, the best is hardly better than the one chosen."""
    a, total, least = Accelerator.load(accelerator), 0, 0
    for layer in (
        Layer("a", Kind.CONV, 40, 40, 3, 3, 14, 14, padding=1, groups=40),
        Layer("a", Kind.CONV, 24, 24, 5, 5, 21, 21, 2, 2, groups=24),
        Layer("a", Kind.MAXPOOL, 8, 8, 3, 3, 12, 260, 2, 1),
    ):
        chosen, kt = quick_tiling(Step(layer), a), k_tiles_of(layer, a)
        costs = LayerCosts(Step(layer), a)
        total += costs.quick().cycles
        cycles = []
        for cut in (
            Cut(rows, min(chunk, kt), stays)
            for rows in range(1, layer.P + 1)
            for chunk in range(chunk_unit(a), kt + chunk_unit(a), chunk_unit(a))
            for stays in (False, True)
        ):
            with suppress(MappingError):
                check_cut(layer, a, cut)
                cycles.append(costs.cycles(Tiling(cut.rows, cut.chunk, stays=cut.stays)))
        assert len(cycles) > 3 and chosen.stays == (accelerator == "zcu104" or layer.W < 260)
        least += min(cycles)
    assert least <= total <= 1.03 * least


@pytest.mark.parametrize(
    ("buffer", "size", "message"),
    [
        # 5 rows of 12 + 2 columns: 2 x 5 words a bank and group, four groups
        ("sb_bytes", 2 * 27 * 39, "its 5 input rows need 1080 bytes of a half of the SB; tiny has 1053"),
        # 4 groups of 12 pixels in two banks: 24 words of each
        (
            "ob_out_bytes",
            2 * 6 * 23,
            "its chunk of outputs need 144 bytes of a half of the OB's output side; tiny has 138",
        ),
        ("zsb_bytes", 2 * 32 * 2, "its ZSB entries need 96 bytes of a half of the ZSB; tiny has 64"),
        ("ob_bytes", 16 * 11, "its partial sums of 1 rows need 192 bytes of the OB; tiny has 176"),
    ],
)
def test_what_does_not_fit_is_named(buffer, size, message):
    small = TINY.replace(buffers={buffer: size})
    with pytest.raises(MappingError) as error:
        quick_tiling(Step(DEEP), small)
    assert str(error.value) == f"layer a: {message}"


def test_a_k_tile_of_too_many_groups():
    wide = TINY.replace(array={"kp": 16, "cp": 3}, buffers={"zsb_bytes": 4096, "ob_out_bytes": 8192})
    with pytest.raises(MappingError, match="layer a: its K-tiles of 16 channels touch up to 6 groups of 3; a depth"):
        quick_tiling(Step(DEEP), wide)


def test_one_window_needs_no_partial_sums():
    check_cut(replace(DEEP, R=3, S=3, padding=1), TINY.replace(buffers={"ob_bytes": 16}), Cut(1, 3))
