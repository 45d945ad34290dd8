"""The analog half of a hybrid: variation, encoding, crossbar, the cells of a weight, the wires of an array."""

from arch_model.analog.cells import offset_of, outputs_per_array, place_values, quantise, row_blocks, to_levels
from arch_model.analog.crossbar import Conversion, Crossbar, Encoding
from arch_model.analog.variation import Cycle, Distribution, Mean, Per, RelativeTo, Variation
from arch_model.analog.wires import exact_conductance, fast_conductance

__all__ = [
    "Conversion",
    "Crossbar",
    "Cycle",
    "Distribution",
    "Encoding",
    "Mean",
    "Per",
    "RelativeTo",
    "Variation",
    "exact_conductance",
    "fast_conductance",
    "offset_of",
    "outputs_per_array",
    "place_values",
    "quantise",
    "row_blocks",
    "to_levels",
]
