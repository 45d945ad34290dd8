"""Random accelerators, SuperNets with a SubNet, SubGraphs and quantisations, for the tests of mapper and sim."""

from __future__ import annotations

import numpy as np

from arch_model.accelerator import Accelerator
from arch_model.errors import AcceleratorError
from arch_model.layer import INPUT, Kind, Layer
from arch_model.quant import encode_multiplier, encode_pair
from arch_model.supernet import SubGraph, SubNet, SuperNet
from arch_model.weights import AddQuant, ConvQuant, PoolQuant
from mapper.memory_map import MemoryMap
from mapper.persistent import subgraph_tile_count

SHAPES = ((4, 3), (4, 4), (8, 3), (3, 5), (1, 1), (2, 7), (5, 2), (16, 9))


def random_accelerator(rng, shape=None) -> Accelerator:
    """Buffers small enough that layers of a dozen channels need several tiles, chunks and halves."""
    kp, cp = shape or SHAPES[rng.integers(len(SHAPES))]
    raw = 9 * kp * cp
    while True:
        beat = int(rng.choice([b for b in (4, 8, 16) if (8 * kp) % b == 0]))
        try:
            return Accelerator(
                name="random",
                array={"kp": kp, "cp": cp},
                clock_hz=1e8,
                buffers={
                    "pb_bytes": raw * int(rng.integers(0, 40)),
                    "db_bytes": 2 * raw * int(rng.integers(1, 20)),
                    "sb_bytes": 18 * cp * int(rng.integers(20, 300)),
                    "ob_bytes": 4 * kp * int(rng.integers(12, 150)),
                    "ob_out_bytes": 4 * cp * int(rng.integers(200, 3000)),
                    "zsb_bytes": 16 * kp * int(rng.integers(6, 30)),
                },
                axi={"data_bits": 8 * beat, "max_burst": 16, "pixels": int(rng.choice([1, 2, 4]))},
                dram={"bytes": 1 << 20, "latency_cycles": int(rng.integers(1, 50)), "cycles_per_beat": 2},
            )
        except AcceleratorError:
            continue


def random_network(rng) -> tuple[SuperNet, SubNet]:
    """A chain of convs (1, 3, 5 wide; stride 1 and 2) with branches, residual adds, maybe a pool and a linear."""
    h, w, c = int(rng.integers(3, 12)), int(rng.integers(3, 12)), int(rng.integers(1, 20))
    shapes = {INPUT: (c, c, h, w)}  # channels of the SuperNet and of the SubNet, rows, columns
    whole: list[Layer] = []
    part: list[Layer] = []

    def conv(name, source, k, r, stride, padding):
        most, c, h, w = shapes[source]
        if h + 2 * padding < r or w + 2 * padding < r:
            r = stride = 1
            padding = 0
        rest = {"R": r, "S": r, "H": h, "W": w, "stride": stride, "padding": padding, "inputs": (source,)}
        whole.append(Layer(name, Kind.CONV, k[0], most, **rest))
        part.append(Layer(name, Kind.CONV, k[1], c, **rest))
        shapes[name] = (*k, part[-1].P, part[-1].Q)

    def width():
        most = int(rng.integers(1, 24))
        return most, int(rng.integers(1, most + 1))

    last = INPUT
    for i in range(int(rng.integers(1, 6))):
        source = last if rng.random() < 0.7 else str(rng.choice(list(shapes)))
        r = int(rng.choice([1, 3, 3, 3, 5]))
        last = f"conv{i}"
        conv(last, source, width(), r, int(rng.integers(1, 3)), r // 2 if rng.random() < 0.8 else 0)
        if rng.random() < 0.4:
            k = shapes[last][:2]
            conv(f"branch{i}", last, k, 1, 1, 0)
            _, k, h, w = shapes[last]
            part.append(Layer(f"add{i}", Kind.ADD, k, k, H=h, W=w, inputs=(f"branch{i}", last)))
            shapes[f"add{i}"] = shapes[last]
            last = f"add{i}"
    if rng.random() < 0.5:
        most, k, h, w = shapes[last]
        part.append(Layer("pool", Kind.POOL, k, k, H=h, W=w, inputs=(last,)))
        whole.append(Layer("linear", Kind.LINEAR, 10, most, inputs=("pool",)))
        part.append(Layer("linear", Kind.LINEAR, 7, k, inputs=("pool",)))
    subnet = SubNet("part", "whole", tuple(part))
    return SuperNet("whole", tuple(whole), lambda: subnet, lambda name: {}, ("part",)), subnet


def random_quant(subnet: SubNet, rng) -> dict:
    """Scales that spread the outputs over int8; zero-points anywhere."""

    def zero():
        return int(rng.integers(-128, 128))

    zeros = {INPUT: zero()}
    ops = {}
    for layer in subnet.layers:
        zeros[layer.name] = out = zero()
        z_in = zeros[layer.inputs[0]]
        lo = out if rng.random() < 0.5 else -128
        if layer.kind.has_weights:
            scale = rng.uniform(0.5, 2, layer.K) * 40 / (74 * 74 * np.sqrt(layer.C * layer.R * layer.S))
            multiplier, shift = encode_multiplier(scale)
            bias = rng.integers(-2000, 2000, layer.K).astype(np.int32)
            ops[layer.name] = ConvQuant(bias, multiplier.astype(np.int32), shift.astype(np.int32), z_in, out, lo, 127)
        elif layer.kind is Kind.ADD:
            m_a, m_b, shift = encode_pair(float(rng.uniform(0.3, 1)), float(rng.uniform(0.3, 1)))
            ops[layer.name] = AddQuant(m_a, m_b, shift, z_in, zeros[layer.inputs[1]], out, lo, 127)
        else:
            m, _, shift = encode_pair(1 / (layer.H * layer.W), 0)
            ops[layer.name] = PoolQuant(m, shift, z_in, out, lo, 127)
    return ops


def random_weights(supernet: SuperNet, rng) -> dict:
    return {
        layer.name: rng.integers(-128, 128, (layer.K, layer.C, layer.R, layer.S), dtype=np.int8)
        for layer in supernet.layers
    }


def random_subgraph(supernet: SuperNet, accelerator: Accelerator, rng) -> SubGraph:
    """Some slices of some layers that fit the PB."""
    for _ in range(30):
        slices = tuple(
            (int(rng.integers(0, layer.K + 1)), int(rng.integers(0, layer.C + 1))) if rng.random() < 0.6 else (0, 0)
            for layer in supernet.layers
        )
        graph = SubGraph(supernet.name, slices)
        if subgraph_tile_count(graph, supernet, accelerator) <= accelerator.pb_tiles:
            return graph
    return SubGraph.empty(supernet)


def random_image(subnet: SubNet, memory_map: MemoryMap, rng):
    return rng.integers(-128, 128, memory_map.tensors[subnet.name][INPUT].shape, dtype=np.int8)
