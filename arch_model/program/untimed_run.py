"""A Program executed once, untimed: does it end, and what must be over when each command starts?

Maximal progress through queues and tokens. Whether a Program hangs does not depend on how fast the units are, because
each executes in order and they talk through queues and token counters alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.errors import FastSwitchError
from arch_model.machine.microarchitecture import QUEUE_DEPTH, TOKENS, TOKENS_BITS
from arch_model.program.isa import UNITS, Command, Opcode

ACT, WGT, FEED, RUN, DRAIN, READ, STORE, KEPT = range(8)
"""Components of a clock, each the number of commands (of repetitions for FEED, RUN and DRAIN) that are over: loads
complete; weights read; SB read; outputs written and ZSB entries read; output side read; results in DRAM; results in the
SB."""

Clock = npt.NDArray[np.int64]


class ProgramError(FastSwitchError):
    """A Program that would hang, lose a token or overwrite what is in use: a defect of the mapper."""


@dataclass
class Node:
    """A command in one unit's queue.

    Attributes
    ----------
    command : what is executed.
    number : in the Program.
    index : among the unit's commands.
    reps_end : repetitions of the unit up to the command's end.
    start : what must be over when it starts; None before that is known.
    """

    command: Command
    number: int
    index: int
    reps_end: int = 0
    start: Clock | None = None


class _Tokens:
    """One token: the clocks of the signals that nobody has waited for yet."""

    def __init__(self, name: str) -> None:
        self.name, self.clocks = name, deque[Clock]()


class UntimedRun:
    """Maximal progress through queues (``QUEUE_DEPTH`` commands, the one being executed included) and tokens."""

    def __init__(self, commands: tuple[Command, ...]) -> None:
        self.tokens = {name: _Tokens(name) for name in TOKENS}
        self.nodes: dict[str, list[Node]] = {unit: [] for units in UNITS.values() for unit in units}
        self.order: list[tuple[str, Node]] = []
        if not commands or commands[-1].opcode is not Opcode.END or Opcode.END in [c.opcode for c in commands[:-1]]:
            raise ProgramError("Program: its last command, and no other, must be END")
        reps = 0
        self.dispatch: list[tuple[Command, list[tuple[str, Node]]]] = []
        for number, command in enumerate(commands[:-1]):
            if command.opcode is Opcode.PASS:
                reps += command["reps"]
            entries = []
            for unit in UNITS[command.opcode]:
                node = Node(command, number, len(self.nodes[unit]), reps)
                self.nodes[unit].append(node)
                entries.append((unit, node))
                self.order.append((unit, node))
            self.dispatch.append((command, entries))
        self.clock = {unit: np.zeros(8, np.int64) for unit in self.nodes}
        self.queues: dict[str, deque[Node]] = {unit: deque() for unit in self.nodes}
        self.fed = self.ran = 0  # repetitions: tiles in the shadow so far, passes begun so far
        self.feed_starts: dict[int, Clock] = {}
        self.run_starts: dict[int, Clock] = {}

    def execute(self) -> None:
        """Dispatch and execute every command.

        Raises
        ------
        ProgramError
            Some commands wait for ever, or tokens are left at the end.
        """
        next_command = 0
        while True:
            progress = False
            while next_command < len(self.dispatch):
                _, entries = self.dispatch[next_command]
                if any(len(self.queues[unit]) >= QUEUE_DEPTH for unit, _ in entries):
                    break
                for unit, node in entries:
                    self.queues[unit].append(node)
                next_command += 1
                progress = True
            for unit in self.queues:
                progress |= self._step(unit)
            if not progress:
                break
        stuck = [f"{unit} at command {queue[0].number}" for unit, queue in self.queues.items() if queue]
        if stuck or next_command < len(self.dispatch):
            raise ProgramError(f"Program hangs: {', '.join(stuck)}; FETCH at command {next_command}")
        for token in self.tokens.values():
            if token.clocks:
                raise ProgramError(f"Program ends with {len(token.clocks)} tokens {token.name} left")

    def _acquire(self, clock: Clock, token: str) -> None:
        np.maximum(clock, self.tokens[token].clocks.popleft(), out=clock)

    def _release(self, node: Node, clock: Clock, token: str) -> None:
        self.tokens[token].clocks.append(clock.copy())
        if len(self.tokens[token].clocks) >= 1 << TOKENS_BITS:
            raise ProgramError(f"command {node.number}: more than {(1 << TOKENS_BITS) - 1} tokens {token}")

    def _ready(self, *tokens: tuple[int, str]) -> bool:
        return all(not wait or self.tokens[token].clocks for wait, token in tokens)

    def _step(self, unit: str) -> bool:
        queue = self.queues[unit]
        if not queue:
            return False
        node = queue[0]
        step = {
            "load_act": self._act,
            "load_wgt": self._wgt,
            "feed": self._feed,
            "run": self._run,
            "store": self._store,
        }
        outcome = step[unit](node, self.clock[unit])
        if outcome == "done":
            queue.popleft()
        return outcome != "stuck"

    def _act(self, node: Node, clock: Clock) -> str:
        c = node.command
        if not self._ready((c["wait_free"], "sb_free"), (c["wait_stored"], "stored")):
            return "stuck"
        for field, token in (("wait_free", "sb_free"), ("wait_stored", "stored")):
            if c[field]:
                self._acquire(clock, token)
        node.start = clock.copy()
        clock[ACT] = node.index + 1
        if c["signal_full"]:
            self._release(node, clock, "sb_full")
        if c["signal_loaded"]:
            self._release(node, clock, "loaded")
        return "done"

    def _wgt(self, node: Node, clock: Clock) -> str:
        c = node.command
        if not self._ready((c["wait_free"], "w_free")):
            return "stuck"
        if c["wait_free"]:
            self._acquire(clock, "w_free")
        node.start = clock.copy()
        clock[WGT] = node.index + 1
        if c["signal_full"]:
            self._release(node, clock, "w_full")
        return "done"

    def _feed(self, node: Node, clock: Clock) -> str:
        """One repetition: its words go to the shadow once RUN has begun the pass before."""
        c = node.command
        first = self.fed == node.reps_end - c["reps"]
        if self.fed > self.ran:
            return "stuck"  # the shadow is full
        if first and node.start is None:
            if not self._ready((c["wait_weights"], "w_full")):
                return "stuck"
            if c["wait_weights"]:
                self._acquire(clock, "w_full")
        if self.fed and self.fed - 1 in self.run_starts:
            np.maximum(clock, self.run_starts.pop(self.fed - 1), out=clock)  # RUN began pass fed - 1
        # RUN has then left the pass before that one, and the pipeline has drained of the pass before that again.
        clock[RUN] = max(clock[RUN], self.fed - 1)
        clock[DRAIN] = max(clock[DRAIN], self.fed - 2)
        if first:
            node.start = clock.copy()
        self.feed_starts[self.fed] = clock.copy()
        self.fed += 1
        clock[FEED] = self.fed
        if self.fed < node.reps_end:
            return "more"
        if c["signal_weights"]:
            self._release(node, clock, "w_free")
        return "done"

    def _run(self, node: Node, clock: Clock) -> str:
        c = node.command
        first = self.ran == node.reps_end - c["reps"]
        if node.start is None:
            waits = ("wait_sb", "sb_full"), ("wait_out", "out_free"), ("wait_kept", "kept")
            if not self._ready(*((c[field], token) for field, token in waits)):
                return "stuck"
            for field, token in waits:
                if c[field]:
                    self._acquire(clock, token)
            node.start = clock.copy()
        if self.fed <= self.ran:
            return "stuck"
        np.maximum(clock, self.feed_starts.pop(self.ran), out=clock)
        if first:
            node.start = clock.copy()
        self.run_starts[self.ran] = clock.copy()
        self.ran += 1
        clock[RUN] = self.ran
        if self.ran < node.reps_end:
            return "more"
        if c["signal_sb"]:
            self._release(node, clock, "sb_free")
        if c["signal_out"]:
            drained = clock.copy()
            drained[DRAIN] = self.ran
            self._release(node, drained, "out_full")
        return "done"

    def _store(self, node: Node, clock: Clock) -> str:
        c = node.command
        waits = ("wait_full", "out_full"), ("wait_loaded", "loaded")
        if not self._ready(*((c[field], token) for field, token in waits)):
            return "stuck"
        for field, token in waits:
            if c[field]:
                self._acquire(clock, token)
        node.start = clock.copy()
        clock[READ] = node.index + 1
        if c["signal_free"]:
            self._release(node, clock, "out_free")
        clock[KEPT] = node.index + 1
        if c["signal_kept"]:
            self._release(node, clock, "kept")
        clock[STORE] = node.index + 1
        if c["signal_stored"]:
            self._release(node, clock, "stored")
        return "done"
