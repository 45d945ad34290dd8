"""Where everything is in DRAM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from arch_model.accelerator import Accelerator
from arch_model.errors import MappingError
from arch_model.layer import INPUT
from arch_model.supernet import SubNet, SuperNet
from mapper.pack import activation_bytes, tile_grid
from mapper.program import TensorPlace
from mapper.steps import inputs_of, steps


@dataclass(frozen=True, eq=False)
class MemoryMap:
    """Byte addresses, each a multiple of the longest burst (``max_burst`` beats).

    Attributes
    ----------
    weights : of each SuperNet layer's tiles; there is one copy for all SubNets.
    zsb : of each weight layer's ZSB entries, by SubNet and layer.
    tensors : by SubNet and name. A SubNet's tensors do not overlap; those of different SubNets share one area,
        as does the image, "input".
    weight_bytes : what weights and ZSB entries, which come over stripes of their own, take together, from address 0 on.
    program : of the Program area, which reaches to the end of DRAM. With stripes the Program lies in the first one
        alone, at ``program / stripes``.
    program_bytes : its size, in the first stripe.
    """

    accelerator: Accelerator
    supernet: SuperNet
    weights: Mapping[str, int]
    zsb: Mapping[str, Mapping[str, int]]
    tensors: Mapping[str, Mapping[str, TensorPlace]]
    weight_bytes: int
    program: int
    program_bytes: int

    @classmethod
    def build(cls, supernet: SuperNet, subnets: Iterable[SubNet], accelerator: Accelerator) -> MemoryMap:
        """Lay out DRAM for these SubNets. Raises :class:`MappingError` if it is too small.

        >>> from arch_model.spaces import get_space
        >>> fashion = get_space("fashion")
        >>> subnet = fashion.subnet("fashion-d111-w222")
        >>> places = MemoryMap.build(fashion, [subnet], Accelerator.load("tiny"))
        >>> places.weights["stem"], places.tensors[subnet.name]["stem"].shape
        (0, (16, 28, 28))
        """
        a = accelerator
        align = a.axi.max_burst * max(a.beat_bytes, a.weight_beat_bytes)
        top = 0

        def take(size: int) -> int:
            nonlocal top
            start = top
            top = -(-(top + size) // align) * align
            return start

        weights = {layer.name: take(tile_grid(layer, a).tiles * a.tile_bytes) for layer in supernet.layers}
        chosen = list(subnets)
        zsb = {}
        for subnet in chosen:
            sizes = {layer.name: tile_grid(layer, a).kt * 8 * a.kp for layer in subnet.weight_layers}
            base = take(sum(sizes.values()))
            zsb[subnet.name] = {name: base + sum(list(sizes.values())[:i]) for i, name in enumerate(sizes)}
        weight_bytes = top
        shapes = [_shapes(subnet) for subnet in chosen]
        image = take(max((activation_bytes(*s[INPUT], a) for s in shapes), default=0))
        area = highest = top
        tensors = {}
        for subnet, shape in zip(chosen, shapes, strict=True):
            top = area
            tensors[subnet.name] = {
                name: TensorPlace(
                    image if name == INPUT else take(activation_bytes(*chw, a)), *chw, pitch=a.pitch(chw[2])
                )
                for name, chw in shape.items()
            }
            highest = max(highest, top)
        top = highest
        if top >= a.dram.bytes:
            raise MappingError(
                f"SuperNet {supernet.name}: weights, ZSB tables and activations of {len(chosen)} SubNets need "
                f"{top} bytes of DRAM and the Program some more; {a.name} has {a.dram.bytes}"
            )
        return cls(a, supernet, weights, zsb, tensors, weight_bytes, top, (a.dram.bytes - top) // a.stripes)


def _shapes(subnet: SubNet) -> dict[str, tuple[int, int, int]]:
    """(C, H, W) of the image and of each tensor that the SubNet writes to DRAM."""
    shapes: dict[str, tuple[int, int, int]] = {}
    for step in steps(subnet.layers):
        if INPUT in inputs_of(step):
            shapes.setdefault(INPUT, (step.layer.C, step.layer.H, step.layer.W))
        shapes[step.output] = (step.layer.K, step.layer.P, step.layer.Q)
    if INPUT not in shapes:
        raise MappingError(f"SubNet {subnet.name}: no layer reads the image; name it {INPUT!r} among the inputs")
    return shapes
