"""FETCH: reads the Program and hands every command to its unit's queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amaranth import Cat, Const, Module, Mux, Signal, Value
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


@dataclass(frozen=True)
class _Dispatch:
    """Where commands come from and where they go, for the states that dispatch them."""

    slot: Value  # what the gearbox offers
    head: Signal  # the first slot of a command of two
    second: Signal  # this slot is such a command's second one
    opcode: Signal  # of the command that this slot ends or belongs to
    queues: Mapping[str, SyncFIFOBuffered]  # by unit
    checks: Mapping[Opcode, CommandCheck]


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

    Raises
    ------
    ValueError
        The bus cannot be built (:func:`rtl.dma_read.check_bus`).

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
        self._check_latencies()
        m.submodules.dma = dma = self._dma
        m.submodules.gearbox = gearbox = Gearbox(self.beat_bytes, SLOT_BYTES, max_pad=0, max_drop=0)
        self._read_slots(m, dma, gearbox)
        slot = gearbox.o.payload
        head, second = Signal(SLOT_BITS), Signal()
        opcode, empty = Signal(OPCODE_BITS), Signal()
        queues = self._make_queues(m, slot, head)
        to = _Dispatch(slot, head, second, opcode, queues, self._make_checks(m, slot, head))
        m.d.comb += [
            opcode.eq(slot[:OPCODE_BITS]),
            empty.eq(Cat(queue.level for queue in queues.values()) == 0),
        ]
        with m.If(second):
            m.d.comb += opcode.eq(head[:OPCODE_BITS])

        with m.FSM() as fsm:
            with m.State("IDLE"):
                self._wait_for_start(m, dma, gearbox, to)
            with m.State("RUN"):
                self._dispatch_slots(m, dma, gearbox, to)
            with m.State("END"):
                self._end_program(m, gearbox, drained=~dma.busy & empty & self.idle_in)
            with m.State("HALT"):
                m.d.comb += gearbox.clear.eq(1)
        m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
        return m

    def _check_latencies(self) -> None:
        """Refuse components whose stages are not those that the model counts."""
        bus = {"beat_bytes": self.beat_bytes, "max_burst": self.max_burst}
        check_latency("DMA_ADDRESS", DMA_ADDRESS, DmaRead, "request.payload", "axi.araddr", **bus)
        check_latency("GEARBOX", GEARBOX, Gearbox, "i.valid", "o.valid", in_bytes=self.beat_bytes, out_bytes=SLOT_BYTES)
        check_latency("FIFO", FIFO, SyncFIFOBuffered, "w_data", "r_data", width=1, depth=QUEUE_DEPTH)

    def _read_slots(self, m: Module, dma: DmaRead, gearbox: Gearbox) -> None:
        """The Program's beats, cut into slots."""
        connect(m, dma.axi, flipped(self.axi))
        m.d.comb += [
            *ask(dma.request.payload, addr=self.prog_addr, runs=Const(1), run_beats=self.prog_beats),
            gearbox.i.payload.data.eq(dma.data.payload),
            gearbox.i.valid.eq(dma.data.valid),
            dma.data.ready.eq(gearbox.i.ready),
            self.last.eq(dma.last),
            self.beats.eq(dma.beats),
        ]

    def _make_queues(self, m: Module, slot: Value, head: Signal) -> dict[str, SyncFIFOBuffered]:
        """A queue for each unit, whose input is always the command that this slot would complete."""
        queues = {}
        for name, opcode in QUEUES.items():
            queue = SyncFIFOBuffered(width=SLOTS[opcode] * SLOT_BITS, depth=QUEUE_DEPTH)
            queues[name] = m.submodules[f"{name}_queue"] = queue
            port = getattr(self, name)
            m.d.comb += [
                queue.w_data.eq(_command(opcode, slot, head)),
                port.payload.as_value().eq(queue.r_data),
                port.valid.eq(queue.r_rdy),
                queue.r_en.eq(port.ready),
            ]
        return queues

    def _make_checks(self, m: Module, slot: Value, head: Signal) -> dict[Opcode, CommandCheck]:
        """For each kind of command: whether the one that this slot would complete keeps the limits."""
        checks = {}
        for op in dict.fromkeys(QUEUES.values()):
            checks[op] = m.submodules[f"check_{op.name.lower()}"] = CommandCheck(op, self.limits)
            m.d.comb += checks[op].command.as_value().eq(_command(op, slot, head))
        return checks

    def _wait_for_start(self, m: Module, dma: DmaRead, gearbox: Gearbox, to: _Dispatch) -> None:
        """IDLE: ask for the Program when software starts the machine."""
        starts = self.start & ~self.misaligned
        m.d.comb += [gearbox.clear.eq(1), dma.request.valid.eq(starts & (self.prog_beats != 0))]
        with m.If(starts):
            m.d.sync += to.second.eq(0)
            m.next = "RUN"
        with m.Elif(self.start):
            self._stop(m, ErrorCode.UNALIGNED)

    def _dispatch_slots(self, m: Module, dma: DmaRead, gearbox: Gearbox, to: _Dispatch) -> None:
        """RUN: a slot a cycle into its command's queues, until END or an error."""
        with m.If(gearbox.o.valid):
            with m.Switch(to.opcode):
                with m.Case(Opcode.END):
                    m.d.comb += [gearbox.o.ready.eq(1), self.commands.eq(1)]
                    m.next = "END"
                for op in dict.fromkeys(QUEUES.values()):
                    with m.Case(op):
                        if SLOTS[op] == 1:
                            self._dispatch(m, gearbox, to, op)
                        else:
                            with m.If(to.second):
                                self._dispatch(m, gearbox, to, op)
                                with m.If(self.commands):
                                    m.d.sync += to.second.eq(0)
                            with m.Else():
                                m.d.comb += gearbox.o.ready.eq(1)
                                m.d.sync += [to.head.eq(to.slot), to.second.eq(1)]
                with m.Default():
                    self._stop(m, ErrorCode.OPCODE)
        with m.Elif(~dma.busy):
            self._stop(m, ErrorCode.NO_END)
        with m.If(dma.error):  # last, so that it wins; the slot that is there came with earlier beats
            self._stop(m, ErrorCode.READ_PROG)
        with m.If(self.halt):
            m.next = "HALT"

    def _dispatch(self, m: Module, gearbox: Gearbox, to: _Dispatch, op: Opcode) -> None:
        """Put the command into all its queues when every one has room; stop at one that breaks a limit."""
        targets = [to.queues[name] for name, target in QUEUES.items() if target == op]
        check = to.checks[op]
        legal = ~(check.unaligned | check.out_of_range)
        room = Cat(queue.w_rdy for queue in targets).all() & legal
        with m.If(~legal):
            self._stop(m, Mux(check.unaligned, ErrorCode.UNALIGNED, ErrorCode.RANGE))
        m.d.comb += [gearbox.o.ready.eq(room), self.commands.eq(gearbox.o.valid & room)]
        for queue in targets:
            m.d.comb += queue.w_en.eq(gearbox.o.valid & room)

    def _end_program(self, m: Module, gearbox: Gearbox, *, drained: Value) -> None:
        """END: wait until all work is done; what the Program leaves behind is an error."""
        m.d.comb += gearbox.clear.eq(1)
        with m.If(drained):
            with m.If(self.residual):
                self._stop(m, ErrorCode.RESIDUAL)
            with m.Else():
                m.d.comb += self.done.eq(1)
                m.next = "IDLE"

    def _stop(self, m: Module, error: ErrorCode | Value) -> None:
        """Say why, and dispatch nothing more until a reset."""
        m.d.sync += self.error.eq(error)
        m.next = "HALT"


def _command(opcode: Opcode, slot: Value, head: Signal) -> Value:
    """The command that a slot completes: itself, or the second half of one that began with ``head``."""
    return slot if SLOTS[opcode] == 1 else Cat(head, slot)
