"""A layer written on one line, as a person types it."""

from __future__ import annotations

from arch_model.errors import LayerError
from arch_model.files.shown import shown
from arch_model.network.layer import Activation, Kind, Layer

_WORDS: dict[str, tuple[str, ...]] = {
    "kind": tuple(kind for kind in Kind if not kind.is_view),
    "activation": tuple(Activation),
}
_KEYS = ("K", "C", "R", "S", "H", "W", "stride", "padding", "groups")


def parse_layer(text: str, name: str = "layer") -> Layer:
    """Read a layer from one line of text.

    Parameters
    ----------
    text : ``K=.. C=..``, then any of ``R S H W stride padding groups kind activation``. R, S, H, W, stride and groups
        are 1 if they are not given; the padding is then (R - 1) / 2, which keeps the size at stride 1. The kind is
        ``conv`` (with groups = K = C a depthwise one) and the activation ``none``.
    name : of the layer.

    Returns
    -------
    Layer

    Raises
    ------
    LayerError
        A word is no size, a size is missing or there twice, or no layer has these sizes.

    Examples
    --------
    >>> layer = parse_layer("K=512 C=512 R=3 S=3 H=7 W=7")
    >>> layer.padding, layer.P, layer.macs
    (1, 7, 115605504)
    """
    found: dict[str, int] = {}
    words: dict[str, str] = {}
    for word in text.replace(",", " ").split():
        key, _, value = word.partition("=")
        if key in _WORDS:
            legal = [str(item) for item in _WORDS[key]]
            if value not in legal:
                raise LayerError(f"layer {shown(text)}: {key} is {shown(value)}; give one of {', '.join(legal)}")
            words[key] = value
            continue
        if key not in _KEYS:
            raise LayerError(f"layer {shown(text)}: {word} is no size; give {', '.join(k + '=..' for k in _KEYS)}")
        if not value.isdecimal() or not value.isascii():
            raise LayerError(f"layer {shown(text)}: {key} is {shown(value)}; give a whole number")
        if key in found:
            raise LayerError(f"layer {shown(text)}: {key} is there twice; give it once")
        found[key] = int(value)
    for key in ("K", "C"):
        if key not in found:
            raise LayerError(f"layer {shown(text)}: {key} is missing; give {key}=..")
    found.setdefault("padding", (found.get("R", 1) - 1) // 2)
    K, C, R, S, H, W, stride, padding, groups = (found.get(key, 1) for key in _KEYS)
    kind, activation = Kind(words.get("kind", Kind.CONV)), Activation(words.get("activation", Activation.NONE))
    return Layer(name, kind, K, C, R, S, H, W, stride, padding, groups, activation=activation)
