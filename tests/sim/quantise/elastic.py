"""A small elastic module, for tests that have torch: ``fashion``'s stages, widths and depths by slices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra train)")
nn, F = torch.nn, torch.nn.functional
Module: Any = torch.nn.Module
FULL = (24, 48, 96)


class Conv(Module):
    """A convolution and its batch normalisation, of which any leading channels are used."""

    def __init__(self, k: int, c: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c, k, size, stride, size // 2, bias=False)
        self.bn = nn.BatchNorm2d(k)
        nn.init.normal_(self.bn.weight, 0.3, 1.0)  # some are negative
        nn.init.normal_(self.bn.bias, 0, 0.5)
        nn.init.uniform_(self.bn.running_var, 0.5, 2.0)
        nn.init.normal_(self.bn.running_mean, 0, 0.2)

    def forward(self, x: Any, k: int) -> Any:
        x = F.conv2d(x, self.conv.weight[:k, : x.shape[1]], None, self.conv.stride, self.conv.padding)
        norm = self.bn
        return F.batch_norm(x, norm.running_mean[:k], norm.running_var[:k], norm.weight[:k], norm.bias[:k])


class Elastic(Module):
    """``set_active_subnet(depth, width)`` as of ``fashion``."""

    def __init__(self, seed: int = 0, stem: int = 16, channels: int = 1) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.stem, self.parts, c = Conv(stem, channels, 3), nn.ModuleDict(), stem
        for i, k in enumerate(FULL, 1):
            for j in (1, 2):
                self.parts[f"s{i}b{j}_conv1"] = Conv(k, c, 3, 2 if j == 1 else 1)
                self.parts[f"s{i}b{j}_conv2"] = Conv(k, k, 3)
                if j == 1:
                    self.parts[f"s{i}b{j}_down"] = Conv(k, c, 1, 2)
                c = k
        self.linear, self.width_of_stem = nn.Linear(c, 10), stem
        self.depth, self.width = (2, 2, 2), (4, 4, 4)

    def set_active_subnet(self, depth: Any, width: Any) -> None:
        self.depth, self.width = tuple(depth), tuple(width)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.stem(x, self.width_of_stem))
        for i, (depth, quarters) in enumerate(zip(self.depth, self.width, strict=True), 1):
            k = FULL[i - 1] * quarters // 4
            for j in range(1, depth + 1):
                name = f"s{i}b{j}"
                y = self.parts[f"{name}_conv2"](F.relu(self.parts[f"{name}_conv1"](x, k)), k)
                if j == 1:
                    x = self.parts[f"{name}_down"](x, k)
                x = F.relu(y + x)
        x = x.mean((2, 3))
        return F.linear(x, self.linear.weight[:, : x.shape[1]], self.linear.bias)


def pixels(count: int = 32, seed: int = 0, channels: int = 1, size: int = 28) -> np.ndarray:
    """Images with blobs, so that tensors are not noise alone: uint8 (N, C, H, W)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, channels, -(-size // 4), -(-size // 4)))
    return coarse.repeat(4, 2).repeat(4, 3)[..., :size, :size].astype(np.uint8)
