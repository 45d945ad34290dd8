"""What goes wrong with a synthesis."""

from __future__ import annotations

from arch_model.errors import FastSwitchError


class SynthesisError(FastSwitchError):
    """Yosys or nextpnr is not there, failed, or took too long: says which, and what to do."""
