"""How fast the engine is: machine code made once, then lowering and recurrence of whole SubNets.

    python bench/engine.py [--compile]

``--compile`` removes the machine code that is there and times the first use in a process of its own, imports apart.
Else each row is a SubNet with nothing in the PB, by the quick choice, the best of so many repetitions; beside it the
walk of the compiled Program's commands, which is the specification.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time

import numpy as np

from arch_model.compiled import cache_folder
from arch_model.machine.accelerator import Accelerator
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from arch_model.timing.rows import COUNT, machine_row
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from mapper.lowering.layer_rows import network_rows, tiling_row
from mapper.lowering.network import cycles_of
from mapper.lowering.quick_choice import quick_tiling
from mapper.lowering.rows import new_workspace
from mapper.workload.fusion import steps
from sim.integers.random_integers import random_integers

NETS = (
    ("fashion", "fashion-d222-w444", "tiny"),
    ("ofa-resnet50", "resnet50D_MAC@0.9B", "zcu104"),
    ("ofa-mobilenetv3", "", "zcu104"),
    ("ofa-resnet50", "resnet50D_MAC@0.9B", "u50"),
)
FIRST = """
import time
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from mapper.cost.layer_cost import layer_cost
from mapper.workload.fusion import Step
begin, cpu = time.perf_counter(), time.process_time()
layer_cost(Step(Layer("a", Kind.CONV, K=8, C=8, R=3, S=3, H=8, W=8, padding=1)), Accelerator.load("tiny"))
print(f"{time.perf_counter() - begin:.1f} s, {time.process_time() - cpu:.1f} s of processor")
"""


def row(space: str, name: str, machine: str, repetitions: int) -> str:
    """A row of the table."""
    supernet, accelerator = get_space(space), Accelerator.load(machine)
    subnet = supernet.subnet(name or supernet.names[0])
    order = steps(subnet.layers)
    xs, tensor_rows = network_rows(order, accelerator)
    ts = np.array([tiling_row(quick_tiling(step, accelerator)) for step in order], np.int64)
    w = new_workspace(machine_row(accelerator), 1 << 15, tensor_rows, 1 << 16)
    best = float("inf")
    for _ in range(repetitions):
        begin = time.perf_counter()
        cycles = cycles_of(w, xs, ts)
        best = min(best, time.perf_counter() - begin)
    quant = random_integers(subnet, seed=1).quant
    program = compile_subnet(subnet, supernet, accelerator, quant, MemoryMap.build(supernet, [subnet], accelerator))
    begin = time.perf_counter()
    walked = time_program(program.commands, accelerator).cycles
    walk = time.perf_counter() - begin
    commands, same = int(w[COUNT : COUNT + 4].sum()), "equal" if walked == cycles else f"walk: {walked}"
    return (
        f"| {subnet.name} | {machine} | {len(order)} | {commands} | {cycles} | {same} | {best * 1e6:.0f} | "
        f"{best / len(order) * 1e6:.1f} | {best / commands * 1e9:.0f} | {walk / best:.0f} |"
    )


def main() -> None:
    """See the file's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--repetitions", type=int, default=50)
    given = parser.parse_args()
    if given.compile:
        shutil.rmtree(cache_folder(), ignore_errors=True)
        for when in ("first use", "second use"):
            print(when, end=": ", flush=True)
            subprocess.run([sys.executable, "-c", FIRST], check=True)
        return
    print("| SubNet | machine | steps | commands | cycles | walk | µs | µs a step | ns a command | walk ÷ engine |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for net in NETS:
        print(row(*net, given.repetitions), flush=True)


if __name__ == "__main__":
    main()
