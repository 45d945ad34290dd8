"""The training of ``cifar`` on a few pictures: it goes on where it was, and what it makes are SubNets of the space."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (the extra train)")
ROOT = Path(__file__).parents[2]
PATH = {"PYTHONPATH": os.pathsep.join([str(ROOT / "examples"), str(ROOT)])}
STOPPED = """
import os, pathlib, train_cifar
def stop(made, kept):
    os.rename(made, kept)
    os._exit(3)
os.replace = stop
train_cifar.train(pathlib.Path("twice.pt"), pathlib.Path("."), [8, 8], 1)
"""
IMAGES = np.random.default_rng(1).integers(0, 256, (1000, 3, 32, 32), np.uint8)


def train(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / "train_cifar.py"), "--data", str(folder), *words]
    return subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Labels that a glance at the first pixel tells."""
    rows = np.concatenate([IMAGES[:, 0, 0, :1] % 10, IMAGES.reshape(len(IMAGES), -1)], 1)
    for n, part in enumerate(np.split(rows, 5), 1):
        (tmp_path / f"data_batch_{n}.bin").write_bytes(part.tobytes())
    return tmp_path


def test_it_goes_on_where_it_was(data: Path) -> None:
    """Two epochs at once, and one after the other: the same weights."""
    first = train(data, "--sizes", "8,8", "--checkpoint", "at_once.pt")
    assert [line.split(":")[0] for line in first.stdout.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    stopped = subprocess.run([sys.executable, "-c", STOPPED], cwd=data, env=os.environ | PATH, check=False)
    assert stopped.returncode == 3
    assert torch.load(data / "twice.pt")["done"] == 1
    second = train(data, "--sizes", "8,8", "--checkpoint", "twice.pt")
    assert [line.split(":")[0] for line in second.stdout.splitlines()] == ["epoch 2/2"]
    at_once, twice = (torch.load(data / name)["net"] for name in ("at_once.pt", "twice.pt"))
    assert all(torch.equal(tensor, twice[name]) for name, tensor in at_once.items())
    other = train(data, "--sizes", "8,16", "--checkpoint", "twice.pt")
    assert other.returncode == 1 and "twice.pt is of seed 1, sizes [8, 8]; give these, or another" in other.stderr


def test_sizes_are_checked(data: Path) -> None:
    wrong = train(data, "--sizes", "24,64")
    assert wrong.returncode == 2 and "'24,64' has sizes other than 8 to 32" in wrong.stderr


def test_its_subnets_are_those_of_the_space(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fastswitch as fs

    assert train(data, "--sizes", "8").returncode == 0
    monkeypatch.setenv("CIFAR_CHECKPOINT", str(data / "cifar.pt"))
    names = ["cifar-d111-e101010", "cifar-d212-e244044"]
    weights = fs.quantise(
        f"{ROOT / 'examples' / 'train_cifar.py'}:subnet", IMAGES[:20], names, "cifar", recalibrate=True, kept=0
    )
    space = fs.load_supernet("cifar")
    assert {name: len(net.ops) for name, net in weights.subnets.items()} == {
        name: len(space.subnet(name).layers) for name in names
    }
