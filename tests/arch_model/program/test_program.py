from arch_model.machine.accelerator import Accelerator
from arch_model.program.isa import SLOTS, Command, Opcode
from arch_model.program.program import LayerSpan, Program

TINY = Accelerator.load("tiny")  # B = 4


def program(*commands, accelerator=TINY):
    return Program("p", accelerator, 0, (*commands, Command(Opcode.END, {})), (-1,), (LayerSpan("a", 0, 0, "a"),), {})


def test_dram_bytes_by_hand():
    p = program(
        Command(Opcode.LOAD_WGT, {"runs": 3, "run_beats": 27}),
        Command(Opcode.LOAD_ACT, {"groups": 2, "run_beats": 10}),
        Command(Opcode.STORE, {"groups": 4, "run_beats": 5, "b_run_beats": 6, "use_b": 1}),
        Command(Opcode.STORE, {"groups": 1, "run_beats": 5, "b_run_beats": 6}),
    )
    # 1 + 1 + 2 + 2 + 1 slots of 32 bytes
    assert dict(p.dram_bytes) == {"prog": 224, "wgt": 3 * 27 * 4, "act": 80, "b": 4 * 6 * 4, "out": 25 * 4}
    assert len(p.encode()) == 224 and p.beats == 56


def test_a_wide_beat_is_filled_with_end():
    wide = TINY.replace(array={"kp": 16}, axi={"data_bits": 1024}, dram={"bytes": 1 << 22})
    data = program(Command(Opcode.PASS, {"reps": 1}), accelerator=wide).encode()
    assert len(data) == 128 and not any(data[32:])


def test_bytes_decode_to_the_commands():
    commands = [Command(Opcode.STORE, {"addr": 64, "z_out": -3}), Command(Opcode.PASS, {"reps": 5, "y0": -1})]
    data, position = program(*commands).encode(), 0
    for command in commands:
        got = Command.decode(data[position:])
        assert got.opcode is command.opcode
        assert {k: v for k, v in got.fields.items() if v} == dict(command.fields)
        position += 32 * SLOTS[command.opcode]
