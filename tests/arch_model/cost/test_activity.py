"""Counts of single commands by hand on `tiny` (KP 4, CP 3, beats of 4 bytes), of layers by their geometry."""

from __future__ import annotations

import numpy as np
import pytest

from arch_model.cost.activity import (
    REQUANTISER_BITS,
    STORE_LANE_BITS,
    UNITS,
    Activity,
    count_activity,
    tree_bits,
    tree_width,
)
from arch_model.machine.accelerator import Accelerator
from arch_model.program.isa import Command, Memory, Opcode
from arch_model.spaces import get_space
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from tests.mapper.random_nets import random_quant

TINY = Accelerator.load("tiny")


def counted(opcode: Opcode, **fields: int) -> dict[str, int]:
    """What one command counts, zeros left out, its own slot too."""
    counts = count_activity([Command(opcode, fields)], TINY).counts
    return {name: n for name, n in counts.items() if n and name != "dram.prog"}


def test_load_act() -> None:
    # Two groups of three rows of five pixels of three bytes; a row of 15 is padded to 16: 12 beats a group.
    got = counted(Opcode.LOAD_ACT, groups=2, rows=3, cols=5, run_beats=12)
    assert got == {"dram.act": 2 * 12 * 4, "sb.write": 2 * 3 * 5 * 3}


def test_load_wgt() -> None:
    # A tile is 108 bytes, 27 beats, and nothing of it is padding.
    assert counted(Opcode.LOAD_WGT, runs=2, run_beats=81) == {"dram.wgt": 648, "db.write": 648}
    got = counted(Opcode.LOAD_WGT, runs=1, run_beats=27, memory=Memory.PB)
    assert got == {"dram.wgt": 108, "pb.write": 108}
    # Five ZSB entries of 32 bytes.
    assert counted(Opcode.LOAD_WGT, runs=1, run_beats=40, memory=Memory.ZSB) == {"dram.wgt": 160, "zsb.write": 160}


def test_padding_of_a_tile_is_fetched_and_not_written() -> None:
    odd = TINY.replace(array={"kp": 5, "cp": 3})  # 135 bytes, 34 beats, a byte of padding
    counts = count_activity([Command(Opcode.LOAD_WGT, {"runs": 1, "run_beats": 68})], odd)
    assert (counts["dram.wgt"], counts["db.write"]) == (272, 270)


def test_pass() -> None:
    fields = {"reps": 5, "out_rows": 2, "out_cols": 7, "memory": 1}
    # 5 tiles of 108 bytes; 5 × 14 = 70 windows of 27 bytes meet 108 products each.
    both = {
        "pb.read": 540,
        "sb.read": 70 * 27,
        "lb": 70 * 216,
        "weight_registers": 5 * 2 * 864,
        "array.multiply": 70 * 108,
        # twelve DPEs of 143 adder bits, and for each of four filters two adders: 21 and 22 bits
        "array.add": 70 * (12 * 143 + 4 * 43),
        # a DPE's nine products of 16 and total of 20; a filter's sum of 22 bits and partial sum of 32
        "array.registers": 70 * (12 * 164 + 4 * 54),
        "accumulate": 70 * 4 * 32,
    }
    middle = counted(Opcode.PASS, **fields)
    assert middle == both | {"ob.read": 5 * 14 * 16, "ob.write": 5 * 14 * 16}
    whole = counted(Opcode.PASS, **fields, start=1, finish=1)
    ends = {"zsb.read": 14 * 32, "requantise": 56, "ob_out.write": 56}
    assert whole == both | {"ob.read": 4 * 14 * 16, "ob.write": 4 * 14 * 16} | ends


def test_store() -> None:
    fields = {"groups": 2, "rows": 3, "cols": 5, "run_beats": 12, "b_run_beats": 9}
    assert counted(Opcode.STORE, **fields, use_a=1) == {
        "dram.out": 96,
        "ob_out.read": 90,
        "store.a": 90,
        "store.out": 90,
    }
    assert counted(Opcode.STORE, **fields, use_b=1) == {"dram.out": 96, "dram.b": 72, "store.b": 90, "store.out": 90}


def test_the_program_itself_comes_in_whole_beats() -> None:
    wide = TINY.replace(array={"kp": 16}, axi={"data_bits": 1024}, dram={"bytes": 1 << 22})
    commands = [Command(Opcode.STORE, {}), Command(Opcode.PASS, {}), Command(Opcode.END, {})]
    assert count_activity(commands, TINY)["dram.prog"] == 4 * 32
    assert count_activity([*commands, *commands[1:]], wide)["dram.prog"] == 256


def test_adder_trees_by_hand() -> None:
    assert (tree_bits(1, 20), tree_bits(2, 20), tree_bits(3, 20)) == (0, 21, 21 + 22)
    # nine sums of 20 bits: 4 × 21, 2 × 22, 23, 24
    assert tree_bits(9, 20) == 4 * 21 + 2 * 22 + 23 + 24 and tree_width(9, 20) == 24


def test_activities_add() -> None:
    a, b = Activity({"lb": 3, "dram.act": 8}), Activity({"lb": 4})
    assert ((a + b)["lb"], (a + b)["dram.act"], (a + b)["pb.read"]) == (7, 8, 0)
    frame = (a + b).to_frame()
    assert list(frame.columns) == ["component", "count", "unit"] and list(frame.component) == list(UNITS)


@pytest.mark.parametrize("name", ["fashion-d111-w222", "fashion-d222-w444"])
def test_a_whole_subnet_by_its_geometry(name: str) -> None:
    """However the mapper cuts the layers, what each output needs is the same."""
    fashion = get_space("fashion")
    subnet = fashion.subnet(name)
    program = compile_subnet(
        subnet, fashion, TINY, random_quant(subnet, np.random.default_rng(0)), MemoryMap.build(fashion, [subnet], TINY)
    )
    total = count_activity(program.commands, TINY)
    assert {port: total[f"dram.{port}"] for port in program.dram_bytes} == dict(program.dram_bytes)
    passes, finished = 0, 0
    for layer in subnet.weight_layers:
        pointwise = layer.R == layer.S == 1
        across = -(-layer.C // (27 if pointwise else 3))  # C-tiles of a K-tile
        finished += -(-layer.K // 4) * layer.P * layer.Q
        passes += -(-layer.K // 4) * across * layer.P * layer.Q
    assert total["array.multiply"] == 108 * passes >= sum(layer.macs for layer in subnet.weight_layers)
    assert total["sb.read"] == 27 * passes
    assert total["requantise"] == total["ob_out.write"] == 4 * finished
    assert total["ob.read"] == total["ob.write"] == 16 * (passes - finished)
    # Every weight that arrives is used, and without a PB all come to the DB.
    assert total["db.read"] >= total["db.write"] > 0 == total["pb.read"]
    # Layers and what belongs to none are the whole, but for the Program's last beat.
    parts = Activity({})
    for owner in sorted(set(program.owners)):
        mine = (c for c, o in zip(program.commands, program.owners, strict=True) if o == owner)
        parts += count_activity(mine, TINY)
    assert parts == total


def test_register_bits_are_those_of_the_rtl() -> None:
    """Flip-flops that the lanes' elaborated modules hold, found by walking their statements."""
    from amaranth.hdl import Fragment

    from rtl.dpe import DPE
    from rtl.requantiser import Requantiser
    from rtl.store_lane import StoreLane

    for component, bits in ((DPE(), 9 * 16 + 20), (Requantiser(), REQUANTISER_BITS), (StoreLane(), STORE_LANE_BITS)):
        statements = Fragment.get(component, None).statements["sync"]
        assert sum(len(signal) for signal in statements._lhs_signals()) == bits
