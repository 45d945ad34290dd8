"""The command that reproduces one point of a study, and the files that it needs beside the page."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arch_model.errors import SpaceError
from arch_model.machine.accelerator import Accelerator, preset_names
from arch_model.machine.accelerator_yaml import accelerator_yaml
from arch_model.spaces import subnet_entry
from arch_model.spaces.registry import space_argument
from sim.explore.knobs import SUBNET

if TYPE_CHECKING:
    from sim.explore import Study

BASE, SUBNETS = "base.yaml", "subnets.json"

MOST_NAMED = 8
"""So many SubNets stand in the command itself, if their names say all of them."""


@dataclass(frozen=True)
class ReproduceCommand:
    """The command is ``before``, one of ``subnets``, ``--vary`` with the point's knobs, ``after``.

    Attributes
    ----------
    before, after : texts.
    subnets : one text, or one a SubNet where each point runs only one.
    files : that it needs, texts by name.
    """

    before: str
    subnets: tuple[str, ...]
    after: str
    files: Mapping[str, str]


def reproduce_command(study: Study) -> ReproduceCommand:
    """How to reproduce the price of a point of ``study``.

    The base is named if it is a preset and SubNets if their names tell the space which they are; else they are files.
    """
    files = {}
    base = study.base.name
    if base not in preset_names() or Accelerator.load(base) != study.base:
        base, files[BASE] = BASE, accelerator_yaml(study.base)
    named = all(_is_named(study, place) for place in range(len(study.subnets)))
    single = any(knob.name == SUBNET for knob in study.knobs)
    if named and (single or len(study.subnets) <= MOST_NAMED):
        subnets = study.subnets if single else (",".join(study.subnets),)
    else:
        subnets, files[SUBNETS] = (SUBNETS,), _entries(study)
    space = space_argument(study.supernet)
    before = f"fastswitch explore --space {shlex.quote(space)} --accelerator {shlex.quote(base)}"
    after = f"--objectives {','.join(study.objectives)}" + (
        "" if study.cached == "fit" else f" --cached {study.cached}"
    )
    return ReproduceCommand(before, tuple(f"--subnets {shlex.quote(names)}" for names in subnets), after, files)


def _is_named(study: Study, place: int) -> bool:
    name, net = study.subnets[place], study.nets[place]
    try:
        return "," not in name and study.supernet.subnet(name) == net
    except SpaceError:
        return False


def _entries(study: Study) -> str:
    """The SubNets as ``--subnets`` reads them, with their accuracy if it is an objective."""
    entries = [subnet_entry(net) for net in study.nets]
    if study.accuracy:
        entries = [{**entry, "top1": top1} for entry, top1 in zip(entries, study.accuracy, strict=True)]
    return json.dumps(entries, indent=1) + "\n"
