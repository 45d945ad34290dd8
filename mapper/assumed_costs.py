"""What layers that the mapper does not take would cost: assumptions, so that SubNets that have them can be compared.

No Program does this and nothing of it is measured. A layer reads its input once and writes its output once, each on a
port of its own, and computes beside that; the longest of the three counts, and nothing overlaps between layers.

- Depthwise: as on an array that feeds each filter its own channel, min(KP, CP) filters a pass, the other multipliers
  idle; 3 x 3 taps a pass as ever. Its weights come like tiles of that many filters by nine taps.
- The others (maximum and average pooling, squeeze-excite's global pooling and scaling): one pixel of CP channels a
  cycle, as a STORE does it.
"""

from __future__ import annotations

from arch_model.accelerator import TAPS, Accelerator
from arch_model.layer import Kind, Layer
from mapper.tiling import PASS_OVERHEAD


def assumed_cost(layer: Layer, accelerator: Accelerator) -> tuple[int, int]:
    """(cycles, DRAM bytes) of a depthwise layer, or one without weights.

    >>> tiny = Accelerator.load("tiny")  # 4 x 3; a beat of 4 bytes every second cycle, the first after 24
    >>> assumed_cost(Layer("d", Kind.CONV, K=6, C=6, R=3, S=3, H=8, W=8, padding=1, groups=6), tiny)
    (216, 824)
    >>> assumed_cost(Layer("p", Kind.MAXPOOL, K=6, C=6, R=2, S=2, H=8, W=8, stride=2), tiny)
    (216, 480)
    """
    a = accelerator
    read = a.groups(layer.C) * layer.H * a.pitch(layer.W) // a.beat_bytes
    write = a.groups(layer.K) * layer.P * a.pitch(layer.Q) // a.beat_bytes
    weights = 0
    if layer.kind is Kind.CONV:
        filters = min(a.kp, a.cp)
        windows = -(-layer.R // 3) * -(-layer.S // 3)
        passes = -(-layer.K // filters) * windows
        work = passes * max(layer.P * layer.Q, a.kp + PASS_OVERHEAD)
        weights = passes * -(-TAPS * filters // a.weight_beat_bytes)
    else:
        work = a.groups(layer.C) * layer.H * layer.W
    slowest = max(read, write, weights) * a.dram.cycles_per_beat
    cycles = max(work, slowest) + a.dram.latency_cycles
    return cycles, (read + write) * a.beat_bytes + weights * a.weight_beat_bytes
