"""Every key of an Accelerator file as a table, for the documentation: what it counts, its range, its format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from arch_model.machine.accelerator import Accelerator
from arch_model.machine.description import FORMAT
from arch_model.machine.technology import Table

MEANINGS: Mapping[str, str] = {
    "name": "appears in every result",
    "array.kp": "KP: filters (output channels) that the array works on at once",
    "array.cp": "CP: input channels; the array has 9·KP·CP multipliers",
    "array.dsp_packing": "two filters share a wide multiplier of an FPGA; the results and the cycles are the same",
    "clock_hz": "the clock",
    "buffers.pb_bytes": "Persistent Buffer: the cached SubGraph",
    "buffers.db_bytes": "Dynamic Buffer (double buffer, both halves): the other weights",
    "buffers.sb_bytes": "Streaming Buffer (double buffer, both halves): input activations",
    "buffers.ob_bytes": "Output Buffer: int32 partial sums, KP for each pixel",
    "buffers.ob_out_bytes": "the Output Buffer's output side (double buffer, both halves): finished int8 results",
    "buffers.zsb_bytes": "zero-point/scale buffer (double buffer, both halves): biases and scales, KP·8 bytes a K-tile",
    "axi.data_bits": "bits of a beat of activations or of results",
    "axi.max_burst": "beats of the longest burst",
    "axi.pixels": "pixels of a row that LOAD_ACT and STORE move in a cycle",
    "axi.stripes": "AXI ports side by side that together carry a beat of activations or of results",
    "axi.weight_stripes": "the same for weights; each port is as wide as one of those",
    "dram.bytes": "size of the memory",
    "dram.latency_cycles": "from an accepted address to its first beat",
    "dram.cycles_per_beat": "one beat every so many cycles, on each port",
    "dram.latency_ns": "instead of `latency_cycles`: the same, whatever the clock",
    "dram.bytes_per_s": "instead of `cycles_per_beat`: what the ports of weights, activations and results get "
    "together, whatever the clock",
    "device": "the FPGA that the machine is built on: `fastswitch rtl` refuses a machine that does not fit, and says "
    "in which RAMs each buffer lies ([a device of one's own](../how-to/handover.md#say-which-device-it-is-for)); "
    "integers and cycles are the same",
    "energy": "replaces rows of the [energy table](../concepts/energy.md#the-energy-table)",
    "area": "replaces rows of the [area table](../concepts/energy.md#asic-area)",
}
"""What each key counts."""


def keys(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key of a description, those in sections by their path; tables of energy and area are one key.

    Parameters
    ----------
    model : the description's class.
    before : path of the section that it is, with its dot.

    Yields
    ------
    path, field
    """
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and not issubclass(kind, Table):
            yield from keys(kind, f"{before}{name}.")
        else:
            yield f"{before}{name}", info


def key_table() -> str:
    """The keys of an Accelerator file as a Markdown table.

    >>> print(key_table().splitlines()[2])
    | `format` | format of this file | 1 to 2 | 2 | |
    """
    rows = ["| key | meaning | unit, range | if it is left out | since format |", "|---|---|---|---|---|"]
    rows.append(f"| `format` | format of this file | 1 to {FORMAT} | {FORMAT} | |")
    for path, info in keys(Accelerator):
        since = "2" if path in Accelerator.SINCE_2 else "1"
        rows.append(f"| `{path}` | {MEANINGS[path]} | {info.description} | {_default(path, info)} | {since} |")
    return "\n".join(rows)


def _default(path: str, info: FieldInfo) -> str:
    if path.startswith("dram.") and path != "dram.bytes":
        return "the other form"
    if info.is_required():
        return "an error"
    if info.default_factory is not None:
        return "the shipped table"
    if path == "device":
        return "none"
    return "as `stripes`" if info.default is None else str(info.default).lower()
