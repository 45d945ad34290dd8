"""How many files of published sets of layer tables are imported, and how many of these networks are priced whole.

    python bench/import_rates.py [--tables FOLDER] [--accelerator zcu104] [--no-price] [SET ...]

The sets are folders of public repositories, which this project does not carry. Clone those that you want into FOLDER
(by default what the environment variable FASTSWITCH_PUBLISHED_TABLES names); where below it does not matter:

    Timeloop's layer shapes (github Accelergy-Project/timeloop-accelergy-exercises)
    SCALE-Sim's topologies (github scalesim-project/SCALE-Sim and scale-sim-v2)
    ZigZag's workloads (github KULeuven-MICAS/zigzag), inputs/workload
    MAESTRO's models and mappings (github maestro-project/maestro)

One row a set, then each file that is not imported whole, and how often each reason keeps one from being priced. A file
is priced whole if ``predict`` has a cost for every layer. bench/import_rates.md has what it printed.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from arch_model.errors import FastSwitchError
from arch_model.files.published import VARIABLE
from arch_model.machine.accelerator import Accelerator
from mapper.importers import Network, read_network
from mapper.search.predict import predict_subnets, why_no_total

SETS: dict[str, tuple[Callable[[Path], bool], tuple[str, ...]]] = {
    "Timeloop": (lambda path: "layer_shapes" in path.parts and "base" not in path.stem, (".yaml", ".yml")),
    "SCALE-Sim": (lambda path: "topologies" in path.parts, (".csv",)),
    "ZigZag": (lambda path: path.parts[-3:-1] == ("inputs", "workload"), (".yaml", ".onnx")),
    "MAESTRO": (lambda path: True, (".m",)),
}
"""Which files are of a set, and their suffixes."""
SHOWN = 12
"""Reasons for no price that are listed of a set."""


def files_of(folders: list[Path], name: str) -> Iterator[Path]:
    """The files of a set below the folders."""
    belongs, suffixes = SETS[name]
    for folder in folders:
        for suffix in suffixes:
            yield from (path for path in sorted(folder.rglob(f"*{suffix}")) if path.is_file() and belongs(path))


def imported(path: Path) -> tuple[Network | None, str]:
    """The network, whole or without the operators that have no layer; and why not whole."""
    try:
        return read_network(path), ""
    except FastSwitchError as error:
        why = str(error).removeprefix(f"{path}").lstrip(":, ")
    if path.suffix == ".onnx":
        try:
            return read_network(path, skip_unsupported=True), why
        except FastSwitchError:
            pass
    return None, why


@click.command()
@click.option("--tables", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="FOLDER")
@click.option("--accelerator", default="zcu104", show_default=True)
@click.option("--price/--no-price", default=True, help="Whether to price what is imported.")
@click.argument("names", nargs=-1, type=click.Choice(list(SETS)), metavar="[SET ...]")
def main(tables: Path | None, accelerator: str, price: bool, names: tuple[str, ...]) -> None:
    """Print a row for each set, and why files are not in it."""
    folders = [tables] if tables else [Path(one) for one in os.environ.get(VARIABLE, "").split(os.pathsep) if one]
    if not folders:
        raise click.UsageError(f"give --tables FOLDER, or set {VARIABLE} to it")
    machine, failed, unpriced = Accelerator.load(accelerator), [], {}
    print(f"accelerator {accelerator} {machine.hash()}\n")
    print("| set | files | whole | in parts | layers | priced whole | s to read | s to price |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names or SETS:
        whole = parts = priced = layers = count = 0
        reasons: Counter[str] = Counter()
        reading = pricing = 0.0
        for path in files_of(folders, name):
            start = time.perf_counter()
            network, why = imported(path)
            reading += time.perf_counter() - start
            count += 1
            whole, parts = whole + (not why), parts + bool(network and why)
            if why:
                place = next(path.relative_to(folder) for folder in folders if path.is_relative_to(folder))
                failed.append(f"{name}: {place}: {why}")
            if network is None or not price:
                continue
            layers += len(network.subnet.layers)
            start = time.perf_counter()
            ((rows, _),) = predict_subnets([network.subnet], machine)
            pricing += time.perf_counter() - start
            lacking = why_no_total(rows) or why
            priced += not lacking
            if lacking:
                first = re.sub(r"^(layer|node) .*?: ", "", lacking.split("; layer ")[0])
                reasons[re.sub(r"\b\d[\d,]*", "N", first)] += 1
        unpriced[name] = reasons
        cells = (name, count, whole, parts, layers, priced if price else "-", f"{reading:.1f}", f"{pricing:.1f}")
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    print("\nNot imported whole:\n")
    print("\n".join(f"- {line}" for line in failed) or "none")
    if price:
        print(f"\nNot priced whole, by the first layer's reason (at most {SHOWN} of a set):\n")
        for name, reasons in unpriced.items():
            print("\n".join(f"- {name}: {times} × {why}" for why, times in reasons.most_common(SHOWN)))


if __name__ == "__main__":
    main()
