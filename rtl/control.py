"""CONTROL: the AXI4-Lite slave with start, status, interrupt and the performance counters.

Decoder, fields and counters' ports follow from the table in :mod:`rtl.registers`.
"""

from __future__ import annotations

from collections.abc import Mapping

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Component, In, Out, Signature

from arch_model.program.isa import ORDER_BITS
from rtl.errors import ERROR_BITS, ErrorCode
from rtl.registers import (
    ADDRESS,
    ADDRESS_BITS,
    BEAT_COUNT_BITS,
    BUS_PORTS,
    COUNTERS,
    FIELDS,
    IDENTITY,
    REGISTERS,
    STRIPES,
    WATCHDOG_CYCLES,
    Access,
    Register,
    register_table,
)

__all__ = ["ADDRESS", "COUNTERS", "IDENTITY", "REGISTERS", "Access", "Control", "Register", "axi_lite"]
__all__ += ["register_table"]

BUS_BITS = sum(BUS_PORTS.values())
FieldName = tuple[str, str]
"""A register's name and its field's."""


def axi_lite() -> Signature:
    """AXI4-Lite seen from the master: 8 address bits, 32 data bits; protection bits are added at the edge."""
    return Signature(
        {
            "awaddr": Out(ADDRESS_BITS),
            "awvalid": Out(1),
            "awready": In(1),
            "wdata": Out(32),
            "wstrb": Out(4),
            "wvalid": Out(1),
            "wready": In(1),
            "bresp": In(2),
            "bvalid": In(1),
            "bready": Out(1),
            "araddr": Out(ADDRESS_BITS),
            "arvalid": Out(1),
            "arready": In(1),
            "rdata": In(32),
            "rresp": In(2),
            "rvalid": In(1),
            "rready": Out(1),
        }
    )


class _State:
    """What the machine does, as STATUS and the registers beside it show it."""

    def __init__(self, watchdog_cycles: int) -> None:
        self.busy = Signal()
        self.done = Signal()
        self.failed = Signal()
        self.code = Signal(ERROR_BITS)  # of the error
        self.place = Signal(ORDER_BITS)  # the command that the error is at
        self.resetting = Signal()
        self.broke = Signal(BUS_BITS)  # ports that broke a rule since reset
        self.bus_code = Signal(ERROR_BITS)  # the first error of a port since reset
        self.irq_enable = Signal()
        self.irq_status = Signal()
        self.patience = Signal(32, init=watchdog_cycles)  # cycles without progress; 0: no end of it


class _Orders:
    """What software asks for by writing a bit, each high for the cycle in which it is written."""

    def __init__(self) -> None:
        # Names of their own: in waveforms the ports start and reset stand beside them.
        self.start = Signal(name="start_written")
        self.reset = Signal(name="reset_written")
        self.irq_clear = Signal(name="irq_clear_written")


class Control(Component):
    """The registers of :data:`REGISTERS` behind AXI4-Lite.

    Parameters
    ----------
    kp, cp : int
        The array's shape, 1..255, as SHAPE tells it.
    beat_bytes : int
        Bytes of a beat, 1..65535, likewise.
    stripes, weight_stripes, pixels : int
        As PORTS tells them: 1, 2 or 4.

    Raises
    ------
    ValueError
        A parameter is outside its range.

    Ports
    -----
    s_axi_ctrl : In(axi_lite())
        Every channel is independent: an address may come before, with or after its data. Strobes are
        honoured, the two lowest address bits ignored. Every response is OKAY; other addresses read 0 and
        ignore writes.
    start : Out(1)
        High for one cycle when software starts the machine; then the values below are valid.
    prog_addr : Out(32), prog_beats : Out(20)
        The Program's byte address and beats.
    base, weight_base : Out(32) × 4
        The byte addresses of tensors' and of weights' stripes; 0 after reset. Like all START registers they are as
        software had written them when it started the machine: steady until it starts it again.
    done : In(1)
        One cycle: the Program has ended. Ends ``busy`` and the counting; this cycle is the last that counts.
    error : In(8)
        0, or an error code; the first one since start is kept. The machine stays busy until ``done`` (which
        does not come after a Fetch error: then reset). An error of a port (:attr:`~rtl.errors.ErrorCode.of_port`)
        replaces any other, counts while the machine is idle, too, and lasts until reset: ``done`` is ignored, and a
        start is an error at once.
    order : In(20)
        With a unit's error: how many commands it had accepted before. Other errors are at the command that is next to
        be dispatched, which COMMANDS counts.
    progress : In(1)
        Something moves. WATCHDOG cycles without, while busy, are an error of their own.
    broke, waits : In(13) each
        Bits of the register BUS: ports that break AXI's rules in this cycle, which it keeps until reset, and ports that
        owe an answer.
    halt : Out(1)
        A port has broken AXI's rules since reset.
    draining : Out(1)
        From CTRL's reset until ``drained``, busy all the time: no transfer may begin, those under way are to end.
    drained : In(1)
        None is under way.
    moved : In(1)
        A transfer under way moves. After WATCHDOG cycles without (2**20 if it is 0) the reset gives up: STATUS is
        broken instead of resetting, busy and draining all the same. CTRL's reset then tries again.
    broken : Out(1)
        As STATUS has it: the reset has given up.
    clear : Out(1)
        The reset's last cycle: everything but Control is to be reset at its end. STATUS is then 0, BUS shows no port
        that broke a rule; the other registers keep their values.
    irq : Out(1)
        IRQ_STATUS and IRQ_ENABLE. The status bit is set by ``done`` and by the first error, also in the cycle
        in which software clears it.
    commands, busy_load_act, … wait_out : In(1) each
        What each COUNT register counts (CYCLES has no port). A counter wraps at 2**32.

    Cycles
    ------
    AR accepted in t: R valid in t + 1, with the values of t. AW and W both accepted by t: written at the end
    of t + 1, B valid in t + 2. ``start`` is high in t + 2, ``draining`` from then on. CYCLES counts every cycle
    from that of ``start`` to that of ``done``, both included. A read a cycle, a write every two.
    """

    def __init__(
        self, *, kp: int, cp: int, beat_bytes: int, stripes: int = 1, weight_stripes: int = 1, pixels: int = 1
    ):
        for name, value, top in (("kp", kp, 255), ("cp", cp, 255), ("beat_bytes", beat_bytes, 65535)):
            if not 1 <= value <= top:
                raise ValueError(f"{name} is {value}; it must be in 1..{top}")
        for name, value in (("stripes", stripes), ("weight_stripes", weight_stripes), ("pixels", pixels)):
            if value not in (1, 2, 4):
                raise ValueError(f"{name} is {value}; it must be 1, 2 or 4")
        self.kp, self.cp, self.beat_bytes = kp, cp, beat_bytes
        self.stripes, self.weight_stripes, self.pixels = stripes, weight_stripes, pixels
        self.written = {  # START registers as software sees them, by name
            register.name: Signal(register.fields[0].width, name=register.name.lower())
            for register in REGISTERS
            if register.access is Access.START
        }
        super().__init__(
            {
                "s_axi_ctrl": In(axi_lite()),
                "start": Out(1),
                "prog_addr": Out(32),
                "prog_beats": Out(BEAT_COUNT_BITS),
                "base": Out(32).array(STRIPES),
                "weight_base": Out(32).array(STRIPES),
                "done": In(1),
                "error": In(ERROR_BITS),
                "order": In(ORDER_BITS),
                "progress": In(1),
                "broke": In(BUS_BITS),
                "waits": In(BUS_BITS),
                "halt": Out(1),
                "draining": Out(1),
                "broken": Out(1),
                "drained": In(1),
                "moved": In(1),
                "clear": Out(1),
                "irq": Out(1),
                **{register.port: In(1) for register in COUNTERS if register.name != "CYCLES"},
            }
        )

    def elaborate(self, platform):
        m = Module()
        state, orders = _State(FIELDS["WATCHDOG", "cycles"].reset_value(self)), _Orders()
        latched = self._latched()
        held = self._held(state) | {name: self.written[name[0]] for name in latched}
        go, went = Signal(), Signal()  # a start, refused or not, is in this cycle; was in the one before
        m.d.comb += go.eq(orders.start & ~orders.reset & ~state.busy)
        m.d.sync += went.eq(go)

        held |= self._count(m, state.busy, went)
        self._answer_reads(m, held)
        self._take_writes(m, held, orders)
        stuck, gave_up = self._watch_progress(m, state, restart=go | orders.reset)
        self._follow_run(m, state, orders, go, stuck, held["COMMANDS", "count"])
        with m.If(go):
            m.d.sync += [port.eq(held[name]) for name, port in latched.items()]
        self._reset(m, state, orders.reset, gave_up)
        return m

    def _held(self, state: _State) -> dict[FieldName, Value]:
        """What the fields of registers show, but constants, counters and START registers."""
        return {
            ("STATUS", "busy"): state.busy,
            ("STATUS", "done"): state.done,
            ("STATUS", "error"): state.failed,
            ("STATUS", "resetting"): state.resetting,
            ("STATUS", "broken"): self.broken,
            ("STATUS", "code"): state.code,
            ("IRQ_ENABLE", "enable"): state.irq_enable,
            ("IRQ_STATUS", "pending"): state.irq_status,
            ("ERROR_COMMAND", "command"): state.place,
            ("WATCHDOG", "cycles"): state.patience,
            **_by_port("broke", state.broke),
            **_by_port("waits", self.waits),
        }

    def _latched(self) -> dict[FieldName, Value]:
        """The ports that show the machine what the START registers held when it was started."""
        return {
            ("PROG_ADDR", "address"): self.prog_addr,
            ("PROG_BEATS", "beats"): self.prog_beats,
            **{(f"BASE_{i}", "address"): base for i, base in enumerate(self.base)},
            **{(f"WGT_BASE_{i}", "address"): base for i, base in enumerate(self.weight_base)},
        }

    def _count(self, m: Module, busy: Signal, went: Signal) -> dict[FieldName, Value]:
        """The counters, by field: each counts its port while the machine is busy, from the start on."""
        counts: dict[FieldName, Value] = {}
        for register in COUNTERS:
            counter = counts[register.name, "count"] = Signal(32, name=register.port)
            step = busy if register.name == "CYCLES" else busy & getattr(self, register.port)
            # The cycle after is the first that counts: what it clears is the run before.
            m.d.sync += counter.eq(Mux(went, 0, counter) + step)
        return counts

    def _answer_reads(self, m: Module, held: Mapping[FieldName, Value]) -> None:
        """AR and R: one register between the address and the data."""
        bus = self.s_axi_ctrl
        m.d.comb += bus.arready.eq(~bus.rvalid | bus.rready)
        with m.If(bus.arready):
            m.d.sync += bus.rvalid.eq(bus.arvalid)
            with m.Switch(bus.araddr[2:]):
                for register in REGISTERS:
                    if register.access is not Access.COMMAND:
                        with m.Case(register.address >> 2):
                            m.d.sync += bus.rdata.eq(self._word(register, held))
                with m.Default():
                    m.d.sync += bus.rdata.eq(0)

    def _take_writes(self, m: Module, held: Mapping[FieldName, Value], orders: _Orders) -> None:
        """AW, W and B: address and data wait for each other, then the register's field or an order takes the data."""
        bus = self.s_axi_ctrl
        address, data, strobe = Signal(ADDRESS_BITS), Signal(32), Signal(4)
        has_address, has_data, write = Signal(), Signal(), Signal()
        mask = Cat(bit.replicate(8) for bit in strobe)
        m.d.comb += [
            bus.awready.eq(~has_address),
            bus.wready.eq(~has_data),
            write.eq(has_address & has_data & ~bus.bvalid),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [has_address.eq(1), address.eq(bus.awaddr)]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [has_data.eq(1), data.eq(bus.wdata), strobe.eq(bus.wstrb)]
        with m.If(write):
            m.d.sync += [has_address.eq(0), has_data.eq(0), bus.bvalid.eq(1)]
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += bus.bvalid.eq(0)

        with m.If(write):
            with m.Switch(address[2:]):
                for register in REGISTERS:
                    with m.Case(register.address >> 2):
                        for field in register.fields:
                            new, may = (bits[field.low : field.high + 1] for bits in (data, mask))
                            if register.access is Access.COMMAND:
                                m.d.comb += getattr(orders, field.name).eq(new & may)
                            elif register.access is Access.CLEAR:
                                m.d.comb += orders.irq_clear.eq(new & may)
                            elif register.access in (Access.WRITE, Access.START):
                                target = held[register.name, field.name]
                                m.d.sync += target.eq(new & may | target & ~may)

    def _watch_progress(self, m: Module, state: _State, *, restart: Value) -> tuple[Signal, Signal]:
        """The watchdog: whether the machine is stuck in a run, and whether a reset gives up, in this cycle.

        It counts cycles without progress; once there is an error nobody waits for it any more, but in a reset.
        """
        still = Signal(32)
        stuck, gave_up = Signal(), Signal()
        waits = state.resetting | (state.busy & ~state.failed & ~self.broken)
        moves = Mux(state.resetting, self.moved, self.progress)
        m.d.sync += still.eq(Mux(restart | moves | ~waits, 0, still + 1))
        m.d.comb += [
            stuck.eq((still >= state.patience) & (state.patience != 0) & waits),
            gave_up.eq(state.resetting & Mux(state.patience != 0, stuck, still >= WATCHDOG_CYCLES)),
        ]
        return stuck, gave_up

    def _follow_run(
        self, m: Module, state: _State, orders: _Orders, go: Signal, stuck: Signal, commands: Value
    ) -> None:
        """From a start to the Program's end or its first error, and the interrupt that tells of both."""
        first_error, error = Signal(), Signal(ERROR_BITS)
        of_unit, violation, refused, ended = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            error.eq(Mux(self.error != 0, self.error, Mux(stuck, ErrorCode.STUCK, 0))),
            of_unit.eq(Cat(self.error == code for code in ErrorCode if code.of_unit).any()),
            self.halt.eq(state.bus_code != 0),
            violation.eq((self.error >= ErrorCode.PROTOCOL_PROG) & ~self.halt & ~self.draining),
            first_error.eq((state.busy & (error != 0) & ~state.failed & ~self.draining) | violation),
            refused.eq(go & (self.halt | violation)),
            ended.eq(state.busy & self.done & ~self.draining & ~self.halt & ~violation),
            self.irq.eq(state.irq_status & state.irq_enable),
        ]
        m.d.sync += self.start.eq(go & ~refused)
        with m.If(~self.draining):
            m.d.sync += state.broke.eq(state.broke | self.broke)
        with m.If(violation):
            m.d.sync += state.bus_code.eq(self.error)
        with m.If(go):
            m.d.sync += [state.busy.eq(1), state.done.eq(0)]
            m.d.sync += [state.failed.eq(0), state.code.eq(0), state.place.eq(0)]
        with m.If(first_error):
            m.d.sync += [state.failed.eq(1), state.code.eq(error), state.place.eq(Mux(of_unit, self.order, commands))]
        with m.Elif(refused):
            m.d.sync += [state.failed.eq(1), state.code.eq(state.bus_code)]
        with m.If(ended):
            m.d.sync += [state.busy.eq(0), state.done.eq(1)]
        with m.If(first_error | refused | ended):
            m.d.sync += state.irq_status.eq(1)
        with m.Elif(orders.irq_clear):
            m.d.sync += state.irq_status.eq(0)

    def _reset(self, m: Module, state: _State, order: Signal, gave_up: Signal) -> None:
        """CTRL's reset: transfers drain, then everything is cleared; or it gives up. It overrides the run."""
        m.d.comb += [
            self.draining.eq(state.resetting | self.broken),
            self.clear.eq(state.resetting & self.drained),
        ]
        with m.If(gave_up):
            m.d.sync += [state.resetting.eq(0), self.broken.eq(1)]
        with m.If(order):
            m.d.sync += [state.resetting.eq(1), self.broken.eq(0), state.busy.eq(1)]
        with m.If(self.clear):
            m.d.sync += [state.resetting.eq(0), self.broken.eq(0), state.broke.eq(0), state.bus_code.eq(0)]
            m.d.sync += [state.busy.eq(0), state.done.eq(0)]
            m.d.sync += [state.failed.eq(0), state.code.eq(0), state.place.eq(0)]

    def _word(self, register: Register, held: Mapping[FieldName, Value]) -> Value:
        """The 32 bits that a register reads, its last zeros left out."""
        parts: list[Value] = []
        end = 0
        for field in register.fields:
            constant = Const(field.reset_value(self), field.width)
            parts += [Const(0, field.low - end), held.get((register.name, field.name), constant)]
            end = field.low + field.width
        return Cat(*parts)


def _by_port(what: str, bits: Signal) -> dict[FieldName, Value]:
    """The fields of BUS that show ``bits``, one a port."""
    fields, low = {}, 0
    for name, count in BUS_PORTS.items():
        fields["BUS", f"{what}_{name}"] = bits[low : low + count]
        low += count
    return fields
