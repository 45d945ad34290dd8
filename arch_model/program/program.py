"""The Program: the commands that the hardware executes, where its tensors are, and the bytes that it moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from arch_model.machine.accelerator import Accelerator
from arch_model.program.isa import Command, Opcode

PORTS = ("prog", "wgt", "act", "b", "out")
"""What ``Program.dram_bytes`` counts: the four AXI ports, ``m_axi_out`` by its two directions."""


@dataclass(frozen=True)
class TensorPlace:
    """Where an int8 tensor lies in DRAM.

    Attributes
    ----------
    address : of its first byte.
    C, H, W : its shape.
    pitch : bytes from one row of a channel group to the next.
    folded : whether several pixels share a word.
    """

    address: int
    C: int
    H: int
    W: int
    pitch: int
    folded: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.C, self.H, self.W

    @property
    def group_bytes(self) -> int:
        """Bytes of one channel group."""
        return self.H * self.pitch


@dataclass(frozen=True)
class LayerSpan:
    """A layer's part of a Program.

    Its loads may stand before ``first``, and the next layer's among its own.

    Attributes
    ----------
    name : of the layer.
    first : number of its first PASS, or of a pool's STORE.
    last : number of its last STORE.
    tensor : what it writes: the layer's own output or, if an add is fused into its STORE, the add's.
    """

    name: str
    first: int
    last: int
    tensor: str


@dataclass(frozen=True, eq=False)
class Program:
    """One compiled SubNet, immutable.

    Attributes
    ----------
    name : the SubNet's.
    accelerator : what it is compiled for.
    address : of the Program in DRAM.
    commands : in order; the last one is END.
    owners : for each command the index in ``layers`` that it works for; -1 for END and for tiles that only a switch of
        the PB loads.
    layers : in order of execution.
    tensors : where each tensor is, by layer name, the image as "input".
    zsb : DRAM address of each weight layer's ZSB entries.
    pb_hit_bytes : bytes of weight tiles (padded as in DRAM) not fetched thanks to the PB: what this SubNet's Program
        fetches with an empty PB, a tile counted each time it comes, less what this Program fetches for its own
        passes, be it to the DB or, in a switch, to the PB. Tiles only for later queries count in neither.
    weight_bytes : addresses below are of weights, over their stripes; from there on of tensors, over theirs.
    switch_bytes : bytes of tiles loaded only for later queries, at the end of a Program with a switch.
    on_chip : names of the tensors that live in the SB alone; their places in DRAM are not written.

    >>> import numpy as np
    >>> from arch_model.network.layer import Kind, Layer
    >>> from arch_model.network.weights import ConvQuant
    >>> from mapper.lowering.compile import compile_layer
    >>> layer = Layer("conv", Kind.CONV, K=2, C=3, R=3, S=3, H=4, W=4, padding=1)
    >>> quant = ConvQuant(*np.zeros((3, 2), np.int32), z_in=0, z_out=0, lo=-128, hi=127)
    >>> program, _ = compile_layer(layer, Accelerator.load("tiny"), quant)
    >>> [command.opcode.name for command in program.commands]
    ['LOAD_ACT', 'LOAD_WGT', 'LOAD_WGT', 'PASS', 'STORE', 'END']
    """

    name: str
    accelerator: Accelerator
    address: int
    commands: tuple[Command, ...]
    owners: tuple[int, ...]
    layers: tuple[LayerSpan, ...]
    tensors: Mapping[str, TensorPlace]
    zsb: Mapping[str, int] = field(default_factory=dict)
    weight_bytes: int = 0
    pb_hit_bytes: int = 0
    switch_bytes: int = 0
    on_chip: frozenset[str] = frozenset()

    @cached_property
    def encoded(self) -> bytes:
        """The commands as bytes, zeros (END) up to a whole beat."""
        data = b"".join(command.encode() for command in self.commands)
        return data + bytes(-len(data) % self.accelerator.program_beat_bytes)

    def encode(self) -> bytes:
        """What the host writes to DRAM at ``address``."""
        return self.encoded

    @property
    def stored(self) -> tuple[str, ...]:
        """Names of the tensors that are in DRAM when the Program has ended, the image too."""
        return tuple(name for name in self.tensors if name not in self.on_chip)

    @property
    def beats(self) -> int:
        """Length in beats, for the register PROG_BEATS."""
        return len(self.encoded) // self.accelerator.program_beat_bytes

    @cached_property
    def dram_bytes(self) -> Mapping[str, int]:
        """Exact DRAM bytes by port (:data:`PORTS`): beats times their bytes over all commands."""
        beats = dict.fromkeys(PORTS, 0)
        for c in self.commands:
            if c.opcode is Opcode.LOAD_WGT:
                beats["wgt"] += c["runs"] * c["run_beats"]
            elif c.opcode is Opcode.LOAD_ACT:
                beats["act"] += c["groups"] * c["run_beats"]
            elif c.opcode is Opcode.STORE:
                beats["out"] += c["groups"] * c["run_beats"]
                beats["b"] += c["groups"] * c["b_run_beats"] if c["use_b"] else 0
        a = self.accelerator
        size = dict.fromkeys(PORTS, a.beat_bytes) | {"wgt": a.weight_beat_bytes}
        return {port: n * size[port] for port, n in beats.items()} | {"prog": len(self.encoded)}
