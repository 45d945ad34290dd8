"""A price is that of one Program, whatever its integers; every way to say what is cached means the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arch_model.errors import FastSwitchError, WeightsError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.supernet import SubGraph
from arch_model.network.weights import load_weights
from arch_model.timing.reference_timing import time_program
from mapper.importers.network import Network
from sim.api.programs import compile, integers_of, price
from sim.integers.random_weights import imported_weights
from tests.own_supernet import own_supernet

TINY, TOY = Accelerator.load("tiny"), own_supernet()
NET = TOY.subnet("toy-68")


def test_integers_change_no_price() -> None:
    programs = [compile(TOY, NET, TINY, seed=seed).program for seed in (0, 1)]
    assert programs[0].encode() != programs[1].encode()
    cycles = {time_program(program.commands, TINY).cycles for program in programs}
    assert cycles == {price(TOY, NET, TINY).cycles}
    shipped = compile("fashion", "fashion-d111-w222", "tiny", weights=load_weights()).program
    assert time_program(shipped.commands, TINY).cycles == price("fashion", "fashion-d111-w222", "tiny").cycles


def test_what_is_cached(tmp_path: Path) -> None:
    part = SubGraph.of(TOY.subnet("toy-44"), TOY)
    file = tmp_path / "part.json"
    file.write_text(json.dumps([list(pair) for pair in part.slices]))
    held = compile(TOY, NET, TINY, part)
    assert held.cached.subgraph == part and held.program.pb_hit_bytes > 0
    assert price(TOY, NET, TINY, file) == price(TOY, NET, TINY, part)
    assert price(TOY, NET, TINY, SubGraph.empty(TOY)) == price(TOY, NET, TINY) == price(TOY, NET, TINY, "none")
    with pytest.raises(FastSwitchError, match=r"SubGraph .*absent\.json does not exist"):
        price(TOY, NET, TINY, "absent.json")


def test_weights_that_lack_a_subnet() -> None:
    with pytest.raises(WeightsError, match="SubNet toy-68: the weights have no such SubNet"):
        compile(TOY, NET, TINY, weights=load_weights())
    with pytest.raises(WeightsError, match="SubNet toy-68: the weights have no integers of layer stem; give those of"):
        integers_of(NET, Network(NET))
    with pytest.raises(FastSwitchError, match="network toy-68 has no int8 integers of every layer; give a quantised"):
        imported_weights(Network(NET))
