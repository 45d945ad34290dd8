"""The machine inside a design of one's own in Amaranth, simulated by Amaranth's simulator.

    python examples/toolkits/amaranth_design.py

The design, ``Watched``, holds the machine and a counter of its own: beats that the weights' port has read. The bench is
a memory, twenty lines for each direction, and a host; it runs the first Program that each delivery of hardware has in
sim/, and compares every byte. Minutes become seconds in a Verilog simulator: `--verilog FILE` writes the design as
Verilog.
"""

from __future__ import annotations

import sys

from amaranth import Module
from amaranth.back import verilog
from amaranth.lib.wiring import Component, Out
from amaranth.sim import Simulator

import fastswitch as fs
from rtl.registers import ADDRESS
from rtl.toolkits.amaranth_component import FastSwitchComponent
from sim.cosim.smoke import smoke_case


class Watched(Component):
    """The machine, and how many beats of weights it has read."""

    def __init__(self, accelerator):
        self.machine = FastSwitchComponent(accelerator)
        super().__init__({"beats": Out(32), "irq": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.machine = machine = self.machine
        weights = machine.m_axi_wgt
        with m.If(weights.rvalid & weights.rready):
            m.d.sync += self.beats.eq(self.beats + 1)
        m.d.comb += self.irq.eq(machine.irq)
        return m


async def serve_reads(ctx, port, memory, size):
    """A memory's answers: a beat a cycle, in order, from the cycle after the address."""
    beats = []
    ctx.set(port.arready, 1)
    while True:
        sampled = ctx.tick().sample(port.arvalid, port.araddr, port.arlen, port.rvalid & port.rready)
        _, _, asked, address, length, taken = await sampled
        if taken:
            beats.pop(0)
        if asked:
            beats += [(address + i * size, i == length) for i in range(length + 1)]
        ctx.set(port.rvalid, bool(beats))
        if beats:
            at, last = beats[0]
            ctx.set(port.rdata, int.from_bytes(memory[at : at + size], "little"))
            ctx.set(port.rlast, last)


async def serve_writes(ctx, port, memory, size):
    """A memory that takes what is written, and acknowledges each burst."""
    addresses, data, owed = [], [], 0
    ctx.set(port.awready, 1)
    ctx.set(port.wready, 1)
    while True:
        write = ctx.tick().sample(
            port.awvalid, port.awaddr, port.awlen, port.wvalid, port.wdata, port.wlast, port.bvalid
        )
        _, _, asked, address, length, given, word, last, acknowledged = await write
        owed -= acknowledged
        if asked:
            addresses += [address + i * size for i in range(length + 1)]
        if given:
            data.append((word, last))
        while addresses and data:
            at, (word, last) = addresses.pop(0), data.pop(0)
            memory[at : at + size] = word.to_bytes(size, "little")
            owed += last
        ctx.set(port.bvalid, owed > 0)


async def write_register(ctx, bus, name, value):
    """AXI4-Lite: address and data together, then the answer."""
    ctx.set(bus.awaddr, ADDRESS[name])
    ctx.set(bus.wdata, value)
    ctx.set(bus.wstrb, 0xF)
    for signal in (bus.awvalid, bus.wvalid, bus.bready):
        ctx.set(signal, 1)
    answered = False
    while not answered:
        _, _, address, data, answered = await ctx.tick().sample(bus.awready, bus.wready, bus.bvalid)
        if address:
            ctx.set(bus.awvalid, 0)
        if data:
            ctx.set(bus.wvalid, 0)
    ctx.set(bus.bready, 0)


async def read_register(ctx, bus, name):
    """AXI4-Lite: the address, then the value."""
    ctx.set(bus.araddr, ADDRESS[name])
    ctx.set(bus.arvalid, 1)
    ctx.set(bus.rready, 1)
    there = False
    while not there:
        _, _, address, there, value = await ctx.tick().sample(bus.arready, bus.rvalid, bus.rdata)
        if address:
            ctx.set(bus.arvalid, 0)
    ctx.set(bus.rready, 0)
    return value


def main():
    accelerator = fs.load_accelerator("tiny")
    design, smoke = Watched(accelerator), smoke_case(accelerator)
    if "--verilog" in sys.argv:
        path = sys.argv[sys.argv.index("--verilog") + 1]
        with open(path, "w") as file:
            file.write(verilog.convert(design, name="watched"))
        return
    machine, size, run = design.machine, accelerator.port_bytes, smoke.runs[0]
    memory = bytearray(smoke.before.tobytes())

    async def host(ctx):
        for name, value in smoke.bases.items():
            await write_register(ctx, machine.s_axi_ctrl, name, value)
        for name, value in {"PROG_ADDR": run.address, "PROG_BEATS": run.beats, "IRQ_ENABLE": 1, "CTRL": 1}.items():
            await write_register(ctx, machine.s_axi_ctrl, name, value)
        await ctx.tick().until(design.irq)
        cycles = await read_register(ctx, machine.s_axi_ctrl, "CYCLES")
        counted = await read_register(ctx, machine.s_axi_ctrl, "BEATS_WGT")
        same = bytes(memory) == smoke.after.tobytes()
        print(f"{cycles:,} cycles with a memory that answers at once; memory is {'as computed' if same else 'WRONG'}")
        print(f"beats of weights: {ctx.get(design.beats)} by the design's counter, {counted} by the machine's")

    simulator = Simulator(design)
    simulator.add_clock(1e-8)
    for port in (machine.m_axi_prog, machine.m_axi_wgt, machine.m_axi_act, machine.m_axi_out):

        async def reads(ctx, port=port):
            await serve_reads(ctx, port, memory, size)

        simulator.add_testbench(reads, background=True)

    async def writes(ctx):
        await serve_writes(ctx, machine.m_axi_out, memory, size)

    simulator.add_testbench(writes, background=True)
    simulator.add_testbench(host)
    simulator.run()


if __name__ == "__main__":
    main()
