"""The smoke bench, for any Verilog simulator: Programs, and what memory holds before and after them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arch_model.machine.accelerator import Accelerator
from rtl.handover.templates import fill
from rtl.registers import ADDRESS, REGISTERS

USED = (
    *("CTRL", "STATUS", "IRQ_ENABLE", "IRQ_STATUS", "PROG_ADDR", "PROG_BEATS"),
    *("CYCLES", "BEATS_WGT", "BEATS_ACT", "BEATS_B", "BEATS_OUT"),
)
"""Registers that the bench names."""

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Run:
    """One start of the machine.

    Attributes
    ----------
    title : what it is for.
    address : byte address of its Program on m_axi_prog.
    beats : of the Program.
    cycles : the prediction.
    transfers : beats of weights, activations, operand b and results.
    """

    title: str
    address: int
    beats: int
    cycles: int
    transfers: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Smoke:
    """What the bench runs on a machine, and what must come of it.

    Attributes
    ----------
    accelerator : the machine.
    network : in words.
    runs : in order.
    bases : what the registers of stripes hold.
    before : uint8, the memory that every run starts from.
    after : the same bytes when a run has ended.
    models : Verilog by file name, the memory (module ``dram``) and the module ``machine`` between the bench's vectors
        and the accelerator's ports.
    """

    accelerator: Accelerator
    network: str
    runs: tuple[Run, ...]
    bases: Mapping[str, int]
    before: Bytes
    after: Bytes
    models: Mapping[str, str]

    def files(self) -> dict[str, bytes]:
        """The bench by file name: Verilog, and memory before and after for $readmemh."""
        beat = self.accelerator.port_bytes
        made = {"smoke.v": self._bench(), **self.models}
        made |= {"before.hex": hex_words(self.before, beat), "after.hex": hex_words(self.after, beat)}
        made |= {"smoke.json": self._description()}
        return {name: text.encode() for name, text in made.items()}

    def _description(self) -> str:
        """What the bench runs, for a bench of one's own in any language."""
        runs = [
            {"title": run.title, "address": run.address, "beats": run.beats, "cycles": run.cycles}
            | dict(zip(("beats_wgt", "beats_act", "beats_b", "beats_out"), run.transfers, strict=True))
            for run in self.runs
        ]
        made = {"beat_bytes": self.accelerator.port_bytes, "bytes": len(self.before), "registers": dict(self.bases)}
        return json.dumps(made | {"runs": runs}, indent=2) + "\n"

    def _bench(self) -> str:
        a = self.accelerator
        values = {
            "NAME": a.name,
            "BEAT_BYTES": a.port_bytes,
            "STRIPES": a.stripes,
            "WEIGHTS": a.weight_stripes,
            "DEPTH": len(self.before) // a.port_bytes,
            "LATENCY": a.dram.latency_cycles,
            "CYCLES_PER_BEAT": a.dram.cycles_per_beat,
            "RESETS": "\n".join(
                f'        check_register("{register.name}", 8\'h{register.address:02x}, '
                f"32'h{register.reset_value(a):x});"
                for register in REGISTERS
            ),
            "BASES": "\n".join(
                f"        write_register(8'h{ADDRESS[name]:02x}, {base});  // {name}"
                for name, base in self.bases.items()
            ),
            "RUNS": "\n".join(f"        {self._call(run)}" for run in self.runs),
            "REGISTERS": "\n".join(f"    localparam [7:0] {name} = 8'h{ADDRESS[name]:02x};" for name in USED),
        }
        return fill("smoke.v", values)

    @staticmethod
    def _call(run: Run) -> str:
        numbers = ", ".join(map(str, (run.beats, run.cycles, *run.transfers)))
        return f"run(32'h{run.address:08x}, {numbers});  // {run.title}"


def hex_words(memory: Bytes, beat_bytes: int) -> str:
    """Text for $readmemh: a word a beat, its first byte rightmost; words of 0 are left out.

    Parameters
    ----------
    memory : uint8, whole beats.
    beat_bytes : bytes of a beat.

    Examples
    --------
    >>> print(hex_words(np.array([0, 0, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0], np.uint8), 4), end="")
    @1
    04030201
    00000005
    """
    words = memory.reshape(-1, beat_bytes)
    used = np.flatnonzero(words.any(axis=1))
    lines = []
    last = -2
    for index in used.tolist():
        if index != last + 1:
            lines.append(f"@{index:x}")
        lines.append(words[index, ::-1].tobytes().hex())
        last = index
    return "\n".join(lines) + "\n"
