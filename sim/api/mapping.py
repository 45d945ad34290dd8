"""``fastswitch.map``: the best mapping of a layer, or of every layer of a SubNet."""

from __future__ import annotations

from pathlib import Path
from typing import overload

from arch_model.machine.accelerator import Accelerator
from arch_model.machine.load import load_accelerator
from arch_model.network.fixed_supernet import fixed_supernet
from arch_model.network.layer import Layer
from arch_model.network.supernet import SubNet
from mapper.importers.network import Network
from mapper.search.optimise import Mapping, Objective, optimise, optimise_subnet
from mapper.workload.layer_text import parse_layer


@overload
def map(what: Layer | str, accelerator: Accelerator | str | Path, objective: Objective | str = ...) -> Mapping: ...


@overload
def map(
    what: SubNet | Network, accelerator: Accelerator | str | Path, objective: Objective | str = ...
) -> dict[str, Mapping]: ...


def map(
    what: Layer | SubNet | Network | str,
    accelerator: Accelerator | str | Path,
    objective: Objective | str = Objective.LATENCY,
) -> Mapping | dict[str, Mapping]:
    """Find the best mapping of a layer, with a certificate that no other one is better.

    Parameters
    ----------
    what : a layer; or its sizes in words, such as ``"K=64 C=3 R=7 S=7 H=224 W=224 stride=2"``; or a SubNet or an
        imported network, each of whose layers is mapped by itself; an addition runs in the STORE of another one.
    accelerator : the machine, the name of a preset, or a YAML file.
    objective : ``"latency"``, ``"energy"`` or ``"edp"`` (energy × delay).

    Returns
    -------
    Mapping, or dict of them by the layer's name
        ``cycles``, ``latency_s``, ``dram_bytes`` and ``energy_j`` of the layer as a Program of its own, ``tiling``,
        ``loop_nest()``, what bounds it (``bound``) and the ``certificate``.

    Raises
    ------
    MappingError
        The machine cannot run the layer, or there is no such objective; the line says why.

    Examples
    --------
    >>> best = map("K=16 C=9 R=3 S=3 H=8 W=8", "tiny")
    >>> best.certificate.tile_bound <= best.cycles
    True
    """
    machine = load_accelerator(accelerator)
    objective = Objective(objective)
    if isinstance(what, Network):
        what = what.subnet
    if isinstance(what, SubNet):
        return optimise_subnet(what, fixed_supernet([what]), machine, objective)
    return optimise(parse_layer(what) if isinstance(what, str) else what, machine, objective)
