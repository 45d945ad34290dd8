"""What tests do that want a published table: take it from its one home, or be skipped with the sentence that says how
to have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from arch_model.errors import FastSwitchError
from arch_model.files.published import published


def published_or_skip(name: str) -> Path:
    """The path of a published table; the test that asks is skipped where it is not at hand."""
    try:
        return published(name)
    except FastSwitchError as error:
        pytest.skip(str(error))
