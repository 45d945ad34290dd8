"""One layer through ZigZag's own search, on a weight-stationary array like ours (16 filters x 9 channels x 9).

The buffers are ours by size: weights in the DB, inputs in the SB, partial sums in an OB of the size of the output side
and OB together, all as wide as the array asks; DRAM moves 96 bytes a cycle for all. Access energies do not matter: the
search is for latency. Needs `pip install zigzag-dse six`; written for 3.9.1.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import yaml

from arch_model.network.layer import Layer

DRAM_BITS = 96 * 8


def _memory(bytes_: int, operands: str, bits: int, served: list[str], shared: bool = False) -> dict[str, Any]:
    """A memory with a port for reading and one for writing, or with one for both."""
    ways = {"I1": ("fh", "tl"), "I2": ("fh", "tl"), "O": ("fh", "tl", "fl", "th")}
    uses = [(operand, way) for operand in operands.split() for way in ways[operand]]
    if shared:
        ports = [("rw_port_1", "read_write", uses)]
    else:
        ports = [
            ("r_port_1", "read", [(operand, way) for operand, way in uses if way[0] == "t"]),
            ("w_port_1", "write", [(operand, way) for operand, way in uses if way[0] == "f"]),
        ]
    return {
        "size": 8 * bytes_,
        "r_cost": 1.0,
        "w_cost": 1.0,
        "area": 0,
        "latency": 1,
        "operands": operands.split(),
        "ports": [
            {
                "name": name,
                "type": kind,
                "bandwidth_min": 8 if bits < 64 else 64,
                "bandwidth_max": bits,
                "allocation": [f"{operand}, {way}" for operand, way in allocation],
            }
            for name, kind, allocation in ports
        ],
        "served_dimensions": served,
    }


def hardware() -> dict[str, Any]:
    """The machine as ZigZag describes it."""
    dims = ["D1", "D2", "D3"]
    weight = _memory(2, "I2", 8, [])  # the weight at work and the next one
    total = _memory(4, "O", 32, ["D2", "D3"])
    for port in list(total["ports"]):  # below and above at once
        kept, moved = port["allocation"]
        total["ports"].append(port | {"name": port["name"].replace("_1", "_2"), "allocation": [moved]})
        port["allocation"] = [kept]
    return {
        "name": "peers",
        "memories": {
            "weight": weight,
            "total": total,
            "db": _memory(331_776, "I2", 8 * 1296, dims),
            "sb": _memory(663_552, "I1", 8 * 81, dims),
            "ob": _memory(397_312, "O", 8 * 4 * 16, dims),
            "dram": _memory(2**31, "I1 I2 O", DRAM_BITS, dims, shared=True),
        },
        "operational_array": {"unit_energy": 1.0, "unit_area": 1, "dimensions": dims, "sizes": [16, 9, 9]},
    }


def mapping(layer: Layer) -> list[dict[str, Any]]:
    """Which loop each dimension of the array unrolls: K, C, and the taps or, without taps, more of C."""
    channels, taps = 9, ["FX, 3", "FY, 3"]
    if layer.R == 1:  # the fewest rounds over C; ZigZag takes no more channels than the layer has
        pairs = [(a, b) for a in range(1, 10) for b in range(1, 10) if a * b <= layer.C]
        channels, more = min(pairs, key=lambda pair: -(-layer.C // (pair[0] * pair[1])))
        taps = [f"C, {more}"]
    links = {"O": "O", "W": "I2", "I": "I1"}
    spatial = {"D1": ["K, 16"], "D2": [f"C, {channels}"], "D3": taps}
    return [{"name": "default", "spatial_mapping": spatial, "memory_operand_links": links}]


def workload(layer: Layer) -> list[dict[str, Any]]:
    """The layer as ZigZag describes it; padding counts as data that is not fetched."""
    s, pad = layer.stride, layer.padding
    return [
        {
            "id": 0,
            "name": "layer",
            "operator_type": "Conv",
            "equation": "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]",
            "dimension_relations": [f"ix={s}*ox+1*fx", f"iy={s}*oy+1*fy"],
            "loop_dims": ["B", "G", "K", "C", "OY", "OX", "FY", "FX"],
            "loop_sizes": [1, 1, layer.K, layer.C, layer.P, layer.Q, layer.R, layer.S],
            "operand_precision": {"W": 8, "I": 8, "O": 32, "O_final": 8},
            "operand_source": {"W": 0, "I": 0},
            "pr_loop_dims": ["IX", "IY"],
            "pr_loop_sizes": [layer.W, layer.H],
            "padding": [[pad, pad], [pad, pad]],
        }
    ]


def best_cycles(layer: Layer, folder: Path) -> int:
    """Cycles of the best mapping that ZigZag finds (default search, for latency). ``folder``: for its files."""
    from zigzag.api import get_hardware_performance_zigzag

    paths = {}
    for name, content in (("hardware", hardware()), ("mapping", mapping(layer)), ("workload", workload(layer))):
        paths[name] = folder / f"{name}.yaml"
        paths[name].write_text(yaml.safe_dump(content, sort_keys=False))
    logging.disable(logging.INFO)
    try:
        _, latency, _ = get_hardware_performance_zigzag(
            str(paths["workload"]),
            str(paths["hardware"]),
            str(paths["mapping"]),
            opt="latency",
            dump_folder=str(folder / "out"),
            loma_show_progress_bar=False,
        )
    finally:
        logging.disable(logging.NOTSET)
    return round(latency)
