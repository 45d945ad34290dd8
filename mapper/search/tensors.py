"""Which tensors of a SubNet stay in the SB: all that find room, less those without which its Program is faster."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from enum import StrEnum

from arch_model.errors import MappingError
from arch_model.files.shown import shown
from arch_model.network.layer import Layer
from mapper.cost.program_cost import ProgramCosts
from mapper.lowering.placement import Candidate, Placement, candidates, place
from mapper.lowering.tiling import Tiling

ROUNDS = 3
"""How often the tensors are gone over at most."""


class Tensors(StrEnum):
    """Where the feature maps of a SubNet are while it runs."""

    DRAM = "dram"
    """All go through DRAM."""
    CHIP = "chip"
    """Those stay in the SB that find room there and make the Program faster."""

    @classmethod
    def _missing_(cls, value: object) -> Tensors:
        raise MappingError(f"tensors is {shown(value)}; give one of {', '.join(cls)}")


def viewed(layers: Sequence[Layer]) -> frozenset[str]:
    """Names of the tensors that concatenations and slices show; they are in DRAM.

    Parameters
    ----------
    layers : of a SubNet.
    """
    return frozenset(name for layer in layers if layer.kind.is_view for name in layer.inputs)


def keep_tensors(
    costs: ProgramCosts,
    also: Collection[str],
    tiled: Callable[[ProgramCosts], list[Tiling]],
    value: Callable[[ProgramCosts, list[Tiling]], float],
) -> tuple[Placement, list[Tiling]]:
    """Choose the tensors that stay, one by one, as long as the whole Program gets better.

    Not proved to be the best choice: tensors are tried one by one, and the places of all others follow from them.

    Parameters
    ----------
    costs : of the SubNet's steps; it is left with the placement that is returned.
    also : names of tensors that something else than a step reads from DRAM.
    tiled : how the steps are tiled for a placement that ``costs`` has.
    value : what shall be least.

    Returns
    -------
    placement, tilings
        With their value no greater than that of a Program without tensors in the SB.
    """
    steps, a = costs.steps, costs.a

    def tried(kept: Sequence[Candidate]) -> tuple[float, Placement, list[Tiling]]:
        placement = place(steps, a, kept)
        costs.place(placement)
        tilings = tiled(costs)
        return value(costs, tilings), placement, tilings

    nothing: list[Candidate] = []
    wanted = candidates(steps, a, also)
    best, kept = tried(wanted), wanted
    for _ in range(ROUNDS):
        before = best[0]
        for one in list(kept):
            fewer = [other for other in kept if other is not one]
            if (new := tried(fewer))[0] < best[0]:
                best, kept = new, fewer
        if best[0] == before:
            break
    best = min(best, tried(nothing), key=lambda found: found[0])
    costs.place(best[1])
    return best[1], best[2]
