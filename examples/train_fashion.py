"""How does one train a weight-shared SuperNet and make it int8? Here: ``fashion``, of which the weights ship.

    python examples/train_fashion.py --epochs 16 --seed 1 --out fashion.npz

needs the extra ``train`` (PyTorch) and the Debian package dataset-fashion-mnist. 16 epochs took 3,133 s on two busy
cores when the weights that ship were made, whose SubNets get 91.22 to 92.31 % of the test images right in int8.

Each step trains the largest SubNet on the labels, the smallest and a random one on the largest's output (the sandwich
rule: Yu and Huang, ICCV 2019). The module below slices its weights to the SubNet that is chosen, which is all that
``fastswitch.quantise`` asks of it. 55,000 training images train; the other 5,000 choose the SubNets.
"""

import gzip
import math
import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch
import torch.nn.functional as F
from rich.progress import track

import fastswitch as fs

SPACE = fs.load_supernet("fashion")
STEM, STAGES, CLASSES = 16, (24, 48, 96), 10
TRAINING, CALIBRATING, CHOOSING, BATCH = 55_000, 4_096, 512, 384
PEAK_RATE, WEIGHT_DECAY = 0.1, 5e-4


class Convolution(torch.nn.Module):
    """A convolution and its batch normalisation, of which a SubNet uses the leading filters and channels."""

    def __init__(self, k, c, size, stride=1):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(k, c, size, size) * (2 / (c * size**2)) ** 0.5)
        self.gamma, self.beta = torch.nn.Parameter(torch.ones(k)), torch.nn.Parameter(torch.zeros(k))
        self.register_buffer("mean", torch.zeros(k))  # recalibrated for each SubNet when it is quantised
        self.register_buffer("var", torch.ones(k))
        self.stride = stride

    def forward(self, x, k):
        x = F.conv2d(x, self.weight[:k, : x.shape[1]], None, self.stride, self.weight.shape[2] // 2)
        return F.batch_norm(x, self.mean[:k], self.var[:k], self.gamma[:k], self.beta[:k], self.training, 0.0)


class Fashion(torch.nn.Module):
    """The SuperNet; ``set_active_subnet`` chooses blocks (1 or 2) and quarters of the width (2 to 4) of each stage."""

    def __init__(self):
        super().__init__()
        self.stem, c, parts = Convolution(STEM, 1, 3), STEM, {}
        for i, k in enumerate(STAGES, 1):
            for j in (1, 2):
                parts[f"s{i}b{j}_conv1"] = Convolution(k, c, 3, 2 if j == 1 else 1)
                parts[f"s{i}b{j}_conv2"] = Convolution(k, k, 3)
                if j == 1:
                    parts[f"s{i}b{j}_down"] = Convolution(k, c, 1, 2)
                c = k
        self.parts = torch.nn.ModuleDict(parts)
        self.linear = torch.nn.Parameter(torch.randn(CLASSES, c) * (2 / c) ** 0.5)
        self.bias = torch.nn.Parameter(torch.zeros(CLASSES))
        self.set_active_subnet((2, 2, 2), (4, 4, 4))

    def set_active_subnet(self, depth, width):
        self.depth, self.width = depth, width

    def start(self, x):
        """The stem, which is the same in every SubNet: training runs it once for three of them."""
        return F.relu(self.stem(x, STEM))

    def rest(self, x):
        for i, (depth, quarters) in enumerate(zip(self.depth, self.width, strict=True), 1):
            k = STAGES[i - 1] * quarters // 4
            for j in range(1, depth + 1):
                block = f"s{i}b{j}"
                y = self.parts[f"{block}_conv2"](F.relu(self.parts[f"{block}_conv1"](x, k)), k)
                x = F.relu(y + (self.parts[f"{block}_down"](x, k) if j == 1 else x))
        x = x.mean((2, 3))
        return F.linear(x, self.linear[:, : x.shape[1]], self.bias)

    def forward(self, x):
        return self.rest(self.start(x))


def read(data, split):
    """Images (N, 28, 28) and labels (N) of ``train`` or ``t10k``: gzipped, a header and bytes."""
    files = [(f"{split}-images-idx3-ubyte.gz", 16), (f"{split}-labels-idx1-ubyte.gz", 8)]
    images, labels = (np.frombuffer(gzip.decompress((data / name).read_bytes()), np.uint8, -1, n) for name, n in files)
    return images.reshape(-1, 28, 28), labels.copy()  # torch warns of what it may not write to


def augment(images, rng):
    """Flip half of the images left to right and move each by up to two pixels each way, onto black."""
    n, h, w = images.shape
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    dy, dx = rng.integers(0, 5, (2, n, 1))
    columns = np.where(rng.random((n, 1)) < 0.5, np.arange(w), np.arange(w)[::-1]) + dx
    return padded[np.arange(n)[:, None, None], (np.arange(h) + dy)[:, :, None], columns[:, None, :]]


def step(net, x, target, rng):
    """The gradients of three SubNets of one batch; the loss of the largest."""
    names = SPACE.subnet_names()
    net.set_active_subnet(**dict(SPACE.subnet(names[-1]).config))
    with torch.autocast("cpu", torch.bfloat16):
        stem = net.start(x)
        cut = stem.detach().requires_grad_()
        logits = net.rest(cut).float()
    loss = F.cross_entropy(logits, target)
    loss.backward()
    teacher = F.softmax(logits.detach(), 1)
    for name in (names[0], names[rng.integers(len(names))]):
        net.set_active_subnet(**dict(SPACE.subnet(name).config))
        with torch.autocast("cpu", torch.bfloat16):
            logits = net.rest(cut).float()
        F.cross_entropy(logits, teacher).backward()
    stem.backward(cut.grad)
    return loss.item()


def train(net, images, labels, epochs, seed, checkpoint):
    """Train; goes on from the checkpoint if there is one. Seconds that all epochs took."""
    decayed, plain = ([p for p in net.parameters() if (p.dim() > 1) is many] for many in (True, False))
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain}]
    optimiser = torch.optim.SGD(groups, lr=PEAK_RATE, momentum=0.9, nesterov=True)
    done, seconds, steps = 0, 0.0, len(images) // BATCH
    if checkpoint.exists():
        state = torch.load(checkpoint)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        done, seconds = state["done"], state["seconds"]
    for epoch in range(done, epochs):
        begin, losses, rng = time.perf_counter(), [], np.random.default_rng([seed, epoch])
        order = rng.permutation(len(images))
        for n in track(range(steps), f"epoch {epoch + 1} of {epochs}"):
            now = epoch * steps + n
            rate = min(1, (now + 1) / (2 * steps)) * 0.5 * (1 + math.cos(math.pi * now / (epochs * steps)))
            for group in optimiser.param_groups:
                group["lr"] = PEAK_RATE * rate
            pick = order[n * BATCH : (n + 1) * BATCH]
            x = torch.from_numpy(augment(images[pick], rng)[:, None].astype(np.float32) / 255)
            losses.append(step(net, x, torch.from_numpy(labels[pick].astype(np.int64)), rng))
            optimiser.step()
            optimiser.zero_grad()
        seconds += time.perf_counter() - begin
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, {seconds:.0f} s", flush=True)
        state = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "done": epoch + 1, "seconds": seconds}
        torch.save(state, checkpoint)
    return seconds


def choose(net, images, labels, rungs=20):
    """The smallest and the largest SubNet, and the most accurate of each of ``rungs`` equal ratios of MACs."""
    scores = {}
    for name in track(SPACE.subnet_names(), "choosing SubNets"):
        net.set_active_subnet(**dict(SPACE.subnet(name).config))
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):  # statistics of this batch stand for recalibration
            net.train()
            scores[name] = sum(
                float((net(x).argmax(1) == y).float().mean()) for x, y in zip(images, labels, strict=True)
            )
    macs = {name: SPACE.subnet(name).macs for name in scores}
    low, high = math.log(min(macs.values())), math.log(max(macs.values()) + 1)
    best = {}
    for name in sorted(scores, key=lambda name: (-scores[name], macs[name])):
        best.setdefault(int(rungs * (math.log(macs[name]) - low) / (high - low)), name)
    ends = min(macs, key=macs.get), max(macs, key=macs.get)
    return sorted({*ends, *best.values()}, key=macs.get)


@click.command()
@click.option("--epochs", default=16, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("--out", default="fashion.npz", show_default=True, type=click.Path(path_type=Path))
@click.option("--checkpoint", default="fashion.pt", show_default=True, type=click.Path(path_type=Path))
@click.option("--data", default="/usr/share/datasets/fashion-mnist", show_default=True, type=click.Path(path_type=Path))
def main(epochs, seed, out, checkpoint, data):
    """Train (or go on from the checkpoint), quantise, measure and write the weights."""
    torch.manual_seed(seed)
    net, (images, labels) = Fashion(), read(data, "train")
    seconds = train(net, images[:TRAINING], labels[:TRAINING], epochs, seed, checkpoint)
    held = [torch.from_numpy(part) for part in (images[TRAINING:, None] / np.float32(255), labels[TRAINING:])]
    names = choose(net, *(part.split(CHOOSING) for part in held))
    weights = fs.quantise(
        net, images[:CALIBRATING], names, SPACE, test=read(data, "t10k"), recalibrate=True,
        on_subnet=lambda one: print(f"{one.name} {one.macs:12,} {one.top1_float:8.2%} {one.top1:8.2%}", flush=True),
    )  # fmt: skip
    training = {"epochs": epochs, "seed": seed, "training_seconds": round(seconds)}
    fs.save_weights(out, replace(weights, metadata={**weights.metadata, **training}))


if __name__ == "__main__":
    main()
