"""What the PB holds, by word, SubGraph and file."""

import json

import pytest

from arch_model.errors import MappingError, SpaceError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.spaces import get_space
from mapper.pinning.cached import best_cached, cached_buffer
from mapper.pinning.greedy import fit_subgraph
from mapper.search.policy import map_network

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")
NET = FASHION.subnet("fashion-d111-w222")


def test_words_subgraphs_and_files(tmp_path):
    assert not cached_buffer("none", NET, FASHION, TINY).slots
    fit = fit_subgraph(NET, FASHION, TINY)
    assert cached_buffer("fit", NET, FASHION, TINY).subgraph == fit == cached_buffer(fit, NET, FASHION, TINY).subgraph
    assert cached_buffer("best", NET, FASHION, TINY).subgraph == best_cached(NET, FASHION, TINY).subgraph
    file = tmp_path / "held.json"
    file.write_text(json.dumps(fit.encode().tolist()))
    assert cached_buffer(file, NET, FASHION, TINY).subgraph == fit


def test_the_best_part_saves_no_less_than_what_fits():
    small = TINY.replace(buffers={"pb_bytes": 20_000})
    cycles = {
        word: map_network(NET, small, cached_buffer(word, NET, FASHION, small), "quick").cost.cycles
        for word in ("none", "fit", "best")
    }
    assert cycles["best"] <= cycles["fit"] and cycles["best"] < cycles["none"]


def test_what_cannot_be_held_is_named(tmp_path):
    whole = SubGraph.of(FASHION.subnet("fashion-d222-w444"), FASHION)
    with pytest.raises(MappingError, match=r"needs \d+ tiles|weight tiles"):
        cached_buffer(whole, NET, FASHION, TINY.replace(buffers={"pb_bytes": 2_000}))
    with pytest.raises(SpaceError, match=r"nowhere\.json"):
        cached_buffer(tmp_path / "nowhere.json", NET, FASHION, TINY)
