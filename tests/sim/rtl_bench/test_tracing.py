"""A layer traced on the RTL: the waveform shows the model's intervals, cycle by cycle."""

from pathlib import Path

import pytest

from arch_model.errors import FastSwitchError, SimulatorError
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import COLUMNS
from arch_model.program.isa import Command, Opcode
from arch_model.program.program import Program
from sim.cosim.layer_tables import run_layers
from sim.rtl_bench.bench import build
from sim.rtl_bench.simulators import Simulator, find_simulator
from sim.rtl_bench.tracing import Traced, Tracing, machine
from sim.rtl_bench.waveform import read_waveform

TINY = Accelerator.load("tiny")


@pytest.fixture(scope="module")
def icarus() -> Simulator:
    """It writes waveforms without any header, and builds in seconds."""
    try:
        return find_simulator("icarus")
    except SimulatorError as error:
        pytest.skip(str(error))


def test_a_waveform_shows_what_the_model_predicts(tmp_path: Path, icarus: Simulator) -> None:
    table, traces = tmp_path / "layers.csv", list[Traced]()
    rows = ("0,0,0,a/b,1,8,6,12,12,3,3,1,1,12,12,62208,432", "0,1,1,c,1,4,3,5,5,1,1,1,0,5,5,300,12")
    table.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    tracing = Tracing(tmp_path / "traces", traces.append)
    run_layers(TINY, table, tmp_path / "o.csv", seed=1, simulator=icarus, tracing=tracing, on_row=lambda row: None)
    assert [traced.name for traced in traces] == ["1-a_b", "2-c"]
    for traced in traces:
        predicted, counters = traced.outcome.predicted, traced.outcome.result.counters
        assert traced.waveform == tmp_path / "traces" / f"{traced.name}.fst"
        assert traced.observed.timeline == predicted.timeline
        assert traced.observed.cycles == counters["CYCLES"] == predicted.cycles
        for cause, waits in traced.observed.waits.items():
            assert sum(last - first + 1 for first, last in waits) == counters[f"WAIT_{cause.upper()}"]
    fewer = [c for c in traces[0].outcome.program.commands if c.opcode is not Opcode.STORE]
    with pytest.raises(FastSwitchError, match=r"STORE took \d+ commands; the Program has 0 for it"):
        read_waveform(traces[0].waveform, fewer)


def test_traces_replace_neither_an_input_nor_the_table(tmp_path: Path, icarus: Simulator) -> None:
    """Nothing is simulated: the first stage is not reached."""
    folder, text = tmp_path / "traces", ",".join(COLUMNS) + "\n0,0,0,c,1,4,3,5,5,1,1,1,0,5,5,300,12\n"
    folder.mkdir()
    layers, machine_file = tmp_path / "layers.csv", tmp_path / "machine.yaml"
    for file in (layers, folder / "1-c.csv", machine_file):
        file.write_text(text)
    for table, out, kept in (
        (folder / "1-c.csv", tmp_path / "o.csv", folder / "1-c.csv"),  # the layer table is where a trace goes
        (layers, folder, layers),  # the table of results is the folder of traces
        (layers, folder / "1-c.png", layers),  # ... or one of the traces
        (layers, machine_file, machine_file),
    ):
        with pytest.raises(FastSwitchError, match=r"is also the input|are the same file|Is a directory"):
            run_layers(
                TINY,
                table,
                out,
                seed=1,
                simulator=icarus,
                tracing=Tracing(folder),
                force=True,
                inputs=[machine_file],
                on_row=lambda row: None,
                on_stage=lambda stage: pytest.fail("simulates"),
            )
        assert kept.read_text() == text


def test_no_half_waveform_is_left(tmp_path: Path, icarus: Simulator) -> None:
    """Of a Program that cannot be run."""
    commands = Command(Opcode.LOAD_ACT, {"wait_free": 1}), Command(Opcode.END, {})
    endless = Program("endless", TINY, 0, commands, (-1, -1), (), {})
    with machine(build(TINY, icarus, trace=True), Tracing(tmp_path)) as run, pytest.raises(ValueError, match="never"):
        run("broken", endless, (), {})
    assert not list(tmp_path.glob("*.fst"))
