"""``cifar``: an elastic ResNet for 32 x 32 colour images, described by a space file that ships with its weights.

A 3 x 3 stem of 32 channels and three stages of one or two residual blocks, 64, 128 and 192 channels wide, each of which
halves the image in its first block; each block chooses a quarter, a half or all of its stage's channels for those
between its two convolutions. 1,899,232 weights, 1,728 SubNets of 11.6 to 87.9 million MACs. The 136 that have a name
in the file are those whose accuracy was measured: ``examples/train_cifar.py``, ``bench/cifar_weights.py``.
"""

from __future__ import annotations

from pathlib import Path

from arch_model.network.supernet import SuperNet
from arch_model.spaces.space_file import read_space

NAME = "cifar"
FILE = Path(__file__).parents[1] / "data" / "cifar.yaml"


def supernet() -> SuperNet:
    """The SuperNet ``cifar``.

    >>> space = supernet()
    >>> space.subnet("cifar-d111-e101010").macs, space.subnet("cifar-d222-e444444").macs
    (11618176, 87852928)
    """
    return read_space(FILE)
