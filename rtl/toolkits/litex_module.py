"""The machine as a module of LiteX: its registers for the SoC's bus, its memory ports as AXI4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from arch_model.errors import FastSwitchError
from arch_model.files.writing import make_folder, write_whole
from arch_model.machine.accelerator import Accelerator
from rtl.handover.ports import Port, read_ports
from rtl.handover.source import delivered_verilog
from rtl.interfaces import ADDRESS_BITS
from rtl.port_names import master_names

CONTROL_BYTES = 4096
"""Of the SoC's address space for the registers: the least that a bus decodes well."""


def litex_module(accelerator: Accelerator, platform: Any, folder: Path) -> Any:
    """A LiteX module that holds the machine.

    It has ``bus``, an ``AXILiteInterface`` to the registers, which ``add_registers(soc, origin)`` puts on a SoC's bus;
    ``masters``, an ``AXIInterface`` by the name of each memory port; and ``irq``. The machine is in the domain ``sys``.
    Masters go to a crossbar or to ports of a memory controller that read and write side by side, not to the SoC's bus:
    ``m_axi_out`` takes operand b only as fast as its results are taken, and ``AXI2AXILite`` ends a read first.

    Parameters
    ----------
    accelerator : the machine.
    platform : LiteX's, which gets the Verilog as a source.
    folder : where the Verilog is written.

    Raises
    ------
    FastSwitchError
        LiteX is not installed.

    Examples
    --------
    ::

        self.accelerator = litex_module(Accelerator.load("tiny"), platform, Path("build"))   # in a SoCCore
        self.accelerator.add_registers(self, origin=0xA000_0000)
    """
    try:
        from litex.gen import LiteXModule
        from litex.soc.integration.soc import SoCRegion
        from litex.soc.interconnect import axi
        from migen import ClockSignal, Instance, ResetSignal, Signal
    except ImportError as error:
        raise FastSwitchError(f"LiteX is not installed: {error.name} is missing; pip install litex migen") from None

    text = delivered_verilog(accelerator)
    ports = read_ports(text)
    make_folder(folder)
    write_whole(folder / "fastswitch.v", text)

    class FastSwitchModule(LiteXModule):
        """The machine; see :func:`litex_module`."""

        def __init__(self) -> None:
            names = master_names(accelerator.stripes, accelerator.weight_stripes)
            self.bus = axi.AXILiteInterface(data_width=32, address_width=32)
            self.masters = {
                name: axi.AXIInterface(data_width=8 * accelerator.port_bytes, address_width=ADDRESS_BITS, id_width=1)
                for name in names
            }
            self.irq = Signal()
            pins = {"i_aclk": ClockSignal("sys"), "i_aresetn": ~ResetSignal("sys"), "o_irq": self.irq}
            for port in ports:
                if port.bus:
                    pins[f"{port.direction[0]}_{port.name}"] = self._member(port)
            self.specials += Instance("fastswitch", **pins)
            platform.add_source(str(folder / "fastswitch.v"))

        def _member(self, port: Port) -> Any:
            """What LiteX calls the signal of a port."""
            bus, signal = port.name.rsplit("_", 1)
            interface = self.bus if bus == "s_axi_ctrl" else self.masters[bus]
            channel = next(c for c in ("aw", "ar", "w", "b", "r") if signal.startswith(c))
            member = getattr(getattr(interface, channel), signal.removeprefix(channel))
            return member[: port.width] if len(member) > port.width else member

        def add_registers(self, soc: Any, origin: int, name: str = "fastswitch") -> None:
            """Put the registers on a SoC's bus.

            Parameters
            ----------
            soc : LiteX's.
            origin : address of the registers.
            name : of the region.
            """
            soc.bus.add_slave(name, self.bus, region=SoCRegion(origin=origin, size=CONTROL_BYTES, cached=False))

    return FastSwitchModule()
