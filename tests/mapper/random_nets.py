"""Random accelerators, SuperNets with a SubNet, SubGraphs and quantisations, for the tests of mapper and sim."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from arch_model.errors import AcceleratorError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Activation, Kind, Layer
from arch_model.network.quant import encode_multiplier, encode_pair
from arch_model.network.supernet import SubGraph, SubNet, SuperNet
from arch_model.network.weights import AddQuant, ConvQuant, MaxPoolQuant, PoolQuant, ScaleQuant
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import subgraph_tile_count

SHAPES = ((4, 3), (4, 4), (8, 3), (3, 5), (1, 1), (2, 7), (5, 2), (16, 9))


def random_accelerator(rng, shape=None) -> Accelerator:
    """Buffers small enough that layers of a dozen channels need several tiles, chunks and halves."""
    kp, cp = shape or SHAPES[rng.integers(len(SHAPES))]
    raw = 9 * kp * cp
    while True:
        beat = int(rng.choice([b for b in (4, 8, 16, 32, 64) if (8 * kp) % b == 0]))
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
                dram={
                    "bytes": 1 << 20,
                    "latency_cycles": int(rng.integers(1, 50)),
                    "cycles_per_beat": int(rng.integers(1, 4)),
                },
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


def random_channelwise(rng, kind=None) -> Layer:
    """A depthwise conv, a pool over windows or a product of odd sizes, legal for the machine."""
    kinds = Kind.CONV, Kind.CONV, Kind.MAXPOOL, Kind.AVGPOOL, Kind.SCALE, Kind.MUL
    kind = kind or kinds[rng.integers(len(kinds))]
    c, h, w = int(rng.integers(2, 40)), int(rng.integers(1, 16)), int(rng.integers(1, 16))
    shape = {"K": c, "C": c, "H": h, "W": w}
    if kind in (Kind.SCALE, Kind.MUL):
        return Layer("layer", kind, **shape, inputs=("x", "factors"))
    sizes = {Kind.CONV: (3, 3, 5, 7), Kind.MAXPOOL: (1, 2, 3, 3), Kind.AVGPOOL: (1, 2, 2, 3, 3, 4)}[kind]
    r = s = int(rng.choice(sizes))
    stride, padding = int(rng.integers(1, 3)), 0
    if kind is Kind.CONV:
        padding = (r - 1) // 2 if rng.random() < 0.8 or min(h, w) < r else 0
    elif rng.random() < 0.3:
        s = int(rng.choice(sizes))
    if kind is not Kind.CONV and max(r, s) <= 3:  # windows beyond the tensor, all around or at the end
        padding = int(rng.integers(0, min(r, s) // 2 + 1))
        shape["ceil_mode"] = bool(rng.random() < 0.5)
    shape |= {"R": r, "S": s, "H": max(h, r - 2 * padding), "W": max(w, s - 2 * padding)}
    groups = c if kind is Kind.CONV else 1
    activation = Activation.HSWISH if kind is Kind.CONV and rng.random() < 0.3 else Activation.NONE
    return Layer("layer", kind, **shape, stride=stride, padding=padding, groups=groups, activation=activation)


def channelwise_network(layer: Layer) -> tuple[SuperNet, SubNet]:
    """A network of one channelwise layer; the factors of a product are a pool of the image: a global average, or the
    greatest of three neighbours."""
    layers, of_image = [replace(layer, inputs=(INPUT,) * layer.kind.operands)], (layer.K, layer.C)
    if layer.kind is Kind.SCALE:
        factors = Layer("factors", Kind.POOL, *of_image, H=layer.H, W=layer.W, inputs=(INPUT,))
        layers = [factors, replace(layer, inputs=(INPUT, "factors"))]
    elif layer.kind is Kind.MUL:
        factors = Layer("factors", Kind.MAXPOOL, *of_image, 3, 3, layer.H, layer.W, padding=1, inputs=(INPUT,))
        layers = [factors, replace(layer, inputs=(INPUT, "factors"))]
    subnet = SubNet("part", "whole", tuple(layers))
    whole = tuple(replace(a, inputs=()) for a in subnet.weight_layers)
    return SuperNet("whole", whole, lambda: subnet, lambda name: {}, ("part",)), subnet


def random_mobile_network(rng) -> tuple[SuperNet, SubNet]:
    """A stem with a maximum pool, blocks of expansion, depthwise conv, squeeze-excite and projection, and a head.

    Depthwise convs of stride 1 may have the add in their own STORE; an average pool stands where one fits.
    """
    c, h, w = int(rng.integers(1, 5)), int(rng.integers(7, 20)), int(rng.integers(7, 20))
    layers: list[Layer] = []
    curves = (Activation.HSWISH, Activation.RELU6, Activation.NONE)

    def conv(name, before, k, r=1, stride=1, groups=1, activation=Activation.NONE, size=None):
        source, channels, rows, cols = before
        made = Layer(
            name, Kind.CONV, k, channels, r, r, rows, cols, stride, r // 2, groups, (source,), activation=activation
        )
        layers.append(made)
        return name, k, made.P, made.Q

    last = conv("stem", (INPUT, c, h, w), int(rng.integers(2, 20)), 3, 2, activation=curves[rng.integers(3)])
    if rng.random() < 0.6:
        source, c, h, w = last
        layers.append(Layer("max", Kind.MAXPOOL, c, c, 3, 3, h, w, 2, 1, inputs=(source,)))
        last = "max", c, layers[-1].P, layers[-1].Q
    for block in range(int(rng.integers(1, 4))):
        before, curve = last, curves[rng.integers(3)]
        middle = int(rng.integers(2, 40))
        last = conv(f"b{block}_expand", last, middle, activation=curve)
        r, stride = int(rng.choice([3, 5, 7])), int(rng.integers(1, 3))
        last = conv(f"b{block}_depthwise", last, middle, r, stride, middle, curve)
        if stride == 1 and rng.random() < 0.3:
            layers.append(Layer(f"b{block}_inner", Kind.ADD, middle, middle, H=last[2], W=last[3]))
            layers[-1] = replace(layers[-1], inputs=(last[0], f"b{block}_expand"))
            last = f"b{block}_inner", *last[1:]
        if rng.random() < 0.6:
            source, c, h, w = last
            few = int(rng.integers(1, 12))
            layers.append(Layer(f"b{block}_pool", Kind.POOL, c, c, H=h, W=w, inputs=(source,)))
            layers.append(Layer(f"b{block}_squeeze", Kind.LINEAR, few, c, inputs=(f"b{block}_pool",)))
            excite = Layer(f"b{block}_excite", Kind.LINEAR, c, few, inputs=(f"b{block}_squeeze",))
            layers.append(replace(excite, activation=Activation.HSIGMOID))
            layers.append(Layer(f"b{block}_scale", Kind.SCALE, c, c, H=h, W=w, inputs=(source, excite.name)))
            last = f"b{block}_scale", c, h, w
        if rng.random() < 0.3:  # gated by what came before, or by itself
            source, c, h, w = last
            gate = f"b{block}_expand" if stride == 1 and rng.random() < 0.7 else source
            layers.append(Layer(f"b{block}_gate", Kind.MUL, c, c, H=h, W=w, inputs=(source, gate)))
            last = f"b{block}_gate", c, h, w
        k = before[1] if stride == 1 and rng.random() < 0.7 else int(rng.integers(2, 24))
        last = conv(f"b{block}_project", last, k)
        if stride == 1 and k == before[1] and before[0] != INPUT:
            layers.append(Layer(f"b{block}_add", Kind.ADD, k, k, H=last[2], W=last[3], inputs=(last[0], before[0])))
            last = f"b{block}_add", *last[1:]
        if min(last[2:]) >= 2 and rng.random() < 0.3:
            source, c, h, w = last
            up = bool(rng.random() < 0.5)
            layers.append(Layer(f"b{block}_mean", Kind.AVGPOOL, c, c, 2, 2, h, w, 2, inputs=(source,), ceil_mode=up))
            last = f"b{block}_mean", c, layers[-1].P, layers[-1].Q
    source, c, h, w = last
    layers.append(Layer("pool", Kind.POOL, c, c, H=h, W=w, inputs=(source,)))
    layers.append(Layer("linear", Kind.LINEAR, 7, c, inputs=("pool",), activation=curves[rng.integers(3)]))
    subnet = SubNet("part", "whole", tuple(layers))
    whole = []
    for layer in subnet.weight_layers:  # a SuperNet that is up to three channels wider
        more = int(rng.integers(4))
        wider = {"K": layer.K + more, "C": layer.C + (more if layer.groups > 1 else int(rng.integers(4)))}
        whole.append(replace(layer, **wider, groups=wider["C"] if layer.groups > 1 else 1, inputs=()))
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
            products = layer.C // layer.groups * layer.R * layer.S
            scale = rng.uniform(0.5, 2, layer.K) * 40 / (74 * 74 * np.sqrt(products))
            multiplier, shift = encode_multiplier(scale)
            bias = rng.integers(-2000, 2000, layer.K).astype(np.int32)
            table = None if layer.activation.is_clamp else rng.integers(-128, 128, 256, dtype=np.int8)
            integers = bias, multiplier.astype(np.int32), shift.astype(np.int32), z_in, out, lo, 127
            ops[layer.name] = ConvQuant(*integers, table)
        elif layer.kind is Kind.MAXPOOL:
            ops[layer.name] = MaxPoolQuant(int(rng.integers(-128, -50)), int(rng.integers(50, 128)))
        elif layer.kind in (Kind.SCALE, Kind.MUL):
            (m_f,), (shift_f,) = encode_multiplier([rng.uniform(0.3, 1.2)])
            z_s = zeros[layer.inputs[1]]
            ops[layer.name] = ScaleQuant(z_s, int(m_f), int(shift_f), z_in, int(rng.integers(4, 8)), out, lo, 127)
        elif layer.kind is Kind.ADD:
            m_a, m_b, shift = encode_pair(float(rng.uniform(0.3, 1)), float(rng.uniform(0.3, 1)))
            ops[layer.name] = AddQuant(m_a, m_b, shift, z_in, zeros[layer.inputs[1]], out, lo, 127)
        else:
            pixels = layer.H * layer.W if layer.kind is Kind.POOL else layer.R * layer.S
            m, _, shift = encode_pair(1 / pixels, 0)
            ops[layer.name] = PoolQuant(m, shift, z_in, out, lo, 127)
    return ops


def random_weights(supernet: SuperNet, rng) -> dict:
    return {
        layer.name: rng.integers(-128, 128, (layer.K, layer.C // layer.groups, layer.R, layer.S), dtype=np.int8)
        for layer in supernet.layers
    }


def random_subgraph(supernet: SuperNet, accelerator: Accelerator, rng) -> SubGraph:
    """Some slices of some layers that fit the PB."""
    for _ in range(30):
        pairs = (
            (layer.groups, int(rng.integers(0, layer.K + 1)), int(rng.integers(0, layer.C + 1)))
            for layer in supernet.layers
        )
        slices = tuple((k, c if groups == 1 else k) if rng.random() < 0.6 else (0, 0) for groups, k, c in pairs)
        graph = SubGraph(supernet.name, slices)
        if subgraph_tile_count(graph, supernet, accelerator) <= accelerator.pb_tiles:
            return graph
    return SubGraph.empty(supernet)


def random_image(subnet: SubNet, memory_map: MemoryMap, rng):
    return rng.integers(-128, 128, memory_map.tensors[subnet.name][INPUT].shape, dtype=np.int8)
