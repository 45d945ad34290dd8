"""The search spaces of published SuperNets, ``fashion``, and SuperNets of a user's own."""

from arch_model.spaces.accuracy import known_top1, space_top1
from arch_model.spaces.chosen import Chosen, choose_subnets
from arch_model.spaces.own_file import load_supernet
from arch_model.spaces.registry import get_space, register_supernet, space_names
from arch_model.spaces.subnet_file import read_subnets, subnet_entry

__all__ = [
    "Chosen",
    "choose_subnets",
    "get_space",
    "known_top1",
    "load_supernet",
    "read_subnets",
    "register_supernet",
    "space_names",
    "space_top1",
    "subnet_entry",
]
