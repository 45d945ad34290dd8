"""The top-1 accuracies that are known of SubNets: published ones, and those measured of SuperNets that ship trained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from arch_model.network.supernet import Config, SubNet, SuperNet
from arch_model.network.weights import load_weights
from arch_model.spaces import ofa_resnet50
from arch_model.spaces.registry import get_space, is_known, ships
from arch_model.spaces.shipped_weights import weights_file

OFA_RESNET50_TOP1 = {
    "resnet50D_MAC@0.6B": 0.750,
    "resnet50D_MAC@0.9B": 0.763,
    "resnet50D_MAC@1.8B": 0.783,
    "resnet50D_MAC@2.4B": 0.790,
    "resnet50D_MAC@3.7B": 0.797,
    "resnet50D_MAC@4.1B": 0.798,
}
"""On ImageNet, of float32 weights: the README of github mit-han-lab/once-for-all, whose releases these are."""

_IN_THE_NAME = re.compile(r"_top1-(\d\d\.\d)_")
"""How once-for-all's MobileNetV3 and ProxylessNAS releases say their ImageNet top-1, in per cent."""


def space_top1(space: str | SuperNet) -> Mapping[str, float]:
    """The known accuracies of a SuperNet's SubNets.

    Parameters
    ----------
    space : a SuperNet, or its name, one of :func:`~arch_model.spaces.space_names`

    Returns
    -------
    Mapping
        Accuracy, as a fraction, by the SubNet's name. Of ``fashion`` and ``cifar`` it is that of the shipped integers
        on their 10,000 test images; of others that ship it is the published one, of float weights on ImageNet. Of a
        SuperNet of one's own it is what that says (``SuperNet.top1``). Empty where none is known.

    Raises
    ------
    SpaceError
        There is no SuperNet of that name.

    Examples
    --------
    >>> space_top1("ofa-resnet50")["resnet50D_MAC@0.6B"], len(space_top1("ofa-mobilenetv3")), len(space_top1("compofa"))
    (0.75, 6, 0)
    """
    supernet = get_space(space)
    return _shipped_top1(supernet.name) if ships(supernet) else MappingProxyType(dict(supernet.top1))


@cache
def _shipped_top1(space: str) -> Mapping[str, float]:
    if (file := weights_file(space)) is not None:
        return MappingProxyType({name: net.top1 for name, net in load_weights(file).subnets.items()})
    if space == ofa_resnet50.NAME:
        return MappingProxyType(OFA_RESNET50_TOP1)
    said = {name: _IN_THE_NAME.search(name) for name in get_space(space).subnet_names()}
    return MappingProxyType({name: round(float(match[1]) / 100, 4) for name, match in said.items() if match})


@cache
def _by_config(space: str) -> dict[Config, float]:
    supernet = get_space(space)
    return {supernet.subnet(name).config: top1 for name, top1 in space_top1(space).items()}


def known_top1(subnet: SubNet, space: SuperNet | str | None = None) -> float | None:
    """The known accuracy of a SubNet as a fraction, or None.

    The SubNet's choices decide, not its name: one of a user's own whose name ends in ``top1-99`` has none.

    Parameters
    ----------
    subnet : of ``space``.
    space : its SuperNet. None: the one of that name.

    Examples
    --------
    >>> known_top1(get_space("ofa-mobilenetv3").subnet("pixel2_lat-50ms_top1-74.7_finetune-25"))
    0.747
    >>> known_top1(get_space("ofa-mobilenetv3").sample(1, seed=0)[0]) is None
    True
    """
    if space is None and not is_known(subnet.supernet):
        return None
    supernet = get_space(subnet.supernet if space is None else space)
    known = _by_config(supernet.name) if ships(supernet) else supernet.top1_by_config
    return known.get(subnet.config)
