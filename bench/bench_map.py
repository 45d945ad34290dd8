"""Five ResNet-50 layers: our mapper beside the peers' figures, on one array, clock and bandwidth (bench/peers.yaml).

    python bench/bench_map.py [--zigzag] [--repeat 5]

Prints a Markdown table: the tile bound (passes over whole tiles, one pixel a cycle), our optimum and its certificate,
and what ZigZag 3.9.1 and AccelForge 1.0.467 reach by the best of their searches, measured on a 2-core machine (wall
times there ±2x). ``--zigzag`` runs ZigZag in this process too, where `pip install zigzag-dse six` has been done.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from arch_model import Accelerator, get_space
from mapper.search.optimise import Mapping, optimise, optimise_subnet
from mapper.workload.layer_text import parse_layer

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """A layer, and (cycles, seconds) of the peers' best mappings of it."""

    layer: str
    zigzag: tuple[int, float]
    accelforge: tuple[int, float]


PEERS = (
    Peer("K=64 C=64 R=3 S=3 H=56 W=56", (105_731, 10.6), (100_352, 42.0)),
    Peer("K=256 C=64 H=56 W=56", (165_424, 0.7), (50_176, 2.5)),
    Peer("K=128 C=128 R=3 S=3 H=56 W=56 stride=2", (95_691, 11.4), (100_352, 45.0)),
    Peer("K=512 C=512 R=3 S=3 H=7 W=7", (90_538, 7.0), (100_352, 21.0)),
    Peer("K=2048 C=512 H=7 W=7", (45_826, 0.7), (43_395, 5.3)),
)


def measure(text: str, accelerator: Accelerator, repeat: int) -> tuple[Mapping, float]:
    """The best mapping, and the least CPU seconds of some searches: other people use this machine too."""
    found, seconds = optimise(parse_layer(text), accelerator), float("inf")
    for _ in range(repeat):
        begin = time.process_time()
        found = optimise(parse_layer(text), accelerator)
        seconds = min(seconds, time.process_time() - begin)
    return found, seconds


def row(peer: Peer, best: Mapping, seconds: float) -> str:
    """One line of the table."""
    c, least = best.certificate, min(peer.zigzag[0], peer.accelforge[0])
    pruned = " + ".join(f"{count} by {name}" for name, count in c.pruned.items() if count)
    prog = best.walk.activity["dram.prog"] / best.cycles
    cells = (
        peer.layer,
        f"{c.tile_bound:,}",
        f"{best.cycles:,}",
        f"{best.cycles / c.tile_bound - 1:+.2%}",
        f"{best.cycles / least - 1:+.2%}",
        f"{peer.zigzag[0]:,} ({peer.zigzag[1]} s)",
        f"{peer.accelforge[0]:,} ({peer.accelforge[1]} s)",
        f"{1000 * seconds:.1f}",
        f"{c.space} = {c.evaluated} evaluated + {pruned}",
        f"{c.lower_bound:,.0f} ({c.gap:.2%})",
        best.bound,
        f"{prog:.2f}",
    )
    return "| " + " | ".join(cells) + " |"


def subnet_line(accelerator: Accelerator, repeat: int) -> str:
    """Each layer of a whole SubNet: the largest of the six published ones."""
    space = get_space("ofa-resnet50")
    subnet, seconds = space.subnet(space.subnet_names()[-1]), float("inf")
    for _ in range(repeat):
        begin = time.process_time()
        found = optimise_subnet(subnet, space, accelerator)
        seconds = min(seconds, time.process_time() - begin)
    unlike = {id(m.certificate): m.certificate for m in found.values()}.values()
    return (
        f"{subnet.name} on {accelerator.name}: {len(found)} layers, {len(unlike)} unlike, "
        f"{sum(c.space for c in unlike):,} mappings of which {sum(c.evaluated for c in unlike)} evaluated, "
        f"{1000 * seconds:.0f} ms (CPU); a layer {1000 * median(c.seconds for c in unlike):.1f} ms (median), "
        f"{1000 * max(c.seconds for c in unlike):.1f} ms (the longest)"
    )


HEADINGS = (
    *("layer", "tile bound", "ours", "over the bound", "against the best peer", "ZigZag", "AccelForge", "ms (CPU)"),
    *("certificate: mappings", "lower bound (gap)", "bound by", "program B/cycle"),
)


def run_zigzag(ours: dict[str, tuple[Mapping, float]]) -> None:
    """Run ZigZag's own search on the same layers and array, if it can be imported, and print it beside ours."""
    if importlib.util.find_spec("zigzag") is None:
        print("\nZigZag is not installed here (pip install zigzag-dse six); its figures above are those of the table.")
        return
    from zigzag_run import best_cycles

    print(f"\nBoth in this run, ZigZag {importlib.metadata.version('zigzag-dse')}; CPU seconds:\n")
    print("| layer | ours | ZigZag | ours against it | our search | its search |\n|" + "---|" * 6)
    for text, (best, seconds) in ours.items():
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            cycles = best_cycles(parse_layer(text), Path(folder))
        against, took = best.cycles / cycles - 1, time.process_time() - begin
        cells = text, f"{best.cycles:,}", f"{cycles:,}", f"{against:+.2%}", f"{seconds:.4f} s", f"{took:.1f} s"
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zigzag", action="store_true", help="run ZigZag in this process too")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="searches of which the fastest counts")
    options = parser.parse_args()
    accelerator = Accelerator.load(HERE / "peers.yaml")
    print(f"accelerator {accelerator.name}, hash {accelerator.hash()}, load average {os.getloadavg()[0]:.1f}\n")
    print("| " + " | ".join(HEADINGS) + " |\n|" + "---|" * len(HEADINGS))
    ours = {}
    for peer in PEERS:
        ours[peer.layer] = measure(peer.layer, accelerator, options.repeat)
        print(row(peer, *ours[peer.layer]), flush=True)
    print("\n" + subnet_line(Accelerator.load("zcu104"), options.repeat))
    if options.zigzag:
        run_zigzag(ours)


if __name__ == "__main__":
    main()
