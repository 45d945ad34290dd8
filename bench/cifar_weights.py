"""Make the weights file of ``cifar`` from a checkpoint, and measure every SubNet in it on CIFAR-10's test images.

    python bench/cifar_weights.py make --data cifar-10-batches-bin --checkpoint cifar.pt --out cifar.npz
    python bench/cifar_weights.py measure --data cifar-10-batches-bin --weights cifar.npz --store
    python bench/cifar_weights.py measure --data cifar-10-batches-bin

Both need the extra ``train``, which brings PyTorch. ``measure`` works from the integers of the file alone (without
--weights: of the one that ships) and exits with status 1 if an accuracy is not the stored one; --store stores them.
What SubNets have in common, layers with the same integers and the same input, is computed once for all of them. The
sums are PyTorch's products of int8; for some images every tensor is compared with the reference, integer for integer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import isnan, nan
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # chunks of images are computed side by side

import click
import numba
import numpy as np
import torch
from rich.console import Console
from rich.progress import track

import fastswitch as fs
from arch_model.files.cifar10 import read_cifar10
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.weights import AddQuant, ConvQuant, OpQuant, SuperNetWeights
from arch_model.spaces.trained import weights_of
from sim.integers.reference import run_layers

NAME = "cifar"
TRAINING = str(Path(__file__).parents[1] / "examples" / "train_cifar.py")
CALIBRATING = 256
"""Training images that batch normalisation and the ranges of tensors are taken from."""
IN_FLOATS = ["cifar-d111-e101010", "cifar-d222-e444444"]
"""SubNets whose accuracy is measured before quantisation, too."""
CHUNK = 250
EXACT = 2**24
"""Up to here float32 has every integer."""

console = Console()
Pixels = np.ndarray


@dataclass(frozen=True, eq=False)
class Step:
    """A layer of one or several SubNets; ``inputs``: numbers of the steps that it reads, 0 is the image."""

    number: int
    layer: Layer
    quant: OpQuant
    inputs: tuple[int, ...]


def steps_of(space: Any, weights: SuperNetWeights) -> dict[str, list[Step]]:
    """Of each SubNet its steps in order; those that compute the same are the same. Alike SubNets are neighbours."""
    known: dict[Any, Step] = {}
    found = {}
    for name, net in weights.subnets.items():
        numbers, steps = {INPUT: 0}, []
        for layer in space.subnet(name).layers:
            quant, inputs = net.ops[layer.name], tuple(numbers[one] for one in layer.inputs)
            values = [getattr(quant, field) for field in quant.__dataclass_fields__]
            same = [value.tobytes() if isinstance(value, np.ndarray) else value for value in values]
            key = (layer.name, layer.K, layer.C, inputs, *same)
            step = known.setdefault(key, Step(len(known) + 1, layer, quant, inputs))
            numbers[layer.name] = step.number
            steps.append(step)
        found[name] = steps
    return dict(sorted(found.items(), key=lambda item: [step.number for step in item[1]]))


# ---- integers: tensors are uint8 (N, P, Q, K), the int8 value plus 128


@numba.njit(nogil=True)  # type: ignore[untyped-decorator]
def rounded(value: int, shift: int) -> int:
    """Shifted right, half to even."""
    if shift == 0:
        return value
    floor = value >> shift
    rest, half = value - (floor << shift), 1 << (shift - 1)
    return floor + 1 if rest > half or (rest == half and floor & 1) else floor


@numba.njit(nogil=True)  # type: ignore[untyped-decorator]
def requantised(sums: Any, bias: Any, multiplier: Any, shift: Any, ends: Any, out: Any) -> None:
    z, low, high = ends
    for i in range(sums.shape[0]):
        for k in range(sums.shape[1]):
            value = rounded((np.int64(sums[i, k]) + bias[k]) * multiplier[k], shift[k]) + z
            out[i, k] = np.uint8(min(max(value, low), high) + 128)


@numba.njit(nogil=True)  # type: ignore[untyped-decorator]
def summed(a: Any, b: Any, factors: Any, zeros: Any, shift: int, ends: Any, out: Any) -> None:
    (m_a, m_b), (z_a, z_b), (z, low, high) = factors, zeros, ends
    for i in range(a.size):
        value = (np.int64(a[i]) - 128 - z_a) * m_a + (np.int64(b[i]) - 128 - z_b) * m_b
        out[i] = np.uint8(min(max(rounded(value, shift) + z, low), high) + 128)


class Integers:
    """The steps on chunks of images; a layer's packed weights are kept."""

    def __init__(self, weights: SuperNetWeights) -> None:
        self.weights = weights
        self._packed: dict[tuple[Any, ...], Any] = {}

    def sums(self, x: Pixels, layer: Layer, zero: int) -> Any:
        """What a convolution adds up, float32 (N, P, Q, K)."""
        n, h, w, c = x.shape
        ones, none = torch.ones(layer.K), torch.zeros(layer.K, dtype=torch.int32)
        geometry = ([layer.stride] * 2, [layer.padding] * 2, [1, 1], 1)
        key = (layer.name, layer.K, layer.C, n, zero)
        if key not in self._packed:
            kernel = torch.from_numpy(self.weights.layers[layer.name][: layer.K, : layer.C].copy())
            packed = torch.ops.onednn.qconv_prepack(kernel, ones, 1.0, zero + 128, *geometry, [n, c, h, w])
            self._packed[key] = packed
        made = torch.ops.onednn.qconv_pointwise(
            *(torch.from_numpy(x).permute(0, 3, 1, 2), 1.0, zero + 128, self._packed[key], ones, none, None),
            *(*geometry, 1.0, 0, torch.float32, "none", [], ""),
        )
        sums = made.permute(0, 2, 3, 1).contiguous().numpy()
        if np.abs(sums).max() >= EXACT:
            raise click.ClickException(f"layer {layer.name}: a sum is beyond {EXACT:,}, where float32 rounds")
        return sums

    def run(self, step: Step, inputs: list[Pixels]) -> Pixels:
        layer, q, x = step.layer, step.quant, inputs[0]
        ends = (q.z_out, q.lo, q.hi)  # type: ignore[union-attr]
        if isinstance(q, AddQuant):
            out = np.empty_like(x)
            flat = (tensor.reshape(-1) for tensor in inputs)
            summed(*flat, (q.m_a, q.m_b), (q.z_a, q.z_b), q.shift, ends, out.reshape(-1))
            return out
        if isinstance(q, ConvQuant):
            sums, each = self.sums(x, layer, q.z_in), (q.bias, q.multiplier, q.shift)
        elif layer.kind is Kind.POOL:
            sums = (x.astype(np.int64) - 128 - q.z_in).sum((1, 2), keepdims=True)  # type: ignore[union-attr]
            each = (np.zeros(layer.K), np.full(layer.K, q.m), np.full(layer.K, q.shift))  # type: ignore[union-attr]
        else:
            raise click.ClickException(f"layer {layer.name}: its kind, {layer.kind}, is none of {NAME}'s")
        out = np.empty(sums.shape, np.uint8)
        requantised(sums.reshape(-1, layer.K), *(one.astype(np.int64) for one in each), ends, out.reshape(-1, layer.K))
        return out

    def walk(self, steps: Mapping[str, list[Step]], images: Pixels) -> Iterator[tuple[str, dict[int, Pixels]]]:
        """Every SubNet's name and tensors by step; ``images`` uint8 (N, C, H, W)."""
        tensors = {0: np.ascontiguousarray(images.transpose(0, 2, 3, 1))}
        for name, mine in steps.items():
            needed = {0, *(step.number for step in mine)}
            tensors = {number: tensor for number, tensor in tensors.items() if number in needed}
            for step in mine:
                if step.number not in tensors:
                    tensors[step.number] = self.run(step, [tensors[number] for number in step.inputs])
            yield name, tensors


def check_reference(integers: Integers, steps: Mapping[str, list[Step]], images: Pixels) -> None:
    """Compare every tensor of these images with the reference."""
    for name, tensors in integers.walk(steps, images):
        layers, ops = [step.layer for step in steps[name]], integers.weights.subnets[name].ops
        for n, image in enumerate(images):
            right = run_layers(layers, integers.weights.layers, ops, (image.astype(np.int16) - 128).astype(np.int8))
            for step in steps[name]:
                ours = (tensors[step.number][n].astype(np.int16) - 128).transpose(2, 0, 1)
                if not np.array_equal(ours, right[step.layer.name]):
                    raise click.ClickException(
                        f"{name}, layer {step.layer.name}, image {n}: not what the reference has"
                    )


def measure(integers: Integers, steps: Mapping[str, list[Step]], images: Pixels, labels: Pixels) -> dict[str, Pixels]:
    """Of each SubNet which images (N,) it gets right; of equal logits the first wins."""

    def part(i: int) -> dict[str, Pixels]:
        return {
            name: tensors[steps[name][-1].number].reshape(len(images[i : i + CHUNK]), -1).argmax(1)
            == labels[i : i + CHUNK]
            for name, tensors in integers.walk(steps, images[i : i + CHUNK])
        }

    starts = range(0, len(images), CHUNK)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        bar = track(pool.map(part, starts), "measuring", len(starts), console=console, disable=not console.is_terminal)
        parts = list(bar)
    return {name: np.concatenate([one[name] for one in parts]) for name in steps}


# ---- command line


@click.group()
def main() -> None:
    """The weights file of the SuperNet `cifar`."""


@main.command("make")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="CIFAR-10: a folder, or an npz file.")
@click.option("--checkpoint", default="cifar.pt", show_default=True, type=click.Path(path_type=Path, exists=True))
@click.option("--out", default="cifar.npz", show_default=True, type=click.Path(path_type=Path, dir_okay=False))
def make_command(data: Path, checkpoint: Path, out: Path) -> None:
    """Int8 weights and each named SubNet's integers of what examples/train_cifar.py trained."""
    state, (images, _) = torch.load(checkpoint), read_cifar10(data, "train")
    calibration = images[np.linspace(0, len(images) - 1, CALIBRATING).astype(int)]
    os.environ["CIFAR_CHECKPOINT"] = str(checkpoint)
    model, space = f"{TRAINING}:subnet", fs.load_supernet(NAME)
    made = fs.quantise(model, calibration, list(space.subnet_names()), space, recalibrate=True, kept=0)
    tested = fs.quantise(
        model, calibration, IN_FLOATS, space, recalibrate=True, test=read_cifar10(data, "test"), kept=0
    )
    floats = {
        name: replace(made.subnets[name], top1_float=one.top1_float, top1=one.top1)
        for name, one in tested.subnets.items()
    }
    facts = {"seed": state["seed"], "sizes": state["sizes"], "training_seconds": round(state["seconds"])}
    facts |= {
        "dataset": "CIFAR-10",
        "calibration_images": f"{CALIBRATING} of the training set, evenly from first to last",
    }
    fs.save_weights(out, replace(made, subnets={**made.subnets, **floats}, metadata={**made.metadata, **facts}))


@main.command("measure")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="CIFAR-10: a folder, or an npz file.")
@click.option("--weights", default=None, type=click.Path(path_type=Path), help="A weights file; without it that ships.")
@click.option("--compared", default=3, show_default=True, help="Images whose every tensor the reference computes, too.")
@click.option("--store", is_flag=True, help="Write the accuracies into the weights file.")
def measure_command(data: Path, weights: Path | None, compared: int, store: bool) -> None:
    """The int8 accuracy of every SubNet in the file."""
    if store and weights is None:
        raise click.UsageError("--store needs --weights FILE.npz, the file to write to")
    held, space, (images, labels) = weights_of(NAME, weights), fs.load_supernet(NAME), read_cifar10(data, "test")
    steps, integers = steps_of(space, held), Integers(held)
    check_reference(integers, steps, images[np.linspace(0, len(images) - 1, compared).astype(int)])
    right = measure(integers, steps, images, labels)
    print(f"{len(images):,} test images\n\n| SubNet | MACs | float | stored | int8 |\n|---|---|---|---|---|")
    subnets, wrong = {}, []
    for name, net in held.subnets.items():
        top1 = float(right[name].mean())
        before = "-" if isnan(net.top1_float) else f"{net.top1_float:.2%}"
        print(f"| `{name}` | {net.macs:,} | {before} | {net.top1:.2%} | {top1:.2%} |")
        subnets[name] = replace(net, top1=top1, top1_subset=nan)  # of no images that ship
        wrong += [name] if not abs(top1 - net.top1) < 1e-9 else []
    if store and weights:
        facts = {**held.metadata, "test_images": len(images)}
        fs.save_weights(weights, replace(held, subnets=subnets, metadata=facts))
    elif wrong:
        raise click.ClickException(f"differs from the stored accuracy: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
