"""The FPGA that a machine is built on: how many LUTs, flip-flops, DSPs and memories it has.

The shipped table, ``data/devices.yaml``, has the devices of published boards with the data sheet that each figure is
from. A device of one's own is a section of the Accelerator file or a file with the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field, ModelWrapValidatorHandler, ValidationInfo, model_validator

from arch_model.errors import AcceleratorError
from arch_model.files.shown import shown
from arch_model.files.text import read_text
from arch_model.files.wanted import Wanted
from arch_model.files.yaml_file import BYTES
from arch_model.machine.description import NAME, Section, checked, parse_mapping

TABLE = Path(__file__).parents[1] / "data" / "devices.yaml"

BOARDS = ("zcu104", "ultra96", "zcu102", "kv260", "u50", "u200", "u250", "u280")
"""The boards of the shipped table: what an error names, without the table being read at every start."""

KNOWN = f"a part or a board that is known: {', '.join(BOARDS)}"
"""What an error says would be right in place of an unknown name."""

IN_A_MACHINE = f"{KNOWN}, or a section with part, luts, ffs, dsps, bram36, uram and maybe lutram, board, source"

_COUNT = "0 or more, a whole number"


class Device(Section):
    """An FPGA of the UltraScale+ family, which the resource estimates are for.

    Attributes
    ----------
    part : the name that Vivado knows it by, such as ``"xczu7ev-ffvc1156-2-e"``.
    board : a board that has it, in lower case; empty where it is not said.
    luts : look-up tables, for logic and for memory.
    lutram : those of them that can be memory. None: it is not known, and not checked.
    ffs : flip-flops.
    dsps : DSP slices (DSP48E2).
    bram36 : block RAMs of 36 Kb.
    uram : UltraRAMs of 288 Kb.
    source : where the figures are from.
    """

    part: str = Field(pattern=NAME, description="the part's name, such as xczu7ev-ffvc1156-2-e")
    board: str = Field("", description="a text")
    luts: int = Field(ge=0, description=_COUNT)
    lutram: int | None = Field(None, ge=0, description=_COUNT)
    ffs: int = Field(ge=0, description=_COUNT)
    dsps: int = Field(ge=0, description=_COUNT)
    bram36: int = Field(ge=0, description=_COUNT)
    uram: int = Field(ge=0, description=_COUNT)
    source: str = Field("", description="a text")

    @model_validator(mode="wrap")
    @classmethod
    def _checked(cls, data: Any, handler: ModelWrapValidatorHandler[Device], info: ValidationInfo) -> Device:
        """Errors in one line; of a file they begin with its name, of an Accelerator's section with ``device``."""
        if isinstance(data, str):
            if (found := _known(data)) is None:
                raise ValueError("no such device")  # the caller's error says what would be right
            return found
        if info.context and "device" in info.context:
            return checked(cls, data, handler, info)[0]
        return handler(data)


def named_device(name: str) -> Device:
    """A shipped device by its part's name or by its board's.

    Parameters
    ----------
    name : such as ``"xczu7ev-ffvc1156-2-e"`` or ``"zcu104"``.

    Raises
    ------
    AcceleratorError
        There is no such device.

    Examples
    --------
    >>> named_device("u50").part, named_device("xcu50-fsvh2104-2-e").uram
    ('xcu50-fsvh2104-2-e', 640)
    """
    if (found := _known(name)) is None:
        raise AcceleratorError(f"device is {shown(name)}; give {KNOWN}")
    return found


def load_device(name_or_path: str | Path) -> Device:
    """A shipped device by its part's or its board's name, or one from a YAML file with the keys of :class:`Device`.

    Parameters
    ----------
    name_or_path : the name or the path.

    Raises
    ------
    AcceleratorError
        The file is not there, or describes no device; the line names the key and what would be legal.

    Examples
    --------
    >>> load_device("zcu104").dsps
    1728
    """
    if isinstance(name_or_path, str) and (found := _known(name_or_path)) is not None:
        return found
    path = Path(name_or_path)
    right = f"a YAML file with the keys {', '.join(Device.model_fields)}, or {KNOWN}"
    wanted = Wanted(f"device {path}", right, AcceleratorError, "is neither a file nor a device that is known")
    text = read_text(path, wanted, BYTES)
    source = f"device {path}"
    data = parse_mapping(text, source, Device.model_fields)
    return Device.model_validate(data, context={"source": source, "device": True})


def _known(name: str) -> Device | None:
    """The shipped device of that part or board."""
    return next((device for device in devices().values() if name in (device.part, device.board)), None)


@cache
def devices() -> Mapping[str, Device]:
    """The shipped devices by part name.

    >>> devices()["xczu7ev-ffvc1156-2-e"].bram36
    312
    """
    table = parse_mapping(TABLE.read_text(encoding="utf-8"), TABLE.name, ("part names",))
    return {part: Device.model_validate({"part": part, **row}) for part, row in table.items()}
