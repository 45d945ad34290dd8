"""The accelerator: every unit, every buffer, and the tokens between them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_

from amaranth import Cat, ClockDomain, ClockSignal, Const, DomainRenamer, Module, ResetSignal, Signal, Value
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from arch_model.machine.accelerator import TAPS, Accelerator
from arch_model.machine.memories import memories
from arch_model.machine.microarchitecture import LANE_BYTES, TOKEN, TOKENS
from arch_model.program.isa import ORDER_BITS
from arch_model.program.limits import limits
from rtl.compute import Compute
from rtl.control import Control, axi_lite
from rtl.drain import DrainRead, DrainWrite
from rtl.errors import ErrorCode
from rtl.feed import Feed
from rtl.fetch import Fetch
from rtl.interfaces import axi_read, axi_write
from rtl.load_act import LoadAct
from rtl.load_weights import LoadWeights
from rtl.memory import BlockMemory
from rtl.registers import BUS_PORTS
from rtl.semaphore import Semaphore
from rtl.stages import check_latency
from rtl.store import Store
from rtl.stripes import StripedRead, StripedWrite

ENTRY_BITS = 8 * LANE_BYTES  # bias, multiplier and shift of one filter in a ZSB entry


class FastSwitch(Component):
    """A whole machine, as one :class:`arch_model.machine.accelerator.Accelerator` describes it.

    Ports
    -----
    s_axi_ctrl (In, axi_lite): start, status, counters; see :mod:`rtl.control`.
    m_axi_prog (Out, axi_read): the Program.
    m_axi_wgt (Out, axi_read × weight_stripes), m_axi_act (Out, axi_read × stripes): weights, activations.
    m_axi_out_read (Out, axi_read × stripes), m_axi_out_write (Out, axi_write × stripes): operand b and results; outside
        they are the same AXI ports.
    irq (Out, 1): high while an enabled interrupt is pending.

    The clock domain is ``axi``; its reset is synchronous and active high. Control, the gates and the stripes live in
    it. The units live in ``sync``, the same clock, whose reset is CTRL's reset, too; what the buffers hold stays.
    """

    def __init__(self, accelerator: Accelerator):
        self.accelerator = accelerator
        beat, stripes = accelerator.port_bytes, accelerator.stripes
        super().__init__(
            {
                "s_axi_ctrl": In(axi_lite()),
                "m_axi_prog": Out(axi_read(accelerator.program_beat_bytes)),
                "m_axi_wgt": Out(axi_read(beat)).array(accelerator.weight_stripes),
                "m_axi_act": Out(axi_read(beat)).array(stripes),
                "m_axi_out_read": Out(axi_read(beat)).array(stripes),
                "m_axi_out_write": Out(axi_write(beat)).array(stripes),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        a = self.accelerator
        shape = {"kp": a.kp, "cp": a.cp}
        burst = a.axi.max_burst
        bus = {"beat_bytes": a.beat_bytes, "max_burst": burst}

        outside = DomainRenamer("axi")
        control = Control(
            **shape, beat_bytes=a.beat_bytes, stripes=a.stripes, weight_stripes=a.weight_stripes, pixels=a.pixels
        )
        m.submodules.control = outside(control)
        m.domains.sync = ClockDomain(local=True)
        m.d.comb += [
            ClockSignal("sync").eq(ClockSignal("axi")),
            ResetSignal("sync").eq(ResetSignal("axi") | control.clear),
        ]
        program = {"beat_bytes": a.program_beat_bytes, "max_burst": burst}
        m.submodules.fetch = fetch = Fetch(**program, limits=limits(a))
        m.submodules.load_act = load_act = LoadAct(cp=a.cp, pixels=a.pixels, fold=a.fold, **bus)
        depth = {name: memory.depth for name, memory in memories(a).items()}
        m.submodules.load_weights = load_weights = LoadWeights(
            **shape,
            beat_bytes=a.weight_beat_bytes,
            max_burst=burst,
            weight_words=max(depth["db"], depth["pb"]),
            zsb_entries=depth["zsb"],
        )
        m.submodules.feed = feed = Feed(
            **shape, db_words=depth["db"], pb_words=depth["pb"], dsp_packing=a.array.dsp_packing
        )
        m.submodules.compute = compute = Compute(
            **shape,
            nb=a.nb,
            sb_words=2 * a.sb_half_words,
            ob_pixels=a.ob_pixels,
            out_words=2 * a.out_half_words,
            pixels=a.pixels,
            dsp_packing=a.array.dsp_packing,
        )
        m.submodules.store = store = Store(cp=a.cp, nb=a.nb, pixels=a.pixels, **bus)

        # A machine without a PB keeps a word of it, so that FEED's port has a memory.
        weight_bits = 8 * TAPS * a.cp
        m.submodules.pb = pb = BlockMemory(weight_bits, depth["pb"])
        m.submodules.db = db = BlockMemory(weight_bits, depth["db"])
        m.submodules.zsb = zsb = BlockMemory(ENTRY_BITS * a.kp, depth["zsb"], granularity=ENTRY_BITS)

        # Commands.
        connect(m, fetch.load_act, load_act.command)
        connect(m, fetch.load_wgt, load_weights.command)
        connect(m, fetch.feed, feed.command)
        connect(m, fetch.run, compute.command)
        connect(m, fetch.store, store.command)

        # Tokens: which unit releases them, which unit acquires them. One that is still there, or is just released, when
        # every unit is idle would be found by the next Program.
        residual = [store.residual]
        check_latency("TOKEN", TOKEN, Semaphore, "release", "token.ready")
        units = {"load_act": load_act, "load_wgt": load_weights, "feed": feed, "run": compute, "store": store}
        for name, (releasing, acquiring) in TOKENS.items():
            m.submodules[name] = token = Semaphore()
            m.d.comb += token.release.eq(getattr(units[releasing], f"{name}_release"))
            connect(m, token.token, getattr(units[acquiring], name))
            residual += [token.token.ready, token.release]

        # Buffers.
        connect(m, load_act.sb, compute.sb)
        writes, entries = load_weights.weights, load_weights.zsb
        for name, ram, is_pb, port in (("the DB", db, 0, feed.db), ("the PB", pb, 1, feed.pb)):
            m.d.comb += [
                ram.write_en.eq(writes.en & (writes.memory == is_pb)),
                ram.write_at(writes.addr, name),
                ram.write_data.eq(writes.data),
                ram.read_at(port.addr, name),
                port.data.eq(ram.read_data),
            ]
        m.d.comb += [
            zsb.write_en.eq(entries.en),
            zsb.write_at(entries.addr, "the ZSB"),
            zsb.write_data.eq(entries.data.replicate(a.kp)),
            zsb.read_at(compute.zsb.addr, "the ZSB"),
            compute.zsb.data.eq(zsb.read_data),
            compute.table.en.eq(load_weights.table.en),
            compute.table.addr.eq(load_weights.table.addr),
            compute.table.data.eq(load_weights.table.data),
            compute.load_en.eq(feed.load_en),
            compute.load_data.eq(feed.load_data),
            compute.shadow_full.eq(feed.shadow_full),
            feed.consume.eq(compute.consume),
        ]
        for bank in range(a.nb):
            connect(m, store.out[bank], compute.out[bank])

        # The world.
        connect(m, flipped(self.s_axi_ctrl), control.s_axi_ctrl)
        ports = {}  # by name: the stripes, and the gate before them
        for name, unit, last, outside_ports, bases in (
            ("prog", fetch.axi, fetch.last, [self.m_axi_prog], [Const(0)]),
            ("wgt", load_weights.axi, load_weights.last, self.m_axi_wgt, control.weight_base),
            ("act", load_act.axi, load_act.last, self.m_axi_act, control.base),
            ("out_read", store.axi_read, store.last_b, self.m_axi_out_read, control.base),
            ("out_write", store.axi_write, None, self.m_axi_out_write, control.base),
        ):
            beat = a.program_beat_bytes if name == "prog" else a.port_bytes * len(outside_ports)
            reads = last is not None
            gate = DrainRead(beat) if reads else DrainWrite(beat, burst)
            stripes = (StripedRead if reads else StripedWrite)(beat, len(outside_ports))
            m.submodules[f"drain_{name}"], m.submodules[f"stripes_{name}"] = outside(gate), outside(stripes)
            ports[name] = stripes, gate
            connect(m, unit, gate.unit)
            connect(m, gate.bus, stripes.wide)
            m.d.comb += [gate.draining.eq(control.draining), stripes.draining.eq(control.draining)]
            if reads:
                m.d.comb += [stripes.last.eq(last), gate.full.eq(stripes.full)]
            for port, mine, base, start in zip(outside_ports, stripes.ports, stripes.base, bases, strict=False):
                connect(m, mine, flipped(port))
                m.d.comb += base.eq(start)

        # Start, end, errors, counters.
        bases = [*list(control.base)[: a.stripes], *list(control.weight_base)[: a.weight_stripes]]
        m.d.comb += [
            self.irq.eq(control.irq),
            fetch.start.eq(control.start),
            fetch.prog_addr.eq(control.prog_addr),
            fetch.prog_beats.eq(control.prog_beats),
            fetch.misaligned.eq(
                control.prog_addr[: (a.program_beat_bytes - 1).bit_length()].any()
                | Cat(base[: (a.port_bytes * a.axi.max_burst - 1).bit_length()] for base in bases).any()
            ),
            control.drained.eq(~Cat((stripes.owed, gate.held) for stripes, gate in ports.values()).any()),
            control.moved.eq(Cat(stripes.moved for stripes, _ in ports.values()).any()),
            control.broke.eq(_by_port(ports, "broke")),
            control.waits.eq(_by_port(ports, "waits")),
            fetch.halt.eq(control.halt),
            control.progress.eq(
                Cat(fetch.commands, fetch.beats, load_weights.beats, load_act.beats).any()
                | Cat(store.beats_b, store.beats_out, compute.busy & ~compute.wait_weights).any()
            ),
            fetch.idle_in.eq(~(load_act.busy | load_weights.busy | feed.busy | compute.busy | store.busy)),
            fetch.residual.eq(Cat(residual).any()),
            control.done.eq(fetch.done),
            control.commands.eq(fetch.commands),
            control.busy_load_act.eq(load_act.busy),
            control.busy_load_wgt.eq(load_weights.busy),
            control.busy_feed.eq(feed.busy),
            control.busy_run.eq(compute.executing),
            control.busy_store.eq(store.busy),
            control.beats_prog.eq(fetch.beats),
            control.beats_wgt.eq(load_weights.beats),
            control.beats_act.eq(load_act.beats),
            control.beats_b.eq(store.beats_b),
            control.beats_out.eq(store.beats_out),
            control.passes.eq(compute.pass_start),
            control.wait_sb.eq(compute.wait_sb),
            control.wait_weights.eq(compute.wait_weights),
            control.wait_out.eq(compute.wait_out),
        ]
        order = {}  # how many commands a unit had accepted before the one that it executes
        for name, unit in (("load_weights", load_weights), ("load_act", load_act), ("store", store)):
            order[unit] = place = Signal(ORDER_BITS, name=f"{name}_order", init=-1)
            with m.If(control.start):
                m.d.sync += place.eq(-1)
            with m.Elif(unit.command.valid & unit.command.ready):
                m.d.sync += place.eq(place + 1)
        with m.If(ports["prog"][0].broke):
            m.d.comb += control.error.eq(ErrorCode.PROTOCOL_PROG)
        for code, name, failing in (
            (ErrorCode.PROTOCOL_WGT, "wgt", load_weights),
            (ErrorCode.PROTOCOL_ACT, "act", load_act),
            (ErrorCode.PROTOCOL_B, "out_read", store),
            (ErrorCode.PROTOCOL_OUT, "out_write", store),
        ):
            with m.Elif(ports[name][0].broke.any()):
                m.d.comb += [control.error.eq(code), control.order.eq(order[failing])]
        with m.Elif(fetch.error != 0):
            m.d.comb += control.error.eq(fetch.error)
        for code, failed, failing in (
            (ErrorCode.READ_WGT, load_weights.error, load_weights),
            (ErrorCode.READ_ACT, load_act.error, load_act),
            (ErrorCode.READ_B, store.error_b, store),
            (ErrorCode.WRITE_OUT, store.error_out, store),
        ):
            with m.Elif(failed):
                m.d.comb += [control.error.eq(code), control.order.eq(order[failing])]
        return m


def _by_port(ports: Mapping[str, tuple[StripedRead | StripedWrite, object]], what: str) -> Value:
    """The bits of BUS that the stripes of every port have in their output ``what``."""
    bits = []
    for name, count in BUS_PORTS.items():
        mine = [getattr(stripes, what) for key, (stripes, _) in ports.items() if key.partition("_")[0] == name]
        bits.append(reduce(or_, mine)[:count] | Const(0, count))
    return Cat(*bits)
