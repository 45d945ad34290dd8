"""One price: the same question asked in every way that there is, and whether the answers are one number.

    python bench/one_price.py [--rtl] [--machines small,zcu104,u50]

Nine SubNets, three machines, an empty Persistent Buffer (PB) and one that holds as much of the SubNet as fits. For each
the cycles and DRAM bytes of its Program by the quick choice: from the compiled commands, walked by the specification
(``compile``); from ``predict --policy quick``; from ``fastswitch.price``; as entries of a latency table (``table``) and
of a serving table (``serve``); as the exact price of a point of ``explore``. And by the policy ``best``: compiled
commands, ``predict`` and ``fastswitch.price``. ``--rtl`` simulates the Programs too (minutes each). Status 1 if any two
answers differ.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import click

import fastswitch as fs
from arch_model.errors import FastSwitchError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.cost.network_costs import NetworkCosts
from mapper.pinning.greedy import fit_subgraph
from mapper.search.predict import predict_subnets
from mapper.serving.latency_table import SushiAbs
from sim.explore.run import explore

Answer = tuple[int, int | None]
"""Cycles, and DRAM bytes where they are told."""

NETWORKS = (
    *(("ofa-resnet50", f"resnet50D_MAC@{macs}B") for macs in ("0.6", "0.9", "1.8", "2.4", "3.7", "4.1")),
    ("ofa-mobilenetv3", "note10_lat-11ms_top1-73.6_finetune-25"),
    ("ofa-mobilenetv3", "pixel1_lat-28ms_top1-73.3_finetune-25"),
    ("ofa-mobilenetv3", "pixel2_lat-50ms_top1-74.7_finetune-25"),
)
SEED = 0


def answers(space: SuperNet, net: SubNet, machine: Accelerator, word: str, policy: str, rtl: bool) -> dict[str, Answer]:
    """What each way says of a SubNet; ``word``: what the PB holds."""
    found: dict[str, Answer] = {}
    held = SubGraph.empty(space) if word == "none" else fit_subgraph(net, space, machine)
    program = fs.compile(space, net, machine, cached=held, policy=policy).program
    cycles = time_program(program.commands, machine).cycles
    found["compile"] = cycles, sum(program.dram_bytes.values())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "held.json"
        file.write_text(json.dumps(held.encode().tolist()))
        _, total = next(iter(predict_subnets([net], machine, str(file), space, policy)))
    found["predict"] = total["cycles"], total["dram_bytes"]
    price = fs.price(space, net, machine, cached=held, policy=policy)
    found["price"] = price.cycles, price.dram_bytes
    if policy == "quick":
        table = SushiAbs.build({net.name: net}, {}, {"held": held}, space, machine)
        found["table"] = int(table.cycles[0, 1]), None
        costs = NetworkCosts(space, machine).of_subgraphs([net], [held])
        found["serve"] = int(costs.cycles[0, 0]), int(costs.dram_bytes[0, 0])
        with tempfile.TemporaryDirectory() as folder:
            one = {"out": folder, "accelerator": machine, "backend": "joblib:1", "cached": word}
            point = explore(space, [net], f"KP={machine.kp}", ("latency",), **one)
        found["explore"] = round(float(point["latency"][0]) * machine.clock_hz), None
    if rtl:
        run = fs.simulate(space, net, machine, cached=held, policy=policy)
        found["RTL"] = run.simulated_cycles, run.simulated_dram_bytes
    return found


def agree(found: dict[str, Answer]) -> bool:
    """Whether all cycles are one number, and all bytes."""
    return len({cycles for cycles, _ in found.values()}) == 1 == len({n for _, n in found.values() if n is not None})


@click.command()
@click.option("--rtl", is_flag=True, help="Simulate each Program, too.")
@click.option("--machines", default="small,zcu104,u50")
@click.option("--networks", default="", help="Only names that contain one of these words, separated by commas.")
def main(rtl: bool, machines: str, networks: str) -> None:
    """Print a row a question."""
    print("| SubNet | machine | PB | policy | ways | cycles | DRAM bytes | one price |")
    print("|---|---|---|---|---|---|---|---|")
    different = 0
    for name, (space_name, net_name) in ((n, pair) for pair in NETWORKS for n in machines.split(",")):
        if networks and not any(word in net_name for word in networks.split(",")):
            continue
        machine, space = Accelerator.load(name), get_space(space_name)
        net = space.subnet(net_name)
        for word in ("none", "fit"):
            for policy in ("quick", "best"):
                start = f"| {net_name.partition('_lat')[0]} | {name} | {word} | {policy} |"
                try:
                    found = answers(space, net, machine, word, policy, rtl)
                except FastSwitchError as error:
                    print(start, f"refused: {error} | | | |", flush=True)
                    continue
                one = agree(found)
                different += not one
                cycles, moved = (f"{found['compile'][i]:,}" for i in (0, 1))
                said = "yes" if one else ", ".join(f"{way} {a[0]:,} {a[1]}" for way, a in found.items())
                print(start, f"{' '.join(found)} | {cycles} | {moved} | {said} |", flush=True)
    print(f"\nquestions with more than one answer: {different}")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
