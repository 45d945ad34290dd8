"""Where the inputs of a concatenation begin among its channels."""

from __future__ import annotations

from collections.abc import Sequence


def concat_starts(channels: Sequence[int], align: int) -> list[int]:
    """The first channel of each input, a multiple of ``align``; then the number of channels of all together.

    Parameters
    ----------
    channels : of each input.
    align : 1, or the channels of a word of the machine's memory, which no two inputs share.

    Examples
    --------
    >>> concat_starts([4, 3], 1), concat_starts([4, 3], 9)
    ([0, 4, 7], [0, 9, 12])
    """
    starts = [0]
    for count in channels:
        starts.append(-(-starts[-1] // align) * align + count)
    return [-(-start // align) * align for start in [0, *starts[1:-1]]] + [starts[-1]]
