"""Where there is no PYNQ; with it the device is in test_driver.py."""

import importlib.util

import pytest

from rtl.driver import DriverError, PynqDevice


@pytest.mark.skipif(importlib.util.find_spec("pynq") is not None, reason="PYNQ is installed here")
def test_without_pynq_the_error_says_so() -> None:
    with pytest.raises(DriverError, match="PYNQ is not installed here"):
        PynqDevice(mmio=None, clock_hz=1e8)
