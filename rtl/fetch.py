"""FETCH: reads the Program and hands every command to its unit's queue."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import Component, In, Out, connect, flipped

from arch_model.machine.microarchitecture import DMA_ADDRESS, FIFO, GEARBOX, QUEUE_DEPTH
from arch_model.program.isa import PROGRAM_BEATS_BITS, SLOT_BITS, SLOT_BYTES, SLOTS, UNITS, Opcode
from arch_model.program.limits import Limit
from rtl.command import OPCODE_BITS, ask, command_layout
from rtl.command_check import CommandCheck
from rtl.dma_read import DmaRead
from rtl.errors import ERROR_BITS, ErrorCode
from rtl.gearbox import Gearbox
from rtl.interfaces import ADDRESS_BITS, axi_read
from rtl.stages import check_latency

QUEUES = {unit: opcode for opcode, units in UNITS.items() for unit in units}
"""The units' queues and what goes into each; PASS goes into two in the same cycle."""


class Fetch(Component):
    """Reads ``prog_beats`` beats of commands and puts each into the queue (4 deep) of its unit, in order.

    END waits until every queue is empty, ``idle_in`` is high and the rest of the Program's beats (none, or
    what fills the last beat) is read and thrown away; then ``done``, unless ``residual`` is high. Fetch then
    starts anew at the next ``start``. After an error nothing more is dispatched and only a reset helps: the tokens of
    a cut-off Program are still there.

    Parameters
    ----------
    beat_bytes : int
        Bytes of a beat; a power of two, so beats and 32-byte slots divide one another.
    max_burst : int
        Beats of the longest burst.
    limits : sequence of Limit
        A command that breaks one is not dispatched, but an error.

    Ports
    -----
    start : In(1)
        One cycle: start at ``prog_addr``. Ignored while ``busy``.
    misaligned : In(1)
        With ``start``: an address in a register is not aligned, which is an error at once.
    prog_addr : In(32), prog_beats : In(PROGRAM_BEATS_BITS)
        The Program's byte address (a multiple of the beat) and beats; sampled at ``start``.
    axi : Out(axi_read(beat_bytes))
        The Program.
    load_act, load_wgt, feed, run, store : Out(stream of command_layout)
        Each unit's queue; valid as soon as a command is there.
    idle_in : In(1)
        All units are idle: no ``busy``, and so every write acknowledged. A unit that accepts a command in one
        cycle must not be idle in the next.
    halt : In(1)
        From the next cycle on nothing is dispatched, until reset.
    residual : In(1)
        Looked at when ``done`` would come: the Program leaves tokens or data behind, which is an error instead.
    busy : Out(1)
        From the cycle after ``start`` up to and including that of ``done``; after an error until reset.
    done : Out(1)
        One cycle: the Program has ended and all its work is done.
    error : Out(8)
        0, or why Fetch stopped: OPCODE, NO_END, READ_PROG, UNALIGNED, RANGE or RESIDUAL of
        :class:`rtl.errors.ErrorCode`.
        Stays until reset.
    last : Out(1)
        The next beat is the last one of its burst.
    commands : Out(1)
        High in a cycle in which a command leaves for its queue, or END is read.
    beats : Out(1)
        High in a cycle in which a beat of the Program arrives.

    Cycles
    ------
    ``start`` in t: AR in t + 1. Beat with a slot's last byte accepted in t: dispatch (or END read) in t + 1
    when the queue has room, valid at the queue's output in t + 3. One slot a cycle, so one command a cycle
    but two cycles for a STORE, limited by the beats. END read in t with everything idle: ``done`` in t + 1;
    else ``done`` in the first cycle in which everything is.
    """

    def __init__(self, *, beat_bytes: int, max_burst: int, limits: Sequence[Limit] = ()):
        self.beat_bytes = beat_bytes
        self.max_burst = max_burst
        self.limits = tuple(limits)
        self._dma = DmaRead(beat_bytes=beat_bytes, max_burst=max_burst)  # checks both
        super().__init__(
            {
                "start": In(1),
                "misaligned": In(1),
                "prog_addr": In(ADDRESS_BITS),
                "prog_beats": In(PROGRAM_BEATS_BITS),
                "axi": Out(axi_read(beat_bytes)),
                **{name: Out(stream.Signature(command_layout(op))) for name, op in QUEUES.items()},
                "idle_in": In(1),
                "halt": In(1),
                "residual": In(1),
                "busy": Out(1),
                "done": Out(1),
                "error": Out(ERROR_BITS),
                "last": Out(1),
                "commands": Out(1),
                "beats": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bus = {"beat_bytes": self.beat_bytes, "max_burst": self.max_burst}
        check_latency("DMA_ADDRESS", DMA_ADDRESS, DmaRead, "request.payload", "axi.araddr", **bus)
        check_latency("GEARBOX", GEARBOX, Gearbox, "i.valid", "o.valid", in_bytes=self.beat_bytes, out_bytes=SLOT_BYTES)
        check_latency("FIFO", FIFO, SyncFIFOBuffered, "w_data", "r_data", width=1, depth=QUEUE_DEPTH)
        m.submodules.dma = dma = self._dma
        m.submodules.gearbox = gearbox = Gearbox(self.beat_bytes, SLOT_BYTES, max_pad=0, max_drop=0)
        connect(m, dma.axi, flipped(self.axi))
        m.d.comb += [
            *ask(dma.request.payload, addr=self.prog_addr, runs=Const(1), run_beats=self.prog_beats),
            gearbox.i.payload.data.eq(dma.data.payload),
            gearbox.i.valid.eq(dma.data.valid),
            dma.data.ready.eq(gearbox.i.ready),
            self.last.eq(dma.last),
            self.beats.eq(dma.beats),
        ]

        fifos = {}
        for name, opcode in QUEUES.items():
            width = SLOTS[opcode] * SLOT_BITS
            fifo = SyncFIFOBuffered(width=width, depth=QUEUE_DEPTH)
            fifos[name] = m.submodules[f"{name}_queue"] = fifo
            port = getattr(self, name)
            m.d.comb += [
                port.payload.as_value().eq(fifo.r_data),
                port.valid.eq(fifo.r_rdy),
                fifo.r_en.eq(port.ready),
            ]
        empty = Signal()
        m.d.comb += empty.eq(Cat(fifo.level for fifo in fifos.values()) == 0)

        slot = gearbox.o.payload
        opcode = Signal(OPCODE_BITS)  # of the command that this slot ends or belongs to
        head = Signal(SLOT_BITS)  # the first slot of a command of two
        second = Signal()  # this slot is such a command's second one
        m.d.comb += opcode.eq(slot[:OPCODE_BITS])
        with m.If(second):
            m.d.comb += opcode.eq(head[:OPCODE_BITS])

        def dispatch(op: Opcode) -> None:
            """Put the command into all its queues when every one has room; stop at one that breaks a limit."""
            targets = [fifos[name] for name, target in QUEUES.items() if target == op]
            legal = ~(checks[op].unaligned | checks[op].out_of_range)
            room = Cat(fifo.w_rdy for fifo in targets).all() & legal
            with m.If(~legal):
                m.d.sync += self.error.eq(Mux(checks[op].unaligned, ErrorCode.UNALIGNED, ErrorCode.RANGE))
                m.next = "HALT"
            m.d.comb += [gearbox.o.ready.eq(room), self.commands.eq(gearbox.o.valid & room)]
            for fifo in targets:
                m.d.comb += fifo.w_en.eq(gearbox.o.valid & room)

        checks = {}
        for name, op in QUEUES.items():
            command = slot if SLOTS[op] == 1 else Cat(head, slot)
            m.d.comb += fifos[name].w_data.eq(command)
            if op not in checks:
                checks[op] = m.submodules[f"check_{op.name.lower()}"] = CommandCheck(op, self.limits)
                m.d.comb += checks[op].command.as_value().eq(command)

        starts = self.start & ~self.misaligned
        with m.FSM() as fsm:
            with m.State("IDLE"):
                m.d.comb += [gearbox.clear.eq(1), dma.request.valid.eq(starts & (self.prog_beats != 0))]
                with m.If(starts):
                    m.d.sync += second.eq(0)
                    m.next = "RUN"
                with m.Elif(self.start):
                    m.d.sync += self.error.eq(ErrorCode.UNALIGNED)
                    m.next = "HALT"
            with m.State("RUN"):
                with m.If(gearbox.o.valid):
                    with m.Switch(opcode):
                        with m.Case(Opcode.END):
                            m.d.comb += [gearbox.o.ready.eq(1), self.commands.eq(1)]
                            m.next = "END"
                        for op in dict.fromkeys(QUEUES.values()):
                            with m.Case(op):
                                if SLOTS[op] == 1:
                                    dispatch(op)
                                else:
                                    with m.If(second):
                                        dispatch(op)
                                        with m.If(self.commands):
                                            m.d.sync += second.eq(0)
                                    with m.Else():
                                        m.d.comb += gearbox.o.ready.eq(1)
                                        m.d.sync += [head.eq(slot), second.eq(1)]
                        with m.Default():
                            m.d.sync += self.error.eq(ErrorCode.OPCODE)
                            m.next = "HALT"
                with m.Elif(~dma.busy):
                    m.d.sync += self.error.eq(ErrorCode.NO_END)
                    m.next = "HALT"
                with m.If(dma.error):  # last, so that it wins; the slot at hand came with earlier beats
                    m.d.sync += self.error.eq(ErrorCode.READ_PROG)
                    m.next = "HALT"
                with m.If(self.halt):
                    m.next = "HALT"
            with m.State("END"):
                m.d.comb += gearbox.clear.eq(1)
                with m.If(~dma.busy & empty & self.idle_in):
                    with m.If(self.residual):
                        m.d.sync += self.error.eq(ErrorCode.RESIDUAL)
                        m.next = "HALT"
                    with m.Else():
                        m.d.comb += self.done.eq(1)
                        m.next = "IDLE"
            with m.State("HALT"):
                m.d.comb += gearbox.clear.eq(1)
        m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
        return m
