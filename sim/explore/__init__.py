"""Explore machines: vary an Accelerator's numbers, price every point for some SubNets, keep what is best.

``docs/how-to/explore.md`` has the design and how to use it.
"""

from sim.explore.knobs import ExploreError, Knob
from sim.explore.pareto import exact_front, pareto_front
from sim.explore.run import explore
from sim.explore.study import Study, load_study

__all__ = ["ExploreError", "Knob", "Study", "exact_front", "explore", "load_study", "pareto_front"]
