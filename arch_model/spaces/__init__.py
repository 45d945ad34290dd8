"""The search spaces of published SuperNets, and ``fashion``."""

from arch_model.spaces.registry import get_space, space_names
from arch_model.spaces.subnet_file import read_subnets, subnet_entry

__all__ = ["get_space", "read_subnets", "space_names", "subnet_entry"]
