import numpy as np
import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.network.weights import ConvQuant, PoolQuant
from mapper.layout import dram_image
from mapper.lowering.compile import compile_layer, single_layer

TINY = Accelerator.load("tiny")  # KP 4, CP 3, B 4
LAYER = Layer("a", Kind.CONV, K=2, C=4, H=2, W=1)
WEIGHTS = {"a": np.array([[1, 2, 3, 4], [0, 0, 0, -5]], np.int8).reshape(2, 4, 1, 1)}
QUANT = ConvQuant(np.array([7, 8], np.int32), np.array([1, 2], np.int32), np.array([0, 1], np.int32), 3, 0, -128, 127)


@pytest.fixture
def compiled():
    program, memory_map = compile_layer(LAYER, TINY, QUANT)
    return program, memory_map, single_layer(LAYER)[1]


def test_segments_by_hand(compiled):
    program, memory_map, subnet = compiled
    ((address, weights),) = dram_image.weights_segments(memory_map, WEIGHTS)
    assert address == memory_map.weights["a"] and len(weights) == 108
    assert weights[:4].tolist() == [1, 2, 3, 4] and weights[27:31].tolist() == [0, 0, 0, 251]
    ((address, zsb),) = dram_image.zsb_segments(memory_map, subnet, WEIGHTS, {"a": QUANT})
    assert address == program.zsb["a"]
    # biases 7 - 3 * 10 and 8 + 3 * 5; multiplier | shift << 26
    assert zsb.view("<i4").tolist() == [-23, 1, 23, 2 | 1 << 26, 0, 0, 0, 0]
    address, image = dram_image.image_segment(memory_map, subnet, np.arange(8, dtype=np.int8).reshape(4, 2, 1))
    assert address == program.tensors["input"].address
    assert image.tolist() == [0, 2, 4, 0, 1, 3, 5, 0, 6, 0, 0, 0, 7, 0, 0, 0]  # two groups of two rows of one beat


def test_entries_of_an_average_by_the_taps_inside():
    """2 x 2 windows on 3 x 3 pixels: of 1, 2, (3,) 2 and 4 taps, so 4, 2 and 1 times the multiplier; bias -4 z_in."""
    layer, q = Layer("a", Kind.AVGPOOL, 3, 3, 2, 2, 3, 3, stride=2, ceil_mode=True), PoolQuant(9, 5, 7, 0, -128, 127)
    _, memory_map = compile_layer(layer, TINY, q)
    ((_, zsb),) = dram_image.zsb_segments(memory_map, single_layer(layer)[1], {}, {"a": q})
    entries = zsb.view("<i4").reshape(5, 4, 2)
    assert (entries == entries[:, :1]).all()  # the same for each channel
    shift = 5 << 26
    assert entries[:, 0].tolist() == [[-28, 36 | shift], [-28, 18 | shift], [0, 0], [-28, 18 | shift], [-28, 9 | shift]]


def test_a_tensor_comes_back(compiled):
    program, _, _ = compiled
    dram = np.zeros(TINY.dram.bytes, np.uint8)
    place = program.tensors["a"]
    dram_image.write_segments(dram, [(place.address, np.array([1, 255, 0, 0, 2, 254, 0, 0], np.uint8))])
    assert dram_image.read_tensor(dram, program, "a").tolist() == [[[1], [2]], [[-1], [-2]]]
    dram_image.write_segments(dram, [dram_image.program_segment(program)])
    assert dram[program.address : program.address + len(program.encode())].tobytes() == program.encode()


def test_arrays_of_another_shape(compiled):
    _, memory_map, subnet = compiled
    with pytest.raises(MappingError, match=r"the image has shape \(4, 1, 2\); it reads \(4, 2, 1\)"):
        dram_image.image_segment(memory_map, subnet, np.zeros((4, 1, 2), np.int8))
    with pytest.raises(MappingError, match=r"weights have shape \(2, 4\); the SuperNet has \(2, 4, 1, 1\)"):
        dram_image.weights_segments(memory_map, {"a": np.zeros((2, 4), np.int8)})
