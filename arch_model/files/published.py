"""Tables that others published and this project does not carry: one environment variable says where they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from arch_model.errors import FastSwitchError

VARIABLE = "FASTSWITCH_PUBLISHED_TABLES"
"""The environment variable: a folder, or several with the system's separator of paths between them (``:``). Unset by
default."""

PUBLISHED: Mapping[str, str] = MappingProxyType(
    {
        "ofa_resnet50_six_subnets.json": "configurations and totals of the six OFA-ResNet50 SubNets (once-for-all)",
        "ofa_resnet50_six_subnets_layers.csv": "every convolution and classifier of these six (SUSHI's layer table)",
        "ofa_released_subnets.json": "configurations and totals of 17 released MobileNetV3 and ProxylessNAS SubNets",
        "supernet_search_spaces.json": "the choices of the published search spaces, as their repositories have them",
        "zcu104_measured_3x3_nets_0_2_4.csv": "measured latencies of 3 x 3 layers on a ZCU104 (FEATHER's artifact)",
        "onnx": "a folder of small ONNX models from public reports of faults in readers and quantisers",
    }
)
"""What is looked for, and what it is. docs/reference/published-tables.md says where each was published and how to make
it."""


def published(name: str) -> Path:
    """Where a published table lies on this machine.

    Parameters
    ----------
    name : one of :data:`PUBLISHED`, a file or a folder.

    Returns
    -------
    Path
        It exists.

    Raises
    ------
    FastSwitchError
        It is in none of the folders that the environment variable :data:`VARIABLE` names, or that names none.
    KeyError
        The name is none of :data:`PUBLISHED`.

    Examples
    --------
    >>> table = published("ofa_released_subnets.json")  # doctest: +SKIP
    """
    if name not in PUBLISHED:
        raise KeyError(f"{name} is none of {', '.join(PUBLISHED)}")
    for folder in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        path = Path(folder) / name
        if path.exists():
            return path.resolve()
    raise FastSwitchError(
        f"published table {name} is not here; set {VARIABLE} to the folder that has it "
        "(docs/reference/published-tables.md says where it was published and how to make it)"
    )
