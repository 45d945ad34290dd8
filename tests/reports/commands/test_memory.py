"""What the commands say of a memory that is described beside the clock, and of one that a faster clock makes faster."""

import pytest
from click.testing import CliRunner

from arch_model.machine.accelerator import Accelerator
from arch_model.machine.accelerator_yaml import accelerator_yaml
from reports.commands.explore import command as explore
from reports.commands.map import command as map_layer
from reports.commands.memory import faster_memory, memory_text, say_varied_memory, with_memory_said

U50, TINY = Accelerator.load("u50"), Accelerator.load("tiny")


@pytest.mark.parametrize(
    ("dram", "text"),
    [
        ({"latency_ns": 241}, "DRAM: 241 ns are 25 cycles of 100 MHz"),
        ({"bytes_per_s": 1e9}, "DRAM: 1 GB/s are a beat every 2 cycles of 100 MHz on each port, 0.6 GB/s"),
        (
            {"latency_ns": 5, "bytes_per_s": 1.2e9},
            "DRAM: 5 ns are 1 cycle of 100 MHz; 1.2 GB/s are a beat a cycle on each port, 1.2 GB/s",
        ),
    ],
)
def test_what_was_written_and_what_is_counted(dram, text):
    assert memory_text(TINY.replace(dram=dram)) == text


def test_knobs_that_say_the_memory_themselves():
    assert faster_memory(TINY, ["CLOCK"]) == "latency and bandwidth"
    assert faster_memory(TINY, ["CLOCK", "LATENCY"]) == "bandwidth"
    assert faster_memory(TINY, ["CLOCK", "LATENCY", "INTERVAL"]) == ""
    assert faster_memory(TINY.replace(dram={"latency_ns": 240}), ["CLOCK", "KP"]) == "bandwidth"


def test_the_note_goes_to_standard_error(capsys):
    assert with_memory_said(U50) is U50 and with_memory_said(TINY) is TINY
    say_varied_memory(U50, ["CLOCK"])
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 2
    assert err.splitlines()[1].endswith("51.2 GB/s; the same memory at every clock, in whole cycles")


def test_commands_say_it(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(accelerator_yaml(TINY.replace(dram={"latency_ns": 241})))
    made = CliRunner().invoke(map_layer, ["--layer", "K=4 C=3 H=4 W=4", "--accelerator", str(path)])
    assert made.exit_code == 0 and made.stderr == "note: DRAM: 241 ns are 25 cycles of 100 MHz\n"
    made = CliRunner().invoke(map_layer, ["--layer", "K=4 C=3 H=4 W=4", "--accelerator", "tiny"])
    assert made.exit_code == 0 and made.stderr == ""
    made = CliRunner().invoke(map_layer, ["--layer", "K=4 C=3 H=4 W=0", "--accelerator", str(path)])
    assert made.exit_code != 0 and "note" not in made.stderr  # what is refused says so in one line


def test_an_exploration_of_clocks_says_whose_memory_it_is(tmp_path):
    words = ["--space", "fashion", "--subnets", "fashion-d111-w222", "--vary", "CLOCK=50,100MHz", "--no-report"]
    words += ["--accelerator", "tiny", "--objectives", "area", "--backend", "joblib:1", "--out", str(tmp_path / "out")]
    made = CliRunner().invoke(explore, words)
    assert made.exit_code == 0, made.output
    assert (
        "DRAM's latency and bandwidth of tiny in clock cycles: a faster clock made the memory faster, too"
        in made.stderr
    )
