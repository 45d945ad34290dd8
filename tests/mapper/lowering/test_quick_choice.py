"""The quick choice is what the compiler takes."""

from __future__ import annotations

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.lowering.depthwise_tiling import choose_cut
from mapper.lowering.quick_choice import quick_tiling
from mapper.lowering.tiling import choose
from mapper.workload.fusion import Step

TINY = Accelerator.load("tiny")


def test_each_kind_has_its_own_estimate() -> None:
    dense = Layer("a", Kind.CONV, K=10, C=16, R=3, S=3, H=12, W=12, padding=1)
    deep = Layer("b", Kind.CONV, 24, 24, 3, 3, 16, 16, padding=1, groups=24)
    pool = Layer("c", Kind.POOL, K=8, C=8, H=4, W=4)
    assert quick_tiling(Step(dense), TINY) == choose(dense, TINY)
    cut, tiling = choose_cut(deep, TINY), quick_tiling(Step(deep), TINY)
    assert (tiling.rows, tiling.chunk, tiling.stays) == (cut.rows, cut.chunk, cut.stays)
    assert (quick_tiling(Step(pool), TINY).rows, quick_tiling(Step(pool), TINY).chunk) == (1, 1)
