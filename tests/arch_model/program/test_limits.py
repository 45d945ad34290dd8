"""The table of limits: by hand on `tiny`, on every Program that the mapper makes, and the texts."""

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.program.check import check_program
from arch_model.program.isa import FIELDS, Command, Opcode
from arch_model.program.limits import first_broken, limit_table, limits
from arch_model.program.untimed_run import ProgramError
from arch_model.spaces import get_space
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_subnet
from tests.arch_model.program.test_check import edit
from tests.mapper.random_nets import random_quant

TINY = Accelerator.load("tiny")
KNOWN = limits(TINY)

# tiny: beats of 4 bytes; SB banks of 2048 words; DB 128 tiles, PB 455; ZSB 128 entries; NB 2, CP 3; output side of
# 4096 words a bank.
LEGAL = {
    Opcode.END: {},
    Opcode.LOAD_ACT: {"groups": 1, "run_beats": 1, "rows": 1, "cols": 1},
    Opcode.LOAD_WGT: {"runs": 1, "run_beats": 1},
    Opcode.PASS: {"reps": 1, "out_rows": 1, "out_cols": 1, "rows": 1, "cols": 1, "stride": 1},
    Opcode.STORE: {"use_a": 1, "groups": 1, "run_beats": 1, "rows": 1, "cols": 1},
}
TO_SB = {"to_sb": 1, "sb_only": 1}
WITH_B = {"use_b": 1, "b_run_beats": 1}
CASES = [  # (opcode, fields that are just legal, fields that are just not, the field that is named)
    (Opcode.LOAD_ACT, {"addr": 0xFFFFFFFC}, {"addr": 0xFFFFFFFE}, "addr"),
    (Opcode.LOAD_ACT, {"run_stride": 8}, {"run_stride": 9}, "run_stride"),
    (Opcode.LOAD_ACT, {"groups": 4095}, {"groups": 0}, "groups"),
    (Opcode.LOAD_ACT, {"rows": 1}, {"rows": 0}, "rows"),
    (Opcode.LOAD_ACT, {"cols": 1}, {"cols": 0}, "cols"),
    (Opcode.LOAD_ACT, {"run_beats": 1}, {"run_beats": 0}, "run_beats"),
    (Opcode.LOAD_ACT, {"pad": 3}, {"pad": 4}, "pad"),
    (Opcode.LOAD_ACT, {"sb_base": 2047}, {"sb_base": 2048}, "sb_base"),
    (Opcode.LOAD_ACT, {"skew": 1}, {"folded": 1}, "folded"),
    (Opcode.LOAD_WGT, {"addr": 4}, {"addr": 5}, "addr"),
    (Opcode.LOAD_WGT, {"runs": 2}, {"runs": 0}, "runs"),
    (Opcode.LOAD_WGT, {"memory": 3, "slot": 1}, {"memory": 3, "slot": 2}, "slot"),
    (Opcode.LOAD_WGT, {"slot": 127}, {"slot": 128}, "slot"),
    (Opcode.LOAD_WGT, {"memory": 1, "slot": 454}, {"memory": 1, "slot": 455}, "slot"),
    (Opcode.LOAD_WGT, {"memory": 2, "slot": 127}, {"memory": 2, "slot": 128}, "slot"),
    (Opcode.PASS, {"reps": 128}, {"reps": 129}, "slot + reps"),
    (Opcode.PASS, {"slot": 127}, {"slot": 127, "reps": 2}, "slot + reps"),
    (Opcode.PASS, {"memory": 1, "slot": 454}, {"memory": 1, "slot": 455}, "slot + reps"),
    (Opcode.PASS, {"reps": 1}, {"reps": 0}, "reps"),
    (Opcode.PASS, {"out_rows": 1}, {"out_rows": 0}, "out_rows"),
    (Opcode.PASS, {"stride": 2}, {"stride": 3}, "stride"),
    (Opcode.PASS, {"stride": 0, "depthwise": 1}, {"stride": 0}, "stride"),
    (Opcode.PASS, {"stride": 2, "depthwise": 1}, {"stride": 3, "depthwise": 1}, "stride"),
    (Opcode.PASS, {"depthwise": 1, "last_banks": 2}, {"depthwise": 1, "last_banks": 3}, "last_banks"),
    (Opcode.PASS, {"depthwise": 1, "sub": 2}, {"depthwise": 1, "sub": 3}, "sub"),
    (Opcode.PASS, {"table": 2}, {"table": 3}, "table"),
    (Opcode.PASS, {"last_banks": 0}, {"pointwise": 1, "last_banks": 0}, "last_banks"),
    (Opcode.PASS, {"pointwise": 1, "last_banks": 9}, {"pointwise": 1, "last_banks": 10}, "last_banks"),
    (Opcode.PASS, {"zsb": 128}, {"zsb": 128, "finish": 1}, "zsb"),
    (Opcode.PASS, {"out_base": 4095, "finish": 1}, {"out_base": 4096, "finish": 1}, "out_base"),
    (Opcode.PASS, {"out_bank": 1, "finish": 1}, {"out_bank": 2, "finish": 1}, "out_bank"),
    (Opcode.PASS, {"out_lane": 2, "finish": 1}, {"out_lane": 3, "finish": 1}, "out_lane"),
    (Opcode.STORE, {"addr": 4}, {"addr": 6}, "addr"),
    (Opcode.STORE, {"b_addr": 6}, {"b_addr": 6, **WITH_B}, "b_addr"),
    (Opcode.STORE, WITH_B, {"use_b": 1}, "b_run_beats"),
    (Opcode.STORE, {"use_a": 0, **WITH_B}, {"use_a": 0}, "use_a + use_b"),
    (Opcode.STORE, {"b_pad": 4}, {"b_pad": 4, **WITH_B}, "b_pad"),
    (Opcode.STORE, {"out_base": 4095}, {"out_base": 4096}, "out_base"),
    (Opcode.STORE, {"out_bank": 2, "use_a": 0, **WITH_B}, {"out_bank": 2}, "out_bank"),
    (Opcode.STORE, TO_SB | {"run_beats": 0}, {"run_beats": 0}, "run_beats"),
    (Opcode.STORE, TO_SB, {"sb_only": 1}, "to_sb"),
    (Opcode.STORE, TO_SB | {"first_row": 2}, TO_SB | {"first_row": 3}, "first_row"),
    (Opcode.STORE, TO_SB | {"first_group": 8}, TO_SB | {"first_group": 9}, "first_group"),
    (Opcode.STORE, {"sb_base": 2048}, {"sb_base": 2048, "to_sb": 1}, "sb_base"),
]


@pytest.mark.parametrize(("opcode", "right", "wrong", "name"), CASES)
def test_either_side_of_a_limit(opcode, right, wrong, name):
    assert first_broken(Command(opcode, LEGAL[opcode] | right), KNOWN) is None
    command = Command(opcode, LEGAL[opcode] | wrong)
    broken = first_broken(command, KNOWN)
    assert broken is not None and broken.told(command).startswith(f"{opcode.name}: {name} is ")


def test_every_limit_has_a_case_or_its_field_has():
    named = {(opcode, name.split(" ")[0]) for opcode, _, _, name in CASES}
    others = {(Opcode.LOAD_WGT, "run_beats"), (Opcode.LOAD_WGT, "run_stride"), (Opcode.PASS, "out_cols")}
    others |= {(Opcode.PASS, name) for name in ("rows", "cols", "sb_base")}
    others |= {(Opcode.STORE, name) for name in ("run_stride", "b_run_stride", "groups")}
    others |= {(Opcode.STORE, name) for name in ("rows", "cols", "pad")}
    assert {(limit.opcode, limit.field) for limit in KNOWN} == named | others


def test_a_program_of_the_mapper_breaks_none_and_the_checker_names_one_that_does():
    supernet = get_space("fashion")
    subnet = supernet.subnet("fashion-d111-w222")
    quant = random_quant(subnet, np.random.default_rng(0))
    program = compile_subnet(subnet, supernet, TINY, quant, MemoryMap.build(supernet, [subnet], TINY))
    assert all(first_broken(command, KNOWN) is None for command in program.commands)
    at = next(i for i, c in enumerate(program.commands) if c.opcode is Opcode.LOAD_ACT)
    with pytest.raises(ProgramError, match=rf"command {at}: LOAD_ACT: rows is 0; it is 1 or more"):
        check_program(edit(program, at, rows=0))


def test_a_machine_without_a_pb_has_no_slot_in_it():
    bare = TINY.replace(name="bare", buffers={"pb_bytes": 0})
    load = Command(Opcode.LOAD_WGT, LEGAL[Opcode.LOAD_WGT] | {"memory": 1})
    assert "nothing that this machine has" in first_broken(load, limits(bare)).told(load)


def test_fields_exist_and_the_table_has_a_row_each():
    for limit in KNOWN:
        fields = {field.name for field in FIELDS[limit.opcode]}
        assert {limit.field, *([limit.plus] if limit.plus else []), *(name for name, _ in limit.when)} <= fields
    assert len(limit_table(TINY).splitlines()) == len(KNOWN) + 2
