"""``fastswitch verify``: an ONNX model through onnxruntime, the reference and the RTL."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from reports.commands.numbers import Count
from reports.commands.options import accelerator_option, json_option, seed_option, simulator_option
from reports.terminal import json_result, show_summary

DRAWN = Count(1, 100_000, "each is computed twice")


@click.command(
    "verify",
    epilog="\b\nExample:  fastswitch verify resnet.onnx --random 20"
    "\n          fastswitch verify resnet.onnx --images pictures.npz --accelerator zcu104 --rtl --json",
)
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.onnx")
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Images (N, C, H, W), as real numbers or uint8 pixels; without it they are drawn.",
)
@click.option("--random", "count", type=DRAWN, metavar="N", help="How many images to draw; without it 8.")
@click.option("--rtl", is_flag=True, help="Run the images on the generated hardware, too.")
@accelerator_option
@seed_option
@simulator_option
@json_option
def command(
    model: Path,
    images: Path | None,
    count: int | None,
    rtl: bool,
    accelerator: str,
    seed: int,
    simulator: str | None,
    as_json: bool,
) -> int:
    """Run the same images through onnxruntime, the NumPy reference and, with --rtl, the generated hardware.

    The exit status is 0 if the integers are proven to be those of one of onnxruntime's graphs and all images are equal;
    3 if nothing is proven, whether or not images differ; 1 if something proven did not hold, or the hardware differs
    from the reference or from its predicted cycles; 2 for a model that is refused.
    """
    if images is not None and count is not None:
        raise click.UsageError("--images and --random are both given; give one of them")

    from arch_model.machine.accelerator import Accelerator
    from sim.api.verification import verify
    from sim.rtl_bench.simulators import find_simulator

    machine = (Accelerator.load(accelerator), find_simulator(simulator)) if rtl else None
    found = verify(model, images, count or 8, seed, machine)
    difference = found.first_difference
    if as_json:
        record: dict[str, Any] = {
            "model": str(model),
            "claim": found.claim,
            "graphs": found.graphs,
            "images": found.images,
            "equal": found.equal,
            "max_difference": found.max_difference,
            "first_difference": None if difference is None else asdict(difference),
            "unproven": found.reasons,
            "rtl": None if found.rtl is None else {"accelerator": accelerator, **asdict(found.rtl)},
        }
        click.echo(json_result(record))
        return found.status
    rows: dict[str, Any] = {
        "network": found.network,
        "onnxruntime graph": ", ".join(found.graphs),
        "claim": found.claim,
        "images": found.images,
        "equal": found.equal,
        "max_difference": found.max_difference,
    }
    if found.rtl is not None:
        rows |= {"RTL bit exact": found.rtl.bit_exact, "predicted cycles": found.rtl.predicted_cycles}
        rows |= {"simulated cycles": found.rtl.simulated_cycles}
    show_summary(rows)
    if difference is not None:
        click.echo(f"first difference: {difference.text}", err=True)
    for reason in found.reasons:
        click.echo(f"not proven: layer {reason}", err=True)
    return found.status
