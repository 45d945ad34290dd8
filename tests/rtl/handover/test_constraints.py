"""Constraints: numbers by hand, and that a Tcl interpreter finds in them the commands, options and ports it should."""

import pytest

from arch_model.machine.accelerator import Accelerator
from rtl.handover.constraints import sdc, xdc
from rtl.handover.ports import Port

tkinter = pytest.importorskip("tkinter", reason="Python's Tcl is not installed (Debian: python3-tk)")
PORTS = [
    Port("aclk", "input", 1),
    Port("aresetn", "input", 1),
    Port("s_axi_ctrl_wdata", "input", 32),
    Port("irq", "output", 1),
]
OPTIONS = {
    "set_units": {"-time"},
    "create_clock": {"-name", "-period"},
    "set_clock_uncertainty": set(),
    "set_input_delay": {"-clock"},
    "set_output_delay": {"-clock"},
}
"""Commands of SDC 2.1 that Vivado has too (UG903), with the options used; set_units is SDC's alone."""


def calls(text):
    """The commands that Tcl executes: name, options with their values, other words."""
    tcl = tkinter.Tcl()
    seen = []

    def command(name):
        def run(*given):
            words, options = list(given), {}
            while any(word.startswith("-") for word in words):
                at = next(i for i, word in enumerate(words) if word.startswith("-"))
                options[words[at]] = words[at + 1]
                del words[at : at + 2]
            seen.append((name, options, words))
            return ""

        return run

    for name in tcl.eval("info commands").split():
        if name not in ("rename", "set", "proc", "return", "list", "concat", "lindex"):
            tcl.eval(f"rename {{{name}}} {{}}")  # what is no constraint is an error
    for name in OPTIONS:
        tcl.createcommand(name, command(name))
    for name in ("get_ports", "get_clocks", "all_outputs"):
        tcl.createcommand(name, lambda *words, name=name: f"{name}:" + ",".join(" ".join(words).split()))
    tcl.eval(text)
    return seen


@pytest.mark.parametrize("make", [sdc, xdc])
def test_the_commands(make):
    slow = Accelerator.load("tiny").replace(clock_hz=80_000_000)
    seen = calls(make(slow, PORTS))
    if make is sdc:
        assert seen.pop(0) == ("set_units", {"-time": "ns"}, [])
    assert seen == [
        ("create_clock", {"-name": "aclk", "-period": "12.500"}, ["get_ports:aclk"]),
        ("set_clock_uncertainty", {}, ["0.625", "get_clocks:aclk"]),
        ("set_input_delay", {"-clock": "get_clocks:aclk"}, ["3.750", "get_ports:aresetn,s_axi_ctrl_wdata[*]"]),
        ("set_output_delay", {"-clock": "get_clocks:aclk"}, ["3.750", "all_outputs:"]),
    ]
    for name, options, _ in seen:
        assert set(options) <= OPTIONS[name]


def test_all_but_commands_is_comment():
    for text in (sdc(Accelerator.load("tiny"), PORTS), xdc(Accelerator.load("tiny"), PORTS)):
        assert text.startswith("# Accelerator tiny: one clock of 100 MHz.\n") and text.endswith("[all_outputs]\n")
        assert all(len(line) <= 120 for line in text.splitlines())
