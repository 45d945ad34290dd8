"""The cocotb test that serves jobs: it runs inside the simulator, on ``sim/rtl_bench/verilog/bench.v``.

:class:`sim.rtl_bench.bench.Bench` is the other end. The environment variable ``FASTSWITCH_BENCH`` names a folder with

- ``bench.json``: ``registers`` (name to address), ``stall``, ``seed``, ``bases`` (of the stripes after the first);
- ``jobs``, a named pipe: one JSON object a line, a job; its end is the end of the simulation;
- ``results``, a named pipe: one JSON object a line, the answer.

The simulator's working folder holds ``load.bin`` and, one a stripe, ``dump0.bin`` and so on
(``sim/rtl_bench/verilog/dram.v`` says what is in them). Python acts at the start and end of a job only. While no job is
there, reading the pipe stops the simulator.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import warnings
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
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

RESET_CYCLES = 1 << 22
"""A reset that takes longer never ends: the machine's own bound, WATCHDOG cycles without a move, is far below."""

SIGN_CYCLES = 2_000
"""While a Program runs, a sign of life goes out every so often."""

STANDSTILL_CYCLES = 256
"""Between the two looks at the counters of a machine that hangs."""

COUNTERS_AT = range(0x40, 0x80)
BUSY, RESET, RESETTING, BROKEN = 0b1, 0b10, 0b1000, 0b10000


class Deaf(Exception):
    """Something has not answered in time; the text says what."""


class Host:
    """What a host computer does: registers and the interrupt, through AXI4-Lite.

    Parameters
    ----------
    dut : cocotb's handle of the bench.
    registers : addresses by name.
    results : where signs of life go.
    """

    def __init__(self, dut, registers: Mapping[str, int], results: TextIO) -> None:
        self.dut = dut
        self.registers = registers
        self.results = results
        logging.getLogger("cocotb.bench").setLevel(logging.WARNING)  # one line a register access otherwise
        self.axi = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "host_s_axi_ctrl"), dut.host_clk)

    async def write(self, register: str, value: int) -> None:
        """Write a register; SimTimeoutError if it never answers.

        Parameters
        ----------
        register : its name.
        value : 32 bits.
        """
        await self.write_at(self.registers[register], value)

    async def read(self, register: str) -> int:
        """Return a register's value; SimTimeoutError if it never answers."""
        return await self.read_at(self.registers[register])

    async def write_at(self, offset: int, value: int) -> None:
        """Write a register by its address.

        Parameters
        ----------
        offset : the address.
        value : 32 bits.
        """
        data = value.to_bytes(4, "little")
        await with_timeout(self.axi.write(offset, data), ACCESS_CYCLES * CYCLE_NS, "ns")

    async def read_at(self, offset: int) -> int:
        """The same by the register's address."""
        answer = await with_timeout(self.axi.read(offset, 4), ACCESS_CYCLES * CYCLE_NS, "ns")
        return int.from_bytes(answer.data, "little")

    async def counters(self) -> dict[str, int]:
        """Return every counter by its register's name."""
        return {name: await self.read(name) for name, at in self.registers.items() if at in COUNTERS_AT}

    async def strobe(self, signal, done) -> None:
        """Have the DRAM load or dump its file, and wait until it has.

        Parameters
        ----------
        signal, done : of the bench: the order and its answer.

        Raises
        ------
        Deaf
            It does not answer.
        """
        value = 1 - int(signal.value)
        signal.value = value
        for _ in range(ACCESS_CYCLES):
            await RisingEdge(self.dut.host_clk)
            if int(done.value) == value:
                return
        raise Deaf(f"the DRAM has not loaded or dumped its file in {ACCESS_CYCLES} cycles")

    async def reset(self) -> tuple[int, bool]:
        """Have the machine reset itself; the cycles that took and whether it has given up.

        Raises
        ------
        Deaf
            The reset does not end.
        """
        start, pause = get_sim_time("ns"), 50
        await self.write("CTRL", RESET)
        while (status := await self.read("STATUS")) & RESETTING:
            if get_sim_time("ns") - start > RESET_CYCLES * CYCLE_NS:
                raise Deaf(f"CTRL's reset has not ended after {RESET_CYCLES} cycles")
            _answer(self.results, {"alive": True})
            await ClockCycles(self.dut.host_clk, pause)
            pause = min(pause + pause // 4, SIGN_CYCLES)
        return round((get_sim_time("ns") - start) / CYCLE_NS), bool(status & BROKEN)

    async def power(self) -> None:
        """Assert ``aresetn``, which is the DRAM's, too, for a few cycles."""
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.host_clk, 10)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.host_clk, 10)

    async def interrupted(self, cycles: int) -> bool:
        """Wait for the interrupt, ``cycles`` at most; whether it is there."""
        for left in range(cycles, 0, -SIGN_CYCLES):
            if int(self.dut.host_irq.value):
                break
            with suppress(SimTimeoutError):
                await with_timeout(RisingEdge(self.dut.host_irq), min(left, SIGN_CYCLES) * CYCLE_NS, "ns")
            _answer(self.results, {"alive": True})
        return bool(int(self.dut.host_irq.value))

    async def over(self, cycles: int, goes_on_after: Collection[int]) -> bool:
        """Wait until the machine is no longer busy, if its error is one after which it goes on; whether that is so.

        Parameters
        ----------
        cycles : to wait at most.
        goes_on_after : codes of such errors.
        """
        end = get_sim_time("ns") + cycles * CYCLE_NS
        while (left := round((end - get_sim_time("ns")) / CYCLE_NS)) > 0 and await self.interrupted(left):
            status = await self.read("STATUS")
            if not status & BUSY or status >> 8 & 0xFF not in goes_on_after:
                return True
            await self.write("IRQ_STATUS", 1)
            if not await self.read("STATUS") & BUSY:
                return True  # over before irq was cleared
        return False


async def run_job(host: Host, job: Mapping[str, Any]) -> dict[str, object]:
    """Do one job on the machine as the job before left it; return the answer to send.

    Parameters
    ----------
    host : that does it.
    job : as :class:`sim.rtl_bench.bench.Bench` sends it.

    Raises
    ------
    Deaf
        The machine or the DRAM does not answer.
    """
    if job.get("reset"):
        cycles, broken = await host.reset()
        return {"reset_cycles": cycles, "broken": broken}
    if job.get("power"):
        await host.power()
        return {}
    dut = host.dut
    for name, value in zip(("fault", "fault_port", "fault_burst"), job["fault"], strict=True):
        getattr(dut, name).value = value
    dut.error_base.value = job["error_base"]
    dut.error_limit.value = job["error_limit"]
    if job["stall"] is not None:
        dut.stall.value = job["stall"]
    if job["load"]:
        await host.strobe(dut.load, dut.load_done)
    for name, base in job["bases"].items():
        if name in host.registers:
            await host.write(name, base)
    await host.write("PROG_ADDR", job["program_address"])
    await host.write("PROG_BEATS", job["program_beats"])
    if job["patience_cycles"] is not None:
        await host.write("WATCHDOG", job["patience_cycles"])
    await host.write("IRQ_STATUS", 1)
    await host.write("IRQ_ENABLE", 1)
    wall, start = perf_counter(), get_sim_time("ns")
    await host.write("CTRL", 1)
    patience, hang = job["watchdog_cycles"], False
    if job["silent_after"] is not None:
        await host.interrupted(job["silent_after"])
        dut.silent.value = 1
        patience -= job["silent_after"]
    if job["reset_after"] is not None:
        await host.interrupted(job["reset_after"])
        if (await host.reset())[1]:
            raise Deaf("CTRL's reset has given up: a transfer never ends")
    else:
        goes_on = job["goes_on_after"]
        hang = not await (host.over(patience, goes_on) if goes_on else host.interrupted(patience))
    answer: dict[str, object] = {
        "hang": hang,
        "simulated_cycles": round((get_sim_time("ns") - start) / CYCLE_NS),
        "seconds": perf_counter() - wall,
    }
    await RisingEdge(dut.host_clk)
    answer["status"] = status = await host.read("STATUS")
    answer["error_command"] = await host.read("ERROR_COMMAND") if "ERROR_COMMAND" in host.registers else 0
    answer["bus"] = await host.read("BUS") if "BUS" in host.registers else 0
    answer["counters"] = await host.counters()
    answer["later"] = await host.read("STATUS")
    if hang:
        await ClockCycles(dut.host_clk, STANDSTILL_CYCLES)
        answer["counters_later"] = await host.counters()
    else:
        await host.write("IRQ_STATUS", 1)
    for number, (first, beats) in enumerate(job["dumps"]):
        dut.dump_first.value = first
        dut.dump_beats.value = beats
        await host.strobe(dut.dump, dut.dump_done)
        os.replace("dump.bin", f"dump{number}.bin")
    await ClockCycles(dut.host_clk, 2)
    # A machine that is still busy may raise it anew at any moment.
    answer["irq_cleared"] = not int(dut.host_irq.value) or bool(status & BUSY)
    answer["bursts"] = int(dut.fault_bursts.value)
    answer["violation"] = int(dut.violation.value)
    write_out()
    return answer


def write_out() -> None:
    """Have the simulator's own messages in its log before anybody reads it: C keeps them back as long as it likes."""
    ctypes.CDLL(None).fflush(None)


@cocotb.test()
async def serve(dut) -> None:
    """Power on, then do jobs until the pipe ends."""
    await serve_orders(dut, run_job)


async def serve_orders(dut, do: Callable[[Host, Mapping[str, Any]], Awaitable[dict[str, object]]]) -> None:
    """Power on, then answer each line of the pipe, until the pipe ends.

    Parameters
    ----------
    dut : cocotb's handle of the bench.
    do : makes the answer to an order.
    """
    folder = Path(os.environ["FASTSWITCH_BENCH"])
    settings = json.loads((folder / "bench.json").read_text())
    with (folder / "jobs").open() as jobs, (folder / "results").open("w") as results:
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="cocotbext")
        dut.stall.value = settings["stall"]
        dut.seed.value = settings["seed"]
        await ClockCycles(dut.host_clk, 10)
        dut.aresetn.value = 1
        await ClockCycles(dut.host_clk, 10)
        # Not before: in reset Icarus shows it X, which it cannot digest.
        host = Host(dut, settings["registers"], results)
        _answer(results, {"ready": True})
        for line in iter(jobs.readline, ""):
            try:
                answer = await do(host, json.loads(line))
            except SimTimeoutError:
                answer = {"deaf": f"no answer from s_axi_ctrl for {ACCESS_CYCLES} cycles"}
            except Deaf as error:
                answer = {"deaf": str(error)}
            _answer(results, answer)


def _answer(results: TextIO, answer: Mapping[str, object]) -> None:
    results.write(json.dumps(answer) + "\n")
    results.flush()
