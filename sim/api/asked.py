"""What a call is about: the SuperNet, its SubNet, and the integers that either brings."""

from __future__ import annotations

from arch_model.network.supernet import SubNet, SuperNet
from arch_model.network.weights import SuperNetWeights
from arch_model.spaces.registry import own_weights
from mapper.importers.network import Network
from mapper.importers.spaces import Source, load_supernet, the_subnet

Weights = SuperNetWeights | Network
"""Integers of a SubNet: those of a weights file, or those that an imported network comes with."""


def asked(
    supernet: Source, subnet: SubNet | Network | str, weights: Weights | None = None
) -> tuple[SuperNet, SubNet, Weights | None]:
    """The SuperNet and the SubNet that a call is about, and their integers.

    Parameters
    ----------
    supernet : a SuperNet, its name or file, or a network that was read.
    subnet : of that SuperNet, or its name.
    weights : integers; None: those that an ONNX model or the SuperNet brings.

    Returns
    -------
    supernet, subnet, weights
        The weights are None if neither the caller nor the SuperNet has any.

    Examples
    --------
    >>> space, net, weights = asked("fashion", "fashion-d111-w222")
    >>> space.name, net.name, weights
    ('fashion', 'fashion-d111-w222', None)
    """
    space = load_supernet(supernet)
    net = the_subnet(space, subnet)
    if weights is None:
        for given in (supernet, subnet):
            if isinstance(given, Network) and given.runnable:
                return space, net, given
        brought = own_weights(space)
        return space, net, brought() if brought else None
    return space, net, weights
