"""What travels down the pipeline beside a pixel's data."""

from __future__ import annotations

from amaranth import Module, Signal, signed, unsigned
from amaranth.lib import data

from arch_model.machine.accelerator import ADDRESS_BITS, BANK_BITS, LANE_BITS, ZSB_ADDRESS_BITS

PIXEL = data.StructLayout(
    {
        "valid": unsigned(1),
        "start": unsigned(1),  # the partial sum begins at 0
        "finish": unsigned(1),  # the sum goes to the requantiser
        "signal": unsigned(1),  # last pixel of a command that signals `out_full`
        "pixel": unsigned(ADDRESS_BITS),  # OB word
        "zsb": unsigned(ZSB_ADDRESS_BITS),
        "z_out": signed(8),
        "lo": signed(8),
        "hi": signed(8),
        "out_addr": unsigned(ADDRESS_BITS),  # output-side word in `out_bank`; banks before it are `pixels` further
        "out_bank": unsigned(BANK_BITS),
        "out_lane": unsigned(LANE_BITS),
        "pixels": unsigned(ADDRESS_BITS),
        "table": unsigned(2),  # activation table, plus 1
        "depthwise": unsigned(1),
        "maximum": unsigned(1),
        "columns": unsigned(3),  # depthwise: window columns that lie in the tensor; the others are
        "fill": signed(8),
    }
)
"""Issued by RUN once a pixel; each stage of the data path takes what it needs."""


def delayed(m: Module, value: Signal, cycles: int, name: str) -> list[Signal]:
    """A signal and its copies some register stages later; index = delay.

    Parameters
    ----------
    m : the module that gets the registers.
    value : the signal.
    cycles : stages.
    name : begins the copies' names.
    """
    stages = [value]
    for n in range(1, cycles + 1):
        stage = Signal(value.shape(), name=f"{name}_{n}")
        m.d.sync += stage.eq(stages[-1])
        stages.append(stage)
    return stages
