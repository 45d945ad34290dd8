"""A SubNet as the steps that the machine executes: a layer with the add that follows it, a pool, or a product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from arch_model.errors import MappingError
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubNet
from arch_model.program.limits import POOLED_MAX, PRODUCTS_MAX
from mapper.workload.depthwise import has_tiles, is_channelwise, refusals

LARGEST_KERNEL = 7


@dataclass(frozen=True)
class Step:
    """One layer in the machine's order.

    Attributes
    ----------
    layer : any but an ADD.
    add : the ADD that is fused into its STORE; None without.
    """

    layer: Layer
    add: Layer | None = None
    after: str = ""
    """Of a source that is a view: the step's output that is the last of those that it shows."""

    @property
    def output(self) -> str:
        """The tensor that the step writes: its layer's, or its add's."""
        return self.layer.name if self.add is None else self.add.name

    @property
    def addend(self) -> str | None:
        """The tensor that STORE reads from DRAM: an add's second operand, a product's first."""
        if self.layer.kind.is_product:
            return self.layer.inputs[0]
        return None if self.add is None else self.add.inputs[1]

    @property
    def source(self) -> str:
        """The tensor that LOAD_ACT brings (a POOL's STORE reads it): the layer's input, a product's factors."""
        return (self.layer.inputs or (INPUT,))[-1]

    @property
    def awaited(self) -> str:
        """The step's output that must be written before the source can be read; those before it are written earlier."""
        return self.after or self.source


def steps(layers: Sequence[Layer]) -> tuple[Step, ...]:
    """The steps of layers given in topological order.

    A conv whose result is added to something runs where the add stands, so that the other operand is in DRAM;
    its own result never is. Concatenations and slices are no steps: they are places of tensors. Raises
    :class:`MappingError` for a layer that the machine does not have.

    >>> a = Layer("a", Kind.CONV, K=4, C=4, inputs=("input",))
    >>> b = Layer("b", Kind.CONV, K=4, C=4, inputs=("a",))
    >>> add = Layer("c", Kind.ADD, K=4, C=4, inputs=("b", "a"))
    >>> [step.output for step in steps([a, b, add])]
    ['a', 'c']
    """
    readers = Counter(source for layer in layers for source in layer.inputs)
    by_name = {layer.name: layer for layer in layers}
    fused: dict[str, Layer] = {}
    for layer in layers:
        check_supported(layer)
        if layer.kind is Kind.ADD:
            fused[layer.name] = fused_conv(layer, by_name, readers)
    inside = {conv.name for conv in fused.values()}
    made: list[Step] = []
    last: dict[str, tuple[int, str]] = {INPUT: (-1, INPUT)}  # of each tensor, the last step that writes to it
    for layer in layers:
        if layer.name in inside:
            continue
        if layer.kind.is_view:
            last[layer.name] = max(last[name] for name in layer.inputs)
            continue
        step = Step(fused[layer.name], layer) if layer.kind is Kind.ADD else Step(layer)
        if step.source in last and last[step.source][1] != step.source:
            step = replace(step, after=last[step.source][1])
        last[step.output] = len(made), step.output
        made.append(step)
    return tuple(made)


def fused_adds(layers: Sequence[Layer]) -> dict[str, Layer]:
    """By conv, the add that its STORE can do; adds that follow no conv are left out, and so is the rest of the net."""
    readers = Counter(source for layer in layers for source in layer.inputs)
    by_name = {layer.name: layer for layer in layers}
    found = {}
    for layer in layers:
        if layer.kind is Kind.ADD:
            try:
                found[fused_conv(layer, by_name, readers).name] = layer
            except MappingError:
                continue
    return found


def fused_conv(add: Layer, by_name: Mapping[str, Layer], readers: Mapping[str, int]) -> Layer:
    """The conv in whose STORE an add is done: its first input, which nobody else reads.

    Parameters
    ----------
    add : the ADD.
    by_name : the SubNet's layers.
    readers : of each tensor, how many layers read it.

    Raises
    ------
    MappingError
        The first input is no conv, or has another reader.
    """
    conv = by_name.get(add.inputs[0]) if add.inputs else None
    if conv is None or not conv.kind.has_weights or readers[conv.name] != 1:
        first = add.inputs[0] if add.inputs else "none"
        raise MappingError(
            f"layer {add.name}: its first input {first} is not a conv that it alone reads; "
            "give an add that follows a conv"
        )
    return conv


def check_supported(layer: Layer) -> None:
    """Raise :class:`MappingError`, naming the layer and the field, for what the machine cannot execute."""

    def refuse(field: str, value: object, legal: str) -> MappingError:
        return MappingError(f"layer {layer.name}: {field} is {value}; the mapper takes {legal}")

    if layer.kind.is_view:
        return
    if not layer.activation.is_clamp and not layer.kind.has_weights:
        raise refuse("activation", layer.activation, f"none, relu and relu6 on a layer of kind {layer.kind}")
    if layer.kind is Kind.POOL and layer.H * layer.W > POOLED_MAX:
        raise refuse("H * W", layer.H * layer.W, f"pools over at most {POOLED_MAX} pixels")
    if is_channelwise(layer):
        for field, value, legal in refusals(layer):
            raise refuse(field, value, legal)
    elif not layer.kind.has_weights:
        return
    if (products := layer.C // layer.groups * layer.R * layer.S) > PRODUCTS_MAX:
        raise refuse("C / groups * R * S", products, f"sums of at most {PRODUCTS_MAX} products")
    for name in ("R", "S"):
        if getattr(layer, name) > LARGEST_KERNEL:
            raise refuse(name, getattr(layer, name), f"kernels of at most {LARGEST_KERNEL}")
    if layer.stride not in (1, 2):
        raise refuse("stride", layer.stride, "1 and 2")
    if layer.padding > min(layer.R, layer.S) - 1:
        raise refuse("padding", layer.padding, f"less than the kernel, {layer.R}x{layer.S}")


def check_runnable(subnet: SubNet) -> None:
    """Refuse a SubNet that the machine cannot run as a whole.

    Such a SubNet has no cost: the sum over its other layers would be that of another network.

    Raises
    ------
    MappingError
        Naming SubNet, layer and field.

    Examples
    --------
    >>> from arch_model.spaces import get_space
    >>> check_runnable(get_space("ofa-resnet50").subnet("resnet50D_MAC@0.6B"))
    """
    try:
        steps(subnet.layers)
    except MappingError as error:
        raise MappingError(f"SubNet {subnet.name}: {error}") from None


def is_runnable(subnet: SubNet) -> bool:
    """Whether the machine has every layer of a SubNet; its buffers may still be too small for some.

    >>> from arch_model.spaces import get_space
    >>> [is_runnable(net) for net in get_space("ofa-resnet50").sample(4, seed=0)]
    [True, True, True, True]
    """
    try:
        check_runnable(subnet)
    except MappingError:
        return False
    return True


def unsupported(layer: Layer) -> str:
    """What keeps the mapper from a layer, in a word; "" if nothing does.

    >>> unsupported(Layer("a", Kind.CONV, K=4, C=4, groups=2)), unsupported(Layer("b", Kind.CONV, K=4, C=4, groups=4))
    ('grouped', '')
    """
    try:
        check_supported(layer)
    except MappingError:
        return "grouped" if layer.groups not in (1, layer.C) else str(layer.kind)
    return ""


def is_dense(layer: Layer) -> bool:
    """Whether the mapper runs a layer with weight tiles that the PB can hold: a conv or linear, not depthwise.

    >>> is_dense(Layer("a", Kind.CONV, K=4, C=4, groups=4)), is_dense(Layer("b", Kind.CONV, K=4, C=4))
    (False, True)
    """
    return has_tiles(layer) and not unsupported(layer)


def inputs_of(step: Step) -> tuple[str, ...]:
    """The tensors that a step reads from DRAM, the image as ``arch_model.network.layer.INPUT``."""
    return (step.source,) if step.addend is None else (step.source, step.addend)
