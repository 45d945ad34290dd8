"""What goes wrong with a PyTorch model of a user's."""

from __future__ import annotations

from types import ModuleType

from arch_model.errors import FastSwitchError


class ModelError(FastSwitchError):
    """A PyTorch model that cannot be read or made int8: names the SubNet, the layer or module, and what is right."""


def need_torch() -> ModuleType:
    """The package torch: an optional extra, imported when it is needed.

    Raises
    ------
    ModelError
        It is not installed; the line says how to get it.
    """
    try:
        import torch
    except ImportError:
        raise ModelError('reading a PyTorch model needs the package torch; pip install "fastswitch[train]"') from None
    module: ModuleType = torch
    return module
