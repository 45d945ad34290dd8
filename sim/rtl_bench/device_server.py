"""The cocotb test at the other end of a :class:`sim.rtl_bench.rtl_device.RtlDevice`: one small order a line.

``read`` and ``write`` a register, ``wait`` for time or the interrupt, ``load`` and ``dump`` DRAM, have it answer
``errors``, or break the rules of AXI (``fault``), ``power`` off and on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from sim.rtl_bench.server import Host, serve_orders, write_out


async def do(host: Host, order: Mapping[str, Any]) -> dict[str, object]:
    """Do one order; the answer always has what rules of AXI were broken so far.

    Parameters
    ----------
    host : that does it.
    order : as :class:`sim.rtl_bench.rtl_device.RtlDevice` sends it.
    """
    dut, answer = host.dut, dict[str, object]()
    kind = order["do"]
    if kind == "read":
        answer["value"] = await host.read_at(order["offset"])
    elif kind == "write":
        await host.write_at(order["offset"], order["value"])
    elif kind == "wait":
        cycles = max(order["cycles"], 1)
        if order["irq"]:
            await host.interrupted(cycles)
        await ClockCycles(dut.host_clk, 1 if order["irq"] else cycles)
    elif kind == "load":
        await host.strobe(dut.load, dut.load_done)
    elif kind == "dump":
        dut.dump_first.value, dut.dump_beats.value = order["first"], order["beats"]
        await host.strobe(dut.dump, dut.dump_done)
    elif kind == "errors":
        dut.error_base.value, dut.error_limit.value = order["first"], order["last"]
        await RisingEdge(dut.host_clk)
    elif kind == "fault":
        dut.fault.value, dut.fault_port.value, dut.fault_burst.value = order["fault"], order["port"], order["burst"]
        await RisingEdge(dut.host_clk)
    elif kind == "power":
        await host.power()
    answer["violation"] = int(dut.violation.value)
    write_out()
    return answer


@cocotb.test()
async def serve(dut: Any) -> None:
    """Power on, then do orders until the pipe ends."""
    await serve_orders(dut, do)
