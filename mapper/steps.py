"""A SubNet as the steps that the machine executes: a weight layer with the add that follows it, or a pool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from arch_model.errors import MappingError
from arch_model.layer import INPUT, Kind, Layer

LARGEST_KERNEL = 7


@dataclass(frozen=True)
class Step:
    """One layer of the machine's order: ``layer`` (CONV, LINEAR or POOL) and the ``add`` fused into its STORE."""

    layer: Layer
    add: Layer | None = None

    @property
    def output(self) -> str:
        """The tensor that the step writes: its layer's, or its add's."""
        return self.layer.name if self.add is None else self.add.name

    @property
    def addend(self) -> str | None:
        """The tensor that the add reads from DRAM."""
        return None if self.add is None else self.add.inputs[1]


def steps(layers: Sequence[Layer]) -> tuple[Step, ...]:
    """The steps of layers given in topological order.

    A conv whose result is added to something runs where the add stands, so that the other operand is in DRAM;
    its own result never is. Raises :class:`MappingError` for a layer that the machine does not have.

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
            conv = by_name.get(layer.inputs[0])
            if conv is None or not conv.kind.has_weights or readers[conv.name] != 1:
                raise MappingError(
                    f"layer {layer.name}: its first input {layer.inputs[0]} is not a conv that it alone reads; "
                    "give an add that follows a conv"
                )
            fused[layer.name] = conv
    inside = {conv.name for conv in fused.values()}
    return tuple(
        Step(fused[layer.name], layer) if layer.kind is Kind.ADD else Step(layer)
        for layer in layers
        if layer.name not in inside
    )


def check_supported(layer: Layer) -> None:
    """Raise :class:`MappingError`, naming the layer and the field, for what the machine cannot execute."""

    def refuse(field: str, value: object, legal: str) -> MappingError:
        return MappingError(f"layer {layer.name}: {field} is {value}; the mapper takes {legal}")

    if layer.kind in (Kind.MAXPOOL, Kind.AVGPOOL):
        raise refuse("kind", layer.kind, "conv, linear, add and (global) pool")
    if not layer.kind.has_weights:
        return
    if layer.groups != 1:
        raise refuse("groups", layer.groups, "1")
    for name in ("R", "S"):
        if getattr(layer, name) > LARGEST_KERNEL:
            raise refuse(name, getattr(layer, name), f"kernels of at most {LARGEST_KERNEL}")
    if layer.stride not in (1, 2):
        raise refuse("stride", layer.stride, "1 and 2")
    if layer.padding > min(layer.R, layer.S) - 1:
        raise refuse("padding", layer.padding, f"less than the kernel, {layer.R}x{layer.S}")


def inputs_of(step: Step) -> tuple[str, ...]:
    """The tensors that a step reads from DRAM, the image as ``arch_model.layer.INPUT``."""
    own = step.layer.inputs or (INPUT,)
    return own if step.addend is None else (*own, step.addend)
