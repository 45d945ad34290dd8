"""The compiled recurrence beside the executable specification, command by command.

Whole random networks of every operator: ``tests/mapper/cost/test_program_cost.py``.
"""

from __future__ import annotations

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.timing.rows import FEED_LAST, FEED_START, READY, RUN_LAST, START, STORE_END, STORE_START, stream
from mapper.cost.program_cost import ProgramCosts
from mapper.workload.fusion import Step


def test_each_command_of_the_example_of_the_page_about_time() -> None:
    """docs/concepts/time.md counts it by hand: a 3 x 3 convolution of 3 to 3 channels on 4 x 4 pixels, on ``tiny``."""
    tiny, layer = Accelerator.load("tiny"), Layer("example", Kind.CONV, 3, 3, 3, 3, 4, 4, padding=1)
    costs = ProgramCosts([Step(layer)], tiny)
    costs.cycles(costs.quick())
    acts, wgts, passes, stores = (stream(costs.w, unit) for unit in range(4))
    assert acts[:, [START, READY]].tolist() == [[42, 92 + 1]]  # a token is there a cycle after it was released
    assert wgts[:, [START, READY]].tolist() == [[58, 99 + 1], [99, 178 + 1]]
    assert passes[:, [FEED_START, FEED_LAST, RUN_LAST]].tolist() == [[179, 183, 200]]
    assert stores[:, [STORE_START, STORE_END]].tolist() == [[213, 272]]
