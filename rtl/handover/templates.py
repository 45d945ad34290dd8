"""Texts of a delivery that are the same for every accelerator, but for a few places."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

DATA = Path(__file__).parent / "data"


def fill(name: str, values: Mapping[str, object]) -> str:
    """The file ``data/NAME``, with every ``@PLACE@`` in it replaced by ``values["PLACE"]``.

    Parameters
    ----------
    name : of the file.
    values : by place.

    Raises
    ------
    KeyError
        The file has a place that ``values`` lacks.

    Examples
    --------
    >>> fill("fastswitch.core", {})
    Traceback (most recent call last):
    KeyError: 'VLNV'
    """
    return re.sub(r"@([A-Z_]+)@", lambda place: str(values[place[1]]), (DATA / name).read_text())
