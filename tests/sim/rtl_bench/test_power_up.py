"""Memories hold random bits at time 0, in words of any width."""

import shutil
import subprocess

import pytest

from sim.rtl_bench.power_up import with_random_memories

SOURCE = """
module bench;
  reg [3:0] narrow [7:0];
  reg [69:0] memory [2:0];
  reg [3:0] count = 4'h0;
  integer i;
  initial begin
    #1;
    for (i = 0; i < 8; i = i + 1) $display("%b", narrow[i]);
    for (i = 0; i < 3; i = i + 1) $display("%b", memory[i]);
  end
endmodule
"""


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
def test_every_bit_of_every_word_is_known_and_words_differ(tmp_path):
    def shown(text):
        (tmp_path / "a.v").write_text(text)
        subprocess.run(["iverilog", "-g2001", "-s", "bench", "-o", tmp_path / "a", tmp_path / "a.v"], check=True)
        run = subprocess.run(["vvp", "-n", tmp_path / "a"], capture_output=True, text=True, check=True)
        return run.stdout.split()

    assert set("".join(shown(SOURCE))) == {"x"}
    words = shown(with_random_memories(SOURCE))
    assert [len(word) for word in words] == [4] * 8 + [70] * 3
    assert set("".join(words)) == {"0", "1"}
    assert len(set(words[:8])) > 3 and len(set(words[8:])) == 3


def test_registers_are_left_alone():
    assert with_random_memories("  reg [3:0] count = 4'h0;\n") == "  reg [3:0] count = 4'h0;\n"
