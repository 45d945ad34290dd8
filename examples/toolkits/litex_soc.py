"""The machine in a LiteX SoC without a processor: registers on the SoC's bus, memory ports to memories of their own.

    python examples/toolkits/litex_soc.py

Needs LiteX and Migen (`pip install litex migen`) and Verilator. A bench in cocotb is the host: its AXI4-Lite master is
a master of the SoC's bus, as a processor would be, and cocotbext-axi's memories are behind the machine's ports. It runs
the first Program that each delivery of hardware has in sim/, and compares every byte.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiRamRead, AxiRamWrite, AxiReadBus, AxiWriteBus

FOLDER = Path(os.environ.get("BENCH_FOLDER", "litex-soc"))
REGISTERS, BYTES = 0xA000_0000, 1 << 20
ADDRESS = ("addr", "len", "size", "burst", "id", "valid", "ready")
LITE = {"aw": ("addr",), "w": ("data", "strb"), "b": ("resp",), "ar": ("addr",), "r": ("data", "resp")}
READ = {"ar": ADDRESS, "r": ("data", "resp", "last", "id", "valid", "ready")}
WRITE = {
    "aw": ADDRESS,
    "w": ("data", "strb", "last", "valid", "ready"),
    "b": ("resp", "id", "valid", "ready"),
}


class AtOffset:
    """The machine's registers behind the SoC's bus."""

    def __init__(self, host):
        self.read = lambda offset, length: host.read(REGISTERS + offset, length)
        self.write = lambda offset, data: host.write(REGISTERS + offset, data)


def contents(name, size, beat):
    """The memory that a file of the delivery holds."""
    memory, at = bytearray(size), 0
    for line in (FOLDER / "rtl" / "sim" / name).read_text().split():
        if line.startswith("@"):
            at = int(line[1:], 16) * beat
        else:
            memory[at : at + beat] = bytes.fromhex(line)[::-1]
            at += beat
    return bytes(memory)


@cocotb.test()
async def bench(dut):
    """The first Program of the delivery, started through the SoC."""
    sys.path.insert(0, str(FOLDER / "rtl"))
    from driver import CocotbDevice
    from driver.machine import Machine

    Clock(dut.sys_clk, 10, "ns").start()
    memory = bytearray(BYTES)
    for port in ("prog", "wgt", "act", "out"):
        AxiRamRead(AxiReadBus.from_prefix(dut, f"m_axi_{port}"), dut.sys_clk, dut.sys_rst, size=BYTES, mem=memory)
    ram = AxiRamWrite(AxiWriteBus.from_prefix(dut, "m_axi_out"), dut.sys_clk, dut.sys_rst, size=BYTES, mem=memory)
    host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "host"), dut.sys_clk, dut.sys_rst)
    dut.sys_rst.value = 1
    await ClockCycles(dut.sys_clk, 4)
    dut.sys_rst.value = 0

    smoke = json.loads((FOLDER / "rtl" / "sim" / "smoke.json").read_text())
    before, after = (contents(name, smoke["bytes"], smoke["beat_bytes"]) for name in ("before.hex", "after.hex"))
    device = CocotbDevice(AtOffset(host), ram, dut.sys_clk, dut.irq, size=BYTES - 4096)

    def session():
        buffer = device.allocate(smoke["bytes"])
        buffer[:] = list(before)
        buffer.flush()
        machine, base = Machine(device), buffer.physical_address
        for name, value in smoke["registers"].items():
            machine.write(name, base + value)
        run = smoke["runs"][0]
        counted = machine.run(base + run["address"], run["beats"], 10**6, run["title"])
        buffer.invalidate()
        return counted, bytes(buffer) == after

    counted, same = await device.run(session)
    print(f"{counted['CYCLES']:,} cycles; memory is {'as computed' if same else 'WRONG'}", flush=True)
    assert same


def make_soc(folder):
    """Write the SoC's Verilog; returns the files to simulate."""
    from litex.build.generic_platform import GenericPlatform, Pins
    from litex.gen import LiteXModule
    from litex.soc.integration.soc_core import SoCCore
    from litex.soc.interconnect import axi
    from migen import ClockDomain

    import fastswitch as fs
    from rtl.toolkits.litex_module import litex_module

    host = axi.AXILiteInterface(data_width=32, address_width=32)
    platform = GenericPlatform("none", [("sys_clk", 0, Pins(1)), ("sys_rst", 0, Pins(1)), ("irq", 0, Pins(1))])

    class Clocks(LiteXModule):
        def __init__(self):
            self.cd_sys = ClockDomain()
            self.comb += self.cd_sys.clk.eq(platform.request("sys_clk"))
            self.comb += self.cd_sys.rst.eq(platform.request("sys_rst"))

    class Soc(SoCCore):
        def __init__(self):
            nothing = {f"integrated_{name}_size": 0 for name in ("rom", "sram", "main_ram")}
            options = {
                "cpu_type": None,
                "bus_standard": "axi-lite",
                "with_uart": False,
                "with_timer": False,
                "ident": "",
            }
            super().__init__(platform, 100e6, **options, **nothing)
            self.crg = Clocks()
            self.bus.add_master("host", master=host)
            self.accelerator = litex_module(fs.load_accelerator("tiny"), platform, folder / "soc")
            self.accelerator.add_registers(self, REGISTERS)
            self.comb += platform.request("irq").eq(self.accelerator.irq)
            self.to_pins("host", host, {name: (*more, "valid", "ready") for name, more in LITE.items()}, inward=True)
            for name, master in self.accelerator.masters.items():
                self.to_pins(name, master, READ | (WRITE if name == "m_axi_out" else {}), inward=False)

        def to_pins(self, prefix, interface, channels, inward):
            """Each signal of a bus to a port of the SoC; ``inward``: its master is outside."""
            for channel, members in channels.items():
                for member in members:
                    signal, name = getattr(getattr(interface, channel), member), f"{prefix}_{channel}{member}"
                    platform.add_extension([(name, 0, Pins(len(signal)))])
                    pin, by_master = platform.request(name), (member == "ready") == (channel in ("b", "r"))
                    self.comb += signal.eq(pin) if by_master == inward else pin.eq(signal)

    soc = Soc()
    soc.finalize()
    platform.get_verilog(soc, name="soc").write(str(folder / "soc" / "soc.v"))
    return [folder / "soc" / "soc.v", folder / "soc" / "fastswitch.v"]


def main() -> None:
    """Write hardware, SoC and bench, build the simulation, run it."""
    from cocotb_tools.runner import get_runner

    import fastswitch as fs
    from sim.rtl_bench.simulators import find_simulator

    os.environ.update(find_simulator("verilator").env)
    fs.generate_rtl("tiny", FOLDER / "rtl")
    sources = make_soc(FOLDER)
    runner, build = get_runner("verilator"), (FOLDER / "build").resolve()
    rules = ["-Wno-fatal", "-Wno-lint", "-Wno-style"]  # of the SoC's Verilog
    options = {"build_dir": build, "timescale": ("1ns", "1ps"), "always": True, "build_args": rules}
    runner.build(sources=sources, hdl_toplevel="soc", **options)
    sys.path.insert(0, str(Path(__file__).parent))
    environment = {"BENCH_FOLDER": str(FOLDER.resolve())}
    runner.test(hdl_toplevel="soc", test_module=Path(__file__).stem, build_dir=build, extra_env=environment)


if __name__ == "__main__":
    main()
