"""Synthesise random machines, fit the estimate of FPGA resources on some of them, and compare it with the others.

    pip install 'fastswitch[synth]'
    python bench/fit_resources.py            # synthesise what is not in bench/synthesised.csv yet, fit, compare
    python bench/fit_resources.py --again    # throw that file away first: after a change of the RTL
    python bench/fit_resources.py --offline  # fit and compare on what the file has

Half an hour on two cores. Every finished machine is kept in the file, so an interrupted run goes on. The fit writes
arch_model/data/resources_xcup.yaml; ``arch_model/cost/rtl_structure.py`` has the formulas.
"""

from __future__ import annotations

import random
import tempfile
import time
from contextlib import suppress
from math import gcd, lcm
from pathlib import Path

import click
import numpy as np
import pandas as pd
import yaml
from scipy.optimize import nnls

from arch_model.cost.resources import COEFFICIENTS, Coefficients, estimate, fpga_resources
from arch_model.cost.rtl_structure import Part, parts
from arch_model.errors import AcceleratorError
from arch_model.machine.accelerator import Accelerator
from rtl.synth import synthesise
from rtl.synth.cells import COLUMNS, TARGETS

SYNTHESISED = Path(__file__).parent / "synthesised.csv"
SEED, MACHINES = 7, 16
FITTED = (0, 2, 6, 9, 12)
"""Together they have every option: packed filters, 1, 2 and 4 stripes and pixels."""
LARGEST = 36
"""DPEs, and bytes of a word of LOAD_ACT and STORE, of a machine: half an hour is enough for all."""
ROLES = ("fitted", "held out")
COMPARED = ("luts", "lutram", "ffs", "dsps", "bram36")
MEMORIES = {
    *("pb", "db", "zsb", "compute.accumulator.ob", "compute.sb.part", "compute.out.part", "compute.requantiser.tables"),
    "top",
}
START = time.monotonic()
SHAPE = ("kp", "cp", "beat", "stripes", "pixels", "packed", "pb", "db", "sb", "ob", "ob_out", "zsb")


def machines() -> list[Accelerator]:
    """Random legal machines, the same ones every time; those numbered in FITTED are fitted on, others held out."""
    rng = random.Random(SEED)
    made: list[Accelerator] = []
    while len(made) < MACHINES:
        shape = {
            "kp": rng.choice((1, 2, 3, 4, 4, 6, 8, 8, 12)),
            "cp": rng.choice((1, 2, 3, 4, 5, 6, 8, 9)),
            "beat": rng.choice((4, 8, 16, 32)),
            "stripes": rng.choice((1, 1, 2, 4)),
            "pixels": rng.choice((1, 1, 2, 4)),
            "packed": rng.choice((0, 0, 1)),
            **{name: rng.choice((1, 2, 4)) for name in ("pb", "db", "sb", "ob", "ob_out", "zsb")},
        }
        if max(shape["kp"], shape["pixels"]) * shape["cp"] > LARGEST:
            continue
        with suppress(AcceleratorError):
            made.append(machine_of(shape))
    return made


def machine_of(shape: dict[str, int]) -> Accelerator:
    """The machine of a row of the file; buffers are multiples of small sizes. Raises AcceleratorError."""
    kp, cp = shape["kp"], shape["cp"]
    tile, nb = 9 * kp * cp, -(-(kp + cp - gcd(kp, cp)) // cp)
    chunk = -(-lcm(kp, cp) // cp // nb)
    return Accelerator(
        name="-".join(str(shape[name]) for name in SHAPE),
        array={"kp": kp, "cp": cp, "dsp_packing": bool(shape["packed"])},
        clock_hz=1e8,
        buffers={
            "pb_bytes": 24 * shape["pb"] * tile,
            "db_bytes": 16 * shape["db"] * tile,
            "sb_bytes": 18 * cp * 400 * shape["sb"],
            "ob_bytes": 4 * kp * 200 * shape["ob"],
            "ob_out_bytes": 2 * nb * cp * 300 * max(chunk // 300 + 1, shape["ob_out"]),
            "zsb_bytes": 16 * kp * 32 * shape["zsb"],
        },
        axi={"data_bits": 8 * shape["beat"], "max_burst": 16, "stripes": shape["stripes"], "pixels": shape["pixels"]},
        dram={"bytes": 1 << 22, "latency_cycles": 24, "cycles_per_beat": 1},
    )


def synthesised(machine: Accelerator, role: str, folder: Path) -> pd.DataFrame:
    """A row for each part of it, and one for each of its memories."""

    def on_stage(stage: str, done: int, total: int) -> None:
        print(f"  {time.monotonic() - START:6.0f} s  {machine.name}: {stage} {done} of {total}", flush=True)

    result = synthesise(machine, "xilinx", folder / machine.name, on_stage=on_stage)
    rows = [
        {"machine": machine.name, "role": role, "part": part, **{column: counts.get(column, 0) for column in COLUMNS}}
        for part, counts in result.parts.items()
    ]
    return pd.DataFrame(rows).assign(yosys=result.tool)


def fitted(measured: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Coefficients of every kind of part, none negative: least squares, a part's weight falls with its size."""
    by_kind: dict[str, list[tuple[Part, pd.Series]]] = {}
    for name, rows in measured.groupby("machine"):
        known = {part.path: part for part in parts(machine_of(shape_of(str(name))))}
        for _, row in rows.iterrows():
            if row.part in known:
                by_kind.setdefault(known[row.part].kind, []).append((known[row.part], row))
    table: dict[str, dict[str, dict[str, float]]] = {}
    for kind, pairs in sorted(by_kind.items()):
        table[kind] = {}
        for column in ("luts", "ffs"):
            names = list(dict.fromkeys(name for part, _ in pairs for name in getattr(part, column)))
            counts = np.array([[getattr(part, column).get(name, 0.0) for name in names] for part, _ in pairs], float)
            found = np.array([row[column] for _, row in pairs], float)
            weight = 1 / np.sqrt(np.maximum(found, 30.0))
            values, _ = nnls(counts * weight[:, None], found * weight)
            table[kind][column] = {name: float(f"{value:.4g}") for name, value in zip(names, values, strict=True)}
    return table


def compared(measured: pd.DataFrame, table: Coefficients) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Errors of totals by machine, and of parts: role, what was found, and what is estimated."""
    machine_rows, part_rows = [], []
    for name, rows in measured.groupby("machine", sort=False):
        machine = machine_of(shape_of(str(name)))
        total = fpga_resources(machine, table=table).total
        found = rows[list(COLUMNS)].sum().astype(float)
        found["bram36"] += found.bram18 / 2
        errors = {c: f"{found[c]:g} {100 * (getattr(total, c) / max(found[c], 1) - 1):+.1f}%" for c in COMPARED}
        machine_rows.append({"machine": name, "role": rows.role.iloc[0], **errors})
        known = {part.path: part for part in parts(machine)}
        for _, row in rows.iterrows():
            if row.part in known:
                part = known[row.part]
                guess = estimate(part, table)
                part_rows.append(
                    {"kind": part.kind, "part": row.part, "machine": name, "role": row.role, "luts": row.luts,
                     "luts estimated": guess.luts, "ffs": row.ffs, "ffs estimated": guess.ffs}
                )  # fmt: skip
    return pd.DataFrame(machine_rows), pd.DataFrame(part_rows)


def shape_of(name: str) -> dict[str, int]:
    """The row that a machine's name says."""
    return dict(zip(SHAPE, map(int, name.split("-")), strict=True))


@click.command()
@click.option("--again", is_flag=True, help="synthesise every machine anew: the RTL has changed")
@click.option("--offline", is_flag=True, help="synthesise nothing, fit on what bench/synthesised.csv has")
@click.option("--kinds", is_flag=True, help="print every part, too")
def main(again: bool, offline: bool, kinds: bool) -> None:
    """Synthesise, fit, compare; see the top of this file."""
    if again:
        SYNTHESISED.unlink(missing_ok=True)
    if not offline:
        with tempfile.TemporaryDirectory() as folder:
            for number, machine in enumerate(machines()):
                done = set(pd.read_csv(SYNTHESISED).machine) if SYNTHESISED.exists() else set()
                if machine.name not in done:
                    rows = synthesised(machine, ROLES[number not in FITTED], Path(folder))
                    rows.to_csv(SYNTHESISED, mode="a", header=not SYNTHESISED.exists(), index=False)
    measured = pd.read_csv(SYNTHESISED)
    chosen = measured[measured.role == ROLES[0]]
    table = fitted(chosen)
    facts = {
        "by": "bench/fit_resources.py",
        "tool": str(chosen.yosys.iloc[0]),
        "command": TARGETS["xilinx"].command,
        "machines": sorted(set(chosen.machine)),
    }
    COEFFICIENTS.write_text(yaml.safe_dump({"fitted": facts, "kinds": table}, sort_keys=False))
    machines_frame, parts_frame = compared(measured, table)
    if kinds:
        print(parts_frame.sort_values(["kind", "machine"]).to_string(index=False))
    by_kind = parts_frame.groupby(["role", "kind"])[["luts", "luts estimated", "ffs", "ffs estimated"]].sum()
    print(by_kind.to_string(), "\n\n", machines_frame.to_string(index=False), sep="")
    unknown = set(measured.part) - set(parts_frame.part) - MEMORIES
    if unknown:
        print(f"\nparts without a formula in arch_model/cost/rtl_structure.py: {', '.join(sorted(unknown))}")


if __name__ == "__main__":
    main()
