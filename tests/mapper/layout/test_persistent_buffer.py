import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.spaces import get_space
from mapper.layout.persistent_buffer import PersistentBuffer, subgraph_tile_count, subgraph_tiles
from mapper.layout.tensors import tile_grid
from tests.mapper.random_nets import random_accelerator, random_network, random_subgraph

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")


def graph(**slices):
    return SubGraph("fashion", tuple(slices.get(layer.name, (0, 0)) for layer in FASHION.layers))


def test_slots_by_hand():
    # s1b1_conv1 is 24 x 16: K 5 is two K-tiles of 4, C 7 three C-tiles of 3; linear 10 x 30: three and two (27 a tile).
    pb = PersistentBuffer.of(graph(s1b1_conv1=(5, 7), linear=(10, 30)), FASHION, TINY)
    assert [pb.slots["s1b1_conv1", kt, 0, ct] for kt in range(2) for ct in range(3)] == [0, 1, 2, 3, 4, 5]
    assert pb.slots["linear", 2, 0, 1] == 11 and len(pb.slots) == 12


def test_layer_slots_of_a_narrower_subnet():
    pb = PersistentBuffer.of(graph(s1b1_conv1=(8, 9)), FASHION, TINY)
    layer = FASHION.layer("s1b1_conv1")
    assert pb.layer_slots("s1b1_conv1", tile_grid(layer, TINY))[:3, :4].tolist() == [
        [0, 1, 2, -1],
        [3, 4, 5, -1],
        [-1, -1, -1, -1],
    ]
    assert (pb.layer_slots("stem", tile_grid(FASHION.layer("stem"), TINY)) == -1).all()


def test_a_switch_keeps_common_tiles_and_fills_empty_slots_first():
    a = TINY.replace(buffers={"pb_bytes": 8 * 108})
    old = PersistentBuffer.of(graph(s1b1_conv1=(8, 9)), FASHION, a)  # slots 0..5
    new = old.switch(graph(s1b1_conv1=(4, 12), stem=(8, 1)), FASHION, a)
    assert [new.slots["s1b1_conv1", 0, 0, ct] for ct in range(3)] == [0, 1, 2]
    # stem comes first in DRAM order: the two empty slots; then the slot of the first tile that went
    assert [new.slots["stem", kt, 0, 0] for kt in range(2)] == [6, 7]
    assert new.slots["s1b1_conv1", 0, 0, 3] == 3


@given(st.integers(0, 2**32))
def test_a_chain_of_switches(seed):
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    supernet, _ = random_network(rng)
    pb = PersistentBuffer.empty(supernet)
    for _ in range(4):
        g = random_subgraph(supernet, a, rng)
        new = pb.switch(g, supernet, a)
        assert set(new.slots) == set(subgraph_tiles(g, supernet, a))
        assert len(new.slots) == subgraph_tile_count(g, supernet, a)
        assert len(set(new.slots.values())) == len(new.slots)
        assert all(0 <= slot < a.pb_tiles for slot in new.slots.values())
        assert all(new.slots[t] == pb.slots[t] for t in set(new.slots) & set(pb.slots))
        pb = new


def test_a_subgraph_that_does_not_fit():
    with pytest.raises(MappingError) as error:
        PersistentBuffer.of(SubGraph.full(FASHION), FASHION, TINY)
    tiles = subgraph_tile_count(SubGraph.full(FASHION), FASHION, TINY)
    assert str(error.value) == (
        f"SubGraph of fashion: its {tiles} weight tiles need {tiles * 108} bytes of the PB; tiny has 49152"
    )
