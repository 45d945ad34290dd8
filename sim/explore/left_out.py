"""Which layers a point of an exploration does not count."""

from __future__ import annotations

from arch_model.errors import MappingError
from arch_model.layer import Layer
from mapper.channelwise import is_channelwise
from mapper.steps import check_supported, unsupported


def left_out(layer: Layer) -> str:
    """What a layer is, if the closed form does not have it; "" if it does.

    >>> from arch_model.layer import Activation, Kind
    >>> left_out(Layer("d", Kind.CONV, K=4, C=4, groups=4)), left_out(Layer("c", Kind.CONV, K=4, C=4))
    ('depthwise', '')
    >>> left_out(Layer("h", Kind.CONV, K=4, C=4, activation=Activation.HSWISH))
    'hswish'
    """
    if is_channelwise(layer):
        return "depthwise" if layer.kind.has_weights else str(layer.kind)
    if not layer.activation.is_clamp:
        return str(layer.activation)
    try:
        check_supported(layer)
    except MappingError:
        return unsupported(layer)
    return ""
