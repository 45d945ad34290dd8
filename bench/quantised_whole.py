"""Whole networks of torchvision as quantisers write them: imported, run, and held against onnxruntime.

    python bench/quantised_whole.py FOLDER [--tools PYTHON] [--size 64] [--images 4] [--network NETWORK ...]

`--tools` is a Python with torch and the quantisers, which makes the files that FOLDER lacks with
`bench/whole_quantisers.py`; without it the files are those that are there. Each is run as `fastswitch verify` does. A
row a file: its layers; whether it *runs*, that is has integers of every layer and a result; how many images have
onnxruntime's result and by how many steps one differs at most; the first layer that differs; and why nothing is
proven, as counts of layers. bench/quantised_whole.md has what it printed.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import click

from arch_model.errors import FastSwitchError
from mapper.importers import read_onnx
from sim.api.verification import verify

SCRIPT = Path(__file__).with_name("whole_quantisers.py")
HEAD = ("quantiser", "network", "layers", "runs", "claim", "equal", "steps", "first difference", "not proven")


def row(path: Path, images: int) -> list[str]:
    """A line of the table."""
    network, tool = path.name.removesuffix(".onnx").removesuffix(".txt").split(".", 1)
    start = [tool.replace("-", " "), network]
    if path.suffix == ".txt":
        return [*start, "", "no", "", "", "", "", f"the tool fails: {path.read_text().strip()[:90]}"]
    try:
        layers = len(read_onnx(path).subnet.layers)
        found = verify(path, count=images, seed=1)
    except FastSwitchError as error:
        return [*start, "", "no", "", "", "", "", str(error).removeprefix(f"{path}: ")[:150]]
    first = found.first_difference
    where = "" if first is None else f"image {first.image}, {first.layer}"
    whys = Counter(re.sub(r"\b\d+ ", "", reason.split(": ", 1)[1]) for reason in found.reasons)
    why = "; ".join(f"{count} × {text}" for text, count in whys.most_common())
    equal = f"{found.equal}/{found.images}"
    return [*start, str(layers), "yes", found.claim, equal, str(found.max_difference), where, why]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--tools", metavar="PYTHON", help="A Python with torch and the quantisers, to make what is lacking.")
@click.option("--size", default=64, show_default=True, help="Rows and columns of the images, of files that are made.")
@click.option("--images", default=4, show_default=True, help="Images to compare for each file.")
@click.option("--network", "networks", multiple=True, help="These networks alone.")
def main(folder: Path, tools: str | None, size: int, images: int, networks: tuple[str, ...]) -> None:
    """Print the table as Markdown, a row as soon as it is there."""
    if tools:
        chosen = [word for name in networks for word in ("--network", name)]
        subprocess.run([tools, str(SCRIPT), str(folder), "--size", str(size), *chosen], check=True)
    click.echo("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    ran: Counter[str] = Counter()
    for path in sorted(path for end in ("onnx", "txt") for path in folder.glob(f"*.*.{end}")):
        if networks and path.name.split(".")[0] not in networks:
            continue
        cells = row(path, images)
        ran[cells[1]] += cells[3] == "yes"
        click.echo("| " + " | ".join(cells) + " |")
    for name, count in sorted(ran.items()):
        click.echo(f"\n{name} runs as {count} of the tools write it.")


if __name__ == "__main__":
    main()
