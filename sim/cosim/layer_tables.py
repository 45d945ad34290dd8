"""Simulate the rows of a layer table on random tensors and compare each with model and reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from arch_model.errors import LayerError, MappingError
from arch_model.files.question import asked, file_digest, machine_facts
from arch_model.files.result_file import ResultFile
from arch_model.files.writing import Source
from arch_model.machine.accelerator import Accelerator
from arch_model.network.layer import INPUT, Kind, Layer, LayerRow, read_layer_table
from arch_model.program.program import Program
from mapper.layout.dram_image import Segment, image_segment, weights_segments, zsb_segments
from mapper.lowering.compile import compile_layer, single_layer, single_quant
from mapper.search.optimise import optimise
from mapper.workload.depthwise import has_tiles
from sim.integers.random_integers import random_op
from sim.integers.reference import run_layers as reference
from sim.rtl_bench.bench import build
from sim.rtl_bench.bench_build import Memory, build_verilog
from sim.rtl_bench.simulators import Simulator
from sim.rtl_bench.tracing import Tracing, file_name, machine

Row = dict[str, Any]


def run_layers(
    accelerator: Accelerator,
    layers: Path,
    csv: Path,
    *,
    seed: int,
    simulator: Simulator,
    best: bool = False,
    netlist: Sequence[Path] = (),
    tracing: Tracing | None = None,
    force: bool = False,
    inputs: Sequence[Source] = (),
    on_row: Callable[[Row], None],
    on_stage: Callable[[str], None] = lambda stage: None,
    on_left_out: Callable[[Sequence[Layer]], None] = lambda layers: None,
) -> list[Row]:
    """Simulate every row of a layer table, each as a Program of its own.

    Finished rows are kept until the file is whole (:class:`arch_model.files.result_file.ResultFile`), and the same call
    goes on behind them.

    Parameters
    ----------
    accelerator : the machine.
    layers : the table, a CSV file. An ADD is done by the STORE of the convolution before it and has no Program of its
        own: the table of a whole network, as ``fastswitch predict`` writes it, may have such rows; they are not
        simulated.
    csv : the file that all rows go to.
    seed : of tensors and quantisation, with the row's place.
    simulator : that runs the RTL.
    best : each dense layer has the mapping of :func:`mapper.search.optimise.optimise`, not the compiler's quick choice.
    netlist : Verilog files with the accelerator's module ``fastswitch`` and all it needs, instead of its RTL.
    tracing : each layer leaves a waveform, named by the row's place and the layer.
    force : replace a file with other content.
    inputs : files, beside ``layers``, that are read and must not be replaced.
    on_row, on_stage : called with each row, and with what long work begins.
    on_left_out : called with the layers that are not simulated, if there are any.

    Returns
    -------
    The rows: the table's columns, then predicted_cycles, simulated_cycles, predicted_dram_bytes, simulated_dram_bytes,
    utilisation (multiply-accumulates a multiplier and simulated cycle) and mismatches (wrong int8 outputs).

    Raises
    ------
    FastSwitchError
        Before anything is simulated: a row is malformed or too much for the accelerator, which the message names; or
        the table has additions only (LayerError).
    """
    table = read_layer_table(layers)
    rows = [row for row in table if row.layer.kind is not Kind.ADD]
    if not rows:
        raise LayerError(f"layer table {layers} has additions only; give at least one layer that runs by itself")
    if left_out := [row.layer for row in table if row.layer.kind is Kind.ADD]:
        on_left_out(left_out)
    question = asked(
        "cosim",
        **machine_facts(accelerator),
        layers=file_digest(layers),
        seed=seed,
        best=best,
        netlist=", ".join(file_digest(file) for file in netlist) or "none",
    )
    inputs = [layers, *netlist, *inputs]
    with ResultFile(csv, question, inputs, force) as out:
        jobs = [LayerJob(row, accelerator, seed, layers, best) for row in rows]
        digits = len(str(len(jobs)))
        names = [file_name(str(number).zfill(digits), job.layer.name) for number, job in enumerate(jobs, 1)]
        with nullcontext() if tracing is None else tracing.opened(question, names, force, inputs, csv):
            return _run_jobs(
                dict(zip(names, jobs, strict=True)), accelerator, out, simulator, netlist, tracing, on_row, on_stage
            )


def _run_jobs(
    jobs: Mapping[str, LayerJob],
    accelerator: Accelerator,
    out: ResultFile,
    simulator: Simulator,
    netlist: Sequence[Path],
    tracing: Tracing | None,
    on_row: Callable[[Row], None],
    on_stage: Callable[[str], None],
) -> list[Row]:
    on_stage("building the simulation")
    memory = Memory.of(accelerator)
    trace = tracing is not None
    if netlist:
        built = build_verilog(netlist, memory, simulator, trace=trace)
    else:
        built = build(accelerator, simulator, trace=trace, on_stage=on_stage)
    done = []
    on_stage("simulating")
    with machine(built, tracing) as run:

        def simulate(job: LayerJob, name: str) -> Row:
            outcome = run(name, job.program, *job.tensors())
            return {
                **job.row.fields,
                "predicted_cycles": outcome.predicted.cycles,
                "simulated_cycles": outcome.result.cycles,
                "predicted_dram_bytes": sum(outcome.program.dram_bytes.values()),
                "simulated_dram_bytes": sum(outcome.simulated_bytes.values()),
                "utilisation": job.layer.macs / (accelerator.multipliers * outcome.result.cycles),
                "mismatches": outcome.mismatches,
            }

        for number, (name, job) in enumerate(jobs.items(), 1):
            key = f"{built.folder.name} {number} {sha256(job.program.encode()).hexdigest()}"
            if tracing is not None and not tracing.has(name):  # kept, but not traced
                out.add(key, simulate(job, name))
            row = out.row(key, partial(simulate, job, name))
            on_row(row)
            done.append(row)
    out.finish()
    return done


class LayerJob:
    """A row compiled for the accelerator; its tensors are drawn from the seed and the row's place.

    Parameters
    ----------
    row : of the layer table.
    accelerator : for which it is compiled.
    seed : of its tensors.
    table : where the row is from, for errors.
    best : compile the best mapping; else the quick choice.

    Raises
    ------
    LayerError
        The accelerator cannot run the layer; the message names the table and the line.
    """

    def __init__(self, row: LayerRow, accelerator: Accelerator, seed: int, table: Path, best: bool) -> None:
        self.row, self.layer, self.accelerator = row, row.layer, accelerator
        self.rng = np.random.default_rng((seed, row.line))
        self.quant = single_quant(row.layer, random_op(row.layer, self.rng))
        try:
            self.program: Program
            tiling = optimise(row.layer, accelerator).tiling if best and has_tiles(row.layer) else None
            own = self.quant[row.layer.name]
            self.program, self.memory_map = compile_layer(row.layer, accelerator, own, tiling)
        except MappingError as error:
            raise LayerError(f"layer table {table}, line {row.line}: {error}") from None

    def tensors(self) -> tuple[list[Segment], dict[str, npt.NDArray[np.int8]]]:
        """What goes to DRAM, and every tensor as the reference has it."""
        layer = self.layer
        _, subnet = single_layer(layer)
        weights = {}
        if layer.kind.has_weights:
            shape = layer.K, layer.C // layer.groups, layer.R, layer.S
            weights[layer.name] = self.rng.integers(-127, 128, shape, dtype=np.int8)
        image = self.rng.integers(-128, 128, (layer.C, layer.H, layer.W), dtype=np.int8)
        quant = self.quant
        segments = [
            *weights_segments(self.memory_map, weights),
            *zsb_segments(self.memory_map, subnet, weights, quant),
            image_segment(self.memory_map, subnet, image),
        ]
        return segments, {INPUT: image, **reference(subnet.layers, weights, quant, image)}
