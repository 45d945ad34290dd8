"""CONTROL: the AXI4-Lite slave with start, status, interrupt and the performance counters.

Decoder, fields and counters' ports follow from the table in :mod:`rtl.registers`.
"""

from __future__ import annotations

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
        bus = self.s_axi_ctrl
        busy, done, failed, code = Signal(), Signal(), Signal(), Signal(ERROR_BITS)
        irq_enable, irq_status = Signal(), Signal()
        resetting, broken, broke = Signal(), self.broken, Signal(BUS_BITS)
        went = Signal()  # a start, refused or not, was in the cycle before
        place, still = Signal(ORDER_BITS), Signal(32)
        patience = Signal(32, init=FIELDS["WATCHDOG", "cycles"].reset_value(self))
        held = {  # what the fields of registers show, constants aside
            ("STATUS", "busy"): busy,
            ("STATUS", "done"): done,
            ("STATUS", "error"): failed,
            ("STATUS", "resetting"): resetting,
            ("STATUS", "broken"): broken,
            ("STATUS", "code"): code,
            ("IRQ_ENABLE", "enable"): irq_enable,
            ("IRQ_STATUS", "pending"): irq_status,
            ("ERROR_COMMAND", "command"): place,
            ("WATCHDOG", "cycles"): patience,
            **_by_port("broke", broke),
            **_by_port("waits", self.waits),
        }
        taken = {  # what of the START registers the machine sees, latched when it is started
            ("PROG_ADDR", "address"): self.prog_addr,
            ("PROG_BEATS", "beats"): self.prog_beats,
            **{(f"BASE_{i}", "address"): base for i, base in enumerate(self.base)},
            **{(f"WGT_BASE_{i}", "address"): base for i, base in enumerate(self.weight_base)},
        }
        held |= {(register, field): self.written[register] for register, field in taken}
        for register in COUNTERS:
            counter = held[register.name, "count"] = Signal(32, name=register.port)
            step = busy if register.name == "CYCLES" else busy & getattr(self, register.port)
            # The cycle after is the first that counts: what it clears is the run before.
            m.d.sync += counter.eq(Mux(went, 0, counter) + step)

        # Read: one register between the address and the data.
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

        # Write: address and data wait for each other.
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

        go, start, stop, irq_clear = Signal(), Signal(), Signal(), Signal()
        written = {"start": start, "reset": stop}
        with m.If(write):
            with m.Switch(address[2:]):
                for register in REGISTERS:
                    with m.Case(register.address >> 2):
                        for field in register.fields:
                            new, may = (bits[field.low : field.high + 1] for bits in (data, mask))
                            if register.access is Access.COMMAND:
                                m.d.comb += written[field.name].eq(new & may)
                            elif register.access is Access.CLEAR:
                                m.d.comb += irq_clear.eq(new & may)
                            elif register.access in (Access.WRITE, Access.START):
                                target = held[register.name, field.name]
                                m.d.sync += target.eq(new & may | target & ~may)
        m.d.comb += go.eq(start & ~stop & ~busy)

        # `still` counts cycles without progress; once there is an error nobody waits for it any more, but in a reset.
        stuck, first_error, error = Signal(), Signal(), Signal(ERROR_BITS)
        of_unit, violation, refused, ended, gave_up = Signal(), Signal(), Signal(), Signal(), Signal()
        bus_code = Signal(ERROR_BITS)  # the first error of a port since reset
        waits = resetting | (busy & ~failed & ~broken)
        moves = Mux(resetting, self.moved, self.progress)
        m.d.sync += still.eq(Mux(go | stop | moves | ~waits, 0, still + 1))
        m.d.comb += [
            stuck.eq((still >= patience) & (patience != 0) & waits),
            error.eq(Mux(self.error != 0, self.error, Mux(stuck, ErrorCode.STUCK, 0))),
            of_unit.eq(Cat(self.error == code for code in ErrorCode if code.of_unit).any()),
            self.draining.eq(resetting | broken),
            self.halt.eq(bus_code != 0),
            violation.eq((self.error >= ErrorCode.PROTOCOL_PROG) & ~self.halt & ~self.draining),
            first_error.eq((busy & (error != 0) & ~failed & ~self.draining) | violation),
            refused.eq(go & (self.halt | violation)),
            ended.eq(busy & self.done & ~self.draining & ~self.halt & ~violation),
            gave_up.eq(resetting & Mux(patience != 0, stuck, still >= WATCHDOG_CYCLES)),
            self.irq.eq(irq_status & irq_enable),
            self.clear.eq(resetting & self.drained),
        ]
        m.d.sync += [self.start.eq(go & ~refused), went.eq(go)]
        with m.If(~self.draining):
            m.d.sync += broke.eq(broke | self.broke)
        with m.If(violation):
            m.d.sync += bus_code.eq(self.error)
        with m.If(go):
            m.d.sync += [port.eq(held[name]) for name, port in taken.items()]
            m.d.sync += [busy.eq(1), done.eq(0), failed.eq(0), code.eq(0), place.eq(0)]
        with m.If(first_error):
            m.d.sync += [failed.eq(1), code.eq(error), place.eq(Mux(of_unit, self.order, held["COMMANDS", "count"]))]
        with m.Elif(refused):
            m.d.sync += [failed.eq(1), code.eq(bus_code)]
        with m.If(ended):
            m.d.sync += [busy.eq(0), done.eq(1)]
        with m.If(first_error | refused | ended):
            m.d.sync += irq_status.eq(1)
        with m.Elif(irq_clear):
            m.d.sync += irq_status.eq(0)
        with m.If(gave_up):
            m.d.sync += [resetting.eq(0), broken.eq(1)]
        with m.If(stop):
            m.d.sync += [resetting.eq(1), broken.eq(0), busy.eq(1)]
        with m.If(self.clear):
            m.d.sync += [r.eq(0) for r in (resetting, broken, broke, bus_code, busy, done, failed, code, place)]
        return m

    def _word(self, register: Register, held):
        """The 32 bits that a register reads, its last zeros left out."""
        parts, end = [], 0
        for field in register.fields:
            constant = Const(field.reset_value(self), field.width)
            parts += [Const(0, field.low - end), held.get((register.name, field.name), constant)]
            end = field.low + field.width
        return Cat(*parts)


def _by_port(what: str, bits: Signal) -> dict[tuple[str, str], Value]:
    """The fields of BUS that show ``bits``, one a port."""
    fields, low = {}, 0
    for name, count in BUS_PORTS.items():
        fields["BUS", f"{what}_{name}"] = bits[low : low + count]
        low += count
    return fields
