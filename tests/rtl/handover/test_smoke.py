"""The bench's files: words for $readmemh, numbers of the machine and of the runs in the Verilog."""

import doctest
import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import rtl.handover.smoke
from arch_model.machine.accelerator import Accelerator
from rtl.handover.smoke import Run, Smoke, hex_words


def test_examples():
    assert doctest.testmod(rtl.handover.smoke).failed == 0


@given(st.lists(st.sampled_from([0, 0, 0, 1, 255]), max_size=40), st.sampled_from([1, 2, 4]))
def test_words_read_back(values, beat_bytes):
    """As IEEE 1364-2001, 17.2.8, has it: a word at each address in order, from @address on."""
    memory = np.array(values[: len(values) // beat_bytes * beat_bytes], np.uint8)
    read, at = np.zeros_like(memory), 0
    for word in hex_words(memory, beat_bytes).split():
        if word.startswith("@"):
            at = int(word[1:], 16)
        else:
            read[at * beat_bytes : (at + 1) * beat_bytes] = list(int(word, 16).to_bytes(beat_bytes, "little"))
            assert len(word) == 2 * beat_bytes
            at += 1
    assert (read == memory).all()


def test_the_bench_has_the_numbers():
    machine = Accelerator.load("zcu104")
    memory = np.zeros(2 * 4096, np.uint8)
    runs = (Run("first", 0x400, 7, 1234, (1, 2, 3, 4)), Run("second", 0x800, 8, 99, (5, 6, 7, 8)))
    bases = {"BASE_0": 0, "WGT_BASE_1": 4096}
    files = Smoke(machine, "a network", runs, bases, memory, memory, {"dram.v": "// memory\n"}).files()
    text = files["smoke.v"].decode()
    assert set(files) == {"smoke.v", "dram.v", "before.hex", "after.hex", "smoke.json"} and "@" not in text.replace(
        "@(", ""
    )
    description = json.loads(files["smoke.json"])
    assert description["registers"] == bases and description["bytes"] == len(memory)
    first = {"title": "first", "address": 0x400, "beats": 7, "cycles": 1234}
    assert description["runs"][0] == first | {"beats_wgt": 1, "beats_act": 2, "beats_b": 3, "beats_out": 4}
    for line in (
        "localparam BEAT_BYTES = 16;",
        "localparam STRIPES = 1;",
        "localparam WEIGHT_STRIPES = 4;",
        "localparam DEPTH = 512;",
        "check_register(\"SHAPE\", 8'h04, 32'h100910);",
        "write_register(8'h20, 0);  // BASE_0",
        "write_register(8'h84, 4096);  // WGT_BASE_1",
        "run(32'h00000400, 7, 1234, 1, 2, 3, 4);  // first",
        "run(32'h00000800, 8, 99, 5, 6, 7, 8);  // second",
        "localparam [7:0] CYCLES = 8'h40;",
    ):
        assert line in text, line
