"""The analog half of a hybrid: variation, encoding, crossbar, cells of a weight, wires of an array, tiles and cost."""

from arch_model.analog.cells import offset_of, outputs_per_array, place_values, quantise, row_blocks, to_levels
from arch_model.analog.cost import AnalogCost, Load, analog_cost, layer_load
from arch_model.analog.crossbar import Conversion, Crossbar, Encoding
from arch_model.analog.isaac import Component, Isaac
from arch_model.analog.variation import Cycle, Distribution, Mean, Per, RelativeTo, Variation
from arch_model.analog.wires import exact_conductance, fast_conductance

__all__ = [
    "AnalogCost",
    "Component",
    "Conversion",
    "Crossbar",
    "Cycle",
    "Distribution",
    "Encoding",
    "Isaac",
    "Load",
    "Mean",
    "Per",
    "RelativeTo",
    "Variation",
    "analog_cost",
    "exact_conductance",
    "fast_conductance",
    "layer_load",
    "offset_of",
    "outputs_per_array",
    "place_values",
    "quantise",
    "row_blocks",
    "to_levels",
]
