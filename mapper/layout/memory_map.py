"""Where everything is in DRAM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.microarchitecture import TABLE_BYTES
from arch_model.network.layer import INPUT, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.program.program import TensorPlace
from mapper.layout.tensors import activation_bytes, dram_tiles, folds, tile_grid
from mapper.workload.depthwise import entries_of, input_size, is_channelwise, ones_tiles, uses_ones
from mapper.workload.fusion import Step, steps
from mapper.workload.views import has_views, homes


@dataclass(frozen=True, eq=False)
class MemoryMap:
    """Byte addresses, each a multiple of the longest burst (``max_burst`` beats).

    Attributes
    ----------
    weights : of each SuperNet layer's tiles; there is one copy for all SubNets.
    zsb : of each layer's ZSB entries, by SubNet and layer: weight layers, pools over windows, scalings.
    tensors : by SubNet and name. A SubNet's tensors do not overlap; those of different SubNets share one area,
        as does the image, "input". Concatenations and slices are places as well, with those that lie inside.
    weight_bytes : what weights and ZSB entries, which come over stripes of their own, take together, from address 0 on.
    program : of the Program area, which reaches to the end of DRAM. With stripes the Program lies in the first one
        alone, at ``program / stripes``.
    program_bytes : its size, in the first stripe.
    tables : of each activation table, by SubNet and layer.
    kernels : of the middle of a SuperNet layer's depthwise kernel, by layer, R and S, for SubNets in which it is
        smaller: a copy of its own, because its windows cut it otherwise.
    ones : of the constant weight tiles of average pools and scalings; -1 if no SubNet has one.
    accelerator, supernet : for which it was built.
    """

    accelerator: Accelerator
    supernet: SuperNet
    weights: Mapping[str, int]
    zsb: Mapping[str, Mapping[str, int]]
    tensors: Mapping[str, Mapping[str, TensorPlace]]
    weight_bytes: int
    program: int
    program_bytes: int
    tables: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    kernels: Mapping[tuple[str, int, int], int] = field(default_factory=dict)
    ones: int = -1

    def weights_of(self, layer: Layer) -> int:
        """Where the weights lie that a SubNet's layer reads."""
        return self.kernels.get((layer.name, layer.R, layer.S), self.weights[layer.name])

    @classmethod
    def build(cls, supernet: SuperNet, subnets: Iterable[SubNet], accelerator: Accelerator) -> MemoryMap:
        """Lay out DRAM.

        Parameters
        ----------
        supernet : whose weights all SubNets share.
        subnets : for which it has room.
        accelerator : with the DRAM.

        Raises
        ------
        MappingError
            The DRAM is too small, or a SubNet cannot run.

        Examples
        --------
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

        weights = {layer.name: take(dram_tiles(layer, a) * a.tile_bytes) for layer in supernet.layers}
        chosen = list(subnets)
        kernels = {}
        for subnet in chosen:
            for layer in subnet.weight_layers:
                whole, key = supernet.layer(layer.name), (layer.name, layer.R, layer.S)
                if layer.groups > 1 and (layer.R, layer.S) != (whole.R, whole.S) and key not in kernels:
                    kernels[key] = take(dram_tiles(replace(whole, R=layer.R, S=layer.S), a) * a.tile_bytes)
        zsb, tables, ones = {}, {}, -1
        for subnet in chosen:
            sizes = {layer.name: zsb_entries(layer, a) * 8 * a.kp for layer in subnet.layers if zsb_entries(layer, a)}
            base = take(sum(sizes.values()))
            zsb[subnet.name] = {name: base + sum(list(sizes.values())[:i]) for i, name in enumerate(sizes)}
            curved = [layer.name for layer in subnet.layers if not layer.activation.is_clamp]
            base = take(TABLE_BYTES * len(curved))
            tables[subnet.name] = {name: base + i * TABLE_BYTES for i, name in enumerate(curved)}
        if any(uses_ones(layer) for subnet in chosen for layer in subnet.layers):
            ones = take(ones_tiles(a) * a.tile_bytes)
        weight_bytes = top
        shapes = [_shapes(subnet) for subnet in chosen]
        folded = [image_folds(steps(subnet.layers), a) for subnet in chosen]
        image = take(max((activation_bytes(*s[INPUT], a, f) for s, f in zip(shapes, folded, strict=True)), default=0))
        area = highest = top
        tensors = {}
        for subnet, shape, fold in zip(chosen, shapes, folded, strict=True):
            top = area
            inside = homes(subnet.layers) if has_views(subnet.layers) else {}
            places = {
                name: TensorPlace(image, *chw, pitch=a.pitch(chw[2], fold), folded=fold)
                if name == INPUT
                else TensorPlace(take(activation_bytes(*chw, a)), *chw, pitch=a.pitch(chw[2]))
                for name, chw in shape.items()
                if inside.get(name, (name, 0)) == (name, 0)
            }
            places |= {name: _inside(places, name, shape[name], *inside[name], a) for name in shape.keys() - places}
            tensors[subnet.name] = places
            highest = max(highest, top)
        top = highest
        if top >= a.dram.bytes:
            raise MappingError(
                f"SuperNet {supernet.name}: weights, ZSB tables and activations of {len(chosen)} SubNets need "
                f"{top} bytes of DRAM and the Program some more; {a.name} has {a.dram.bytes}"
            )
        program_bytes = (a.dram.bytes - top) // a.stripes
        return cls(a, supernet, weights, zsb, tensors, weight_bytes, top, program_bytes, tables, kernels, ones)


def zsb_entries(layer: Layer, accelerator: Accelerator) -> int:
    """ZSB entries of a layer; 0 for adds and global pools, which need none.

    Parameters
    ----------
    layer : any.
    accelerator : gives KP.
    """
    if is_channelwise(layer):
        return entries_of(layer, accelerator)
    return tile_grid(layer, accelerator).kt if layer.kind.has_weights else 0


def image_folds(order: Sequence[Step], accelerator: Accelerator) -> bool:
    """Whether every reader of the image takes it as a folded image.

    Parameters
    ----------
    order : the steps of a SubNet.
    accelerator : that runs them.
    """
    readers = [step.layer for step in order if step.source == INPUT]
    return all(folds(layer, accelerator) for layer in readers) and all(step.addend != INPUT for step in order)


def _inside(
    places: Mapping[str, TensorPlace],
    name: str,
    shape: tuple[int, int, int],
    root: str,
    first: int,
    accelerator: Accelerator,
) -> TensorPlace:
    """The place of a tensor that begins with channel ``first`` of another one."""
    if first % accelerator.cp or places[root].folded:
        what = "of the image" if places[root].folded else f"that is no multiple of {accelerator.cp}"
        raise MappingError(
            f"layer {name}: it begins with channel {first} {what} in {root}; {accelerator.name} has words of "
            f"{accelerator.cp} channels: fit the network to it (mapper.search.fitted)"
        )
    whole = places[root]
    return TensorPlace(whole.address + first // accelerator.cp * whole.group_bytes, *shape, pitch=whole.pitch)


def _shapes(subnet: SubNet) -> dict[str, tuple[int, int, int]]:
    """(C, H, W) of the image and of each tensor that the SubNet writes to DRAM."""
    shapes: dict[str, tuple[int, int, int]] = {}
    for step in steps(subnet.layers):
        layer = step.layer
        if step.source == INPUT:
            shapes.setdefault(INPUT, (layer.C, *input_size(layer)))
        if step.addend == INPUT:
            shapes.setdefault(INPUT, (layer.K, layer.P, layer.Q))
        shapes[step.output] = (layer.K, layer.P, layer.Q)
    shapes |= {layer.name: (layer.K, layer.P, layer.Q) for layer in subnet.layers if layer.kind.is_view}
    if INPUT not in shapes:
        raise MappingError(f"SubNet {subnet.name}: no layer reads the image; name it {INPUT!r} among the inputs")
    return shapes
