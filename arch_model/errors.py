"""The one family of errors that a user can cause.

The command line prints any of them as one line on standard error and exits with status 2.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path


class FastSwitchError(Exception):
    """Base of every error that a user's input can cause; its text is one line.

    The text names the thing, its value and what would be right.

    >>> str(FastSwitchError("queries is 0; give at least 1"))
    'queries is 0; give at least 1'
    """


class AcceleratorError(FastSwitchError):
    """An Accelerator description that cannot be built: names the key, its value and what is legal."""


class SpaceError(FastSwitchError):
    """A SuperNet, SubNet or SubGraph that does not exist or does not fit its SuperNet."""


class WeightsError(FastSwitchError):
    """A weights file that is missing, cut off or not what it claims to be."""


class LayerError(FastSwitchError):
    """A layer or layer table that is malformed."""


class MappingError(FastSwitchError):
    """A layer that the Accelerator cannot run: names the operand, the buffer, bytes needed and there."""


class SimulatorError(FastSwitchError):
    """No usable simulator, or one that failed: says what was looked for and how to get it."""


class AnalogError(FastSwitchError):
    """A variation, a crossbar or a partition that makes no sense, or fits another network: names field and value."""


class StreamError(FastSwitchError):
    """A stream of queries that is malformed or asks for what no SubNet does: names the query, the field, its value."""


def why_read_only(folder: Path) -> str:
    """Why nothing can be written to a folder that is there, in the system's words: its disk, or its rights."""
    read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
    return os.strerror(errno.EROFS if read_only else errno.EACCES)
