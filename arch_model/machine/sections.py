"""The sections of an Accelerator that are nothing but numbers: array, buffers, ports."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from arch_model.machine.description import Section

_BYTES = "0 or more bytes, a whole number"


class Array(Section):
    """The array of DPEs: ``kp`` filters by ``cp`` channels. ``dsp_packing``: two filters share a wide multiplier; same
    results in the same cycles.
    """

    kp: int = Field(ge=1, le=63, description="1 to 63 filters")
    cp: int = Field(ge=1, le=63, description="1 to 63 channels")
    dsp_packing: bool = Field(False, description="true or false")


class Buffers(Section):
    """Sizes in bytes. DB, SB, OB's output side and ZSB are double buffers: both halves together."""

    pb_bytes: int = Field(ge=0, description=_BYTES)
    db_bytes: int = Field(ge=0, description=_BYTES)
    sb_bytes: int = Field(ge=0, description=_BYTES)
    ob_bytes: int = Field(ge=0, description=_BYTES)
    ob_out_bytes: int = Field(ge=0, description=_BYTES)
    zsb_bytes: int = Field(ge=0, description=_BYTES)


class Axi(Section):
    """How data comes and goes. Activations and results have ``data_bits`` a beat each, over ``stripes`` AXI ports side
    by side; weights come over ``weight_stripes`` ports (as many, unless told), each as wide as one of those, and the
    Program over one more. ``max_burst``: beats of the longest burst. ``pixels``: of a row, that LOAD_ACT and STORE move
    a cycle.
    """

    data_bits: int = Field(ge=32, le=1024, description="bits, a power of two in 32..1024")
    max_burst: int = Field(ge=2, le=256, description="beats, a power of two in 2..256")
    pixels: Literal[1, 2, 4] = Field(1, description="1, 2 or 4 pixels")
    stripes: Literal[1, 2, 4] = Field(1, description="1, 2 or 4 ports")
    weight_stripes: Literal[1, 2, 4] | None = Field(None, description="1, 2 or 4 ports")
