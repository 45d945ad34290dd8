"""Train the weight-shared SuperNet ``fashion``, quantise a selection of its SubNets, and check the result.

    python examples/train_fashion.py train --epochs 16 --seed 1 --out fashion.npz
    python examples/train_fashion.py evaluate

The first needs PyTorch (2.13.0) and the Debian package dataset-fashion-mnist. It made the file that ships: 16 epochs
took 3,133 s on two busy cores (80 to 360 s an epoch), choosing the SubNets and their figures 1,000 s more. The
second computes every stored accuracy anew, from the integers alone and without PyTorch.

The network: a 3 x 3 stem of 16 channels at 28 x 28; three stages, stride 2 each, of one or two residual blocks and 1/2,
3/4 or all of 24, 48, 96 channels; average pooling; a linear layer. 216 SubNets of 1.65 to 12.25 million MACs share the
leading channels and blocks of one set of weights. Each step trains the largest on the labels, the smallest and a random
one on the largest's output (the sandwich rule: Yu and Huang, ICCV 2019).

Top-1 on the 10,000 test images: smallest 91.22 % as int8, 91.23 % as floats; largest 92.31 % and 92.36 %. The
same seed gives the same weights on the same kind of processor; bfloat16 products differ between kinds.
"""

from __future__ import annotations

import gzip
import itertools
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from rich.console import Console
from rich.progress import Progress, track

from arch_model.errors import WeightsError
from arch_model.network.quant import encode_multiplier, encode_pair, requantize, rounding_shift
from arch_model.network.weights import (
    AddQuant,
    ConvQuant,
    OpQuant,
    PoolQuant,
    QuantizedSubNet,
    SuperNetWeights,
    load_weights,
    save_weights,
)

try:
    import torch
    import torch.nn.functional as F
except ImportError:  # `evaluate` needs NumPy alone
    torch = None

DATA = Path("/usr/share/datasets/fashion-mnist")
STEM_WIDTH = 16
STAGE_WIDTHS = (24, 48, 96)
FINAL_SIZE = 4  # 28 halved three times, rounding up
CLASSES = 10
TRAINING_IMAGES = 55_000  # the first ones; the rest chooses the SubNets, never the weights
HELD_OUT = 5_000
CHOOSING = 512  # images that recalibrate a SubNet while SubNets are chosen
CALIBRATING = 4_096  # and for its final integers
COVERED = 0.9999  # of a tensor's values lie inside its int8 range
EPSILON = 1e-5
RUNGS = 20
SUBSET = 1_000
CHUNK = 250  # images at once, for the memory's sake
BATCH = 384
PEAK_RATE = 0.1
WEIGHT_DECAY = 5e-4
MAX_SHIFT = 2

console = Console()


@dataclass(frozen=True)
class Choice:
    """One SubNet: blocks a stage (1 or 2) and quarters of each stage's full width (2, 3 or 4)."""

    depth: tuple[int, ...]
    quarters: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"fashion-d{''.join(map(str, self.depth))}-w{''.join(map(str, self.quarters))}"

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(full * q // 4 for full, q in zip(STAGE_WIDTHS, self.quarters, strict=True))


SPACE = [
    Choice(depth, quarters)
    for depth in itertools.product((1, 2), repeat=3)
    for quarters in itertools.product((2, 3, 4), repeat=3)
]
SMALLEST, LARGEST = SPACE[0], SPACE[-1]


@dataclass(frozen=True)
class Op:
    """One operator of a SubNet: ``kind`` is conv, add, pool or linear; P = Q = ``size`` at its output."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    k: int
    c: int
    r: int = 1
    stride: int = 1
    size: int = 1
    relu: bool = False

    @property
    def macs(self) -> int:
        return self.k * self.c * self.r**2 * self.size**2 if self.kind in ("conv", "linear") else 0


def plan(choice: Choice) -> Iterator[Op]:
    """The operators of a SubNet in the order of execution; the first reads ``image``."""
    x, c, size = "stem", STEM_WIDTH, 28
    yield Op(x, "conv", ("image",), c, 1, 3, 1, size, True)
    for i, (depth, k) in enumerate(zip(choice.depth, choice.widths, strict=True), 1):
        for j in range(1, depth + 1):
            block, stride = f"s{i}b{j}", 2 if j == 1 else 1
            size = -(-size // stride)
            yield Op(f"{block}_conv1", "conv", (x,), k, c, 3, stride, size, True)
            yield Op(f"{block}_conv2", "conv", (f"{block}_conv1",), k, k, 3, 1, size)
            if j == 1:
                yield Op(f"{block}_down", "conv", (x,), k, c, 1, stride, size)
                x = f"{block}_down"
            yield Op(f"{block}_add", "add", (f"{block}_conv2", x), k, k, size=size, relu=True)
            x, c = f"{block}_add", k
    yield Op("pool", "pool", (x,), c, c)
    yield Op("linear", "linear", ("pool",), CLASSES, c)


# ---------------------------------------------------------------------------------------- data


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """A gzipped idx file (magic 0, 0, 8 = uint8, dimensions; then big-endian int32 sizes) as an array."""
    raw = gzip.decompress(path.read_bytes())
    dims = raw[3]
    shape = np.frombuffer(raw, ">i4", dims, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dims).reshape(shape)


def read_split(data: Path, split: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Images (N, 28, 28) and labels (N) of ``train`` or ``t10k``."""
    return read_idx(data / f"{split}-images-idx3-ubyte.gz"), read_idx(data / f"{split}-labels-idx1-ubyte.gz")


def augment(images: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Flip half of the images left to right and move each by up to two pixels each way, onto black."""
    n, h, w = images.shape
    padded = np.pad(images, ((0, 0), (MAX_SHIFT, MAX_SHIFT), (MAX_SHIFT, MAX_SHIFT)))
    dy, dx = rng.integers(0, 2 * MAX_SHIFT + 1, (2, n, 1))
    columns = np.where(rng.random((n, 1)) < 0.5, np.arange(w), np.arange(w)[::-1]) + dx
    return padded[np.arange(n)[:, None, None], (np.arange(h) + dy)[:, :, None], columns[:, None, :]]


# ------------------------------------------------------------------------------------- training


def initial_parameters(seed: int) -> dict[str, Any]:
    """He-normal filters, unit gamma, zero beta; ``{layer: filter, layer.gamma: ..., layer.beta: ...}``."""
    rng = np.random.default_rng(seed)
    parameters = {}
    for op in plan(LARGEST):
        if op.kind not in ("conv", "linear"):
            continue
        shape = (op.k, op.c, op.r, op.r)
        parameters[op.name] = rng.standard_normal(shape) * np.sqrt(2 / (op.c * op.r**2))
        parameters[f"{op.name}.beta"] = np.zeros(op.k)
        if op.kind == "conv":
            parameters[f"{op.name}.gamma"] = np.ones(op.k)
    return {name: torch.tensor(p, dtype=torch.float32, requires_grad=True) for name, p in parameters.items()}


def forward(
    parameters: dict[str, Any],
    ops: list[Op],
    x: Any,
    normalise: Callable[[Op, Any], Any],
    observe: Callable[[Op, Any], None] = lambda op, x: None,
) -> Any:
    """Run ``ops`` on ``x``, the tensor that the first one reads.

    ``normalise`` is batch normalisation, ``observe`` sees every output. Returns the last, flat.
    """
    values = {ops[0].inputs[0]: x}
    for op in ops:
        x = values[op.inputs[0]]
        if op.kind == "conv":
            x = normalise(op, F.conv2d(x, parameters[op.name][: op.k, : op.c], None, op.stride, op.r // 2))
        elif op.kind == "add":
            x = x + values[op.inputs[1]]
        elif op.kind == "pool":
            x = x.mean((2, 3), keepdim=True)
        else:
            x = F.conv2d(x, parameters[op.name][:, : op.c], parameters[f"{op.name}.beta"])
        values[op.name] = F.relu(x) if op.relu else x
        observe(op, values[op.name])
    return values[ops[-1].name].flatten(1)


def train(checkpoint: Path, data: Path, epochs: int, seed: int) -> dict[str, Any]:
    """Train by the sandwich rule: the largest SubNet on labels, the smallest and a random one on its output.

    Goes on from ``checkpoint`` if that holds the same run. Returns the checkpoint: parameters and time taken.
    """
    images, labels = (a[:TRAINING_IMAGES] for a in read_split(data, "train"))
    parameters = initial_parameters(seed)
    decayed = [p for p in parameters.values() if p.dim() == 4]
    plain = [p for p in parameters.values() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain}]
    optimiser = torch.optim.SGD(groups, lr=PEAK_RATE, momentum=0.9, nesterov=True)
    state: dict[str, Any] = {"seed": seed, "epochs": epochs, "done": 0, "seconds": 0.0}
    if checkpoint.exists():
        found = torch.load(checkpoint)
        if (found["seed"], found["epochs"]) != (seed, epochs):
            raise click.ClickException(
                f"{checkpoint} is of seed {found['seed']}, {found['epochs']} epochs: move it away"
            )
        state = found
        for name, p in parameters.items():
            p.data.copy_(state["parameters"][name])
        optimiser.load_state_dict(state["optimiser"])

    def normalise(op: Op, x: Any) -> Any:
        gamma, beta = (parameters[f"{op.name}.{n}"][: op.k] for n in ("gamma", "beta"))
        return F.batch_norm(x, None, None, gamma, beta, training=True)

    def logits(choice: Choice, x: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            x = x.unflatten(1, (STEM_WIDTH, 28, 28))
            return forward(parameters, list(plan(choice))[1:], x, normalise).float()

    steps = len(images) // BATCH
    warm, total = 2 * steps, epochs * steps
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("training", total=total, completed=state["done"] * steps)
        for epoch in range(state["done"], epochs):
            start, losses = time.perf_counter(), []
            rng = np.random.default_rng([seed, epoch])
            order = rng.permutation(len(images))
            for step in range(steps):
                now = epoch * steps + step
                rate = min(1, (now + 1) / warm) * 0.5 * (1 + math.cos(math.pi * now / total))
                for group in optimiser.param_groups:
                    group["lr"] = PEAK_RATE * rate
                pick = order[step * BATCH : (step + 1) * BATCH]
                x = torch.from_numpy(augment(images[pick], rng)[:, None].astype(np.float32) / 255)
                target = torch.from_numpy(labels[pick].astype(np.int64))
                with torch.autocast("cpu", torch.bfloat16):
                    stem = forward(parameters, list(plan(LARGEST))[:1], x, normalise)
                # The stem is the same in every SubNet: it runs once, forward and backward.
                cut = stem.detach().requires_grad_()
                y = logits(LARGEST, cut)
                loss = F.cross_entropy(y, target)
                loss.backward()
                teacher = F.softmax(y.detach(), 1)
                for choice in (SMALLEST, SPACE[rng.integers(len(SPACE))]):
                    F.cross_entropy(logits(choice, cut), teacher).backward()
                stem.backward(cut.grad)
                optimiser.step()
                optimiser.zero_grad()
                losses.append(loss.item())
                progress.advance(bar)
            state["done"] = epoch + 1
            state["seconds"] += time.perf_counter() - start
            state["parameters"] = {name: p.detach() for name, p in parameters.items()}
            state["optimiser"] = optimiser.state_dict()
            torch.save(state, checkpoint)
            figures = f"loss {np.mean(losses):.4f}, {state['seconds']:.0f} s"
            console.print(f"epoch {epoch + 1}/{epochs}: {figures}", highlight=False)
    return state


# --------------------------------------------------------------------------------- quantisation


@dataclass(frozen=True)
class Calibration:
    """What a SubNet's integers derive from: batch statistics by layer, the range of |x| by tensor."""

    mean: dict[str, Any]
    var: dict[str, Any]
    span: dict[str, float]


def calibrate(parameters: dict[str, Any], choice: Choice, images: npt.NDArray[np.uint8]) -> Calibration:
    """One pass over ``images`` as a single batch: recalibrated batch statistics, and ranges under them."""
    result = Calibration({}, {}, {})

    def normalise(op: Op, x: Any) -> Any:
        result.var[op.name], result.mean[op.name] = torch.var_mean(x, (0, 2, 3), correction=0)
        return batch_norm(parameters, result, op, x)

    with torch.no_grad():
        forward(
            parameters,
            list(plan(choice)),
            to_input(images),
            normalise,
            lambda op, x: result.span.update({op.name: span(x)}),
        )
    return result


def span(x: Any) -> float:
    """The ``COVERED`` fraction of ``|x|`` lies below this: a histogram's answer, to 1/4096 of the maximum."""
    magnitude = x.abs()
    top = magnitude.max().item()
    below = torch.cumsum(torch.histc(magnitude, 4096, 0, top), 0)
    return top * (int((below < COVERED * x.numel()).sum()) + 1) / 4096


def batch_norm(parameters: dict[str, Any], calibration: Calibration, op: Op, x: Any) -> Any:
    gamma, beta = (parameters[f"{op.name}.{n}"][: op.k] for n in ("gamma", "beta"))
    return F.batch_norm(x, calibration.mean[op.name], calibration.var[op.name], gamma, beta, eps=EPSILON)


def to_input(images: npt.NDArray[np.uint8]) -> Any:
    return torch.from_numpy(images[:, None].astype(np.float32) / 255)


def float_top1(
    parameters: dict[str, Any],
    choice: Choice,
    calibration: Calibration,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
) -> float:
    """Fraction right of the SubNet before quantisation."""
    right, ops = 0, list(plan(choice))
    with torch.no_grad():
        for i in range(0, len(images), 1000):
            y = forward(
                parameters,
                ops,
                to_input(images[i : i + 1000]),
                lambda op, x: batch_norm(parameters, calibration, op, x),
            )
            right += int((y.argmax(1).numpy() == labels[i : i + 1000]).sum())
    return right / len(images)


def quantise_layers(parameters: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The SuperNet's int8 weights and their scales (K,), one a filter over its full width.

    A filter whose gamma is negative changes sign, in every SubNet alike, so that no multiplier is negative.
    """
    layers, scales = {}, {}
    for op in plan(LARGEST):
        if op.kind not in ("conv", "linear"):
            continue
        w = parameters[op.name].numpy().astype(np.float64)
        if op.kind == "conv":
            w = np.where(parameters[f"{op.name}.gamma"].numpy() < 0, -1, 1)[:, None, None, None] * w
        scales[op.name] = np.maximum(np.abs(w).max((1, 2, 3)), 1e-12) / 127  # no division by zero
        layers[op.name] = np.rint(w / scales[op.name][:, None, None, None]).astype(np.int8)
    return layers, scales


def quantise(
    parameters: dict[str, Any], scales: dict[str, Any], choice: Choice, calibration: Calibration
) -> dict[str, OpQuant]:
    """A SubNet's integers.

    Zero points: -128 after ReLU and pooling, 0 before an addition and for the logits.
    """
    scale, zero = {"image": 1 / 255}, {"image": -128}
    ops: dict[str, OpQuant] = {}
    for op in plan(choice):
        unsigned = op.relu or op.kind == "pool"
        scale[op.name] = s_out = calibration.span[op.name] / (255 if unsigned else 127)
        zero[op.name] = z_out = -128 if unsigned else 0
        s_in, z_in = scale[op.inputs[0]], zero[op.inputs[0]]
        limits = (z_out, -128, 127)
        if op.kind == "add":
            m_a, m_b, shift = encode_pair(s_in / s_out, scale[op.inputs[1]] / s_out)
            ops[op.name] = AddQuant(m_a, m_b, shift, z_in, zero[op.inputs[1]], *limits)
        elif op.kind == "pool":
            pixels = FINAL_SIZE**2
            m, _, shift = encode_pair(s_in / (s_out * pixels), 0)
            ops[op.name] = PoolQuant(m, shift, z_in, *limits)
        else:
            gain, offset = np.ones(op.k), parameters[f"{op.name}.beta"].numpy().astype(np.float64)[: op.k]
            if op.kind == "conv":
                gamma = parameters[f"{op.name}.gamma"].numpy()[: op.k]
                mean, var = (c[op.name].numpy().astype(np.float64) for c in (calibration.mean, calibration.var))
                gain = np.abs(gamma) / np.sqrt(var + EPSILON)
                offset = offset - gamma * mean / np.sqrt(var + EPSILON)
            # A filter that training switched off keeps its offset: the bias stays within 30 bits.
            real = np.maximum(gain * scales[op.name][: op.k] * s_in / s_out, np.abs(offset / s_out) / 2**30)
            multiplier, shift = encode_multiplier(real)
            off = multiplier < 2**25
            bias = np.rint(offset / s_out / np.where(off, np.inf, real))
            ops[op.name] = ConvQuant(
                bias.astype(np.int32),
                np.where(off, 0, multiplier).astype(np.int32),
                np.where(off, 0, shift).astype(np.int32),
                z_in,
                *limits,
            )
    return ops


def choose_subnets(parameters: dict[str, Any], data: Path) -> list[Choice]:
    """SubNets along the front of accuracy over MACs: the best of each of ``RUNGS`` equal ratios of MACs.

    The accuracy is that on the held-out training images, so that the test images choose nothing. The
    smallest and the largest SubNet are always in.
    """
    images, labels = read_split(data, "train")
    scores = {}
    console.print(f"choosing SubNets among {len(SPACE)} SubNets", highlight=False)
    for choice in track(SPACE, "choosing SubNets", console=console, disable=not console.is_terminal):
        calibration = calibrate(parameters, choice, images[:CHOOSING])
        with torch.autocast("cpu", torch.bfloat16):
            score = float_top1(parameters, choice, calibration, images[-HELD_OUT:], labels[-HELD_OUT:])
        scores[choice] = score
    low, high = np.log(macs(SMALLEST)), np.log(macs(LARGEST) + 1)
    rungs: dict[int, Choice] = {}
    for choice in sorted(SPACE, key=lambda c: (-scores[c], macs(c))):
        rungs.setdefault(int(RUNGS * (np.log(macs(choice)) - low) / (high - low)), choice)
    return sorted({SMALLEST, LARGEST, *rungs.values()}, key=macs)


def export(state: dict[str, Any], data: Path, out: Path, command: str) -> None:
    """Quantise the chosen SubNets, measure them on the test images and write the weights file."""
    parameters = {name: p.detach() for name, p in state["parameters"].items()}
    layers, scales = quantise_layers(parameters)
    images, labels = read_split(data, "t10k")
    calibrating = read_split(data, "train")[0][:CALIBRATING]
    subnets = {}
    for choice in choose_subnets(parameters, data):
        calibration = calibrate(parameters, choice, calibrating)
        ops = quantise(parameters, scales, choice, calibration)
        right = integer_top1(layers, ops, choice, images, labels)
        subnets[choice.name] = QuantizedSubNet(
            choice.name,
            choice.depth,
            choice.widths,
            macs(choice),
            top1=float(right.mean()),
            top1_subset=float(right[:SUBSET].mean()),
            top1_float=float_top1(parameters, choice, calibration, images, labels),
            ops=ops,
        )
        console.print(row(subnets[choice.name]), highlight=False)
    metadata = {
        "network": "fashion",
        "command": command,
        "seed": state["seed"],
        "epochs": state["epochs"],
        "training_seconds": round(state["seconds"]),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "dataset": "Fashion-MNIST, Debian package dataset-fashion-mnist",
        "dataset_licence": "Expat, copyright 2017 Zalando SE; see LICENSE-fashion-mnist.txt",
        "training_images": f"the first {TRAINING_IMAGES}; the other {HELD_OUT} chose the SubNets",
        "calibration_images": f"the first {CALIBRATING} of the training set",
        "subset": f"the first {SUBSET} test images",
    }
    save_weights(out, SuperNetWeights(layers, subnets, images[:SUBSET], labels[:SUBSET], metadata))


def macs(choice: Choice) -> int:
    return sum(op.macs for op in plan(choice))


def row(subnet: QuantizedSubNet) -> str:
    figures = f"{subnet.top1:8.2%} {subnet.top1_subset:8.2%} {subnet.top1_float:8.2%}"
    return f"{subnet.name:20} {subnet.macs:12,} {figures}"


# ---------------------------------------------------------------------------- integers on NumPy


def integer_logits(
    layers: Mapping[str, Any], quants: Mapping[str, OpQuant], choice: Choice, images: npt.NDArray[np.uint8]
) -> npt.NDArray[np.int8]:
    """The int8 logits (N, 10) of uint8 images (N, 28, 28): the file's integers and nothing else."""
    values = {"image": (images.astype(np.int16) - 128).astype(np.int8)[..., None]}
    for op in plan(choice):
        x, quant = values[op.inputs[0]], quants[op.name]
        if isinstance(quant, AddQuant):
            b = values[op.inputs[1]].astype(np.int64) - quant.z_b
            y = rounding_shift((x.astype(np.int64) - quant.z_a) * quant.m_a + b * quant.m_b, quant.shift)
            values[op.name] = np.clip(y + quant.z_out, quant.lo, quant.hi).astype(np.int8)
        elif isinstance(quant, PoolQuant):
            total = (x.astype(np.int64) - quant.z_in).sum((1, 2), keepdims=True)
            y = rounding_shift(total * quant.m, quant.shift)
            values[op.name] = np.clip(y + quant.z_out, quant.lo, quant.hi).astype(np.int8)
        else:
            acc = convolve(x, layers[op.name][: op.k, : op.c], quant.z_in, op.stride)
            scaling = (quant.bias, quant.multiplier, quant.shift)
            values[op.name] = requantize(acc, *scaling, quant.z_out, quant.lo, quant.hi)
    return values["linear"].reshape(len(images), CLASSES)


def convolve(x: npt.NDArray[np.int8], w: npt.NDArray[np.int8], z_in: int, stride: int) -> npt.NDArray[np.int32]:
    """Accumulators (N, P, Q, K) of ``x`` (N, H, W, C) and ``w`` (K, C, R, R), padded by R // 2.

    An exact product of floats: float32 holds every integer up to 2**24; a layer that could pass that takes
    float64.
    """
    n, h, width, c = x.shape
    k, _, r, _ = w.shape
    bound = 255 * np.abs(w.astype(np.int64)).sum((1, 2, 3)).max()
    kind = np.float32 if bound < 2**24 else np.float64
    pad = r // 2
    padded = np.zeros((n, h + 2 * pad, width + 2 * pad, c), kind)
    padded[:, pad : pad + h, pad : pad + width] = x
    padded[:, pad : pad + h, pad : pad + width] -= z_in
    windows = sliding_window_view(padded, (r, r), (1, 2))[:, ::stride, ::stride]  # N, P, Q, C, R, R
    p, q = windows.shape[1:3]
    product = windows.reshape(n * p * q, c * r * r) @ w.reshape(k, c * r * r).T.astype(kind)
    return product.astype(np.int32).reshape(n, p, q, k)


def integer_top1(
    layers: Mapping[str, Any],
    quants: Mapping[str, OpQuant],
    choice: Choice,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
) -> npt.NDArray[np.bool_]:
    """Which images (N,) the SubNet gets right; of equal logits the first wins."""
    starts = range(0, len(images), CHUNK)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy computes without the interpreter's lock
        chunks = pool.map(lambda i: integer_logits(layers, quants, choice, images[i : i + CHUNK]), starts)
    return np.concatenate(list(chunks)).argmax(1) == labels


# --------------------------------------------------------------------------------- command line


@click.group()
def main() -> None:
    """The weight-shared SuperNet `fashion`: train it, or check the shipped integers."""


@main.command("train")
@click.option("--epochs", default=16, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("--out", default="fashion.npz", show_default=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--checkpoint", default="fashion.pt", show_default=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--data", default=DATA, show_default=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
def train_command(epochs: int, seed: int, out: Path, checkpoint: Path, data: Path) -> None:
    """Train (or go on from the checkpoint), quantise, measure and write the weights file."""
    if torch is None:
        raise click.ClickException("training needs PyTorch: pip install torch==2.13.0")
    state = train(checkpoint, data, epochs, seed)
    export(state, data, out, f"python examples/train_fashion.py train --epochs {epochs} --seed {seed}")


@main.command("evaluate")
@click.option(
    "--weights",
    default=None,
    type=click.Path(path_type=Path),
    help="A weights file; the shipped one without.",
)
@click.option("--data", default=DATA, show_default=True, type=click.Path(path_type=Path))
def evaluate_command(weights: Path | None, data: Path) -> None:
    """Compute the int8 accuracy of every stored SubNet anew; status 1 if one differs from the stored figure.

    On the 10,000 test images if DATA holds them, else on the 1,000 in the file. Needs no PyTorch.
    """
    try:
        file = load_weights(weights)
    except WeightsError as error:
        raise click.ClickException(str(error)) from None
    full = (data / "t10k-images-idx3-ubyte.gz").exists()
    images, labels = read_split(data, "t10k") if full else (file.images, file.labels)
    console.print(f"{len(images)} test images\n{'SubNet':20} {'MACs':>12} {'top-1':>8} {'stored':>8}", highlight=False)
    wrong = []
    choices = {choice.name: choice for choice in SPACE}
    for subnet in file.subnets.values():
        choice = choices[subnet.name]
        top1 = float(integer_top1(file.layers, subnet.ops, choice, images, labels).mean())
        stored = subnet.top1 if full else subnet.top1_subset
        console.print(f"{subnet.name:20} {subnet.macs:12,} {top1:8.2%} {stored:8.2%}", highlight=False)
        wrong += [subnet.name] if abs(top1 - stored) > 1e-9 else []
    if wrong:
        raise click.ClickException(f"differs from the stored accuracy: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
