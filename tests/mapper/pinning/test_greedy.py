"""What is pinned fits, is part of the SubNet, and leaves no room that another K-tile row could use."""

import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.spaces import get_space
from mapper.layout.persistent_buffer import subgraph_tile_count
from mapper.pinning.greedy import candidates, fit_subgraph

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")
SMALL, LARGE = (FASHION.subnet(name) for name in ("fashion-d111-w222", "fashion-d222-w444"))


@pytest.mark.parametrize("subnet", [SMALL, LARGE], ids=lambda s: s.name)
@pytest.mark.parametrize("pb_bytes", [0, 1_000, 20_000, 49_152, 10**6])
def test_it_fits_and_belongs_to_the_subnet(subnet, pb_bytes):
    machine = TINY.replace(buffers={"pb_bytes": pb_bytes})
    pinned = fit_subgraph(subnet, FASHION, machine)
    assert SubGraph.of(subnet, FASHION).contains(pinned)
    assert subgraph_tile_count(pinned, FASHION, machine) <= machine.pb_tiles
    if pb_bytes == 0:
        assert pinned == SubGraph.empty(FASHION)
    if pb_bytes == 10**6:
        assert pinned == SubGraph.of(subnet, FASHION)


def test_weights_that_the_array_waits_for_come_first():
    # At 4 x 4 pixels a tile is used up in 16 cycles and fetched in 54; earlier stages never wait.
    pinned = fit_subgraph(LARGE, FASHION, TINY)
    bytes_ = {a.name: k * c * a.R * a.S for a, (k, c) in zip(FASHION.layers, pinned.slices, strict=True)}
    waiting = sum(n for name, n in bytes_.items() if name.startswith("s3") or name == "linear")
    assert waiting >= 0.9 * sum(bytes_.values())


def test_equal_candidates_are_one():
    found = candidates({"a": SMALL, "b": SMALL, "c": LARGE}, FASHION, TINY)
    assert list(found) == ["a", "c"]


def test_what_the_mapper_does_not_run_is_not_pinned():
    space, zcu104 = get_space("ofa-mobilenetv3"), Accelerator.load("zcu104").replace(buffers={"pb_bytes": 8_000_000})
    pinned = fit_subgraph(space.sample(1, seed=2)[0], space, zcu104)
    assert any(k for k, _ in pinned.slices)
    assert not any(k for layer, (k, _) in zip(space.layers, pinned.slices, strict=True) if layer.groups > 1)
