"""Tables of searched Programs: each entry is what `map_network` finds, and what the compiled Program takes."""

from __future__ import annotations

import pytest

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.network.weights import load_weights
from arch_model.spaces import get_space
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.pinning.greedy import fit_subgraph
from mapper.search.policy import map_network
from mapper.search.program_table import check_searchable, search_programs
from mapper.serving.latency_table import SushiAbs
from rtl.driver_package import make_package

FASHION, TINY = get_space("fashion"), Accelerator.load("tiny")
NET = FASHION.subnet("fashion-d111-w222")
COLUMNS = [SubGraph.empty(FASHION), fit_subgraph(NET, FASHION, TINY)]


def test_one_number_everywhere() -> None:
    """The table's entry, `predict`'s price and the Program in a driver's package take the same cycles and bytes."""
    found = search_programs(FASHION, TINY, [NET], COLUMNS)
    quick = SushiAbs.build({NET.name: NET}, {}, {"fit": COLUMNS[1]}, FASHION, TINY)
    packed = make_package(FASHION, load_weights(), TINY, [NET], {"fit": COLUMNS[1]}, policy="best").subnet(NET.name)
    for column, (subgraph, name) in enumerate(zip(COLUMNS, ("empty", "fit"), strict=True)):
        mapped = map_network(NET, TINY, PersistentBuffer.of(subgraph, FASHION, TINY))
        entry = found.costs.cycles[0, column]
        assert entry == mapped.cost.cycles == packed.programs[name].predicted["CYCLES"] < quick.cycles[0, column]
        assert found.costs.dram_bytes[0, column] == mapped.cost.dram_bytes
        assert found.costs.hit_bytes[0, column] == mapped.hit_bytes
        assert found.costs.energy_j[0, column] == pytest.approx(mapped.energy.total_j, rel=1e-12)


def test_more_than_minutes_are_refused_with_their_number() -> None:
    with pytest.raises(MappingError, match=r"200 SubNets by 11 contents of the PB are 2,200; give at most 1,000"):
        check_searchable(200, 11)
    check_searchable(100, 10)
