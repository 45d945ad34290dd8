"""The checker must find what it is for: every fault below is put in by hand."""

import re
from dataclasses import replace

import numpy as np
import pytest

from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Activation, Kind, Layer
from arch_model.network.supernet import SubNet, SuperNet
from arch_model.program import limits
from arch_model.program.check import check_program
from arch_model.program.isa import FIELDS, Command, Memory, Opcode, greatest
from arch_model.program.untimed_run import ProgramError
from arch_model.spaces import get_space
from mapper.layout.memory_map import MemoryMap
from mapper.lowering.compile import compile_layer, compile_subnet, single_layer
from mapper.lowering.placement import candidates, place
from mapper.workload.fusion import steps
from tests.mapper.random_nets import random_quant

TINY = Accelerator.load("tiny")
TOKENS = {  # token: (signalling opcode, signal, waiting opcode, wait)
    "sb_full": (Opcode.LOAD_ACT, "signal_full", Opcode.PASS, "wait_sb"),
    "sb_free": (Opcode.PASS, "signal_sb", Opcode.LOAD_ACT, "wait_free"),
    "w_full": (Opcode.LOAD_WGT, "signal_full", Opcode.PASS, "wait_weights"),
    "w_free": (Opcode.PASS, "signal_weights", Opcode.LOAD_WGT, "wait_free"),
    "out_full": (Opcode.PASS, "signal_out", Opcode.STORE, "wait_full"),
    "out_free": (Opcode.STORE, "signal_free", Opcode.PASS, "wait_out"),
    "stored": (Opcode.STORE, "signal_stored", Opcode.LOAD_ACT, "wait_stored"),
}
ON_CHIP = {
    "kept": (Opcode.STORE, "signal_kept", Opcode.PASS, "wait_kept"),
    "loaded": (Opcode.LOAD_ACT, "signal_loaded", Opcode.STORE, "wait_loaded"),
    "stored": TOKENS["stored"],
}


@pytest.fixture(scope="module")
def fashion():
    supernet = get_space("fashion")
    subnet = supernet.subnet("fashion-d111-w222")
    quant = random_quant(subnet, np.random.default_rng(0))
    program = compile_subnet(subnet, supernet, TINY, quant, MemoryMap.build(supernet, [subnet], TINY))
    check_program(program)
    return program


@pytest.fixture(scope="module")
def on_chip():
    """A SubNet some of whose tensors stay in the SB: every second one that can."""
    supernet = get_space("fashion")
    subnet = supernet.subnet("fashion-d111-w222")
    order, quant = steps(subnet.layers), random_quant(subnet, np.random.default_rng(0))
    placement = place(order, TINY, candidates(order, TINY)[::2])
    places = MemoryMap.build(supernet, [subnet], TINY)
    program = compile_subnet(subnet, supernet, TINY, quant, places, placement=placement)
    check_program(program)
    return program


def edit(program, at, **fields):
    commands = list(program.commands)
    commands[at] = Command(commands[at].opcode, {**commands[at].fields, **fields})
    return replace(program, commands=tuple(commands))


def users(program, opcode, field):
    return [i for i, c in enumerate(program.commands) if c.opcode is opcode and c[field]]


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_are_there_for_a_reason(fashion, token):
    """A signal and its wait, taken out together, open a race, unless other tokens happen to imply the same order."""
    giver, signal, taker, wait = TOKENS[token]
    signals, waits = users(fashion, giver, signal), users(fashion, taker, wait)
    assert len(signals) == len(waits) > 1
    found = 0
    for k in np.linspace(0, len(signals) - 1, 12).astype(int):
        try:
            check_program(edit(edit(fashion, signals[k], **{signal: 0}), waits[k], **{wait: 0}))
        except ProgramError as error:
            assert re.search("while it may be read|before it must be|which nobody wrote", str(error))
            found += 1
    assert found == 12 if token in ("sb_full", "w_full", "w_free", "out_full") else found >= 1


@pytest.mark.parametrize("token", ON_CHIP)
def test_tokens_of_tensors_on_chip_are_there_for_a_reason(on_chip, token):
    giver, signal, taker, wait = ON_CHIP[token]
    signals, waits = users(on_chip, giver, signal), users(on_chip, taker, wait)
    assert len(signals) == len(waits) > 1
    found = 0
    for k in range(len(signals)):
        try:
            check_program(edit(edit(on_chip, signals[k], **{signal: 0}), waits[k], **{wait: 0}))
        except ProgramError as error:
            assert re.search("before it must be|write port may be in use", str(error))
            found += 1
    assert found >= 1
    with pytest.raises(ProgramError, match="Program hangs"):
        check_program(edit(on_chip, signals[-1], **{signal: 0}))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("skew", 1, "in another layout|reads SB .* which nobody wrote"),
        ("sb_base", 1900, "of the SB; it has|which nobody wrote"),
        ("first_row", 1, "which nobody wrote|of the SB; it has|before it must be"),
        ("group_step", 1, "which nobody wrote|while|before"),
    ],
)
def test_a_result_at_a_wrong_place_of_the_sb(on_chip, field, value, message):
    """Of the first STORE whose result lies in windows: what a PASS reads is not there, or not alone."""
    at = next(i for i, c in enumerate(on_chip.commands) if c["to_sb"] and not c["pointwise"])
    with pytest.raises(ProgramError, match=message):
        check_program(edit(on_chip, at, **{field: value}))


@pytest.mark.parametrize("token", TOKENS)
def test_a_missing_signal_hangs_and_a_missing_wait_leaves_a_token(fashion, token):
    giver, signal, taker, wait = TOKENS[token]
    with pytest.raises(ProgramError, match="Program hangs"):
        check_program(edit(fashion, users(fashion, giver, signal)[-1], **{signal: 0}))
    with pytest.raises(ProgramError, match=rf"tokens {token} left|while|before"):
        check_program(edit(fashion, users(fashion, taker, wait)[-1], **{wait: 0}))


@pytest.mark.parametrize(
    ("opcode", "field", "value", "message"),
    [
        (Opcode.PASS, "sb_base", 2 * TINY.sb_half_words - 1, "of the SB; it has"),
        (Opcode.PASS, "slot", 10_000, r"slot \+ reps is 100\d\d; it is 0 to (128|455)"),
        (Opcode.LOAD_WGT, "addr", TINY.dram.bytes - 4, "of DRAM; it has 4194304"),
        (Opcode.STORE, "run_stride", TINY.dram.bytes, "of DRAM; it has 4194304"),
        (Opcode.LOAD_ACT, "addr", 3 * TINY.dram.bytes, "of DRAM; it has 4194304"),
        (Opcode.PASS, "out_base", 2 * TINY.out_half_words - 1, "of the OB's output side; it has"),
        (Opcode.LOAD_ACT, "sb_base", 2 * TINY.sb_half_words - 1, "of the SB; it has"),
        (Opcode.STORE, "out_base", 2 * TINY.out_half_words - 1, "of the OB's output side; it has"),
        (Opcode.PASS, "out_rows", 1000, "pixels accumulate; the OB holds 400"),
    ],
)
def test_addresses_beyond_a_buffer(fashion, opcode, field, value, message):
    at = next(i for i, c in enumerate(fashion.commands) if c.opcode is opcode and c["reps"] != 1)
    with pytest.raises(ProgramError, match=message):
        check_program(edit(fashion, at, **{field: value}))


def test_a_load_before_the_pass_that_frees_its_half(fashion):
    """In the order of the Program FETCH would wait for a queue that cannot move."""
    first = next(i for i, c in enumerate(fashion.commands) if c.opcode is Opcode.PASS)
    loads = [i for i, c in enumerate(fashion.commands) if c.opcode is Opcode.LOAD_ACT][:8]
    moved = [c for i, c in enumerate(fashion.commands) if i not in loads]
    hoisted = [fashion.commands[i] for i in loads]
    with pytest.raises(ProgramError, match=r"Program hangs: load_act at command .*; FETCH at command"):
        check_program(replace(fashion, commands=(*moved[: first - 1], *hoisted, *moved[first - 1 :])))


@pytest.mark.parametrize("late", [1, 2, 3])
def test_zsb_table_overwritten_while_its_layer_still_runs(late):
    """FEED is ahead of the requantiser: only its third pass after a layer's last one proves the entries read."""
    layer = Layer("a", Kind.CONV, K=16, C=3, R=3, S=3, H=3, W=4, padding=1)
    quant = random_quant(single_layer(layer)[1], np.random.default_rng(0))["a"]
    program, _ = compile_layer(layer, TINY, quant)
    passes = [i for i, c in enumerate(program.commands) if c.opcode is Opcode.PASS]
    assert len(passes) == 4
    table = next(c for c in program.commands if c["memory"] == Memory.ZSB)
    first = {**table.fields, "run_beats": 8, "wait_free": 1}  # overwrites the entry of the first pass only
    edited = edit(program, passes[late], signal_weights=1)
    commands = (*edited.commands[:-1], Command(Opcode.LOAD_WGT, first), edited.commands[-1])
    if late == 3:
        check_program(replace(edited, commands=commands))
    else:
        with pytest.raises(ProgramError, match=r"overwrites ZSB .* while it may be read"):
            check_program(replace(edited, commands=commands))


@pytest.fixture(scope="module")
def deep():
    """A depthwise layer with a table, and a scaling after it."""
    layers = (
        Layer("deep", Kind.CONV, 9, 9, 3, 3, 8, 8, padding=1, groups=9, inputs=(INPUT,), activation=Activation.HSWISH),
        Layer("all", Kind.POOL, 9, 9, H=8, W=8, inputs=("deep",)),
        Layer("times", Kind.SCALE, 9, 9, H=8, W=8, inputs=("deep", "all")),
        Layer("most", Kind.MAXPOOL, 9, 9, 3, 3, 8, 8, 2, 1, inputs=("times",)),
    )
    subnet = SubNet("part", "whole", layers)
    supernet = SuperNet("whole", subnet.weight_layers, lambda: subnet, lambda name: {}, ("part",))
    quant = random_quant(subnet, np.random.default_rng(0))
    program = compile_subnet(subnet, supernet, TINY, quant, MemoryMap.build(supernet, [subnet], TINY))
    check_program(program)
    return program


@pytest.mark.parametrize(
    ("opcode", "field", "changes", "message"),
    [
        (Opcode.PASS, "depthwise", {"reps": 2}, "reps of PASS is 2"),
        (Opcode.PASS, "depthwise", {"pointwise": 1, "last_banks": 1}, "pointwise of PASS is 1"),
        (Opcode.PASS, "depthwise", {"sub": 3}, "PASS: sub is 3"),
        (Opcode.PASS, "depthwise", {"last_banks": 3}, "PASS: last_banks is 3"),
        (Opcode.PASS, "depthwise", {"last_lanes": 2}, "last_lanes of PASS is 2"),
        (Opcode.PASS, "depthwise", {"last_lanes": 16}, "last_lanes of PASS is 16"),
        (Opcode.PASS, "depthwise", {"last_lanes": 15, "x0": -3}, "x0 of PASS is -3"),
        (Opcode.PASS, "depthwise", {"last_lanes": 15, "finish": 0}, "last_lanes of PASS is 15"),
        (Opcode.PASS, "depthwise", {"out_cols": 4095, "stride": 2}, "out_cols of PASS is 4095"),
        (Opcode.PASS, "depthwise", {"depthwise": 0, "stride": 0}, "PASS: stride is 0"),
        (Opcode.PASS, "depthwise", {"depthwise": 0}, "are in another layout"),
        (Opcode.PASS, "maximum", {"finish": 0}, "maximum of PASS is 1"),
        (Opcode.PASS, "table", {"table": 3}, "PASS: table is 3"),
        (Opcode.PASS, "table", {"table": 2}, "reads activation tables 1..1, which nobody wrote"),
        (Opcode.LOAD_ACT, "skew", {"skew": 0}, "are in another layout"),
        (Opcode.LOAD_ACT, "skew", {"pointwise": 1}, "skew of LOAD_ACT is 1"),
        (Opcode.STORE, "multiply", {"use_b": 0}, "multiply of STORE is 1"),
    ],
)
def test_fields_that_do_not_go_together(deep, opcode, field, changes, message):
    at = users(deep, opcode, field)[0]
    with pytest.raises(ProgramError, match=re.escape(message)):
        check_program(edit(deep, at, **changes))


@pytest.mark.parametrize("changes", [{"slot": 2}, {"runs": 2}, {"run_beats": 63}])
def test_a_table_is_256_bytes_in_one_of_two_places(deep, changes):
    at = next(i for i in users(deep, Opcode.LOAD_WGT, "memory") if deep.commands[i]["memory"] == Memory.TABLE)
    (name,) = changes
    with pytest.raises(ProgramError, match=f"command {at}: (LOAD_WGT: {name} is|{name} of LOAD_WGT is)"):
        check_program(edit(deep, at, **changes))


@pytest.mark.parametrize("opcode", [Opcode.LOAD_ACT, Opcode.LOAD_WGT, Opcode.PASS, Opcode.STORE])
def test_every_field_holds_its_greatest_value_and_one_more_is_named(fashion, opcode):
    """A value that wraps would be another one in the hardware: of each field of each command."""
    at = next(i for i, c in enumerate(fashion.commands) if c.opcode is opcode)
    for field in FIELDS[opcode][1:]:
        assert greatest(opcode, field.name) == field.high
        for value in (field.low, field.high):
            command = Command(opcode, {field.name: value})
            assert Command.decode(command.encode())[field.name] == value
        for value in (field.low - 1, field.high + 1):
            text = f"command {at}: field {field.name} is {value}; it holds {field.low}..{field.high}"
            with pytest.raises(ProgramError, match=re.escape(text)):
                check_program(edit(fashion, at, **{field.name: value}))


@pytest.mark.parametrize(("bits", "message"), [("PROGRAM_BEATS_BITS", "PROG_BEATS"), ("ORDER_BITS", "ERROR_COMMAND")])
def test_a_program_that_a_register_cannot_count(fashion, bits, message, monkeypatch):
    length = fashion.beats if bits == "PROGRAM_BEATS_BITS" else len(fashion.commands)
    monkeypatch.setattr(limits, bits, length.bit_length())
    check_program(fashion)
    monkeypatch.setattr(limits, bits, length.bit_length() - 1)
    with pytest.raises(ProgramError, match=f"a Program of {length} .*; {message} holds at most"):
        check_program(fashion)


def test_a_pool_sums_no_more_than_its_bits_hold(fashion):
    """255 * (2**24 - 1) for each pixel of one operand, the greatest there is, against the sum's 48 bits."""
    assert limits.POOLED_MAX * 255 * (2**24 - 1) < 2**47 <= 2 * limits.POOLED_MAX * 255 * (2**24 - 1)
    at = next(i for i, c in enumerate(fashion.commands) if c["pool"])
    with pytest.raises(ProgramError, match=f"command {at}: rows of STORE is 4095"):
        check_program(edit(fashion, at, rows=4095, cols=9))
