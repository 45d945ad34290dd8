"""The context: effort, images, processes."""

import pytest

from arch_model.analog import Crossbar
from arch_model.errors import FastSwitchError
from arch_model.network.weights import load_weights
from sim.noise.study.context import Effort, StudyContext, figures


@pytest.mark.parametrize("name", ["images", "trials", "full_images", "full_trials", "rank_images", "subnets"])
def test_no_effort_is_refused(name):
    with pytest.raises(FastSwitchError, match=f"{name} is 0; give at least 1"):
        Effort(**{name: 0})


def test_facts_and_figures_say_what_was_run(tmp_path):
    effort = Effort(images=8, trials=2, full_images=12)
    with StudyContext("smallest", load_weights(), tmp_path, sigma=0.3, seed=4, effort=effort) as context:
        facts = context.facts()
        assert (facts["sigma"], facts["seed"], facts["images"], facts["trials"]) == (0.3, 4, 8, 2)
        row = figures(context.run(Crossbar(), context.strongest), "bare_")
        assert (row["bare_images"], row["bare_trials"], row["bare_digital_fraction"]) == (8, 2, 0)
        assert row["bare_accuracy_low"] <= row["bare_accuracy_mean"] <= row["bare_accuracy_high"]
        again = figures(context.run(Crossbar(), context.strongest, trials=1, runner=context.full_runner))
        assert (again["images"], again["trials"]) == (12, 1)
