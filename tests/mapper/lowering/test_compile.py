import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arch_model.errors import MappingError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import Kind, Layer
from arch_model.network.supernet import SubGraph, SubNet
from arch_model.program.check import check_program
from arch_model.program.isa import Memory, Opcode
from arch_model.spaces import get_space
from mapper.layout.memory_map import MemoryMap
from mapper.layout.persistent_buffer import PersistentBuffer
from mapper.layout.tensors import tile_grid
from mapper.lowering.compile import compile_layer, compile_subnet, single_layer
from tests.mapper.random_nets import random_accelerator, random_network, random_quant, random_subgraph

TINY, FASHION = Accelerator.load("tiny"), get_space("fashion")


def fashion(name, resident=None, target=None, accelerator=TINY):
    subnet = FASHION.subnet(name)
    quant = random_quant(subnet, np.random.default_rng(0))
    memory_map = MemoryMap.build(FASHION, [subnet], accelerator)
    return compile_subnet(subnet, FASHION, accelerator, quant, memory_map, resident, target)


def tile_bytes_loaded(program):
    loads = [c for c in program.commands if c.opcode is Opcode.LOAD_WGT and c["memory"] != Memory.ZSB]
    return sum(c["runs"] * c["run_beats"] for c in loads) * TINY.beat_bytes


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32))
def test_any_program_is_free_of_deadlock_and_races(seed):
    """Random networks, accelerators and PB contents, with a switch and without."""
    rng = np.random.default_rng(seed)
    a = random_accelerator(rng)
    supernet, subnet = random_network(rng)
    quant = random_quant(subnet, rng)
    try:
        memory_map = MemoryMap.build(supernet, [subnet], a)
        here = PersistentBuffer.of(random_subgraph(supernet, a, rng), supernet, a)
        there = here.switch(random_subgraph(supernet, a, rng), supernet, a)
        programs = [
            compile_subnet(subnet, supernet, a, quant, memory_map, resident, target)
            for resident, target in ((None, None), (here, None), (here, there), (None, here))
        ]
    except MappingError:
        return
    for program in programs:
        check_program(program)
    empty, cached, _, filled = programs
    assert empty.pb_hit_bytes == empty.switch_bytes == cached.switch_bytes == 0
    for program in programs:
        own = program.dram_bytes["wgt"] - program.switch_bytes
        assert empty.dram_bytes["wgt"] - own == program.pb_hit_bytes
    used = sum(tile_grid(layer, a).tiles for layer in subnet.weight_layers)
    assert filled.switch_bytes <= len(here.slots) * a.tile_bytes
    assert empty.dram_bytes["wgt"] >= used * a.tile_bytes


def test_small_subnet_by_hand():
    """One layer, everything in one tile: the whole Program written down."""
    layer = Layer("a", Kind.CONV, K=6, C=3, R=3, S=3, H=3, W=2, padding=1)
    _, subnet = single_layer(layer)
    quant = random_quant(subnet, np.random.default_rng(0))["a"]
    program, memory_map = compile_layer(layer, TINY.replace(dram={"latency_cycles": 1000}), quant)
    weights, zsb = memory_map.weights["a"], memory_map.zsb["a"]["a"]
    image, out = (memory_map.tensors["a"][name].address for name in ("input", "a"))
    scalars = {name: getattr(quant, name) for name in ("z_out", "lo", "hi") if getattr(quant, name)}
    shared = {"reps": 1, "stride": 1, "out_rows": 3, "out_cols": 2, "y0": -1, "x0": -1, "rows": 3, "cols": 2}
    shared |= {
        "fill": quant.z_in,
        "row_step": 1,
        "group_step": 1,
        "last_banks": 9,
        "last_lanes": 3,
        "start": 1,
        "finish": 1,
        "pixels": 6,
    }
    expected = [
        (
            Opcode.LOAD_ACT,
            {"signal_full": 1, "addr": image, "groups": 1, "run_beats": 6, "run_stride": 24, "rows": 3}
            | {"cols": 2, "pad": 2, "row_step": 1, "group_step": 1},
        ),
        (Opcode.LOAD_WGT, {"memory": 2, "addr": zsb, "runs": 1, "run_beats": 16}),
        (Opcode.LOAD_WGT, {"signal_full": 1, "addr": weights, "runs": 2, "run_beats": 27, "run_stride": 108}),
        (Opcode.PASS, shared | scalars | {"wait_sb": 1, "wait_weights": 1}),
        # channels 4..7: group 1, lane 1; the groups share the banks 0 and 1
        (Opcode.PASS, shared | scalars | {"slot": 1, "zsb": 1, "out_bank": 1, "out_lane": 1, "signal_out": 1}),
        (
            Opcode.STORE,
            {"wait_full": 1, "use_a": 1, "addr": out, "groups": 2, "run_beats": 6, "run_stride": 24, "rows": 3}
            | {"cols": 2, "pad": 2, "pixels": 6, "last_lanes": 3, "m_a": 1, "lo": -128, "hi": 127},
        ),
        (Opcode.END, {}),
    ]
    assert [(c.opcode, {k: int(v) for k, v in c.fields.items()}) for c in program.commands] == [
        (opcode, {k: v for k, v in fields.items() if v}) for opcode, fields in expected
    ]
    assert dict(program.dram_bytes) == {"prog": 8 * 32, "wgt": 64 + 216, "act": 24, "b": 0, "out": 48}


def test_streamed_weights_come_once_if_they_fit_a_half():
    for name in ("fashion-d111-w222", "fashion-d222-w444"):
        subnet = FASHION.subnet(name)
        program = fashion(name)
        used = sum(tile_grid(layer, TINY).tiles for layer in subnet.weight_layers)
        assert tile_bytes_loaded(program) == used * TINY.tile_bytes


def test_hits_are_bytes_that_do_not_come():
    """On fashion no layer reloads, so hits are plainly the resident tiles that the SubNet uses."""
    subnet = FASHION.subnet("fashion-d111-w333")
    cached = SubGraph.of(FASHION.subnet("fashion-d111-w222"), FASHION)
    resident = PersistentBuffer.of(cached, FASHION, TINY)
    empty, hit = fashion(subnet.name), fashion(subnet.name, resident)
    assert hit.pb_hit_bytes == len(resident.slots) * TINY.tile_bytes
    assert tile_bytes_loaded(empty) - tile_bytes_loaded(hit) == hit.pb_hit_bytes


def test_a_switch_costs_nothing_for_tiles_in_use():
    """From nothing to a SubGraph that this SubNet uses whole: the same bytes as without the switch."""
    cached = SubGraph.of(FASHION.subnet("fashion-d111-w222"), FASHION)
    target = PersistentBuffer.of(cached, FASHION, TINY)
    plain = fashion("fashion-d111-w222")
    switching = fashion("fashion-d111-w222", None, target)
    assert switching.dram_bytes["wgt"] == plain.dram_bytes["wgt"]
    assert switching.switch_bytes == 0 and switching.pb_hit_bytes == 0
    loaded = {
        c["slot"] + i
        for c in switching.commands
        for i in range(c["runs"] * c["run_beats"] // 27)
        if c.opcode is Opcode.LOAD_WGT and c["memory"] == Memory.PB
    }
    assert loaded == set(target.slots.values())


def test_tiles_for_later_come_after_all_others():
    """A SubNet of one stage-3 block leaves the second block's tiles to the end."""
    layer = FASHION.layer("s3b2_conv1")
    slices = tuple((16, 30) if other is layer else (0, 0) for other in FASHION.layers)
    target = PersistentBuffer.of(SubGraph("fashion", slices), FASHION, TINY)
    program = fashion("fashion-d111-w222", None, target)
    assert program.switch_bytes == 4 * 10 * TINY.tile_bytes
    loads = [
        (c, owner) for c, owner in zip(program.commands, program.owners, strict=True) if c.opcode is Opcode.LOAD_WGT
    ]
    later = [i for i, (_, owner) in enumerate(loads) if owner == -1]
    assert later == list(range(len(loads) - len(later), len(loads)))
    assert program.dram_bytes["wgt"] == fashion("fashion-d111-w222").dram_bytes["wgt"] + program.switch_bytes


def test_spans_name_the_layers_in_order():
    program = fashion("fashion-d111-w222")
    assert [s.name for s in program.layers][:4] == ["stem", "s1b1_conv1", "s1b1_down", "s1b1_conv2"]
    assert program.layers[3].tensor == "s1b1_add"
    for owner, span in enumerate(program.layers):
        at = [i for i, o in enumerate(program.owners) if o == owner]
        assert program.commands[span.last].opcode is Opcode.STORE and span.last == max(at)
        assert set(at) & {span.first} and span.tensor in program.tensors


def test_a_table_of_entries_that_the_zsb_cannot_take():
    small = TINY.replace(buffers={"zsb_bytes": 64 * 5})
    with pytest.raises(
        MappingError, match=r"layer s1b1_conv1: its ZSB entries need 192 bytes of a half of the ZSB; tiny has 160"
    ):
        fashion("fashion-d111-w444", accelerator=small)


def test_ragged_channels_say_which_lanes_are_there():
    """18 channels of the SuperNet's 24: in the last of five groups of 4 the zero-point fills two lanes."""
    program = fashion("fashion-d111-w333", accelerator=TINY.replace(array={"cp": 4}))
    owner = [span.name for span in program.layers].index("s1b1_conv2")
    own = zip(program.commands, program.owners, strict=True)
    passes = [c for c, o in own if o == owner and c.opcode is Opcode.PASS]
    assert {(c["reps"], c["last_lanes"]) for c in passes} == {(5, 2)}


def test_errors_name_what_is_missing():
    subnet = FASHION.subnet("fashion-d111-w222")
    memory_map = MemoryMap.build(FASHION, [subnet], TINY)
    with pytest.raises(MappingError, match="no quantisation for layer stem"):
        compile_subnet(subnet, FASHION, TINY, {}, memory_map)
    with pytest.raises(MappingError, match="SubNet fashion-d222-w444: the memory map does not know it"):
        compile_subnet(FASHION.subnet("fashion-d222-w444"), FASHION, TINY, {}, memory_map)
    kernel = SubNet("k", "fashion", (Layer("stem", Kind.CONV, 16, 1, 1, 1, 28, 28, inputs=("input",)),))
    with pytest.raises(MappingError, match="layer stem: its kernel is 1x1; the mapper takes the SuperNet's, 3x3"):
        compile_subnet(kernel, FASHION, TINY, {}, MemoryMap.build(FASHION, [kernel], TINY))
    deep = Layer("s1b1_conv2", Kind.CONV, 8, 8, 3, 3, 28, 28, padding=1, groups=8, inputs=("input",))
    grouped = SubNet("g", "fashion", (deep,))
    with pytest.raises(MappingError, match="layer s1b1_conv2: groups is 8; its SuperNet's layer has 1"):
        compile_subnet(grouped, FASHION, TINY, {}, MemoryMap.build(FASHION, [grouped], TINY))


def test_a_program_that_does_not_fit_dram():
    subnet = FASHION.subnet("fashion-d111-w222")
    for size in range(1, 64):
        a = TINY.replace(dram={"bytes": 64 * 1024 * size})
        try:
            MemoryMap.build(FASHION, [subnet], a)
        except MappingError:
            continue
        break
    tight = MemoryMap.build(FASHION, [subnet], TINY)
    small = TINY.replace(dram={"bytes": -(-tight.program // 64) * 64 + 1024})
    with pytest.raises(MappingError, match=r"its Program needs \d+ bytes of DRAM; 1024 are left"):
        fashion(subnet.name, accelerator=small)
