"""The LiteX module, where LiteX is not; ``examples/toolkits/litex_soc.py`` simulates it where it is."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from rtl.toolkits.litex_module import litex_module


@pytest.mark.skipif(importlib.util.find_spec("litex") is not None, reason="LiteX is installed here")
def test_without_litex_the_error_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(FastSwitchError, match="LiteX is not installed: litex is missing; pip install litex migen"):
        litex_module(Accelerator.load("tiny"), None, tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
