"""A cocotb bench of one's own: cocotbext-axi's RAM and AXI4-Lite master around the machine, its driver on top.

    python examples/toolkits/cocotb_bench.py

The bench is the function ``bench``; what is below it generates the hardware, compiles a small SuperNet for it, and has
cocotb's runner build and simulate both.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiRamRead, AxiRamWrite, AxiReadBus, AxiWriteBus

FOLDER = Path(os.environ.get("BENCH_FOLDER", "cocotb-bench"))
sys.path.insert(0, str(FOLDER / "rtl"))  # the delivered folder, which has `driver`
BYTES = 8 << 20


@cocotb.test()
async def bench(dut):
    """The first SubNet of the package on a random image, with what the machine counted."""
    from driver import CocotbDevice, Driver, Package

    Clock(dut.aclk, 10, "ns").start()
    memory, reset = bytearray(BYTES), {"reset": dut.aresetn, "reset_active_level": False}
    for port in ("prog", "wgt", "act", "out"):
        AxiRamRead(AxiReadBus.from_prefix(dut, f"m_axi_{port}"), dut.aclk, size=BYTES, mem=memory, **reset)
    ram = AxiRamWrite(AxiWriteBus.from_prefix(dut, "m_axi_out"), dut.aclk, size=BYTES, mem=memory, **reset)
    registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi_ctrl"), dut.aclk, **reset)
    dut.aresetn.value = 0
    await ClockCycles(dut.aclk, 4)
    dut.aresetn.value = 1

    device = CocotbDevice(registers, ram, dut.aclk, dut.irq, size=BYTES - 4096)
    driver = await device.run(Driver, device, Package.load(str(FOLDER / "package.npz")))
    await device.run(driver.load)
    subnet = next(iter(driver.package.subnets))
    shape = driver.package.subnet(subnet).image.shape
    image = np.random.default_rng(1).integers(-128, 128, shape).astype(np.int8)
    result = await device.run(driver.run, subnet, image)
    np.save(FOLDER / "logits.npy", result.logits)
    counts = result.counts
    print(
        f"{subnet}: {counts.cycles:,} cycles, predicted {counts.predicted['CYCLES']:,}; logits {result.logits.tolist()}"
    )
    assert not set(counts.differences()) - {"CYCLES", *(n for n in counts.predicted if n.startswith(("BUSY", "WAIT")))}


def main(simulator: str = "icarus") -> None:
    """Write the hardware and a package, build the simulation, run the bench."""
    from cocotb_tools.runner import get_runner

    import fastswitch as fs

    FOLDER.mkdir(parents=True, exist_ok=True)
    files = fs.generate_rtl("tiny", FOLDER / "rtl")
    fs.cli(
        ["package", "--accelerator", "tiny", "--subnets", "fashion-d111-w222", "--out", str(FOLDER)],
        standalone_mode=False,
    )
    runner = get_runner(simulator)
    sources = [files["rtl/fastswitch.v"], files["rtl/fastswitch_ids.v"]]
    build = (FOLDER / "build").resolve()
    runner.build(sources=sources, hdl_toplevel="fastswitch_ids", build_dir=build, timescale=("1ns", "1ps"), always=True)
    environment = {"BENCH_FOLDER": str(FOLDER.resolve())}
    module = Path(__file__).stem
    sys.path.insert(0, str(Path(__file__).parent))
    runner.test(hdl_toplevel="fastswitch_ids", test_module=module, build_dir=build, extra_env=environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
