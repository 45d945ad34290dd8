"""What things are and what they cost.

Layers, SuperNets and their search spaces, the Accelerator, and the cycles, bytes, energy and area of running
one on the other. This room imports none of the others.
"""

from arch_model.accelerator import Accelerator, preset_names
from arch_model.errors import (
    AcceleratorError,
    FastSwitchError,
    LayerError,
    MappingError,
    SimulatorError,
    SpaceError,
    WeightsError,
)
from arch_model.layer import Kind, Layer, LayerRow, read_layer_table
from arch_model.spaces import get_space, space_names
from arch_model.supernet import SubGraph, SubNet, SuperNet

__all__ = [
    "Accelerator",
    "AcceleratorError",
    "FastSwitchError",
    "Kind",
    "Layer",
    "LayerError",
    "LayerRow",
    "MappingError",
    "SimulatorError",
    "SpaceError",
    "SubGraph",
    "SubNet",
    "SuperNet",
    "WeightsError",
    "get_space",
    "preset_names",
    "read_layer_table",
    "space_names",
]
