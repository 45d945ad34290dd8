import json
from dataclasses import replace

import numpy as np
import pytest

from arch_model.errors import MappingError, SpaceError
from arch_model.machine.accelerator import Accelerator
from arch_model.machine.load import load_machine
from arch_model.network.layer import INPUT, Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet
from arch_model.program.isa import Opcode
from arch_model.spaces import get_space
from arch_model.timing.reference_timing import time_program
from mapper.cost.layer_cost import PORTS
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.layout.tensors import tile_grid
from mapper.lowering.compile import compile_subnet
from mapper.pinning.cached import best_cached, read_subgraph
from mapper.search.optimise import optimise
from mapper.search.predict import (
    COLUMNS,
    DETAILS,
    TOTALS,
    check_whole,
    predict_subnet,
    predict_subnets,
    program_total,
    why_no_total,
)
from tests.mapper.random_nets import channelwise_network, random_quant

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")
SUBNET = FASHION.subnet("fashion-d111-w222")


def test_a_row_a_layer_and_its_own_program():
    rows = list(predict_subnet(SUBNET, TINY))
    assert [row["name"] for row in rows] == [layer.name for layer in SUBNET.layers]
    assert all(tuple(row) == COLUMNS for row in rows)
    assert sum(row["macs"] for row in rows) == SUBNET.macs
    conv = next(row for row in rows if row["name"] == "s1b1_conv1")
    assert conv["latency_s"] == conv["cycles"] / 100e6
    assert conv["utilisation"] == pytest.approx(conv["macs"] / (conv["cycles"] * 108))


def test_details_add_up():
    """Ports to DRAM bytes, parts to joules; a conv's buffers by hand."""
    resident = best_cached(SUBNET, FASHION, TINY)
    for row in predict_subnet(SUBNET, TINY, resident):
        assert sum(row[f"dram_{port}_bytes"] for port in PORTS) == row["dram_bytes"]
        assert sum(row[name] for name in DETAILS if name.startswith("energy")) == pytest.approx(row["energy_j"])
    row = next(row for row in predict_subnet(SUBNET, TINY) if row["name"] == "s1b1_conv1")
    tiles, pixels = tile_grid(SUBNET.layer("s1b1_conv1"), TINY), row["P"] * row["Q"]
    spatial = -(-row["P"] // optimise(SUBNET.layer("s1b1_conv1"), TINY).tiling.rows)
    # Each weight tile comes once and is read for every spatial tile.
    assert row["db_bytes"] == (1 + spatial) * tiles.tiles * TINY.tile_bytes_raw and row["pb_bytes"] == 0
    assert row["ob_out_bytes"] == pixels * (tiles.kt * TINY.kp + TINY.groups(row["K"]) * TINY.cp)
    assert row["ob_bytes"] == 2 * pixels * tiles.kt * (tiles.ct - 1) * 4 * TINY.kp
    waits = sum(row[f"wait_{cause}_cycles"] for cause in ("sb", "weights", "out"))
    # RUN works a cycle a pixel of each pass; the rest of the time it waits, for its first command or its last output.
    assert 0 < waits < row["cycles"] - tiles.tiles * pixels


def test_a_pool_takes_its_store():
    """The pool of a compiled SubNet, alone."""
    quant, memory_map = random_quant(SUBNET, np.random.default_rng(0)), MemoryMap.build(FASHION, [SUBNET], TINY)
    program = compile_subnet(SUBNET, FASHION, TINY, quant, memory_map)
    pool = next(c for c in program.commands if c.opcode is Opcode.STORE and c["pool"])
    pool = type(pool)(pool.opcode, {k: v for k, v in pool.fields.items() if not k.startswith("wait")})
    row = next(row for row in predict_subnet(SUBNET, TINY) if row["kind"] == "pool")
    assert row["cycles"] == time_program([pool, program.commands[-1]], TINY).cycles
    assert row["dram_bytes"] == 3 * 32 + 4 * (pool["groups"] * (pool["run_beats"] + pool["b_run_beats"]))


def test_cached_weights_are_saved_bytes():
    resident = best_cached(SUBNET, FASHION, TINY)
    plain, cached = list(predict_subnet(SUBNET, TINY)), list(predict_subnet(SUBNET, TINY, resident))
    assert sum(row["pb_hit_bytes"] for row in plain) == 0
    saved = sum(row["pb_hit_bytes"] for row in cached)
    assert saved == len(resident.slots) * TINY.tile_bytes  # on fashion no tile comes twice
    assert sum(row["cycles"] for row in cached) < sum(row["cycles"] for row in plain)


def test_what_cannot_run_says_why():
    layers = (
        Layer("dw", Kind.CONV, K=6, C=6, R=3, S=3, H=8, W=8, padding=1, groups=3, inputs=(INPUT,)),
        Layer("max", Kind.MAXPOOL, K=6, C=6, R=3, S=3, H=8, W=8, stride=2, padding=1, inputs=("dw",)),
        Layer("pw", Kind.CONV, K=6, C=6, H=4, W=4, inputs=("max",)),
        Layer("add", Kind.ADD, K=6, C=6, H=4, W=4, inputs=("max", "pw")),
    )
    rows = list(predict_subnet(SubNet("odd", "fashion", layers), TINY))
    assert [row["bound"].startswith("unsupported: ") for row in rows] == [True, False, False, True]
    said = "unsupported: groups is 3; the mapper takes 1, or as many as channels and filters"
    assert rows[0]["bound"] == said and rows[0]["cycles"] is None and rows[2]["cycles"] > 0
    # A network of which some layer cannot run has no total, not one of the others.
    total = program_total(SubNet("odd", "fashion", layers), rows, TINY)
    assert (total["layers"], total["unsupported"], total["macs"]) == (4, 2, sum(layer.macs for layer in layers))
    assert all(total[key] is None for key in ("cycles", *TOTALS, "utilisation")) and total["why"].startswith("layer dw")
    with pytest.raises(MappingError, match=r"odd has no total cost, .*: layer dw: groups is 3; .*; layer add: "):
        check_whole(rows, "odd")
    runs = SubNet("runs", "fashion", (replace(layers[1], inputs=(INPUT,)), layers[2]))
    whole = program_total(runs, rows[1:3], TINY)
    assert whole["latency_s"] == whole["cycles"] / TINY.clock_hz
    assert whole["cycles"] < rows[1]["cycles"] + rows[2]["cycles"]
    assert why_no_total(rows[1:3]) == "" and why_no_total(4 * rows[:1]).endswith("; and 1 more")


def test_channelwise_layers_cost_what_their_programs_do():
    layers = (
        Layer("dw", Kind.CONV, K=7, C=7, R=5, S=5, H=9, W=9, padding=2, groups=7, inputs=(INPUT,)),
        Layer("max", Kind.MAXPOOL, K=7, C=7, R=3, S=3, H=9, W=9, stride=2, padding=1, inputs=("dw",)),
        Layer("mean", Kind.AVGPOOL, K=7, C=7, R=2, S=2, H=5, W=5, stride=2, inputs=("max",)),
        Layer("all", Kind.POOL, K=7, C=7, H=2, W=2, inputs=("mean",)),
        Layer("scale", Kind.SCALE, K=7, C=7, H=2, W=2, inputs=("mean", "all")),
    )
    rows = {row["name"]: row for row in predict_subnet(SubNet("odd", "fashion", layers), TINY)}
    for layer in layers:
        if layer.name in ("dw", "max", "mean"):
            supernet, subnet = channelwise_network(layer)
            quant = random_quant(subnet, np.random.default_rng(1))
            best, memory_map = {layer.name: optimise(layer, TINY).tiling}, MemoryMap.build(supernet, [subnet], TINY)
            program = compile_subnet(subnet, supernet, TINY, quant, memory_map, tilings=best)
            assert rows[layer.name]["cycles"] == time_program(program.commands, TINY).cycles
            assert rows[layer.name]["dram_bytes"] == sum(program.dram_bytes.values())
    assert rows["scale"]["cycles"] > 0 and rows["scale"]["bound"] in ("array", "act", "wgt", "out", "prog")


def test_a_measured_machine_knows_its_3x3_layers_alone():
    subnet = get_space("ofa-resnet50").subnet(get_space("ofa-resnet50").subnet_names()[0])
    rows = list(predict_subnet(subnet, load_machine("sushi-zcu104")))
    for row in rows:
        assert (row["cycles"] is None) == (row["bound"].startswith("unsupported"))
    assert {row["R"] for row in rows if row["cycles"]} == {3}
    with pytest.raises(MappingError, match="cached is best; it has no PB"):
        list(predict_subnets([subnet], load_machine("sushi-zcu104"), "best"))


def test_sums_and_files(tmp_path):
    resident = best_cached(SUBNET, FASHION, TINY)
    file = tmp_path / "cached.json"
    file.write_text(json.dumps([list(pair) for pair in resident.subgraph.slices]))
    assert read_subgraph(file, FASHION) == resident.subgraph
    file.write_text(json.dumps(resident.subgraph.encode().tolist()))
    assert read_subgraph(file, FASHION) == resident.subgraph
    (rows, total), (_, best) = (next(iter(predict_subnets([SUBNET], TINY, c))) for c in (str(file), "best"))
    assert total == best and len(rows) == total["layers"]
    quick = next(iter(predict_subnets([SUBNET], TINY, str(file), policy="quick")))[1]
    assert (quick["policy"], total["policy"]) == ("quick", "best") and total["cycles"] <= quick["cycles"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not JSON"), ("[1, 2]", "holds 2 numbers; give K and C of each of the"), ("{}", "holds 0 numbers")],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(SpaceError) as error:
        read_subgraph(file, FASHION)
    assert str(file) in str(error.value) and message in str(error.value)


def test_tiles_of_a_smaller_slice_hit():
    layer = SUBNET.layer("s3b1_conv1")
    slices = tuple((8, layer.C) if other.name == layer.name else (0, 0) for other in FASHION.layers)
    resident = PersistentBuffer.of(SubGraph("fashion", slices), FASHION, TINY)
    row = next(row for row in predict_subnet(SUBNET, TINY, resident) if row["name"] == layer.name)
    assert row["pb_hit_bytes"] == 2 * tile_grid(replace(layer), TINY).ct * TINY.tile_bytes
