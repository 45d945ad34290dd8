"""What tensors in the SB save: nine published networks, all feature maps through DRAM beside those that stay on chip.

    python bench/tensors_on_chip.py [--accelerator zcu104]
    python bench/tensors_on_chip.py --rtl [--accelerator zcu104] [--out DIR]

Whole SubNets as one Program each, mapping policy ``best``. Cycles; bytes through DRAM, and how many there are for each
byte that must come at least once or leave (weights, image and logits); cycles of the array's passes, one after another,
which bound both from below where weights come fast enough. With --rtl every Program with tensors in the SB runs on the
RTL, with seeded random integers: cycles and bytes as counted, wrong int8 values. What is finished in DIR stays.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click
from whole_networks import NETWORKS, SEED

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubNet
from arch_model.spaces import get_space
from mapper.search.policy import map_network
from mapper.search.tensors import Tensors
from sim.cosim.whole_networks import run_whole
from sim.rtl_bench.simulators import find_simulator

COLUMNS = ("dram", "chip", "ratio", "array", "dram MB", "chip MB", "x least", "stay", "seconds")
RTL_COLUMNS = ("predicted", "simulated", "bytes", "as predicted", "wrong", "minutes")


def least_bytes(subnet: SubNet) -> int:
    """Bytes of the weights, the image and the logits, without padding."""
    first, last = subnet.layers[0], subnet.layers[-1]
    return sum(layer.weight_bytes for layer in subnet.weight_layers) + first.C * first.H * first.W + last.K


def heads(name: str, columns: tuple[str, ...]) -> None:
    """The heads of a table."""
    click.echo(f"{name:40}" + "".join(f"{column:>13}" for column in columns))


def predicted(machine: Accelerator) -> None:
    """The model's table."""
    heads("SubNet", COLUMNS)
    for space, name in NETWORKS:
        subnet, begun = get_space(space).subnet(name), time.process_time()
        dram, chip = (map_network(subnet, machine, tensors=tensors) for tensors in Tensors)
        seconds = time.process_time() - begun
        stay = 0 if chip.placement is None else len(chip.placement.regions)
        values = (
            f"{dram.cost.cycles:,}",
            f"{chip.cost.cycles:,}",
            f"{chip.cost.cycles / dram.cost.cycles:.3f}",
            f"{chip.cost.array_cycles:,}",
            f"{dram.cost.dram_bytes / 1e6:.1f}",
            f"{chip.cost.dram_bytes / 1e6:.1f}",
            f"{chip.cost.dram_bytes / least_bytes(subnet):.2f}",
            str(stay),
            f"{seconds:.1f}",
        )
        click.echo(f"{name:40}" + "".join(f"{value:>13}" for value in values))


def simulated(machine: Accelerator, folder: Path) -> None:
    """The RTL's table."""
    heads("SubNet", RTL_COLUMNS)
    simulator = find_simulator()
    for space, name in NETWORKS:
        subnet, begun = get_space(space).subnet(name), time.monotonic()
        (row,) = run_whole(
            machine, [subnet], folder / name, seed=SEED, simulator=simulator, tensors=Tensors.CHIP,
            on_row=lambda row: None,
        )  # fmt: skip
        values = (
            f"{row['predicted_cycles']:,}",
            f"{row['simulated_cycles']:,}",
            f"{row['simulated_dram_bytes']:,}",
            "yes" if row["predicted_dram_bytes"] == row["simulated_dram_bytes"] else "no",
            str(row["mismatches"]),
            f"{(time.monotonic() - begun) / 60:.1f}",
        )
        click.echo(f"{name:40}" + "".join(f"{value:>13}" for value in values))


@click.command()
@click.option("--accelerator", default="zcu104", show_default=True)
@click.option("--rtl", is_flag=True, help="Run the Programs on the RTL.")
@click.option("--out", type=Path, help="Where finished simulations stay; without it nowhere.")
def main(accelerator: str, rtl: bool, out: Path | None) -> None:
    """Print a table."""
    machine = Accelerator.load(accelerator)
    click.echo(f"{accelerator} {machine.hash()}, mapping policy best, seed {SEED}")
    if not rtl:
        predicted(machine)
        return
    with tempfile.TemporaryDirectory() as scratch:
        simulated(machine, out or Path(scratch))


if __name__ == "__main__":
    main()
