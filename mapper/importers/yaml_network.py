"""A YAML file of layers: whose format it is shows in what it holds."""

from __future__ import annotations

from pathlib import Path

from arch_model.files.wanted import Wanted
from mapper.importers.network import Network, NetworkError
from mapper.importers.timeloop import problem_network
from mapper.importers.timeloop_text import read_timeloop
from mapper.importers.zigzag import read_workload

_WHAT = "a Timeloop problem: YAML with problem, its shape and its instance; or a ZigZag workload: a list of layers"


def read_yaml_network(path: str | Path) -> Network:
    """The network of a YAML file: a list is a ZigZag workload, a mapping a Timeloop problem.

    Raises
    ------
    NetworkError
        As the reader of the format does.
    """
    content = read_timeloop(path, Wanted(str(path), _WHAT, NetworkError))
    return read_workload(path, content) if isinstance(content, list) else problem_network(path, content)
