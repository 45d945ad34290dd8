"""What things are and what they cost.

Layers, SuperNets and their search spaces, the Accelerator, and the cycles, bytes, energy and area of running
one on the other. This room imports none of the others.
"""

from arch_model.errors import (
    AcceleratorError,
    FastSwitchError,
    LayerError,
    MappingError,
    SimulatorError,
    SpaceError,
    WeightsError,
)
from arch_model.machine.accelerator import Accelerator, preset_names
from arch_model.machine.load import load_machine, machine_names
from arch_model.machine.measured import MeasuredMachine
from arch_model.network.choices import Choice
from arch_model.network.layer import Activation, Kind, Layer, LayerRow, read_layer_table
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.network.weight_slices import weight_slice
from arch_model.spaces import get_space, read_subnets, space_names

__all__ = [
    "Accelerator",
    "AcceleratorError",
    "Activation",
    "Choice",
    "FastSwitchError",
    "Kind",
    "Layer",
    "LayerError",
    "LayerRow",
    "MappingError",
    "MeasuredMachine",
    "SimulatorError",
    "SpaceError",
    "SubGraph",
    "SubNet",
    "SuperNet",
    "WeightsError",
    "get_space",
    "load_machine",
    "machine_names",
    "preset_names",
    "read_layer_table",
    "read_subnets",
    "space_names",
    "weight_slice",
]
