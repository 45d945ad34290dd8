"""``fastswitch quantise``: a weights archive from an elastic PyTorch model and calibration images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reports.commands.interrupt import Interrupted
from reports.commands.options import file_option, force_option, json_option, seed_option, space_option, subnets_option
from reports.terminal import Column, count, json_result, percent, show_summary, shown

if TYPE_CHECKING:
    from arch_model.network.weights import QuantizedSubNet

COLUMNS = (
    Column("subnet", "SubNet", 24, left=True),
    Column("macs", "MACs", 14, count),
    Column("top1_float", "float", 8, percent),
    Column("top1", "int8", 8, percent),
)


@click.command(
    "quantise",
    epilog="\b\nExample:  fastswitch quantise train.py:subnet --images calibration.npz --space fashion --subnets 20 "
    "--npz mine.npz"
    "\n          fastswitch quantise train.py:subnet --images calibration.npz --subnets nets.json --npz mine.npz",
)
@click.argument("model", metavar="FILE.py:OBJECT|MODULE:OBJECT")
@file_option("--images", "FILE.npz", "Images for calibration: uint8 or real (N, C, H, W).", required=True)
@file_option("--test", "FILE.npz", "Images and labels to measure accuracy on; without it none is known.")
@space_option(
    text="The SuperNet whose SubNets these are; without it one is made of them, and the archive holds it.", models=False
)
@subnets_option(
    "SubNets to make int8; without --space a list with the name of each and the model's keywords.", True, models=False
)
@click.option(
    "--recalibrate", is_flag=True, help="Take batch normalisation's statistics from the images, for each SubNet."
)
@click.option("--scale", type=float, default=1 / 255, metavar="S", help="A pixel p of uint8 is (p - Z) * S; 1/255.")
@click.option("--zero", type=click.IntRange(0, 255), default=0, metavar="Z", help="See --scale; without it 0.")
@click.option("--name", default="model", show_default=True, help="Of the SuperNet that is made without --space.")
@file_option("--npz", "OUT.npz", "The weights archive to write, for --weights of other commands.", required=True)
@force_option
@seed_option
@json_option
def command(
    model: str,
    images: Path,
    test: Path | None,
    space: str | None,
    subnets: str,
    recalibrate: bool,
    scale: float,
    zero: int,
    name: str,
    npz: Path,
    force: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Make the SubNets of a PyTorch model int8: shared weights once, and the integers of each SubNet.

    The object is a function that is called with a SubNet's choices and gives its torch.nn.Module in eval mode, or a
    module with a method set_active_subnet, as once-for-all's networks have. It is run: give only files that you would
    run yourself. Needs the extra `train`.
    """
    from arch_model.files.writing import check_outputs, is_stream, write_new
    from arch_model.network.weights import weights_bytes
    from sim.quantise.model import read_configs
    from sim.quantise.quantise import quantise

    inputs = [images, test, Path(subnets) if subnets.endswith(".json") else None]
    check_outputs([npz], inputs)
    if not force and not is_stream(npz) and npz.is_file() and npz.stat().st_size:
        raise click.UsageError(f"{npz} is there; give another file, or --force to replace it")
    wanted: Any = subnets if space else read_configs(subnets)
    done = 0
    with shown(None, None if as_json else COLUMNS) as (on_row, on_stage):

        def on_subnet(net: QuantizedSubNet) -> None:
            nonlocal done
            done += 1
            accuracy = {"top1_float": net.top1_float, "top1": net.top1} if test else {"top1_float": None, "top1": None}
            on_row({"subnet": net.name, "macs": net.macs, **accuracy})

        on_stage("reading SubNets")
        try:
            weights = quantise(
                model, images, wanted, space, test=test, recalibrate=recalibrate, scale=scale, zero=zero, name=name,
                seed=seed, on_subnet=on_subnet,
            )  # fmt: skip
        except KeyboardInterrupt:
            raise Interrupted(f": {done} SubNets are done, nothing is written") from None
    write_new(npz, weights_bytes(weights, npz), inputs, force)
    size = sum(layer.size for layer in weights.layers.values())
    facts = {"space": weights.space, "SubNets": len(weights.subnets), "weight_bytes": size, "archive": npz}
    if as_json:
        click.echo(json_result(facts))
    else:
        show_summary(facts)
