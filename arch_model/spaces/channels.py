"""The rounding of channel numbers that MobileNets and once-for-all share."""

from __future__ import annotations


def divisible(value: float) -> int:
    """The multiple of 8 nearest to ``value``, halves upwards, or the next if that loses more than a tenth.

    Sandler et al., "MobileNetV2", CVPR 2018, as released: the least is 8.

    >>> divisible(44), divisible(43), divisible(19.2), divisible(3)   # 16 would be less than 0.9 * 19.2
    (48, 40, 24, 8)
    """
    near = max(8, int(value + 4) // 8 * 8)
    return near + 8 if near < 0.9 * value else near
