"""The accelerator: every unit, every buffer, and the tokens between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_

from amaranth import (
    Cat,
    ClockDomain,
    ClockSignal,
    Const,
    DomainRenamer,
    Elaboratable,
    Module,
    ResetSignal,
    Signal,
    Value,
)
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


@dataclass(frozen=True)
class _Units:
    """The units that execute commands, and the one that tells software of them."""

    control: Control
    fetch: Fetch
    load_act: LoadAct
    load_weights: LoadWeights
    feed: Feed
    compute: Compute
    store: Store


@dataclass(frozen=True)
class _Port:
    """What lies between a unit and its AXI ports outside."""

    stripes: StripedRead | StripedWrite
    gate: DrainRead | DrainWrite


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
        units = self._make_units(m)
        m.domains.sync = ClockDomain(local=True)
        m.d.comb += [
            ClockSignal("sync").eq(ClockSignal("axi")),
            ResetSignal("sync").eq(ResetSignal("axi") | units.control.clear),
            self.irq.eq(units.control.irq),
        ]
        self._connect_commands(m, units)
        self._connect_tokens(m, units)
        self._make_weight_buffers(m, units)
        self._connect_compute(m, units)
        ports = self._make_ports(m, units)
        self._run_programs(m, units)
        self._drain(m, units.control, ports.values())
        self._count(m, units)
        self._report_errors(m, units, ports)
        return m

    def _make_units(self, m: Module) -> _Units:
        """Each unit with the widths and depths that this accelerator gives it."""
        a = self.accelerator
        shape, burst = {"kp": a.kp, "cp": a.cp}, a.axi.max_burst
        bus = {"beat_bytes": a.beat_bytes, "max_burst": burst}
        depth = {name: memory.depth for name, memory in memories(a).items()}
        units = _Units(
            control=Control(
                **shape, beat_bytes=a.beat_bytes, stripes=a.stripes, weight_stripes=a.weight_stripes, pixels=a.pixels
            ),
            fetch=Fetch(beat_bytes=a.program_beat_bytes, max_burst=burst, limits=limits(a)),
            load_act=LoadAct(cp=a.cp, pixels=a.pixels, fold=a.fold, **bus),
            load_weights=LoadWeights(
                **shape,
                beat_bytes=a.weight_beat_bytes,
                max_burst=burst,
                weight_words=max(depth["db"], depth["pb"]),
                zsb_entries=depth["zsb"],
            ),
            feed=Feed(**shape, db_words=depth["db"], pb_words=depth["pb"], dsp_packing=a.array.dsp_packing),
            compute=Compute(
                **shape,
                nb=a.nb,
                sb_words=2 * a.sb_half_words,
                ob_pixels=a.ob_pixels,
                out_words=2 * a.out_half_words,
                pixels=a.pixels,
                dsp_packing=a.array.dsp_packing,
            ),
            store=Store(cp=a.cp, nb=a.nb, pixels=a.pixels, **bus),
        )
        m.submodules.control = _outside(units.control)
        for name in ("fetch", "load_act", "load_weights", "feed", "compute", "store"):
            m.submodules[name] = getattr(units, name)
        return units

    def _connect_commands(self, m: Module, units: _Units) -> None:
        """FETCH's queues to the units."""
        connect(m, units.fetch.load_act, units.load_act.command)
        connect(m, units.fetch.load_wgt, units.load_weights.command)
        connect(m, units.fetch.feed, units.feed.command)
        connect(m, units.fetch.run, units.compute.command)
        connect(m, units.fetch.store, units.store.command)

    def _connect_tokens(self, m: Module, units: _Units) -> None:
        """Tokens: which unit releases them, which unit acquires them.

        One that is still there, or is just released, when every unit is idle would be found by the next Program.
        """
        residual = [units.store.residual]
        check_latency("TOKEN", TOKEN, Semaphore, "release", "token.ready")
        by_name = {
            "load_act": units.load_act,
            "load_wgt": units.load_weights,
            "feed": units.feed,
            "run": units.compute,
            "store": units.store,
        }
        for name, (releasing, acquiring) in TOKENS.items():
            m.submodules[name] = token = Semaphore()
            m.d.comb += token.release.eq(getattr(by_name[releasing], f"{name}_release"))
            connect(m, token.token, getattr(by_name[acquiring], name))
            residual += [token.token.ready, token.release]
        m.d.comb += units.fetch.residual.eq(Cat(residual).any())

    def _make_weight_buffers(self, m: Module, units: _Units) -> None:
        """The DB and the PB, which LOAD_WGT writes and FEED reads, and the ZSB, which the requantisers read.

        An accelerator without a PB keeps a word of it, so that FEED's port has a memory.
        """
        a = self.accelerator
        depth = {name: memory.depth for name, memory in memories(a).items()}
        weight_bits = 8 * TAPS * a.cp
        m.submodules.pb = pb = BlockMemory(weight_bits, depth["pb"])
        m.submodules.db = db = BlockMemory(weight_bits, depth["db"])
        m.submodules.zsb = zsb = BlockMemory(ENTRY_BITS * a.kp, depth["zsb"], granularity=ENTRY_BITS)
        writes, entries = units.load_weights.weights, units.load_weights.zsb
        for name, ram, is_pb, port in (("the DB", db, 0, units.feed.db), ("the PB", pb, 1, units.feed.pb)):
            m.d.comb += [
                ram.write_en.eq(writes.en & (writes.memory == is_pb)),
                ram.write_at(writes.addr, name),
                ram.write_data.eq(writes.data),
                ram.read_at(port.addr, name),
                port.data.eq(ram.read_data),
            ]
        read = units.compute.zsb
        m.d.comb += [
            zsb.write_en.eq(entries.en),
            zsb.write_at(entries.addr, "the ZSB"),
            zsb.write_data.eq(entries.data.replicate(a.kp)),
            zsb.read_at(read.addr, "the ZSB"),
            read.data.eq(zsb.read_data),
        ]

    def _connect_compute(self, m: Module, units: _Units) -> None:
        """The compute path's inputs, activations, weights and activation tables, and its results through STORE."""
        feed, compute, table = units.feed, units.compute, units.load_weights.table
        connect(m, units.load_act.sb, compute.sb)
        connect(m, units.store.sb, compute.results)
        m.d.comb += [
            compute.results_write.eq(units.store.sb_writes),
            compute.table.en.eq(table.en),
            compute.table.addr.eq(table.addr),
            compute.table.data.eq(table.data),
            compute.load_en.eq(feed.load_en),
            compute.load_data.eq(feed.load_data),
            compute.shadow_full.eq(feed.shadow_full),
            feed.consume.eq(compute.consume),
        ]
        for bank in range(self.accelerator.nb):
            connect(m, units.store.out[bank], compute.out[bank])

    def _make_ports(self, m: Module, units: _Units) -> dict[str, _Port]:
        """By name: each unit's AXI interface through a gate and over its stripes to the ports outside."""
        a, control = self.accelerator, units.control
        connect(m, flipped(self.s_axi_ctrl), control.s_axi_ctrl)
        ports = {}
        for name, unit, last, outside_ports, bases in (
            ("prog", units.fetch.axi, units.fetch.last, [self.m_axi_prog], [Const(0)]),
            ("wgt", units.load_weights.axi, units.load_weights.last, self.m_axi_wgt, control.weight_base),
            ("act", units.load_act.axi, units.load_act.last, self.m_axi_act, control.base),
            ("out_read", units.store.axi_read, units.store.last_b, self.m_axi_out_read, control.base),
            ("out_write", units.store.axi_write, None, self.m_axi_out_write, control.base),
        ):
            beat = a.program_beat_bytes if name == "prog" else a.port_bytes * len(outside_ports)
            reads = last is not None
            gate = DrainRead(beat) if reads else DrainWrite(beat, a.axi.max_burst)
            stripes = (StripedRead if reads else StripedWrite)(beat, len(outside_ports))
            m.submodules[f"drain_{name}"], m.submodules[f"stripes_{name}"] = _outside(gate), _outside(stripes)
            ports[name] = _Port(stripes, gate)
            connect(m, unit, gate.unit)
            connect(m, gate.bus, stripes.wide)
            if reads:
                m.d.comb += [stripes.last.eq(last), gate.full.eq(stripes.full)]
            for port, mine, base, start in zip(outside_ports, stripes.ports, stripes.base, bases, strict=False):
                connect(m, mine, flipped(port))
                m.d.comb += base.eq(start)
        return ports

    def _run_programs(self, m: Module, units: _Units) -> None:
        """Start and end of a Program, and whether it makes progress."""
        a, control, fetch = self.accelerator, units.control, units.fetch
        load_act, load_weights, compute, store = units.load_act, units.load_weights, units.compute, units.store
        bases = [*list(control.base)[: a.stripes], *list(control.weight_base)[: a.weight_stripes]]
        m.d.comb += [
            fetch.start.eq(control.start),
            fetch.prog_addr.eq(control.prog_addr),
            fetch.prog_beats.eq(control.prog_beats),
            fetch.misaligned.eq(
                control.prog_addr[: (a.program_beat_bytes - 1).bit_length()].any()
                | Cat(base[: (a.port_bytes * a.axi.max_burst - 1).bit_length()] for base in bases).any()
            ),
            fetch.halt.eq(control.halt),
            fetch.idle_in.eq(~(load_act.busy | load_weights.busy | units.feed.busy | compute.busy | store.busy)),
            control.done.eq(fetch.done),
            control.progress.eq(
                Cat(fetch.commands, fetch.beats, load_weights.beats, load_act.beats).any()
                | Cat(store.beats_b, store.beats_out, store.sb_writes, compute.busy & ~compute.wait_weights).any()
            ),
        ]

    def _drain(self, m: Module, control: Control, ports: Iterable[_Port]) -> None:
        """CTRL's reset: no transfer begins at any port, those under way end."""
        m.d.comb += [
            *(part.draining.eq(control.draining) for port in ports for part in (port.gate, port.stripes)),
            control.drained.eq(~Cat((port.stripes.owed, port.gate.held) for port in ports).any()),
            control.moved.eq(Cat(port.stripes.moved for port in ports).any()),
        ]

    def _count(self, m: Module, units: _Units) -> None:
        """What CONTROL's performance counters count."""
        control, compute = units.control, units.compute
        m.d.comb += [
            control.commands.eq(units.fetch.commands),
            control.busy_load_act.eq(units.load_act.busy),
            control.busy_load_wgt.eq(units.load_weights.busy),
            control.busy_feed.eq(units.feed.busy),
            control.busy_run.eq(compute.executing),
            control.busy_store.eq(units.store.busy),
            control.beats_prog.eq(units.fetch.beats),
            control.beats_wgt.eq(units.load_weights.beats),
            control.beats_act.eq(units.load_act.beats),
            control.beats_b.eq(units.store.beats_b),
            control.beats_out.eq(units.store.beats_out),
            control.passes.eq(compute.pass_start),
            control.wait_sb.eq(compute.wait_sb),
            control.wait_weights.eq(compute.wait_weights),
            control.wait_out.eq(compute.wait_out),
        ]

    def _report_errors(self, m: Module, units: _Units, ports: Mapping[str, _Port]) -> None:
        """The error of this cycle, a port's first, and the command at which it is."""
        control, fetch, store = units.control, units.fetch, units.store
        order = self._count_commands(m, units)
        m.d.comb += [control.broke.eq(_by_port(ports, "broke")), control.waits.eq(_by_port(ports, "waits"))]
        with m.If(ports["prog"].stripes.broke):
            m.d.comb += control.error.eq(ErrorCode.PROTOCOL_PROG)
        for code, name, failing in (
            (ErrorCode.PROTOCOL_WGT, "wgt", "load_weights"),
            (ErrorCode.PROTOCOL_ACT, "act", "load_act"),
            (ErrorCode.PROTOCOL_B, "out_read", "store"),
            (ErrorCode.PROTOCOL_OUT, "out_write", "store"),
        ):
            with m.Elif(ports[name].stripes.broke.any()):
                m.d.comb += [control.error.eq(code), control.order.eq(order[failing])]
        with m.Elif(fetch.error != 0):
            m.d.comb += control.error.eq(fetch.error)
        for code, failed, failing in (
            (ErrorCode.READ_WGT, units.load_weights.error, "load_weights"),
            (ErrorCode.READ_ACT, units.load_act.error, "load_act"),
            (ErrorCode.READ_B, store.error_b, "store"),
            (ErrorCode.WRITE_OUT, store.error_out, "store"),
        ):
            with m.Elif(failed):
                m.d.comb += [control.error.eq(code), control.order.eq(order[failing])]

    def _count_commands(self, m: Module, units: _Units) -> dict[str, Signal]:
        """By unit: how many commands it had accepted before the one that it executes."""
        order = {}
        for name in ("load_weights", "load_act", "store"):
            command = getattr(units, name).command
            order[name] = place = Signal(ORDER_BITS, name=f"{name}_order", init=-1)
            with m.If(units.control.start):
                m.d.sync += place.eq(-1)
            with m.Elif(command.valid & command.ready):
                m.d.sync += place.eq(place + 1)
        return order


def _outside(component: Component) -> Elaboratable:
    """The component in the domain ``axi``, which CTRL's reset does not reset."""
    return DomainRenamer("axi")(component)


def _by_port(ports: Mapping[str, _Port], what: str) -> Value:
    """The bits of BUS that the stripes of every port have in their output ``what``."""
    bits = []
    for name, count in BUS_PORTS.items():
        mine = [getattr(port.stripes, what) for key, port in ports.items() if key.partition("_")[0] == name]
        bits.append(reduce(or_, mine)[:count] | Const(0, count))
    return Cat(*bits)
