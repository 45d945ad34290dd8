import itertools

import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.spaces import get_space
from mapper.layout.memory_map import MemoryMap
from mapper.layout.tensors import activation_bytes, tile_grid

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")
SUBNETS = [FASHION.subnet(name) for name in ("fashion-d111-w222", "fashion-d222-w444")]


def areas(places, subnet):
    """(start, end) of everything that one SubNet's Program touches."""
    a = places.accelerator
    for layer in FASHION.layers:
        start = places.weights[layer.name]
        yield start, start + tile_grid(layer, a).tiles * a.tile_bytes
    for name, table in places.zsb.items():
        for layer in FASHION.subnet(name).weight_layers:
            yield table[layer.name], table[layer.name] + tile_grid(layer, a).kt * 8 * a.kp
    for place in places.tensors[subnet.name].values():
        yield place.address, place.address + activation_bytes(*place.shape, a)
    yield places.program, places.program + places.program_bytes


@pytest.mark.parametrize("subnet", SUBNETS, ids=lambda s: s.name)
def test_nothing_overlaps(subnet):
    places = MemoryMap.build(FASHION, SUBNETS, TINY)
    found = sorted(areas(places, subnet))
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(found))
    assert found[-1][1] == TINY.dram.bytes
    assert all(start % TINY.beat_bytes == 0 for start, _ in found)
    assert places.program % (TINY.axi.max_burst * TINY.beat_bytes) == 0


def test_a_conv_with_a_fused_add_has_no_tensor():
    names = MemoryMap.build(FASHION, SUBNETS, TINY).tensors["fashion-d111-w222"]
    assert "s1b1_conv2" not in names and names["s1b1_add"].shape == (12, 14, 14)
    assert names["input"].shape == (1, 28, 28) and names["linear"].shape == (10, 1, 1)


def test_dram_too_small():
    with pytest.raises(MappingError, match=r"need \d+ bytes of DRAM and the Program some more; tiny has 262144$"):
        MemoryMap.build(FASHION, SUBNETS, TINY.replace(dram={"bytes": 262144}))


def image_place(*layers):
    whole = SuperNet("net", layers, lambda: net, lambda name: {}, ("net",))
    net = SubNet("net", "net", layers, {})
    return MemoryMap.build(whole, [net], Accelerator.load("zcu104")).tensors["net"][INPUT]


def test_the_image_is_folded_if_all_who_read_it_take_it_so():
    windows = Layer("a", Kind.CONV, K=9, C=3, R=3, S=3, H=32, W=32, padding=1, inputs=(INPUT,))
    pointwise = Layer("b", Kind.CONV, K=9, C=3, H=32, W=32, inputs=(INPUT,))
    image, whole = image_place(windows), image_place(windows, pointwise)
    assert (image.folded, image.pitch, image.group_bytes) == (True, 112, 32 * 112)  # 11 words of 9 bytes: 7 beats of 16
    assert (whole.folded, whole.pitch) == (False, 288)


def test_smaller_depthwise_kernels_have_their_own_copy():
    """One copy for all SubNets with that kernel, none for the SuperNet's own; dense kernels have no other."""

    def net(r):
        deep = Layer("deep", Kind.CONV, 6, 6, r, r, 8, 8, padding=r // 2, groups=6, inputs=(INPUT,))
        return SubNet(f"of{r}", "whole", (deep,))

    whole = (Layer("deep", Kind.CONV, 12, 12, 7, 7, 8, 8, padding=3, groups=12),)
    supernet = SuperNet("whole", whole, lambda: net(7), lambda name: {}, ())
    three, five, seven = (net(r).layers[0] for r in (3, 5, 7))
    places = MemoryMap.build(supernet, [net(3), net(7), net(3), net(5)], TINY)
    assert set(places.kernels) == {("deep", 3, 3), ("deep", 5, 5)}
    starts = [places.weights_of(layer) for layer in (seven, three, five)]
    # 3 K-tiles of 4 channels; windows 9, 1 and 4 each; 3 columns a tile: 9, 1 and 4 tiles of 108 bytes.
    assert starts[0] == places.weights["deep"] == 0
    ends = [start + tiles * 108 for start, tiles in zip(starts, (9, 1, 4), strict=True)]
    assert ends[0] <= starts[1] and ends[1] <= starts[2] and ends[2] <= places.weight_bytes
