"""The cocotb test that serves jobs: it runs inside the simulator, on ``sim/verilog/bench.v``.

:class:`sim.bench.Bench` is the other end. The environment variable ``FASTSWITCH_BENCH`` names a folder with

- ``bench.json``: ``registers`` (name to address), ``stall``, ``seed``, ``bases`` (of the stripes after the first);
- ``jobs``, a named pipe: one JSON object a line, a job; its end is the end of the simulation;
- ``results``, a named pipe: one JSON object a line, the answer.

The simulator's working folder holds ``load.bin`` and, one a stripe, ``dump0.bin`` and so on (``sim/verilog/dram.v``
says what is in them). Python acts at the start and end of a job only. While no job is there, reading the pipe stops
the simulator.
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, TextIO

import cocotb
from cocotb.simtime import get_sim_time
from cocotb.triggers import ClockCycles, RisingEdge, SimTimeoutError, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

CYCLE_NS = 10
ACCESS_CYCLES = 10_000
"""A register access that takes longer than this never ends."""

COUNTERS_FROM = 0x40
ERROR_OR_DONE = 0b110


class Host:
    """What a host computer does: registers and the interrupt, through AXI4-Lite."""

    def __init__(self, dut, registers: Mapping[str, int]) -> None:
        self.dut = dut
        self.registers = registers
        logging.getLogger("cocotb.bench").setLevel(logging.WARNING)  # one line a register access otherwise
        self.axi = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "host_s_axi_ctrl"), dut.host_clk)

    async def write(self, register: str, value: int) -> None:
        """Write a register; SimTimeoutError if it never answers."""
        data = value.to_bytes(4, "little")
        await with_timeout(self.axi.write(self.registers[register], data), ACCESS_CYCLES * CYCLE_NS, "ns")

    async def read(self, register: str) -> int:
        """Return a register's value; SimTimeoutError if it never answers."""
        answer = await with_timeout(self.axi.read(self.registers[register], 4), ACCESS_CYCLES * CYCLE_NS, "ns")
        return int.from_bytes(answer.data, "little")

    async def counters(self) -> dict[str, int]:
        """Return every counter by its register's name."""
        return {name: await self.read(name) for name, at in self.registers.items() if at >= COUNTERS_FROM}

    async def strobe(self, signal, done) -> None:
        """Have the DRAM load or dump its file, and wait until it has."""
        value = 1 - int(signal.value)
        signal.value = value
        while True:
            await RisingEdge(self.dut.host_clk)
            if int(done.value) == value:
                return


async def run_job(host: Host, job: Mapping[str, Any]) -> dict[str, object]:
    """Do one job on the machine as the job before left it; return the answer to send."""
    dut = host.dut
    dut.error_base.value = job["error_base"]
    dut.error_limit.value = job["error_limit"]
    if job["load"]:
        await host.strobe(dut.load, dut.load_done)
    for name, base in job["bases"].items():
        if name in host.registers:
            await host.write(name, base)
    await host.write("PROG_ADDR", job["program_address"])
    await host.write("PROG_BEATS", job["program_beats"])
    await host.write("IRQ_STATUS", 1)
    await host.write("IRQ_ENABLE", 1)
    wall, start = perf_counter(), get_sim_time("ns")
    await host.write("CTRL", 1)
    hang = False
    if not int(dut.host_irq.value):
        try:
            await with_timeout(RisingEdge(dut.host_irq), job["watchdog_cycles"] * CYCLE_NS, "ns")
        except SimTimeoutError:
            hang = True
    answer: dict[str, object] = {
        "hang": hang,
        "simulated_cycles": round((get_sim_time("ns") - start) / CYCLE_NS),
        "seconds": perf_counter() - wall,
    }
    await RisingEdge(dut.host_clk)
    answer["status"] = await host.read("STATUS")
    answer["counters"] = await host.counters()
    if not hang:
        await host.write("IRQ_STATUS", 1)
    for number, (first, beats) in enumerate(job["dumps"]):
        dut.dump_first.value = first
        dut.dump_beats.value = beats
        await host.strobe(dut.dump, dut.dump_done)
        os.replace("dump.bin", f"dump{number}.bin")
    await ClockCycles(dut.host_clk, 2)
    answer["irq_cleared"] = not int(dut.host_irq.value)
    answer["violation"] = int(dut.violation.value)
    return answer


@cocotb.test()
async def serve(dut) -> None:
    """Power on, then do jobs until the pipe ends."""
    folder = Path(os.environ["FASTSWITCH_BENCH"])
    settings = json.loads((folder / "bench.json").read_text())
    with (folder / "jobs").open() as jobs, (folder / "results").open("w") as results:
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="cocotbext")
        dut.stall.value = settings["stall"]
        dut.seed.value = settings["seed"]
        await ClockCycles(dut.host_clk, 10)
        dut.aresetn.value = 1
        await ClockCycles(dut.host_clk, 10)
        host = Host(dut, settings["registers"])  # not before: in reset Icarus shows it X, which it cannot digest
        _answer(results, {"ready": True})
        for line in iter(jobs.readline, ""):
            try:
                answer = await run_job(host, json.loads(line))
            except SimTimeoutError:
                answer = {"deaf": f"no answer from s_axi_ctrl for {ACCESS_CYCLES} cycles"}
            _answer(results, answer)


def _answer(results: TextIO, answer: Mapping[str, object]) -> None:
    results.write(json.dumps(answer) + "\n")
    results.flush()
