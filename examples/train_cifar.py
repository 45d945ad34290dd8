"""Train the weight-shared SuperNet ``cifar`` on CIFAR-10, natural images of ten classes.

    python examples/train_cifar.py --data cifar-10-batches-bin --seed 1 --checkpoint cifar.pt

It needs the extra ``train``, which brings PyTorch. --data takes the official files, folders of pictures or an npz file.
After every epoch the checkpoint is replaced; the same command goes on from it. ``subnet`` is what the command
`fastswitch quantise` takes then; bench/cifar_weights.py makes the file that ships with it, and measures every SubNet.

Each step trains the largest SubNet on the labels and one other, the smallest in every third step, on what the largest
says of half of the images (the sandwich rule: Yu and Huang, ICCV 2019). The filters follow orthogonalised gradients
(Muon: Jordan and others, 2024), in bfloat16, on images that are small at first and have their full size in the end.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads of ours share a step; each computes alone

import click
import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import Progress

from arch_model.files.cifar10 import read_cifar10

STEM, WIDTHS, BLOCKS, QUARTERS = 32, (64, 128, 192), 2, (1, 2, 4)
LARGEST = {"depth": (2, 2, 2), "expand": (4,) * 6}
SMALLEST = {"depth": (1, 1, 1), "expand": (1,) * 6}
SIZES = ",".join(["20"] * 4 + ["24"] * 4 + ["32"] * 16)
BATCH, SHIFT, SMOOTHING, DECAY = 500, 3, 0.1, 5e-4
RATES = [0.08] * 3 + [0.04]  # of the first epochs and of those that follow, before it falls
PARTS = 2  # of a batch, computed side by side

console = Console()


class Elastic(torch.nn.Module):
    """All weights. A SubNet takes the first filters and channels of them: ``depth`` blocks a stage, ``expand`` quarters
    of the stage's channels inside each block that a stage may have."""

    def __init__(self, seed: int, images: np.ndarray) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weights, c = torch.nn.ParameterDict(), STEM
        shapes = {"stem": (STEM, 3, 3, 3)}
        for i, k in enumerate(WIDTHS, 1):
            for j in range(1, BLOCKS + 1):
                shapes |= {f"s{i}b{j}_conv1": (k, c, 3, 3), f"s{i}b{j}_conv2": (k, k, 3, 3)}
                if j == 1:
                    shapes[f"s{i}b{j}_down"] = (k, c, 1, 1)
                c = k
        shapes["linear"] = (10, c)
        for name, shape in shapes.items():
            gain = math.sqrt(2 / math.prod(shape[1:])) * (0.5 if name == "linear" else 1)
            tensor = torch.randn(shape, generator=generator) * gain
            tensor = principal_filters(images) if name == "stem" else tensor
            layout = torch.channels_last if tensor.dim() == 4 else torch.contiguous_format
            self.weights[name] = torch.nn.Parameter(tensor.contiguous(memory_format=layout))
            self.weights[f"{name}_beta"] = torch.nn.Parameter(torch.zeros(shape[0]))
            if name != "linear":
                self.weights[f"{name}_gamma"] = torch.nn.Parameter(torch.ones(shape[0]))
                self.register_buffer(f"{name}_mean", torch.zeros(shape[0]))
                self.register_buffer(f"{name}_var", torch.ones(shape[0]))

    def conv(self, name: str, x: Any, k: int, stride: int = 1) -> Any:
        w = self.weights[name][:k, : x.shape[1]]
        statistics = (None, None) if self.training else (getattr(self, f"{name}_{n}")[:k] for n in ("mean", "var"))
        affine = (self.weights[f"{name}_{n}"][:k] for n in ("gamma", "beta"))
        return F.batch_norm(F.conv2d(x, w, None, stride, w.shape[2] // 2), *statistics, *affine, self.training)

    def stem(self, x: Any) -> Any:
        return F.relu(self.conv("stem", x, STEM))

    def body(self, x: Any, depth: Sequence[int], expand: Sequence[int]) -> Any:
        for i, k in enumerate(WIDTHS):
            for j in range(depth[i]):
                name, stride = f"s{i + 1}b{j + 1}", 1 if j else 2
                y = F.relu(self.conv(f"{name}_conv1", x, k * expand[BLOCKS * i + j] // 4, stride))
                y = self.conv(f"{name}_conv2", y, k)
                x = F.relu(y + (x if j else self.conv(f"{name}_down", x, k, stride)))
        return F.linear(x.mean((2, 3)), self.weights["linear"], self.weights["linear_beta"])


class SubNet(torch.nn.Module):
    """One choice of it, in eval mode."""

    def __init__(self, net: Elastic, depth: Sequence[int], expand: Sequence[int]) -> None:
        super().__init__()
        self.net, self.depth, self.expand = net, depth, expand
        self.eval()

    def forward(self, x: Any) -> Any:
        return self.net.body(self.net.stem(x), self.depth, self.expand)


@cache
def trained(checkpoint: str) -> Elastic:
    net = Elastic(0, np.zeros((1, 3, 32, 32), np.uint8))
    net.load_state_dict(torch.load(checkpoint)["net"])
    return net


def subnet(depth: Sequence[int], expand: Sequence[int]) -> SubNet:
    """The SubNet of these choices, of the checkpoint that the environment names (or cifar.pt)."""
    return SubNet(trained(os.environ.get("CIFAR_CHECKPOINT", "cifar.pt")), depth, expand)


def principal_filters(images: np.ndarray) -> Any:
    """The main components of 3 x 3 patches, and their negatives: a stem that hardly has to learn."""
    some = torch.from_numpy(images[:: max(1, len(images) // 2_000), :, 4:28, 4:28]).float() / 255
    patches = F.unfold(some, 3).transpose(1, 2).reshape(-1, 27)
    patches = patches - patches.mean(0)
    _, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    top = vectors.flip(1).T[: STEM // 2].reshape(-1, 3, 3, 3)
    return torch.cat([top, -top])


def to_input(pixels: np.ndarray, size: int = 32) -> Any:
    x = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last).bfloat16() / 255
    if size == x.shape[2]:
        return x
    return F.interpolate(x.float(), (size, size), mode="bilinear", antialias=True).bfloat16()


def augment(images: np.ndarray, rng: np.random.Generator, flipped: np.ndarray) -> np.ndarray:
    """Move each image by up to SHIFT pixels each way, over its mirrored border, and mirror those that are flipped."""
    padded = np.pad(images, ((0, 0), (0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)), "reflect")
    moved, (dy, dx) = np.empty_like(images), rng.integers(0, 2 * SHIFT + 1, (2, len(images)))
    for y in range(2 * SHIFT + 1):
        for x in range(2 * SHIFT + 1):
            some = np.flatnonzero((dy == y) & (dx == x))
            moved[some] = padded[some, :, y : y + 32, x : x + 32]
    moved[flipped] = moved[flipped, :, :, ::-1]
    return moved


def orthogonal(gradient: Any, steps: int = 3) -> Any:
    """Towards the nearest matrix with orthogonal rows or columns, by a Newton-Schulz iteration."""
    x = gradient.flatten(1).bfloat16()
    x = x / (x.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.T if tall else x).reshape(gradient.shape).float()


def follow(filters: list[Any], momenta: list[Any], rate: float) -> None:
    """A step of Muon; a filter bank keeps its norm, which batch normalisation makes meaningless."""
    with torch.no_grad():
        for w, momentum in zip(filters, momenta, strict=True):
            momentum.mul_(0.9).add_(w.grad)
            w.mul_(math.sqrt(len(w)) / w.norm())
            w.add_(orthogonal(w.grad.add(momentum, alpha=0.9)), alpha=-rate)


def gradients(net: Elastic, x: Any, target: Any, other: dict[str, Any], with_stem: bool) -> tuple[float, Any]:
    """The largest SubNet's loss, and the gradients of it and of another's distance from the largest."""
    with torch.autocast("cpu", torch.bfloat16):
        with torch.set_grad_enabled(with_stem):
            stem = net.stem(x)  # the same in every SubNet
        y = net.body(stem, **LARGEST).float()
        loss, half = F.cross_entropy(y, target, label_smoothing=SMOOTHING), len(x) // 2
        distance = F.cross_entropy(net.body(stem[:half], **other).float(), F.softmax(y.detach()[:half], 1))
        return loss.item(), torch.autograd.grad(loss + distance, list(net.weights.values()), allow_unused=True)


def train(checkpoint: Path, data: Path, sizes: list[int], seed: int) -> None:
    images, labels = read_cifar10(data, "train")
    net = Elastic(seed, images)
    named = dict(net.weights.items())
    filters = [w for name, w in named.items() if w.dim() == 4 and name != "stem"]
    momenta = [torch.zeros_like(w) for w in filters]
    groups = [
        {"params": [named["stem"]], "weight_decay": 0, "rate": 0.02},
        {"params": [named["linear"]], "weight_decay": DECAY, "rate": 0.1},
        {"params": [w for w in named.values() if w.dim() == 1], "weight_decay": DECAY, "rate": 0.05},
    ]
    others = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    done, seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        if state["seed"] != seed or state["sizes"][: state["done"]] != sizes[: state["done"]]:
            said = f"{checkpoint} is of seed {state['seed']}, sizes {state['sizes']}"
            raise click.ClickException(f"{said}; give these, or another --checkpoint")
        net.load_state_dict(state["net"])
        others.load_state_dict(state["others"])
        momenta, done, seconds = state["momenta"], state["done"], state["seconds"]
    steps = len(images) // BATCH
    total, flipped = len(sizes) * steps, np.random.default_rng(seed).random(len(images)) < 0.5
    with ThreadPoolExecutor(PARTS) as pool, Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("training", total=total, completed=done * steps)
        for epoch in range(done, len(sizes)):
            start, losses = time.perf_counter(), []
            rng = np.random.default_rng([seed, epoch])
            moved = augment(images, rng, flipped ^ bool(epoch % 2))
            order = rng.permutation(len(images))
            for step in range(steps):
                now = epoch * steps + step
                falling = min(1, (total - now) / (0.7 * total))
                pick = order[step * BATCH : (step + 1) * BATCH]
                x, target = to_input(moved[pick], sizes[epoch]), torch.from_numpy(labels[pick].astype(np.int64))
                other = SMALLEST
                if step % 3:
                    other = {"depth": rng.integers(1, 3, 3).tolist(), "expand": rng.choice(QUARTERS, 6).tolist()}
                parts = [(net, x[i::PARTS], target[i::PARTS], other, epoch == 0) for i in range(PARTS)]
                found = list(pool.map(lambda part: gradients(*part), parts))
                for w, *each in zip(net.weights.values(), *(one[1] for one in found), strict=True):
                    w.grad = None if each[0] is None else sum(each) / PARTS
                for group in others.param_groups:
                    group["lr"] = group["rate"] * min(falling, (now + 1) / 200)
                follow(filters, momenta, RATES[min(epoch, 3)] * min(falling, (now + 1) / 40))
                others.step()
                losses.append(np.mean([one[0] for one in found]))
                progress.advance(bar)
            seconds += time.perf_counter() - start
            state = {"net": net.state_dict(), "others": others.state_dict(), "momenta": momenta, "sizes": sizes}
            torch.save(state | {"done": epoch + 1, "seed": seed, "seconds": seconds}, f"{checkpoint}.new")
            os.replace(f"{checkpoint}.new", checkpoint)
            said = f"loss {np.mean(losses):.4f}, {seconds:.0f} s"
            console.print(f"epoch {epoch + 1}/{len(sizes)}: {said}", highlight=False)


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="CIFAR-10: a folder, or an npz file.")
@click.option("--sizes", default=SIZES, show_default=True, help="Rows of the images in each epoch, by commas.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("--checkpoint", default="cifar.pt", show_default=True, type=click.Path(path_type=Path, dir_okay=False))
def main(data: Path, sizes: str, seed: int, checkpoint: Path) -> None:
    """Train, or go on from the checkpoint."""
    epochs = [int(size) if size.isdecimal() else 0 for size in sizes.split(",")]
    if not all(8 <= size <= 32 for size in epochs):
        raise click.BadParameter(f"{sizes!r} has sizes other than 8 to 32", param_hint="--sizes")
    train(checkpoint, data, epochs, seed)


if __name__ == "__main__":
    main()
